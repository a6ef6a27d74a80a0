//! `cargo xtask sim`: large simulated networks, in release.
//!
//! The stories are `tabchain-scale`'s, a program of its own, so that xtask itself needs none of our crates.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace::Workspace;

/// What `cargo xtask sim` takes: what `tabchain-scale` takes.
#[derive(Args)]
pub(crate) struct SimArgs {
    /// A story, then `--nodes`, `--seed`, `--minutes`, `--report FILE.html`, `--record FILE`; or `--replay FILE`; nothing lists the
    /// stories
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds the program and ends as it ends.
pub(crate) fn run(workspace: &Workspace, args: &SimArgs) -> Result<ExitCode> {
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--release", "--quiet", "--manifest-path"]);
    cargo.arg(workspace.root().join("tests/scale/Cargo.toml"));
    // A file is named as seen from where the person is.
    cargo.arg("--").args(&args.arguments).current_dir(std::env::current_dir().context("the folder is gone")?);
    let status = cargo.status().context("cargo could not be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
