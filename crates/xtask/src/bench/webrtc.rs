//! `cargo xtask bench webrtc`: streams beside raw data channels, dials beside those of js-libp2p, and the memory that ten
//! thousand streams leave taken, all in one run of two tabs.

use anyhow::Result;

use crate::chromium;
use crate::page;
use crate::process::run;
use crate::progress::step;
use crate::test::webrtc::{folder, relay};
use crate::toolchain;
use crate::wasm::bind;
use crate::workspace::{WASM, Workspace};

/// Builds the example as a page would have it, and lets its script measure.
pub(crate) fn measure(workspace: &Workspace) -> Result<()> {
    toolchain::ensure(workspace)?;
    let chromium = chromium::ensure()?;
    let example = |of: &[&str]| {
        run(workspace.compile("build").args(["--package", "libp2p-webrtc-browser", "--example"]).args(of))
    };
    step("webrtc: relay", || example(&["relay"]))?;
    step("webrtc: optimised tab", || example(&["two_tabs", "--target", WASM, "--profile", "wasm"]))?;
    let compiled = workspace.target().join(WASM).join("wasm/examples/two_tabs.wasm");
    let bindings = workspace.scratch().join("webrtc-bench");
    step("webrtc: bindings", || bind(&compiled, &bindings, "two_tabs"))?;
    for name in ["two_tabs", "js_libp2p"] {
        page::install_in(workspace, &folder(workspace, name))?;
    }
    let script = |name, script| {
        let mut npm = page::npm(workspace, &folder(workspace, name), &["run", "--silent", script]);
        npm.env("BINDINGS", &bindings);
        npm
    };
    run(&mut script("js_libp2p", "bundle"))?;
    run(script("two_tabs", "bench").env("CHROMIUM", chromium.browser).env("RELAY", relay(workspace)))
}
