//! Ordering: Tendermint consensus by the Malachite engine, wrapped so that none of its types leaves this folder.
//!
//! The engine runs rounds, timeouts, votes, its write-ahead log and value sync. This folder gives it blocks and takes its
//! decisions: [`app`] answers its messages, [`proposals`] knows the blocks that may still be decided, [`parts`] moves them,
//! [`signing`] makes the bytes that are signed, [`idle`] decides when an idle chain rests.
//!
//! What must hold (each has a test of its name or a crash test): a proposal is on disk before it is answered for; block h
//! is committed before height h+1 starts here, so the roots that h+1 must name are always known; every message of the
//! engine is answered, and none waits for execution, which runs on a worker.

mod app;
mod clock;
mod codec;
mod context;
mod engine;
mod idle;
mod parts;
mod proposals;
mod signing;
mod stream;

#[cfg(test)]
mod simulation;

pub(crate) use codec::decodes;
#[cfg(test)]
pub(crate) use codec::samples;

pub use app::Progress;
pub use clock::now_ms;
pub use engine::{Connections, Consensus, ConsensusError, EnginePeers, Settings, start};
