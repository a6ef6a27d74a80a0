//! Wasm tests in headless Chromium.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::chromium::{self, Chromium};
use crate::metadata::{self, Metadata};
use crate::process::run;
use crate::progress::step;
use crate::test::counts::Counts;
use crate::test::native::rust_tests;
use crate::toolchain;
use crate::workspace::{WASM, Workspace};

/// How long one test binary may take in the browser, in seconds.
const TIMEOUT: &str = "180";

/// Runs the wasm tests of every package that has some.
pub(super) fn tests(workspace: &Workspace) -> Result<Counts> {
    let packages = packages(&metadata::ours(workspace)?);
    ensure!(!packages.is_empty(), "no package has `wasm-bindgen-test` among its dev-dependencies");
    toolchain::ensure(workspace)?;
    let chromium = chromium::ensure()?;
    let mut cargo = workspace.cargo();
    cargo
        .envs(in_browser(workspace, &chromium, TIMEOUT)?)
        .args(["test", "--target", WASM, "--lib", "--tests", "--no-fail-fast"])
        .args(packages.iter().flat_map(|package| ["--package", package]));
    rust_tests(&mut cargo)
}

/// What cargo needs in its environment to run wasm test binaries in the browser, each for at most so many seconds.
pub(crate) fn in_browser(
    workspace: &Workspace,
    chromium: &Chromium,
    timeout: &str,
) -> Result<[(&'static str, OsString); 4]> {
    let runner = step("wasm tests: compiling their runner", || runner(workspace))?;
    Ok([
        ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner.into()),
        ("CHROMEDRIVER", chromium.driver.clone().into()),
        ("WASM_BINDGEN_TEST_WEBDRIVER_JSON", capabilities(workspace, chromium)?.into()),
        ("WASM_BINDGEN_TEST_TIMEOUT", timeout.into()),
    ])
}

/// The packages with wasm tests: those that depend on the harness for them.
pub(super) fn packages(ours: &Metadata) -> BTreeSet<String> {
    let tested = ours.packages.iter().filter(|package| {
        package.dependencies.iter().any(|dependency| {
            dependency.name == "wasm-bindgen-test" && dependency.kind.as_deref() == Some("dev")
        })
    });
    tested.map(|package| package.name.clone()).collect()
}

fn runner(workspace: &Workspace) -> Result<PathBuf> {
    run(workspace.cargo().args([
        "build",
        "--quiet",
        "--package",
        "xtask",
        "--features",
        "wasm-tests",
        "--bin",
        "wasm-test-runner",
    ]))?;
    Ok(workspace.target().join("debug").join(format!("wasm-test-runner{}", std::env::consts::EXE_SUFFIX)))
}

/// Writes what the driver is told about the browser, and gives back the path of it.
fn capabilities(workspace: &Workspace, chromium: &Chromium) -> Result<PathBuf> {
    let capabilities = json!({
        "goog:chromeOptions": { "binary": chromium.browser, "args": chromium::FLAGS },
    });
    fs::create_dir_all(workspace.scratch()).context("making the scratch folder")?;
    let path = workspace.scratch().join("webdriver.json");
    fs::write(&path, capabilities.to_string()).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}
