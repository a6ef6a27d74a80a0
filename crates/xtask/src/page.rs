//! Builds the npm package and the page.

use std::path::{MAIN_SEPARATOR_STR, Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::process::{capture, run, run_quietly};
use crate::progress::step;
use crate::stamp::{Step, when_changed};
use crate::wasm;
use crate::workspace::Workspace;

/// Builds wasm, package and page, as far as their inputs changed.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    wasm::build(workspace)?;
    let (package, app) = (workspace.package(), workspace.app());
    let shared =
        ["package-lock.json", "tsconfig.json", "tsconfig.base.json"].map(|file| workspace.web().join(file));
    let mut inputs = [&[package.clone()][..], &shared].concat();
    build_member(workspace, "tabchain", &inputs, &package)?;
    inputs.push(app.clone());
    build_member(workspace, "app", &inputs, &app)
}

/// Runs a member's `build` script, which fills its `dist`, when what it reads has changed.
fn build_member(workspace: &Workspace, name: &str, inputs: &[PathBuf], folder: &Path) -> Result<()> {
    let outputs = [folder.join("dist")];
    when_changed(
        workspace,
        &Step { name: &format!("npm-build-{name}"), recipe: "", inputs, outputs: &outputs },
        || {
            step(&format!("npm: building {name}"), || {
                run_quietly(&mut npm(workspace, &workspace.web(), &["run", "build", "-w", name]))
            })
        },
    )
}

/// Installs the npm workspace's dependencies when its lock file changed.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    install_in(workspace, &workspace.web())
}

/// Installs a folder's npm dependencies when its lock file changed.
pub(crate) fn install_in(workspace: &Workspace, folder: &Path) -> Result<()> {
    let shown = folder.strip_prefix(workspace.root()).unwrap_or(folder).display();
    let (manifest, lock) = (folder.join("package.json"), folder.join("package-lock.json"));
    ensure!(manifest.is_file(), "{shown}/package.json is missing from this checkout");
    let name = format!("npm-install-{}", shown.to_string().replace(MAIN_SEPARATOR_STR, "-"));
    let command = if lock.exists() { "ci" } else { "install" };
    let (inputs, outputs) = ([manifest, lock], [folder.join("node_modules")]);
    when_changed(workspace, &Step { name: &name, recipe: "", inputs: &inputs, outputs: &outputs }, || {
        enough_node(workspace)?;
        step(&format!("npm: installing what {shown} depends on"), || {
            run_quietly(&mut npm(workspace, folder, &[command, "--no-audit", "--no-fund"]))
        })
    })
}

/// npm in a folder; no tool may download a browser on its own.
pub(crate) fn npm(workspace: &Workspace, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = workspace.command("npm");
    command.current_dir(folder).args(arguments).env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
    command
}

/// Runs one script of a package of the npm workspace, with its output shown.
pub(crate) fn script(workspace: &Workspace, package: &str, script: &str) -> Result<()> {
    run(&mut npm(workspace, &workspace.web(), &["run", script, "-w", package]))
}

/// Vite and its plugins ask for at least this version.
const NODE: (u32, u32) = (20, 19);

fn enough_node(workspace: &Workspace) -> Result<()> {
    let version = capture(workspace.command("node").arg("--version"))?;
    let mut numbers =
        version.trim().trim_start_matches('v').split('.').map_while(|number| number.parse::<u32>().ok());
    let found = numbers.next().zip(numbers.next());
    if found.is_none_or(|found| found < NODE) {
        bail!("Node.js {} is too old: install Node.js {}.{} or newer", version.trim(), NODE.0, NODE.1);
    }
    Ok(())
}
