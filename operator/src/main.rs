//! The program: reads its command line and calls the library.

use clap::Parser;

// The default allocator keeps what the lists of a busy hour needed: with hundreds of chains that is more than what is in use.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    operator::cli::Cli::parse().run().await
}
