//! `cargo xtask bench`: the figures of `tabchain-bench`, natively and in headless Chromium side by side.
//!
//! First criterion measures natively and says how sure it is; then the same harness runs natively and in a tab, so that the
//! two stand side by side. Each bench runs in a process and in a page of its own, so that no bench finds the memory another one left behind.
//! `cargo xtask bench sync` and `cargo xtask bench webrtc` are something else: whole tabs, see `sync` and `webrtc`.

mod sync;
mod webrtc;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use clap::Args;

use crate::chromium;
use crate::process::{capture, run};
use crate::progress::step;
use crate::test::wasm::in_browser;
use crate::toolchain;
use crate::workspace::{WASM, Workspace};

/// The benches of `tabchain-bench`.
const BENCHES: [&str; 7] =
    ["signatures", "blocks", "catching-up", "headers", "template", "memory-accounts", "memory-headers"];

/// How long one bench may take in the browser, in seconds.
const TIMEOUT: &str = "600";

/// What `cargo xtask bench` takes.
#[derive(Args)]
pub(crate) struct BenchArgs {
    /// Run only benches whose name contains this; `sync` measures a late tab that takes a long chain in,
    /// `webrtc` streams and dials between two tabs
    filter: Option<String>,
}

/// What was measured where, by the name of the figure.
#[derive(Default)]
struct Table {
    names: Vec<String>,
    cells: BTreeMap<(String, Place), Cell>,
}

/// One figure: by the median round, by the best one, and its unit.
struct Cell {
    median: f64,
    best: f64,
    unit: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Native,
    Wasm,
}

/// Builds the benches both ways, runs them, and prints what they say.
pub(crate) fn measure(workspace: &Workspace, args: &BenchArgs) -> Result<()> {
    match args.filter.as_deref() {
        Some("sync") => return sync::measure(workspace),
        Some("webrtc") => return webrtc::measure(workspace),
        _ => {}
    }
    let wanted = |name: &&str| args.filter.as_ref().is_none_or(|filter| name.contains(filter));
    let benches: Vec<&str> = BENCHES.into_iter().filter(wanted).collect();
    ensure!(!benches.is_empty(), "no bench has such a name; there are {}", BENCHES.join(", "));
    toolchain::ensure(workspace)?;
    let chromium = chromium::ensure()?;
    step("benches: criterion", || {
        let mut cargo = workspace.cargo();
        cargo.args(["bench", "--quiet", "--bench", "native"]).args(PACKAGE);
        run(cargo.args(["--", "--noplot"]).args(&args.filter))
    })?;
    step("benches: native", || run(workspace.compile("build").args(PACKAGE).arg("--release")))?;
    let native = workspace.target().join("release").join("tabchain-bench");
    let browser = in_browser(workspace, &chromium, TIMEOUT)?;
    let in_tab = || {
        let mut cargo = workspace.cargo();
        let tests = ["test", "--profile", "wasm", "--target", WASM, "--test", "tab"];
        cargo.args(tests).args(PACKAGE).envs(browser.clone());
        cargo
    };
    step("benches: wasm", || run(in_tab().args(["--quiet", "--no-run"])))?;

    let mut table = Table::default();
    for bench in benches {
        step(&format!("bench: {bench}"), || {
            table.read(Place::Native, &capture(&mut here(&native, bench))?);
            let test = bench.replace('-', "_");
            table.read(Place::Wasm, &capture(in_tab().args(["--", "--nocapture", "--exact", &test]))?);
            Ok(())
        })?;
    }
    table.print()
}

const PACKAGE: [&str; 2] = ["--package", "tabchain-bench"];

fn here(program: &Path, bench: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(bench);
    command
}

impl Table {
    /// Takes in the lines that begin with the word `bench`, wherever a test runner has put them.
    fn read(&mut self, place: Place, output: &str) {
        for line in output.lines() {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let [head, name, median, best, unit] = fields[..] else { continue };
            let (true, Ok(median), Ok(best)) = (head.ends_with("bench"), median.parse(), best.parse()) else {
                continue;
            };
            if !self.names.iter().any(|known| known == name) {
                self.names.push(name.to_owned());
            }
            self.cells.insert((name.to_owned(), place), Cell { median, best, unit: unit.to_owned() });
        }
    }

    fn print(&self) -> Result<()> {
        ensure!(!self.names.is_empty(), "the benches said nothing");
        println!("\n{:<40} {:>34} {:>34}", "", "native: median (best)", "tab, one thread: median (best)");
        for name in &self.names {
            println!(
                "{name:<40} {:>34} {:>34}",
                self.cell(name, Place::Native),
                self.cell(name, Place::Wasm)
            );
        }
        Ok(())
    }

    fn cell(&self, name: &str, place: Place) -> String {
        let cell = self.cells.get(&(name.to_owned(), place));
        cell.map_or_else(
            || "-".into(),
            |Cell { median, best, unit }| {
                let rounds = if best > median { format!(" ({})", grouped(*best)) } else { String::new() };
                format!("{}{rounds} {unit}", grouped(*median))
            },
        )
    }
}

/// A number as people read it: `12,345`, or `1.5` where it is small.
fn grouped(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are text"))
        .collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_in_a_runners_output() {
        let mut table = Table::default();
        table.read(
            Place::Wasm,
            "running 1 test\n    bench | headers checked | 200000.5 | 250000.0 | /s\nbench is a word\n",
        );
        assert_eq!(table.names, ["headers checked"]);
        assert_eq!(table.cell("headers checked", Place::Wasm), "200,000 (250,000) /s");
        assert_eq!(table.cell("headers checked", Place::Native), "-");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [0.0, 42.74, 100.0, 1_234.4, 1e6].map(grouped),
            ["0.0", "42.7", "100", "1,234", "1,000,000"]
        );
    }
}
