//! The operator: makes, keeps and repairs the city's chains on a Kubernetes cluster. One loop a kind, always in the same
//! steps: fetch → validate → plan (pure, `chain-plan`) → apply → status (pure).
//!
//! Reading order: [`cli`] the commands; [`run`] one replica's life, with [`leader`] and [`serve`]; [`controllers`] what the
//! leader does: [`tenant`], [`chain`], [`backup`], [`restore`]; [`webhook`] what is refused; [`setup`], [`crds`] and [`certificate`] what must be there before.
//! Shared by all: [`config`], [`context`], [`objects`], [`city`], [`events`], [`metrics`].

pub mod cli;
pub mod run;

pub mod leader;
pub mod serve;

pub mod backup;
pub mod chain;
pub mod controllers;
pub mod founding;
pub mod restore;
pub mod tenant;

pub mod webhook;

pub mod certificate;
pub mod crds;
pub mod setup;

pub mod city;
mod clock;
pub mod config;
pub mod context;
pub mod dry_run;
pub mod events;
pub mod metrics;
pub mod objects;
pub mod telemetry;

#[cfg(test)]
pub mod fixtures;
#[cfg(test)]
pub mod mock;
#[cfg(test)]
mod policy;
