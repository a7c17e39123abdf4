//! The operator: makes, keeps and repairs the city's chains on a Kubernetes cluster. One loop a kind, always in the same
//! steps: fetch → validate → plan (pure, `chain-plan`) → apply → status (pure).
//!
//! Reading order: [`cli`], [`config`], [`context`], [`objects`].

pub mod certificate;
pub mod city;
pub mod cli;
pub mod config;
pub mod context;
pub mod crds;
pub mod events;
#[cfg(test)]
pub mod fixtures;
pub mod leader;
pub mod metrics;
#[cfg(test)]
pub mod mock;
pub mod objects;
pub mod serve;
pub mod tenant;
pub mod webhook;
