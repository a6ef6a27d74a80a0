//! The `/webrtc` crate by itself: its example in real tabs, with each other and with js-libp2p.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::chromium;
use crate::firefox;
use crate::metadata;
use crate::page;
use crate::process::{run, watch};
use crate::progress::step;
use crate::relay::TESTED;
use crate::test::counts::Counts;
use crate::test::wasm::packages;
use crate::toolchain;
use crate::wasm::bind;
use crate::workspace::{WASM, Workspace};

/// Tabs in Chromium, in Firefox, and between both browsers.
pub(super) fn tabs(workspace: &Workspace, endurance: bool) -> Result<Counts> {
    let firefox = firefox::ensure()?;
    let mut counts = tell(&mut script(workspace, "two_tabs", "test")?)?;
    if endurance {
        counts += tell(&mut script(workspace, "two_tabs", "test:endurance")?)?;
    }
    let between = if endurance { "test:firefox-endurance" } else { "test:firefox" };
    counts += tell(script(workspace, "two_tabs", between)?.env("FIREFOX", firefox))?;
    Ok(counts)
}

/// A tab of ours and one of js-libp2p.
pub(super) fn js(workspace: &Workspace, endurance: bool) -> Result<Counts> {
    page::install_in(workspace, &folder(workspace, "two_tabs"))?;
    tell(&mut script(workspace, "js_libp2p", if endurance { "test:endurance" } else { "test" })?)
}

/// Runs a script, which prints a line for each proof.
fn tell(script: &mut Command) -> Result<Counts> {
    let mut counts = Counts::default();
    let status = watch(script, |line| counts += Counts::of_script_line(line).unwrap_or_default())?;
    Ok(counts.judged_by(status))
}

/// Builds what the scripts need and gives back one of them, ready to run.
fn script(workspace: &Workspace, name: &str, script: &str) -> Result<Command> {
    let chromium = chromium::ensure()?;
    let bindings = example(workspace)?;
    let folder = folder(workspace, name);
    page::install_in(workspace, &folder)?;
    let mut npm = page::npm(workspace, &folder, &["run", "--silent", script]);
    npm.env("CHROMIUM", chromium.browser).env("BINDINGS", bindings).env("RELAY", relay(workspace));
    Ok(npm)
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

/// Where the example's relay is once it is built.
pub(crate) fn relay(workspace: &Workspace) -> PathBuf {
    workspace.target().join(format!("debug/examples/relay{}", std::env::consts::EXE_SUFFIX))
}

/// One of the folders with scripts.
pub(crate) fn folder(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root().join("crates/webrtc/tests").join(name)
}
