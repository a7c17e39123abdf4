//! What the suites on a cluster share: `kubectl`, waiting, the table of what was measured, and the operator's replicas.

pub mod kubectl;
pub mod measured;
pub mod operators;
pub mod wait;
