//! The program: reads its command line and calls the library.

use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    operator::cli::Cli::parse().run().await
}
