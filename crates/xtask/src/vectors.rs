//! `cargo xtask vectors`: the golden vectors, written by the very tests that hold them.

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;

/// Has the vector tests write what they compute. They refuse to differ from it at any other time.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--quiet", "-p", "tabchain-consensus", "-p", "tabchain-wallet", "--test", "vectors"]);
    let status = cargo.env("TABCHAIN_BLESS", "1").status().context("cargo could not be started")?;
    ensure!(status.success(), "the vectors were not written");
    Ok(())
}
