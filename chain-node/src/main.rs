//! `chain-node`: see [`chain_node::cli`].

use std::process::ExitCode;

use clap::Parser;

// The default allocator keeps what a burst of transactions needed; a validator should be small again a minute later. It
// serves RocksDB's C++ as well (the crate's feature for unprefixed names): most of what was kept was RocksDB's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    chain_node::cli::run(chain_node::cli::Cli::parse())
}
