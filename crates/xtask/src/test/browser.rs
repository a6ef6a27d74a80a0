//! Real tabs and a real relay, by Playwright.

use std::fs;

use anyhow::Result;

use crate::chromium;
use crate::page;
use crate::process::{self, watch};
use crate::relay;
use crate::test::counts::Counts;
use crate::test::reports;
use crate::workspace::Workspace;

/// Builds what people run, checks the tests' types, then lets Playwright use the page as people do.
pub(super) fn tests(workspace: &Workspace) -> Result<Counts> {
    let chromium = chromium::ensure()?;
    page::build(workspace)?;
    let relay = relay::build_with_tests(workspace)?;
    let folder = workspace.browser_tests();
    page::install_in(workspace, &folder)?;
    let mut counts = Counts::of(process::run(&mut page::npm(workspace, &folder, &["run", "check"])));

    let report = workspace.scratch().join("playwright.json");
    fs::remove_file(&report).ok();
    let mut npm = page::npm(workspace, &folder, &["test", "--", "--reporter=list,json"]);
    npm.env("PLAYWRIGHT_JSON_OUTPUT_FILE", &report)
        .env("TABCHAIN_RELAY", relay)
        .env("TABCHAIN_CHROMIUM", chromium.browser);
    let status = watch(&mut npm, |_| ())?;
    if report.is_file() {
        counts += reports::playwright(&process::read(&report)?)?;
    }
    Ok(counts.judged_by(status))
}
