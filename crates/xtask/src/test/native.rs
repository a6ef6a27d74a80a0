//! Formatting, lints, documentation and the native tests.

use anyhow::Result;

use crate::metadata;
use crate::process::{run, watch};
use crate::relay;
use crate::test::counts::Counts;
use crate::test::wasm;
use crate::toolchain;
use crate::workspace::{WASM, Workspace};

/// Crates whose wasm side differs from their native one, or that only wasm uses.
const IN_THE_BROWSER: [&str; 7] = [
    "libp2p-webrtc-browser",
    "tabchain-browser",
    "tabchain-checker",
    "tabchain-driver",
    "tabchain-miner",
    "tabchain-net",
    "tabchain-store",
];

pub(super) fn format(workspace: &Workspace) -> Result<Counts> {
    run(workspace.cargo().args(["fmt", "--all", "--check"])).map(|()| Counts::PASSED)
}

/// Lints the native workspace with its tests, then the browser's side of it.
pub(super) fn clippy(workspace: &Workspace) -> Result<Counts> {
    let mut counts = Counts::of(lint(workspace, &["--workspace", "--all-targets"]));
    toolchain::ensure(workspace)?;
    let mut library = vec!["--target", WASM, "--lib"];
    library.extend(IN_THE_BROWSER.iter().flat_map(|package| ["--package", package]));
    counts += Counts::of(lint(workspace, &library));

    let tested = wasm::packages(&metadata::ours(workspace)?);
    let mut tests = vec!["--target", WASM, "--tests"];
    tests.extend(tested.iter().flat_map(|package| ["--package", package]));
    counts += Counts::of(lint(workspace, &tests));
    Ok(counts)
}

pub(super) fn docs(workspace: &Workspace) -> Result<Counts> {
    let mut cargo = workspace.compile("doc");
    cargo.args(["--workspace", "--no-deps", "--keep-going"]).env("RUSTDOCFLAGS", "-Dwarnings");
    run(&mut cargo).map(|()| Counts::PASSED)
}

/// All native tests; one that fails does not hide those after it.
pub(super) fn tests(workspace: &Workspace) -> Result<Counts> {
    let mut counts = rust_tests(workspace.cargo().args(["test", "--package", "xtask"]))?;
    counts += rust_tests(workspace.cargo().arg("test").args(relay::TESTED).arg("--no-fail-fast"))?;
    Ok(counts)
}

/// Runs cargo's tests and adds up the results of all their binaries.
pub(super) fn rust_tests(cargo: &mut std::process::Command) -> Result<Counts> {
    let mut counts = Counts::default();
    let status = watch(cargo, |line| counts += Counts::of_rust_line(line).unwrap_or_default())?;
    Ok(counts.judged_by(status))
}

fn lint(workspace: &Workspace, what: &[&str]) -> Result<()> {
    run(workspace.compile("clippy").arg("--keep-going").args(what).args(["--", "--deny", "warnings"]))
}
