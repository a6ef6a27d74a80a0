//! Runs every proof of the project in one go, the cheap ones first, and sums them up.
//!
//! A failing stage does not stop the following ones: one call shows everything that is wrong.

mod browser;
mod counts;
mod floors;
mod licences;
mod native;
mod package;
mod reports;
pub(crate) mod wasm;
pub(crate) mod webrtc;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::progress::seconds;
use crate::test::counts::Counts;
use crate::workspace::Workspace;

/// What `cargo xtask test` takes.
#[derive(Args)]
pub(crate) struct TestArgs {
    /// Run only these stages; all of them when none is named
    #[arg(value_enum)]
    stages: Vec<Stage>,
    /// Let the stages of the `/webrtc` crate send all that it promises on each connection: 64 MiB each way, 1,000 streams of
    /// one side at once, 10,000 one after another
    #[arg(long)]
    endurance: bool,
}

/// The stages, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Formatting of all Rust sources
    Format,
    /// Dependencies between our crates, and what the lower floors may pull in
    Floors,
    /// Licences of all dependencies
    Licences,
    /// clippy, native and wasm32, with warnings as errors
    Clippy,
    /// The documentation builds without warnings
    Docs,
    /// Unit, property, scenario and documentation tests
    Rust,
    /// Tests of the wasm crates in headless Chromium
    Wasm,
    /// The `/webrtc` crate between real tabs of Chromium and of Firefox
    WebrtcTabs,
    /// The `/webrtc` crate with js-libp2p in both directions
    WebrtcJs,
    /// Type checks, lints, packaging checks and unit tests of the npm package and the page
    Package,
    /// Real tabs and a real relay, by Playwright
    Browser,
}

impl Stage {
    fn perform(self, workspace: &Workspace, endurance: bool) -> Result<Counts> {
        match self {
            Self::Format => native::format(workspace),
            Self::Floors => floors::check(workspace),
            Self::Licences => licences::check(workspace),
            Self::Clippy => native::clippy(workspace),
            Self::Docs => native::docs(workspace),
            Self::Rust => native::tests(workspace),
            Self::Wasm => wasm::tests(workspace),
            Self::WebrtcTabs => webrtc::tabs(workspace, endurance),
            Self::WebrtcJs => webrtc::js(workspace, endurance),
            Self::Package => package::checks(workspace),
            Self::Browser => browser::tests(workspace),
        }
    }

    fn name(self) -> String {
        self.to_possible_value().expect("no stage is hidden").get_name().to_owned()
    }
}

/// Runs the stages asked for and fails if anything in them did.
pub(crate) fn run(workspace: &Workspace, args: &TestArgs) -> ExitCode {
    let wanted = |stage: &Stage| args.stages.is_empty() || args.stages.contains(stage);
    let mut total = Counts::default();
    let (mut summary, mut failures) = (Vec::new(), String::new());
    for stage in Stage::value_variants().iter().copied().filter(wanted) {
        println!("\n==== {} ====", stage.name());
        let begin = Instant::now();
        let counts = stage.perform(workspace, args.endurance).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            Counts::failed(&format!("{error:#}"))
        });
        failures += &counts.tell_failures(&stage.name());
        summary.push(format!("{:<11} {counts:<40} {:>12}", stage.name(), seconds(begin.elapsed())));
        total += counts;
    }
    if !failures.is_empty() {
        println!("\n==== what failed ====\n{failures}");
    }
    println!("\n==== summary ====\n{}\n", summary.join("\n"));
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
