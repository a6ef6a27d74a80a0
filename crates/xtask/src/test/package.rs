//! Checks of the npm package and the page.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::page;
use crate::process::{self, watch};
use crate::test::counts::Counts;
use crate::test::reports;
use crate::workspace::Workspace;

/// The members of the npm workspace, by folder and name.
const MEMBERS: [(&str, &str); 2] = [("package", "tabchain"), ("app", "app")];

/// Type checks, lints and packaging checks of each member (its `check` script), then its unit tests where it has some.
pub(super) fn checks(workspace: &Workspace) -> Result<Counts> {
    page::build(workspace)?;
    let mut counts = Counts::default();
    for (folder, name) in MEMBERS {
        counts += Counts::of(page::script(workspace, name, "check"));
        if has_tests(workspace, folder)? {
            counts += unit_tests(workspace, name)?;
        }
    }
    Ok(counts)
}

fn has_tests(workspace: &Workspace, folder: &str) -> Result<bool> {
    let manifest = process::read(&workspace.web().join(folder).join("package.json"))?;
    let manifest: Value =
        serde_json::from_str(&manifest).with_context(|| format!("reading {folder}/package.json"))?;
    Ok(manifest["scripts"]["test"].is_string())
}

fn unit_tests(workspace: &Workspace, name: &str) -> Result<Counts> {
    let report = workspace.scratch().join(format!("vitest-{name}.json"));
    fs::remove_file(&report).ok();
    let output = format!("--outputFile={}", report.display());
    let arguments = ["test", "-w", name, "--", "--reporter=default", "--reporter=json", &output];
    let status = watch(&mut page::npm(workspace, &workspace.web(), &arguments), |_| ())?;
    let mut counts = Counts::default();
    if report.is_file() {
        counts += reports::vitest(&process::read(&report)?)?;
    }
    Ok(counts.judged_by(status))
}
