//! A client of a chain's validators that trusts none of them: it is given a genesis fingerprint and checks answers
//! against it before it returns them. What a node can only assert (where a transaction stands, an open state value) is
//! marked so; evidence and blocks are proven.
//!
//! Speaks HTTP to several endpoints and goes on with the next when one is down or lies. Stores nothing, and signs nothing but what a
//! provisioner has the steward sign ([`SetChanges`]).

mod absence;
mod city;
mod client;
mod error;
mod evidence;
mod follow;
pub mod node;
mod package;
mod registration;
mod sets;
mod steward;
mod stream;
mod transport;

#[cfg(test)]
mod tests;

pub use absence::Absent;
pub use city::Witnessed;
pub use client::{Client, StateEntry, StateValue};
pub use error::Error;
pub use evidence::Proven;
pub use follow::{ChainBlock, Followed, Start};
pub use node::Node;
pub use reqwest::Url;
pub use steward::SetChanges;
pub use stream::BlockStream;
