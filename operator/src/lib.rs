//! The operator: makes, keeps and repairs the city's chains on a Kubernetes cluster. One loop a kind, always in the same
//! steps: fetch → validate → plan (pure, `chain-plan`) → apply → status (pure).
//!
//! Reading order: [`cli`], [`config`], [`context`], [`objects`].

pub mod cli;
pub mod config;
pub mod context;
pub mod crds;
pub mod events;
pub mod leader;
pub mod metrics;
#[cfg(test)]
pub mod mock;
pub mod objects;
