//! The city on a real Kubernetes, as `.make/e2e` starts it: what a person applies, what is killed, what is asked for wrongly,
//! and what has to hold meanwhile. Each test has a tenant of its own and waits on conditions. Needs a cluster with the chart
//! installed, so it is compiled and run only with the feature `cluster`.
//!
//! NetworkPolicies are not enforced by this cluster: they are asserted as objects, by the evaluator in the operator's tests.

use e2e::cluster::{kubectl, measured, operators, wait};

mod backups;
mod city;
mod faults;
mod keeping;
mod life;
mod load;
mod refusals;
mod rotation;
