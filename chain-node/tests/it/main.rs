//! The node as processes: what it promises when it is killed, misconfigured, or sent nonsense.

mod admission;
mod cluster;
mod crash;
mod decoders;
mod evidence;
mod formats;
mod partition;
mod start;
