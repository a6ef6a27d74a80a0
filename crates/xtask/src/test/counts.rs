//! Adds up what test runners report.

use std::fmt;
use std::ops::AddAssign;
use std::process::ExitStatus;

use anyhow::{Context, Result};
use serde::Deserialize;

/// How much of what a runner says of one failure is told again at the end, in characters.
const MAX_FAILURE: usize = 2_000;

/// How many checks passed, failed or were skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// What is known of those that failed, to be told again at the end.
    pub(crate) failures: Vec<String>,
}

impl Counts {
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0, failures: Vec::new() };

    /// One check that failed.
    pub(crate) fn failed(why: &str) -> Self {
        Self { failed: 1, failures: vec![why.to_owned()], ..Self::default() }
    }

    /// Something passed and nothing failed: a run without a single test proves nothing.
    pub(crate) fn is_success(&self) -> bool {
        self.passed > 0 && self.failed == 0
    }

    /// One check that either passed or says why not.
    pub(crate) fn of(check: Result<()>) -> Self {
        match check {
            Ok(()) => Self::PASSED,
            Err(error) => {
                eprintln!("error: {error:#}");
                Self::failed(&format!("{error:#}"))
            }
        }
    }

    /// What one line of a Rust test harness adds, native or wasm: `test result: ok. 3 passed; 0 failed; 1 ignored; ..`, or the
    /// name of a test that failed: `test chain::joins ... FAILED`.
    pub(crate) fn of_rust_line(line: &str) -> Option<Self> {
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... FAIL")) {
            return Some(Self { failures: vec![name.0.to_owned()], ..Self::default() });
        }
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
            failures: Vec::new(),
        })
    }

    /// What one line of a script of ours adds: `ok  what holds`, or `failed  what doesn't: why`.
    pub(crate) fn of_script_line(line: &str) -> Option<Self> {
        match line.strip_prefix("failed ") {
            Some(why) => Some(Self::failed(why.trim_start())),
            None => line.starts_with("ok ").then_some(Self::PASSED),
        }
    }

    /// The counts of Playwright's JSON report. A test that passed only on a second try has failed once: it counts as failed.
    pub(crate) fn of_playwright(report: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Report {
            stats: Stats,
            suites: Vec<Suite>,
        }
        #[derive(Deserialize)]
        struct Stats {
            expected: u64,
            unexpected: u64,
            flaky: u64,
            skipped: u64,
        }
        #[derive(Deserialize)]
        struct Suite {
            #[serde(default)]
            specs: Vec<Spec>,
            #[serde(default)]
            suites: Vec<Suite>,
        }
        #[derive(Deserialize)]
        struct Spec {
            title: String,
            tests: Vec<Test>,
        }
        #[derive(Deserialize)]
        struct Test {
            results: Vec<Attempt>,
        }
        #[derive(Deserialize)]
        struct Attempt {
            #[serde(default)]
            errors: Vec<Problem>,
        }
        #[derive(Deserialize)]
        struct Problem {
            #[serde(default)]
            message: String,
        }
        fn failures(suites: &[Suite]) -> Vec<String> {
            let of = |spec: &Spec| {
                let attempts = spec.tests.iter().flat_map(|test| &test.results);
                let problems = attempts.flat_map(|attempt| &attempt.errors);
                problems.map(|problem| format!("{}: {}", spec.title, problem.message)).collect::<Vec<_>>()
            };
            let each = |suite: &Suite| {
                let mut all: Vec<_> = suite.specs.iter().flat_map(of).collect();
                all.extend(failures(&suite.suites));
                all
            };
            suites.iter().flat_map(each).collect()
        }
        let Report { stats, suites } = serde_json::from_str(report).context("reading Playwright's report")?;
        Ok(Self {
            passed: stats.expected,
            failed: stats.unexpected + stats.flaky,
            skipped: stats.skipped,
            failures: failures(&suites),
        })
    }

    /// The counts of vitest's JSON report.
    pub(crate) fn of_vitest(report: &str) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Report {
            num_passed_tests: u64,
            num_failed_tests: u64,
            num_pending_tests: u64,
            #[serde(default)]
            test_results: Vec<File>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct File {
            assertion_results: Vec<Test>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Test {
            full_name: String,
            #[serde(default)]
            failure_messages: Vec<String>,
        }
        let report: Report = serde_json::from_str(report).context("reading vitest's report")?;
        let tests = report.test_results.iter().flat_map(|file| &file.assertion_results);
        let failed = tests.filter(|test| !test.failure_messages.is_empty());
        Ok(Self {
            passed: report.num_passed_tests,
            failed: report.num_failed_tests,
            skipped: report.num_pending_tests,
            failures: failed
                .map(|test| format!("{}: {}", test.full_name, test.failure_messages.join("\n")))
                .collect(),
        })
    }

    /// What is told at the end of those that failed; nothing if none did.
    pub(crate) fn tell_failures(&self, stage: &str) -> String {
        let shown = |failure: &String| match failure.char_indices().nth(MAX_FAILURE) {
            Some((end, _)) => format!("{stage}: {} ...\n", &failure[..end]),
            None => format!("{stage}: {failure}\n"),
        };
        self.failures.iter().map(shown).collect()
    }

    /// A runner that failed without naming a failed test (a crash, a compile error) still is a failure.
    pub(crate) fn judged_by(mut self, status: ExitStatus) -> Self {
        if !status.success() && self.failed == 0 {
            self += Self::failed(&format!("the runner itself ended with {status}"));
        }
        self
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped, .. } = self;
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
        Counts { passed, failed, skipped, failures: Vec::new() }
    }

    fn failing(counts: &Counts, failures: &[&str]) -> Counts {
        Counts { failures: failures.iter().map(ToString::to_string).collect(), ..counts.clone() }
    }

    #[test]
    fn rust_harnesses_are_read() {
        let native =
            "test result: ok. 12 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.31s";
        assert_eq!(Counts::of_rust_line(native), Some(counts(12, 0, 2)));
        let wasm = "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 filtered out; finished in 0.00s";
        assert_eq!(Counts::of_rust_line(wasm), Some(counts(3, 1, 0)));
        assert_eq!(Counts::of_rust_line("test rules::height_follows_parent ... ok"), None);
        for line in ["test rules::height ... FAILED", "test rules::height ... FAIL"] {
            assert_eq!(Counts::of_rust_line(line), Some(failing(&counts(0, 0, 0), &["rules::height"])));
        }
    }

    #[test]
    fn scripts_are_read() {
        assert_eq!(Counts::of_script_line("ok    ping, both ways (7 ms)"), Some(Counts::PASSED));
        let failed = failing(&counts(0, 1, 0), &["ping, both ways: waited in vain"]);
        assert_eq!(Counts::of_script_line("failed    ping, both ways: waited in vain"), Some(failed));
        assert_eq!(Counts::of_script_line("okay"), None);
    }

    #[test]
    fn reports_of_javascript_runners_are_read() {
        let playwright = r#"{
            "suites": [{"specs": [], "suites": [{"specs": [
                {"title": "joins", "tests": [{"results": [{"errors": []}]}]},
                {"title": "mines", "tests": [{"results": [{"errors": [{"message": "no block"}]}]}]}
            ]}]}],
            "stats": {"duration": 1, "expected": 7, "skipped": 1, "unexpected": 2, "flaky": 1}
        }"#;
        let read = Counts::of_playwright(playwright).expect("it is a report");
        assert_eq!(read, failing(&counts(7, 3, 1), &["mines: no block"]));
        let vitest = r#"{
            "numTotalTests": 5, "numPassedTests": 4, "numFailedTests": 1, "numPendingTests": 0,
            "testResults": [{"assertionResults": [
                {"fullName": "a fee is paid", "failureMessages": []},
                {"fullName": "a fee is shown", "failureMessages": ["expected 1", "at fee.ts"]}
            ]}]
        }"#;
        let read = Counts::of_vitest(vitest).expect("it is a report");
        assert_eq!(read, failing(&counts(4, 1, 0), &["a fee is shown: expected 1\nat fee.ts"]));
        assert!(Counts::of_vitest("{}").is_err());
    }

    #[test]
    fn failures_are_told_again_but_not_at_length() {
        let long = failing(&counts(0, 2, 0), &["short", &"ü".repeat(5_000)]);
        let told = long.tell_failures("rust");
        assert!(told.starts_with("rust: short\nrust: üü"), "{told}");
        assert_eq!(told.matches('ü').count(), MAX_FAILURE);
        assert_eq!(counts(1, 0, 0).tell_failures("rust"), "");
    }

    #[test]
    fn nothing_run_is_no_success() {
        assert!(!counts(0, 0, 3).is_success());
        assert!(!counts(5, 1, 0).is_success());
        assert!(counts(5, 0, 1).is_success());
    }
}
