//! Finds the Chromium that tests drive, and installs it where that is allowed.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::apt;
use crate::process::find;

/// How tests start it: without a window, without traffic of its own, and with host candidates that the machine itself can
/// reach, so that two tabs on it connect directly.
pub(crate) const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
];

/// A browser and the driver that belongs to it.
pub(crate) struct Chromium {
    pub(crate) browser: PathBuf,
    pub(crate) driver: PathBuf,
}

/// Chromium and its driver, installed by apt when they are missing and we are root.
pub(crate) fn ensure() -> Result<Chromium> {
    if let Some(found) = look() {
        return Ok(found);
    }
    apt::install("Chromium and its driver", &["chromium", "chromium-driver"])?;
    look().context("apt installed Chromium, but it is not on the search path")
}

fn look() -> Option<Chromium> {
    let browser = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(find)?;
    Some(Chromium { browser, driver: find("chromedriver")? })
}
