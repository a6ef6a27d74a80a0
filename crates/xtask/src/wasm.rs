//! Builds the three wasm files of the npm package.
//!
//! The node (`tabchain_bg.wasm`, with `tabchain.js` and its types) is what a tab runs. The miner (`miner.wasm`) is tiny, plain
//! C functions without bindings, so that a miner's worker starts in no time. The checker (`checker.wasm`) is small in the same
//! way, and does with signatures what the node would do with them, beside it. All need SIMD: hashes are taken four at a time. The
//! package says so in words where a browser lacks it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::page;
use crate::process::{run, run_quietly};
use crate::progress::step;
use crate::stamp::{Step, when_changed};
use crate::toolchain;
use crate::workspace::{WASM, Workspace};

/// What rustc's wasm target takes for granted, plus SIMD: wasm-opt must be told, as the stripped file doesn't say.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// What a server sends is what counts for the node: higher levels make a smaller file that is larger when it is packed (`-Os` 4% and 9%),
/// and no faster, as its hot crates were compiled for speed already.
const NODE_LEVEL: &str = "-O1";
/// Speed only for the small ones: each is a few loops.
const SMALL_LEVEL: &str = "-O4";

/// Builds what changed of both files into `web/package/wasm`.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    toolchain::ensure(workspace)?;
    page::install(workspace)?;
    let out = workspace.package().join("wasm");
    fs::create_dir_all(&out).with_context(|| format!("making {}", out.display()))?;
    small(workspace, &out, "miner")?;
    small(workspace, &out, "checker")?;
    node(workspace, &out)
}

fn node(workspace: &Workspace, out: &Path) -> Result<()> {
    let compiled = step("wasm: node", || compile_node(workspace))?;
    let outputs = ["tabchain.js", "tabchain.d.ts", "tabchain_bg.wasm", "tabchain_bg.wasm.d.ts"]
        .map(|file| out.join(file));
    let recipe = format!("{NODE_LEVEL} {FEATURES:?}");
    let inputs = [compiled.clone()];
    when_changed(
        workspace,
        &Step { name: "wasm-node", recipe: &recipe, inputs: &inputs, outputs: &outputs },
        || {
            let raw = workspace.scratch().join("bindings");
            step("wasm: bindings of the node", || bind(&compiled, &raw, "tabchain"))?;
            let (from, to) = (raw.join("tabchain_bg.wasm"), out.join("tabchain_bg.wasm"));
            step("wasm: wasm-opt on the node", || optimise(workspace, NODE_LEVEL, &from, &to))?;
            // Only now: bindings fit no other wasm than their own, and optimising takes a while.
            for file in fs::read_dir(&raw).context("reading the generated bindings")? {
                let path = file?.path();
                if path.extension().is_some_and(|end| end != "wasm") {
                    let name = path.file_name().expect("an entry of a folder has a name");
                    fs::copy(&path, out.join(name)).with_context(|| format!("copying {}", path.display()))?;
                }
            }
            println!("   made {} of {}", size(&to)?, size(&from)?);
            Ok(())
        },
    )
}

/// Builds a small wasm, `tabchain-NAME`.
fn small(workspace: &Workspace, out: &Path, name: &str) -> Result<()> {
    let compiled = step(&format!("wasm: {name}"), || compile_small(workspace, name))?;
    let optimised = out.join(format!("{name}.wasm"));
    let recipe = format!("{SMALL_LEVEL} {FEATURES:?}");
    let (inputs, outputs) = ([compiled], [optimised]);
    when_changed(
        workspace,
        &Step { name: &format!("wasm-{name}"), recipe: &recipe, inputs: &inputs, outputs: &outputs },
        || optimise(workspace, SMALL_LEVEL, &inputs[0], &outputs[0]),
    )
}

fn compile_node(workspace: &Workspace) -> Result<PathBuf> {
    run(workspace
        .compile("build")
        .args(["--profile", "wasm", "--target", WASM, "--package", "tabchain-browser"])
        .env(FLAGS, flags(workspace)?))?;
    Ok(workspace.target().join(WASM).join("wasm/tabchain_browser.wasm"))
}

/// Into a folder of its own: of another set of packages other features could be asked for.
fn compile_small(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let target = workspace.target().join(name);
    run(workspace
        .cargo()
        .args(["build", "--quiet", "--lib", "--profile", "wasm", "--target", WASM])
        .args(["--package", &format!("tabchain-{name}")])
        .env("CARGO_TARGET_DIR", &target)
        .env(FLAGS, flags(workspace)?))?;
    Ok(target.join(WASM).join(format!("wasm/tabchain_{name}.wasm")))
}

const FLAGS: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS";

/// With SIMD, as `.cargo/config.toml` has it for every other build.
fn flags(workspace: &Workspace) -> Result<String> {
    Ok(format!("-Ctarget-feature=+simd128 {}", workspace.remap()?))
}

/// Generates the bindings of a wasm file under a name, into a folder of their own.
pub(crate) fn bind(compiled: &Path, out: &Path, name: &str) -> Result<()> {
    if out.exists() {
        fs::remove_dir_all(out).context("clearing the old bindings")?;
    }
    Bindgen::new()
        .input_path(compiled)
        .web(true)?
        .out_name(name)
        .typescript(true)
        .omit_default_module_path(false)
        .generate(out)
        .with_context(|| format!("generating the bindings of {name}"))
}

fn optimise(workspace: &Workspace, level: &str, from: &Path, to: &Path) -> Result<()> {
    let tool = workspace.web().join("node_modules/.bin/wasm-opt");
    if !tool.is_file() {
        bail!("wasm-opt is missing: web/package.json must list `binaryen` in its devDependencies");
    }
    run_quietly(workspace.command("node").arg(tool).arg(level).args(FEATURES).arg(from).arg("-o").arg(to))
}

fn size(path: &Path) -> Result<String> {
    let bytes = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.len();
    Ok(format!("{} KB", bytes.div_ceil(1000)))
}
