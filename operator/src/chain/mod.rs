//! Chains: each is looked at, planned and brought closer to its plan, again and again, by a loop of its own.
//!
//! ```text
//! fetch        all children by one list a kind; in between only what the nodes say
//! validate     the object → the spec in force, or every mistake with its field (pure)
//! observe      pods → processes, answers → what nodes say
//! plan         `chain_plan::plan` (pure)
//! upkeep       what exists is as wanted: hand-edits and deletions are mended
//! carry out    `chain_plan::next`, action by action; the first failure ends the pass
//! status       `chain_plan::chain_status` and what only a cluster knows (pure); written when it says something new
//! ```
//!
//! The watches ([`watch`]) only wake a loop; they never tell it what to do. A loop that is killed at any point leaves what the next one
//! finds. Reading order: [`worker`], then the steps by name; [`resources`] are the objects made.

mod ask;
mod carry_out;
pub mod city;
mod deletion;
mod facts;
mod fetch;
mod foundation;
pub mod keys;
mod lasting;
mod observe;
mod pod_trouble;
mod report;
pub mod resources;
mod resync;
mod rotation;
mod status;
mod upkeep;
pub mod validate;
mod volumes;
mod watch;
mod worker;

#[cfg(test)]
mod tests;

pub use watch::run;
