//! The command line: which part of the operator runs, and with which configuration.

use std::path::PathBuf;

use anyhow::Context as _;
use kube::Client;

use crate::{
    config::Config,
    crds, dry_run, run, setup,
    telemetry::{self, LogFormat},
};

/// `operator`: looks after the chains of a city on Kubernetes.
#[derive(Debug, clap::Parser)]
#[command(version, about)]
pub struct Cli {
    /// How the log is written
    #[arg(long, env = "OPERATOR_LOG_FORMAT", value_enum, default_value_t, global = true)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Serve the webhook and, while this replica leads, look after tenants and chains
    Run {
        #[command(flatten)]
        file: File,
        /// This replica's name in the Lease and in events
        #[arg(long, env = "POD_NAME")]
        pod: String,
    },
    /// Install or upgrade the kinds, the webhook and the first administrator; safe to repeat
    Setup {
        #[command(flatten)]
        file: File,
    },
    /// Remove the webhook's registration, so that objects can be changed without an operator
    Retire,
    /// Print the kinds as YAML, or write one file each
    Crds {
        /// The folder to write to
        #[arg(long)]
        write: Option<PathBuf>,
    },
    /// Print what would be made of a file of Tenants and Chains, without a cluster
    Plan {
        #[command(flatten)]
        file: File,
        /// YAML documents, one after the other
        #[arg(short = 'f', long = "file")]
        documents: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct File {
    /// The operator's configuration
    #[arg(long, env = "OPERATOR_CONFIG", default_value = "/etc/citychain/operator.yaml")]
    config: PathBuf,
}

impl File {
    fn read(&self) -> anyhow::Result<Config> {
        Config::read(&self.config)
    }
}

impl Cli {
    pub async fn run(self) -> anyhow::Result<()> {
        telemetry::start(self.log_format);
        match self.command {
            Command::Run { file, pod } => run::run(file.read()?, &pod).await,
            Command::Setup { file } => setup::setup(&client().await?, &file.read()?).await,
            Command::Retire => setup::retire(&client().await?).await,
            Command::Crds { write } => write_kinds(write),
            Command::Plan { file, documents } => {
                let text = std::fs::read_to_string(&documents)
                    .with_context(|| format!("{} cannot be read", documents.display()))?;
                print!("{}", dry_run::dry_run(&text, &file.read()?)?);
                Ok(())
            }
        }
    }
}

async fn client() -> anyhow::Result<Client> {
    // A second call is refused and harmless.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::try_default().await.context("the API server's address is not known: run it in a pod, or with a kubeconfig")
}

fn write_kinds(folder: Option<PathBuf>) -> anyhow::Result<()> {
    for (name, text) in crds::files()? {
        match &folder {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                let path = folder.join(name);
                std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
            }
            None => print!("---\n{text}"),
        }
    }
    Ok(())
}
