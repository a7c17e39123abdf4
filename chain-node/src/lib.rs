//! The chain node: consensus, ledger, store, gossip and HTTP API in one process per validator.
//!
//! A transaction's way: [`api`] → [`admission`] (form, account, signature) → [`mempool`] → [`gossip`] to every peer →
//! [`consensus`] orders it → [`ledger`] executes and [`store`] commits block, state, log and certificate in one write →
//! whoever waits is told. [`identity`] sees to it that one key votes from one place. [`checkpoint`] has the validators sign
//! the log that results; [`evidence`] turns what is stored into something that needs no node to be believed.

pub mod config;
pub mod keys;

pub mod archive;
pub mod backup;
pub mod identity;
pub mod snapshot;

pub mod store;

pub mod ledger;

pub mod admission;
pub mod mempool;

pub mod checkpoint;
pub mod consensus;
pub mod gossip;

pub mod api;
pub mod evidence;

pub mod cli;
pub mod decoders;
pub mod node;
pub mod stages;
pub mod telemetry;

#[cfg(test)]
mod sample;
