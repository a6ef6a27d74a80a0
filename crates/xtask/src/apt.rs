//! Installs what tests need from the machine's package archive, where that is allowed.

use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{find, is_root, run_quietly};
use crate::progress::step;

/// Installs packages, or says which ones a person has to install.
pub(crate) fn install(what: &str, packages: &[&str]) -> Result<()> {
    if !is_root() || find("apt-get").is_none() {
        bail!("tests need {what}: install the packages `{}`, then call again", packages.join("`, `"));
    }
    step(&format!("{what}: installing by apt"), || {
        run_quietly(apt().arg("update"))?;
        run_quietly(apt().args(["install", "-y", "--no-install-recommends"]).args(packages))
    })
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
