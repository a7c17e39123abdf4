//! The node as processes: what it promises when it is killed, misconfigured, or sent nonsense.

mod absence;
mod admission;
mod backup;
mod bench;
mod city;
mod cluster;
mod crash;
mod decoders;
mod evidence;
mod formats;
mod identity;
mod load;
mod log;
mod package;
mod partition;
mod past;
mod pruning;
mod ready;
mod rules;
mod scale;
mod sets;
mod snapshot;
mod start;
mod store_faults;
mod torture;
mod writes;
