//! The command line. Each command is a file; all print sentences that say what to do.

mod anchor;
mod bench;
mod check;
mod init;
mod keygen;
mod register;
mod run;
mod target;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A node of a city chain: keeps it, proves what is on it, checks proofs.
#[derive(Debug, Parser)]
#[command(name = "chain-node", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new chain by hand: keys, genesis and a configuration for each validator
    Init(init::Init),
    /// Run one node
    Run(run::Run),
    /// Make a node's keys and print the public ones as JSON
    Keygen(keygen::Keygen),
    /// Put the fingerprints of files on a chain and save evidence
    Anchor(anchor::Anchor),
    /// Register a signed statement (SCITT) and save its receipt
    Register(register::Register),
    /// Check evidence, offline
    Verify(verify::Verify),
    /// Check a whole store, with the node stopped
    Check(check::Check),
    /// Measure a chain of four validators on this machine
    Bench(bench::Bench),
}

/// Runs a command to its end.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Init(init) => report(init.run()),
        Command::Run(run) => run.run(),
        Command::Keygen(keygen) => report(keygen.run()),
        Command::Anchor(anchor) => report(anchor.run()),
        Command::Register(register) => report(register.run()),
        Command::Verify(verify) => verify.run(),
        Command::Check(check) => report(check.run()),
        Command::Bench(bench) => report(bench.run()),
    }
}

fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e:#}");
            ExitCode::FAILURE
        }
    }
}
