//! The operator: makes, keeps and repairs the city's chains on a Kubernetes cluster. One loop a kind, always in the same
//! steps: fetch → validate → plan (pure, `chain-plan`) → apply → status (pure).
//!
//! Reading order: [`cli`], [`objects`].

pub mod cli;
pub mod objects;
