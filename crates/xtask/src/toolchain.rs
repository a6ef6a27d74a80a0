//! Makes sure that this machine can compile for the browser.
//!
//! Where the target is installed it is used as it is. Elsewhere rustup adds it, unless the environment asks that rustup
//! download nothing (`RUSTUP_AUTO_INSTALL=0`): then the standard library is built from the source that Debian publishes.

mod debian;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::{capture, run};
use crate::progress::step;
use crate::workspace::{WASM, Workspace};

/// Installs the wasm target when it is missing.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let lib = library_dir(workspace)?;
    if has_standard_library(&lib) {
        return Ok(());
    }
    if env::var_os("RUSTUP_AUTO_INSTALL").is_some_and(|value| value == "0") {
        step("wasm target: building the standard library from Debian's source", || {
            debian::install(workspace, &version(workspace)?, &lib)
        })
    } else {
        step("wasm target: installing by rustup", || {
            run(workspace.command("rustup").args(["target", "add", WASM]))
        })
        .with_context(|| {
            format!("the standard library for {WASM} is missing; install it for the Rust in use")
        })
    }
}

/// The folder in which rustc looks for the target's standard library.
fn library_dir(workspace: &Workspace) -> Result<PathBuf> {
    let dir = capture(workspace.command("rustc").args(["--print", "target-libdir", "--target", WASM]))?;
    Ok(PathBuf::from(dir.trim()))
}

/// The version of the compiler, such as `1.95.0`.
fn version(workspace: &Workspace) -> Result<String> {
    let line = capture(workspace.command("rustc").arg("--version"))?;
    line.split_whitespace().nth(1).map(str::to_owned).context("`rustc --version` did not say a version")
}

fn has_standard_library(lib: &Path) -> bool {
    let Ok(entries) = fs::read_dir(lib) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd"))
}
