//! Builds the native relay and starts it.
//!
//! The relay is built in the dev profile: introducing a handful of tabs takes no speed, the first build takes half the
//! time of an optimised one, and a debug build reads the page from its folder. What strangers run is built with `cargo build --release`.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use crate::page;
use crate::process;
use crate::progress::step;
use crate::workspace::Workspace;

/// What `cargo xtask run` takes: what `tabchain-relay run` takes, so that what the relay advises can be typed here as it stands.
#[derive(Args)]
pub(crate) struct RunArgs {
    /// Options of `tabchain-relay run`, such as `--http-port 0`
    #[arg(value_name = "OPTIONS", trailing_var_arg = true, allow_hyphen_values = true)]
    relay: Vec<String>,
}

/// Builds everything that changed and becomes the relay.
pub(crate) fn run(workspace: &Workspace, args: &RunArgs) -> Result<ExitCode> {
    page::build(workspace)?;
    let relay = build(workspace)?;
    let mut command = workspace.command(&relay.to_string_lossy());
    become_it(command.arg("run").args(&args.relay))
}

/// Builds the relay and gives back the path of its binary.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    compile(workspace, workspace.compile("build").args(["--package", "tabchain-relay"]))
}

/// The same binary out of the build of the workspace's tests.
///
/// cargo unifies features over all that one call compiles, and a test's dependencies bring more of them: a relay built by itself
/// would compile all of libp2p a second time. A test of the relay brings its binary along; this is the cheapest one.
pub(crate) fn build_with_tests(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.compile("test");
    compile(workspace, cargo.args(TESTED).args(["--no-run", "--test", "settings"]))
}

/// What the native tests are made of. xtask is left out: it was compiled by itself before it could ask for anything.
pub(crate) const TESTED: [&str; 3] = ["--workspace", "--exclude", "xtask"];

fn compile(workspace: &Workspace, cargo: &mut Command) -> Result<PathBuf> {
    step("relay", || process::run(cargo))?;
    Ok(workspace.target().join("debug").join(format!("tabchain-relay{}", std::env::consts::EXE_SUFFIX)))
}

/// Replaces this process, so that signals reach the relay itself.
#[cfg(unix)]
fn become_it(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;

    Err(command.exec()).context("starting the relay")
}

#[cfg(not(unix))]
fn become_it(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().context("starting the relay")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
