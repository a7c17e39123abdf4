//! The command line.

/// `operator`: looks after the chains of a city on Kubernetes.
#[derive(Debug, clap::Parser)]
#[command(version, about)]
pub struct Cli {}

impl Cli {
    pub async fn run(self) -> anyhow::Result<()> {
        anyhow::bail!("nothing is carried out yet")
    }
}
