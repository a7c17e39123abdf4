//! The command line. Each command is a file; all print sentences that say what to do.

mod adopt;
mod anchor;
mod backup;
mod bench;
mod check;
mod destination;
mod init;
mod keygen;
mod register;
mod restore;
mod run;
mod target;
mod validators;
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
    /// Show the validators of a chain, or have its steward change one of them
    Validators(validators::Validators),
    /// Put the fingerprints of files on a chain and save evidence
    Anchor(anchor::Anchor),
    /// Register a signed statement (SCITT) and save its receipt
    Register(register::Register),
    /// Check evidence, offline
    Verify(verify::Verify),
    /// Say that a stopped node's folder, after a move, is the only copy, so that it votes without watching first
    Adopt(adopt::Adopt),
    /// Check a whole store, with the node stopped
    Check(check::Check),
    /// Back up a node's store, while it runs or while it is stopped
    Backup(backup::Backup),
    /// Restore a backup into an empty home
    Restore(restore::Restore),
    /// Measure a chain of four validators on this machine
    Bench(bench::Bench),
}

/// Runs a command to its end.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Init(init) => report(init.run()),
        Command::Run(run) => run.run(),
        Command::Keygen(keygen) => report(keygen.run()),
        Command::Validators(validators) => report(validators.run()),
        Command::Anchor(anchor) => report(anchor.run()),
        Command::Register(register) => report(register.run()),
        Command::Verify(verify) => verify.run(),
        Command::Adopt(adopt) => report(adopt.run()),
        Command::Check(check) => report(check.run()),
        Command::Backup(backup) => report(backup.run()),
        Command::Restore(restore) => report(restore.run()),
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
