//! The `/webrtc` crate by itself: its example in real tabs, with each other and with js-libp2p.

use std::path::PathBuf;

use anyhow::Result;

use crate::chromium;
use crate::metadata;
use crate::page;
use crate::process::{find, run, watch};
use crate::progress::step;
use crate::relay::TESTED;
use crate::test::counts::Counts;
use crate::test::wasm::packages;
use crate::toolchain;
use crate::wasm::bind;
use crate::workspace::{WASM, Workspace};

/// Tabs in Chromium, and, where Firefox is installed, between both browsers.
pub(super) fn tabs(workspace: &Workspace) -> Result<Counts> {
    let mut counts = scripts(workspace, "two_tabs", "test")?;
    if find("firefox-esr").is_some() {
        counts += scripts(workspace, "two_tabs", "test:firefox")?;
    }
    Ok(counts)
}

/// A tab of ours and one of js-libp2p.
pub(super) fn js(workspace: &Workspace) -> Result<Counts> {
    page::install_in(workspace, &folder(workspace, "two_tabs"))?;
    scripts(workspace, "js_libp2p", "test")
}

/// Builds what the scripts need and runs one of them; a line that begins with `ok` is a proof that holds.
fn scripts(workspace: &Workspace, name: &str, script: &str) -> Result<Counts> {
    let chromium = chromium::ensure()?;
    let bindings = example(workspace)?;
    let folder = folder(workspace, name);
    page::install_in(workspace, &folder)?;
    let mut npm = page::npm(workspace, &folder, &["run", "--silent", script]);
    npm.env("CHROMIUM", chromium.browser)
        .env("BINDINGS", bindings)
        .env("RELAY", workspace.target().join("debug/examples").join(executable("relay")));
    let mut counts = Counts::default();
    let status = watch(&mut npm, |line| counts.passed += u64::from(line.starts_with("ok ")))?;
    Ok(counts.judged_by(status))
}

/// Builds the example, its relay for all packages that are tested natively and its tab for those that are tested as wasm:
/// then both use the libp2p that these tests have compiled. Gives back where the bindings are.
fn example(workspace: &Workspace) -> Result<PathBuf> {
    toolchain::ensure(workspace)?;
    step("webrtc: relay", || run(workspace.compile("build").args(TESTED).args(["--example", "relay"])))?;
    let tested = packages(&metadata::ours(workspace)?);
    step("webrtc: tab", || {
        run(workspace
            .compile("build")
            .args(["--target", WASM, "--example", "two_tabs"])
            .args(tested.iter().flat_map(|package| ["--package", package])))
    })?;
    let compiled = workspace.target().join(WASM).join("debug/examples/two_tabs.wasm");
    let bindings = workspace.scratch().join("webrtc");
    step("webrtc: bindings", || bind(&compiled, &bindings, "two_tabs"))?;
    Ok(bindings)
}

fn folder(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root().join("crates/webrtc/tests").join(name)
}

fn executable(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}
