//! Logs: one line an event on standard error, as text for people or as JSON for collectors. `OPERATOR_LOG` chooses what is
//! logged, in the usual filter form; `info` if it is not set. Never logged: contents of Secrets, tokens, keys.

use tracing_subscriber::EnvFilter;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    #[default]
    Plain,
    Json,
}

/// Once a process, before anything is logged.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env("OPERATOR_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Plain => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}
