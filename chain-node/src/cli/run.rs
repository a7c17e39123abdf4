//! `chain-node run`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::Config;
use crate::node::{self, NodeError};
use crate::telemetry;

#[derive(Debug, Args)]
pub struct Run {
    /// The node's configuration file
    #[arg(long, default_value = "node.toml")]
    config: PathBuf,
}

impl Run {
    pub fn run(self) -> ExitCode {
        telemetry::start();
        let result = self.start();
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                tracing::error!(error = %e, "the node ends");
                eprintln!("{e}");
                ExitCode::from(e.exit_code())
            }
        }
    }

    fn start(self) -> Result<(), NodeError> {
        let config = Config::load(&self.config).map_err(|e| NodeError::Config(e.to_string()))?;
        // Two threads carry a validator; more would only make four of them on one machine fight.
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).max_blocking_threads(8).enable_all().build();
        let runtime = runtime.map_err(|e| NodeError::Start(e.to_string()))?;
        let ended = runtime.block_on(node::run(config, self.config));
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        ended
    }
}
