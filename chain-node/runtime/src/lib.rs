//! How a block is executed: the modules, and nothing else. Pure: no clock, no IO, no randomness.
//!
//! [`execute()`] takes the state after the parent and a block's transactions and gives the changes, results and log
//! entries; the node stores them in one write. The same function runs at commit, at recovery and in a restore drill.
//! A call applies wholly or changes nothing and leaves a typed refusal; whatever no rule allows is refused.

pub mod state;

mod call;
mod execute;
mod genesis;
mod overlay;

pub mod modules;
pub mod queries;

pub use chain_types::manifest::{Code, refusals};
pub use execute::{BlockContext, BlockEffects, Turn, TxEffects, execute};
pub use genesis::genesis_state;
pub use modules::{ModuleDescription, describe};
pub use queries::account;
pub use state::{Changes, MemoryState, StateError, StateView};

/// The execution rules that a new chain begins with. Genesis and block headers name theirs.
pub const RULES_VERSION: u32 = 1;
/// The newest rules that this version carries out; a chain changes to them at an agreed height.
///
/// 2: a validator that missed its last two turns to propose is passed over at round 0 for a hundred blocks.
/// 3: light clients of other chains (module `clients`).
pub const NEWEST_RULES: u32 = 3;
