//! The project's commands: `cargo xtask run` and `cargo xtask test`, and the steps they are made of.
//!
//! Every step can be called alone, does nothing when its inputs are those of its last success, and says in words what
//! it is doing when it takes long.

mod apt;
mod bench;
mod chromium;
mod firefox;
mod ledger;
mod metadata;
mod page;
mod process;
mod progress;
mod relay;
mod sim;
mod stamp;
mod test;
mod toolchain;
mod vectors;
mod wasm;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The project's commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything that changed, then start a relay that serves the page on localhost
    Run(relay::RunArgs),
    /// Install what tests need, then run all of them, or only the stages named
    Test(test::TestArgs),
    /// Say in words what a block, header, transaction or address is, and which rule it breaks
    #[command(disable_help_flag = true)]
    Ledger(ledger::LedgerArgs),
    /// Measure how fast the ledger is, natively and in headless Chromium
    Bench(bench::BenchArgs),
    /// Simulate large networks of real nodes: print figures, draw a page, record a run and play it back
    #[command(disable_help_flag = true)]
    Sim(sim::SimArgs),
    /// Write the golden vectors under tests/vectors anew; what changed shows in the diff
    Vectors,
    /// Make sure that this machine can compile for wasm32-unknown-unknown
    Toolchain,
    /// Build the two wasm files and their bindings into web/package/wasm
    Wasm,
    /// Build the npm package and the page into web/package/dist and web/app/dist
    Web,
    /// Build the relay with the page inside
    Relay,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match perform(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(command: Command) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match command {
        Command::Run(args) => return relay::run(&workspace, &args),
        Command::Test(args) => return Ok(test::run(&workspace, &args)),
        Command::Ledger(args) => return ledger::run(&workspace, &args),
        Command::Sim(args) => return sim::run(&workspace, &args),
        Command::Bench(args) => bench::measure(&workspace, &args)?,
        Command::Vectors => vectors::write(&workspace)?,
        Command::Toolchain => toolchain::ensure(&workspace)?,
        Command::Wasm => wasm::build(&workspace)?,
        Command::Web => page::build(&workspace)?,
        Command::Relay => relay::build(&workspace).map(drop)?,
    }
    Ok(ExitCode::SUCCESS)
}
