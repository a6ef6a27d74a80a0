//! `cargo xtask vectors`: the golden vectors, written by the very tests that hold them.

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;

/// The tests that hold vectors. Those of the document beside the last would fail until the document is mended.
const HOLDERS: [&[&str]; 2] = [
    &["-p", "tabchain-consensus", "-p", "tabchain-wallet", "--test", "vectors"],
    &["-p", "tabchain-tests", "--test", "document", "the_example_is_as_frozen"],
];

/// Has the vector tests write what they compute. They refuse to differ from it at any other time.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    for tests in HOLDERS {
        let mut cargo = workspace.cargo();
        cargo.args(["test", "--quiet"]).args(tests).env("TABCHAIN_BLESS", "1");
        let status = cargo.status().context("cargo could not be started")?;
        ensure!(status.success(), "the vectors were not written");
    }
    Ok(())
}
