//! The console's command line: parses, reads the configuration, hands over. Decides nothing.

use clap::{Parser, Subcommand};
use console::config::Settings;
use std::process::ExitCode;

/// CityChain console: web pages, API gateway and local provisioner
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create the home folder, its keys and the first accounts; safe to repeat
    Init(console::setup::InitOptions),
    /// Serve the pages and the API, and look after the chains of the home
    Serve(console::serve::ServeOptions),
    /// Stop every node of the home; the console itself must be stopped before
    Stop,
    /// Forget what is indexed of a chain; the next start indexes it anew from its blocks. Stop the console first
    Reindex { chain: String },
    /// Give an account a new one-time password
    Password { login: String },
    #[command(hide = true)]
    BecomeNode(console::provisioner::process::Become),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("CONSOLE_LOG").unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("console: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Init(options) => console::setup::init(arguments.settings, options).await,
        Command::Serve(options) => console::serve::serve(arguments.settings, options).await,
        Command::Stop => console::serve::stop_nodes(arguments.settings).await,
        Command::Reindex { chain } => console::serve::reindex(arguments.settings, &chain).await,
        Command::Password { login } => console::setup::one_time_password(arguments.settings, &login).await,
        Command::BecomeNode(options) => Err(console::provisioner::process::become_node(options)),
    }
}
