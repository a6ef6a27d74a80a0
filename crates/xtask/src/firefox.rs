//! Finds the Firefox that tests drive beside Chromium, and installs it where that is allowed.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::apt;
use crate::process::find;

/// Firefox, installed by apt when it is missing and we are root.
pub(crate) fn ensure() -> Result<PathBuf> {
    if let Some(found) = look() {
        return Ok(found);
    }
    apt::install("Firefox", &["firefox-esr"])?;
    look().context("apt installed Firefox, but it is not on the search path")
}

fn look() -> Option<PathBuf> {
    ["firefox-esr", "firefox"].into_iter().find_map(find)
}
