//! What `cargo metadata` says about the packages of the workspace, as far as our checks read it.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process::capture;
use crate::workspace::Workspace;

#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` is a normal dependency; otherwise `dev` or `build`.
    pub(crate) kind: Option<String>,
}

/// Our own packages and what they ask for.
pub(crate) fn ours(workspace: &Workspace) -> Result<Metadata> {
    let json = capture(workspace.cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    serde_json::from_str(&json).context("`cargo metadata` printed something that we can't read")
}
