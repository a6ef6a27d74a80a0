//! Adds up what test runners report.

use std::fmt;
use std::ops::AddAssign;
use std::process::ExitStatus;

use anyhow::{Context, Result};
use serde::Deserialize;

/// How many checks passed, failed or were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };

    /// Something passed and nothing failed: a run without a single test proves nothing.
    pub(crate) fn is_success(self) -> bool {
        self.passed > 0 && self.failed == 0
    }

    /// One check that either passed or says why not.
    pub(crate) fn of(check: Result<()>) -> Self {
        match check {
            Ok(()) => Self::PASSED,
            Err(error) => {
                eprintln!("error: {error:#}");
                Self::FAILED
            }
        }
    }

    /// The counts of one line of a Rust test harness, native or wasm: `test result: ok. 3 passed; 0 failed; 1 ignored; ..`.
    pub(crate) fn of_rust_line(line: &str) -> Option<Self> {
        let (_, result) = line.split_once("test result: ")?;
        let (_, result) = result.split_once(". ")?;
        let count = |what: &str| {
            let part = result.split(';').find_map(|part| part.trim().strip_suffix(what))?;
            part.trim().parse::<u64>().ok()
        };
        Some(Self {
            passed: count("passed")?,
            failed: count("failed")?,
            skipped: count("ignored").unwrap_or(0),
        })
    }

    /// The counts of Playwright's JSON report. A test that passed only on a second try has failed once: it counts as failed.
    pub(crate) fn of_playwright(report: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Report {
            stats: Stats,
        }
        #[derive(Deserialize)]
        struct Stats {
            expected: u64,
            unexpected: u64,
            flaky: u64,
            skipped: u64,
        }
        let Report { stats } = serde_json::from_str(report).context("reading Playwright's report")?;
        Ok(Self { passed: stats.expected, failed: stats.unexpected + stats.flaky, skipped: stats.skipped })
    }

    /// The counts of vitest's JSON report.
    pub(crate) fn of_vitest(report: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Report {
            #[serde(rename = "numPassedTests")]
            passed: u64,
            #[serde(rename = "numFailedTests")]
            failed: u64,
            #[serde(rename = "numPendingTests")]
            skipped: u64,
        }
        let Report { passed, failed, skipped } =
            serde_json::from_str(report).context("reading vitest's report")?;
        Ok(Self { passed, failed, skipped })
    }

    /// A runner that failed without naming a failed test (a crash, a compile error) still is a failure.
    pub(crate) fn judged_by(mut self, status: ExitStatus) -> Self {
        if !status.success() && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        match skipped {
            0 => f.pad(&format!("{passed} passed, {failed} failed")),
            _ => f.pad(&format!("{passed} passed, {failed} failed, {skipped} skipped")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn rust_harnesses_are_read() {
        let native =
            "test result: ok. 12 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.31s";
        assert_eq!(Counts::of_rust_line(native), Some(counts(12, 0, 2)));
        let wasm = "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 filtered out; finished in 0.00s";
        assert_eq!(Counts::of_rust_line(wasm), Some(counts(3, 1, 0)));
        assert_eq!(Counts::of_rust_line("test rules::height_follows_parent ... ok"), None);
    }

    #[test]
    fn reports_of_javascript_runners_are_read() {
        let playwright =
            r#"{"suites":[],"stats":{"duration":1,"expected":7,"skipped":1,"unexpected":2,"flaky":1}}"#;
        assert_eq!(Counts::of_playwright(playwright).expect("it is a report"), counts(7, 3, 1));
        let vitest = r#"{"numTotalTests":5,"numPassedTests":4,"numFailedTests":1,"numPendingTests":0}"#;
        assert_eq!(Counts::of_vitest(vitest).expect("it is a report"), counts(4, 1, 0));
        assert!(Counts::of_vitest("{}").is_err());
    }

    #[test]
    fn nothing_run_is_no_success() {
        assert!(!counts(0, 0, 3).is_success());
        assert!(!counts(5, 1, 0).is_success());
        assert!(counts(5, 0, 1).is_success());
    }
}
