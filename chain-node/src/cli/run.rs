//! `chain-node run`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::Config;
use crate::node::{self, Ended, NodeError};
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
            Ok(Ended::Stopped) => ExitCode::SUCCESS,
            Ok(Ended::Restart(why)) => start_anew(why),
            Err(e) => {
                tracing::error!(error = %e, "the node ends");
                eprintln!("{e}");
                ExitCode::from(e.exit_code())
            }
        }
    }

    fn start(self) -> Result<Ended, NodeError> {
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

/// The same program with the same arguments in the same process: the engine's identity is fixed when it is built, and the
/// one start that every crash tests is the way to another. Who supervises the process sees the same one go on.
fn start_anew(why: &str) -> ExitCode {
    use std::os::unix::process::CommandExt;
    tracing::info!(why, "the node starts anew");
    let mut args = std::env::args_os();
    let mut command = std::process::Command::new("/proc/self/exe");
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    // Comes back only if it failed; everything that is open is closed by it, the store's lock included.
    let error = command.args(args).exec();
    tracing::error!(%error, "failed to start anew");
    eprintln!("failed to start anew: {error}; start the node again");
    ExitCode::FAILURE
}
