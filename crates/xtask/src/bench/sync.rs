//! `cargo xtask bench sync`: a late tab takes a long chain from two tabs and from four, and joins by snapshot; a tab that holds the
//! chain is reloaded. Real page and real relay.
//!
//! The chain is mined once and kept in the build folder. What a serving tab has on its disk is made of it by the node of
//! this build, whenever that changed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::chromium;
use crate::page;
use crate::process::run;
use crate::progress::step;
use crate::relay;
use crate::stamp::{Step, when_changed};
use crate::workspace::Workspace;

/// The chain: blocks and accounts.
const BLOCKS: &str = "50000";
const ACCOUNTS: &str = "100000";

/// Builds what people run, makes the chain, and lets Playwright measure.
pub(crate) fn measure(workspace: &Workspace) -> Result<()> {
    let chromium = chromium::ensure()?;
    page::build(workspace)?;
    let relay = relay::build_with_tests(workspace)?;
    let tests = workspace.browser_tests();
    page::install_in(workspace, &tests)?;
    let folder = workspace.target().join("measure");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    chain(workspace, &folder)?;
    run(page::npm(workspace, &tests, &["exec", "--", "playwright", "test", "--config=measure.config.ts"])
        .env("TABCHAIN_RELAY", relay)
        .env("TABCHAIN_CHROMIUM", chromium.browser)
        .env("TABCHAIN_MEASURE", folder))
}

/// The file of blocks, and the rows that a node of this build keeps of them.
fn chain(workspace: &Workspace, folder: &Path) -> Result<()> {
    step("measure: the maker of chains", || {
        run(workspace.compile("build").args(["--release", "--package", "tabchain-measure"]))
    })?;
    let maker =
        workspace.target().join("release").join(format!("tabchain-measure{}", std::env::consts::EXE_SUFFIX));
    let [blocks, rows, facts] = ["long.blocks", "long.rows", "long.json"].map(|name| folder.join(name));
    let make = || workspace.command(&maker.to_string_lossy());
    if !blocks.is_file() {
        step("measure: mining the chain, once, for some minutes", || {
            run(make().args(["blocks", BLOCKS, ACCOUNTS]).arg(&blocks))
        })?;
    }
    let (inputs, outputs) = ([blocks.clone(), maker.clone()], [rows.clone(), facts.clone()]);
    when_changed(
        workspace,
        &Step { name: "measure-rows", recipe: "", inputs: &inputs, outputs: &outputs },
        || {
            step("measure: the rows of a node that has it", || {
                run(make().arg("rows").args([&blocks, &rows, &facts]))
            })
        },
    )
}
