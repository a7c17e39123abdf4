//! The node as processes: what it promises when it is killed, misconfigured, or sent nonsense.

mod admission;
mod cluster;
mod crash;
mod evidence;
mod formats;
mod identity;
mod rules;
mod sets;
mod start;
