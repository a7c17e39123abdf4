//! A whole consensus of validators in one thread, in virtual time, by a seed: the engine's core and our answers to it as
//! they are, under loss, delay, reordering, duplication, partitions, crashes in the middle of a step, clocks that are off,
//! and validators that break the rules. What must hold is in [`verdict`]; what may fail is in [`faults`].
//!
//! The engine's actors, its transport and its write-ahead log's file are not here: processes test them (`tests/it`).
//!
//! `SIMULATION_SEEDS=5000 cargo test -p chain-node --lib simulation` runs more seeds; `SIMULATION_SEED=17` with
//! `-- --nocapture` runs one again and prints what happened.

mod byzantine;
mod chain;
mod deliver;
mod effects;
mod faults;
mod message;
mod node;
mod random;
mod tests;
mod verdict;
mod verifier;
mod wal;
mod world;

use chain_types::Hash;
use faults::Faults;
use verdict::Violation;

/// A mistake planted in every validator of a run, to see that the run notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    /// Two of four are a quorum.
    WeakQuorum,
    /// Every block may follow: no check of parent, roots, turn or transactions.
    AnyBlock,
    /// A restart forgets what it voted for.
    ForgetsLock,
    /// A restart forgets the blocks it voted on.
    ForgetsBlocks,
    /// Every signature of a vote holds.
    AnySignature,
    /// Nobody fetches decided blocks from others.
    NoSync,
    /// Chance that does not come from the seed.
    Unseeded,
}

/// How a run ended.
struct Report {
    seed: u64,
    digest: Hash,
    violations: Vec<Violation>,
    height: u64,
    transactions: usize,
    highest_round: u32,
    misbehaviour: u64,
    steps: u64,
    virtual_ms: u64,
    faults: Faults,
    trace: Vec<String>,
}

fn run(seed: u64, bug: Bug, with_trace: bool) -> Report {
    world::World::new(seed, bug, with_trace).run()
}
