//! The `arb` command.
//!
//! Exit codes: 0 fine, 1 failed, 2 wrong usage.
#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when a stream is closed or full; `output` has what fails instead"
)]

mod commands;
mod config;
mod market_data;
mod output;
mod progress;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{
    backtest, backup, bench, carry, config as configuration, demo, doctor, fetch, funding,
    indicators, invite, parity, rates, replay, run, sim, strategies, sweep, tape, user,
};

/// Back-tests order-flow strategies on recorded Binance trades, exactly.
#[derive(Debug, Parser)]
#[command(name = "arb", version, about)]
struct Arb {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch a whole market live, simulated in this process: no network, no keys
    Demo(Box<demo::Args>),
    /// Run the live node: funding rates, order flow, signals, paper trades
    Run(Box<run::Args>),
    /// Write, check and show the settings of a node
    #[command(subcommand)]
    Config(configuration::Command),
    /// What every perpetual's funding pays, from the folder of a node
    Rates(rates::Args),
    /// Fetch history into a store or a file: by requests, from the public archive, from files
    Fetch(Box<fetch::Args>),
    /// Look whether a node could run here, and say what to do where it could not
    Doctor(doctor::Args),
    /// Copy the store of a node into one checked file, while it runs
    Backup(backup::Backup),
    /// Bring a backup into a folder
    Restore(backup::Restore),
    /// Invite people to register with the REST host
    Invite(invite::Args),
    /// Manage who has an account: roles, bans, passwords
    User(user::Args),
    /// Run strategies over recorded trades and report trades and R
    Backtest(Box<backtest::Args>),
    /// Run the funding carry over hourly bars, or over funding rates alone
    Carry(Box<carry::Args>),
    /// Run a journal again and compare every output byte for byte
    Replay(replay::Args),
    /// Compare two journals and explain their differences by cause
    Parity(parity::Args),
    /// What settled funding came to
    #[command(subcommand)]
    Funding(funding::Command),
    /// Print the indicators at every point of the decision grid
    Indicators(indicators::Args),
    /// List, check and explain strategies
    #[command(subcommand)]
    Strategies(strategies::Command),
    /// Search a strategy's parameters with walk-forward folds, and say how much of it is luck
    Sweep(Box<sweep::Args>),
    /// Run a simulated Binance: REST and streams that any client takes for the venue
    Sim(Box<sim::Args>),
    /// Generate recorded trades
    #[command(subcommand)]
    Tape(tape::Command),
    /// Measure this machine: nanoseconds a trade for each part
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let command = match Arb::try_parse() {
        Ok(arb) => arb.command,
        Err(answer) => return told(&answer),
    };
    let outcome = match command {
        Command::Demo(args) => demo::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Config(command) => configuration::run(&command),
        Command::Rates(args) => rates::run(&args),
        Command::Fetch(args) => fetch::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Invite(args) => invite::run(&args),
        Command::User(args) => user::run(&args),
        Command::Backtest(args) => backtest::run(&args),
        Command::Carry(args) => carry::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Parity(args) => parity::run(&args),
        Command::Funding(command) => funding::run(&command),
        Command::Indicators(args) => indicators::run(&args),
        Command::Strategies(command) => strategies::run(&command),
        Command::Sweep(args) => sweep::run(&args),
        Command::Sim(args) => sim::run(&args),
        Command::Tape(command) => tape::run(&command),
        Command::Bench(args) => bench::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format_args!("error: {}", output::message(&error)));
            ExitCode::from(if error.is::<commands::Usage>() { 2 } else { 1 })
        }
    }
}

/// Shows help, the version or what is wrong with the flags.
fn told(answer: &clap::Error) -> ExitCode {
    match answer.print() {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(1)),
    }
}

/// `arb indicators … | head` is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
