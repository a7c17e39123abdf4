//! What a chain should consist of, what may be done about it now, and what may be asked for. Pure: it knows neither
//! Kubernetes nor processes, no clock and no randomness, and does nothing itself.
//!
//! The operator and the console's local provisioner are the same loop around it, each with hands of its own:
//!
//! ```text
//! ValidChain::parse(spec)               every user mistake ends here, with its field
//! loop {
//!     keys, observed = look()           processes, /status of each node, files: everything read anew
//!     observed.follow(before)           since when somebody is missing, how often a process has ended
//!     plan   = plan(chain, keys, …)     genesis and, per node, configuration, version, desired state
//!     for action in next(plan, observed) { carry_out(action) }    in order; the first failure ends the pass
//!     report(chain_status(plan, observed, …))
//! }
//! ```
//!
//! Three rules make the loop safe, whatever the hands do:
//! - **One disruption a pass.** [`next()`](next::next) returns any number of harmless actions and at most one that stops a
//!   validator or changes the voting set; the next one is decided only after everything has been observed again.
//! - **Never below the quorum.** Such an action carries its arithmetic and exists only if a quorum of validators that
//!   are live and caught up is left, or if the one it ends takes no part anyway. Otherwise there is a [`Action::Wait`] that says so. The one exception is asked for by
//!   name: a hibernated chain is stopped as a whole, once nothing is pending.
//! - **The same arithmetic at the door.** [`validate_change`] refuses a change that `next` could not carry out. Admission,
//!   form and command line call only this.
//!
//! Killing the loop at any point is harmless: nothing is remembered here, and every action may be carried out twice.
//!
//! Modules in reading order: [`quorum`] the arithmetic, [`validate`] spec → [`ValidChain`], [`plan`](mod@plan) →
//! [`Plan`], [`observed`] what was seen, [`situation`] the numbers now, [`next`](mod@next), [`rotation`], [`self_check`], [`change`],
//! [`health`](mod@health), [`status`].

pub mod quorum;
pub mod validate;

pub mod node_config;
pub mod plan;

pub mod exit;
pub mod observed;
pub mod situation;

pub mod change;
pub mod next;
pub mod rotation;

pub mod health;
pub mod self_check;
pub mod set_change;
pub mod status;
pub mod steps;
mod words;

#[cfg(test)]
mod fixtures;

pub use change::{Refusal, set_changes, validate_change};
pub use health::{ChainHealth, health};
pub use next::{Action, next};
pub use observed::{AppliedConfig, Observed, ObservedNode, Process, SelfCheck};
pub use plan::{Addresses, GenesisPlan, KeyState, Keys, NodeKeys, Plan, PlannedNode, Role, Voting, plan};
pub use quorum::{Arithmetic, Quorum};
pub use set_change::set_change_steps;
pub use status::chain_status;
pub use steps::provisioning_steps;
pub use validate::{Context, FieldError, ValidChain};
