//! The node as processes: what it promises when it is killed, misconfigured, or sent nonsense.

mod admission;
mod backup;
mod cluster;
mod crash;
mod evidence;
mod formats;
mod load;
mod log;
mod partition;
mod past;
mod pruning;
mod scale;
mod snapshot;
mod start;
mod store_faults;
mod torture;
