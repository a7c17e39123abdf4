//! The promises of the rules, kept by executing blocks: one binary, one file a promise.

mod catalog;
mod chain;

mod anchor;
mod application;
mod atomicity;
mod clients;
mod description;
mod determinism;
mod governance;
mod identity;
mod queries;
mod refusals;
mod roles;
mod step_arguments;
mod trace;
