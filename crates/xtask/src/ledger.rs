//! `cargo xtask ledger`: what bytes of the ledger are, in words.
//!
//! The words are `tabchain-ledger`'s, a small program of its own, so that xtask itself needs none of our crates.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace::Workspace;

/// What `cargo xtask ledger` takes: what `tabchain-ledger` takes.
#[derive(Args)]
pub(crate) struct LedgerArgs {
    /// `block`, `header`, `transaction` or `address`, then hex or a file; `--help` says more
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    arguments: Vec<String>,
}

/// Builds the program and ends as it ends.
pub(crate) fn run(workspace: &Workspace, args: &LedgerArgs) -> Result<ExitCode> {
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet", "--manifest-path"]).arg(workspace.root().join("crates/ledger/Cargo.toml"));
    // A file is named as seen from where the person is.
    cargo.arg("--").args(&args.arguments).current_dir(std::env::current_dir().context("the folder is gone")?);
    let status = cargo.status().context("cargo could not be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
