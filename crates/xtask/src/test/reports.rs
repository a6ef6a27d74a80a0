//! Reads the JSON reports of JavaScript's test runners.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::test::counts::Counts;

/// The counts of Playwright's report. A test that passed only on a second try has failed once: it counts as failed.
pub(super) fn playwright(report: &str) -> Result<Counts> {
    let Playwright { stats, suites } = serde_json::from_str(report).context("reading Playwright's report")?;
    Ok(Counts {
        passed: stats.expected,
        failed: stats.unexpected + stats.flaky,
        skipped: stats.skipped,
        failures: suites.iter().flat_map(Suite::failures).collect(),
    })
}

/// The counts of vitest's report.
pub(super) fn vitest(report: &str) -> Result<Counts> {
    let report: Vitest = serde_json::from_str(report).context("reading vitest's report")?;
    let tests = report.test_results.iter().flat_map(|file| &file.assertion_results);
    let failed = tests.filter(|test| !test.failure_messages.is_empty());
    Ok(Counts {
        passed: report.num_passed_tests,
        failed: report.num_failed_tests,
        skipped: report.num_pending_tests,
        failures: failed
            .map(|test| format!("{}: {}", test.full_name, test.failure_messages.join("\n")))
            .collect(),
    })
}

#[derive(Deserialize)]
struct Playwright {
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

/// A file, or a group of tests in it.
#[derive(Deserialize)]
struct Suite {
    #[serde(default)]
    specs: Vec<Spec>,
    #[serde(default)]
    suites: Vec<Self>,
}

#[derive(Deserialize)]
struct Spec {
    title: String,
    tests: Vec<Tries>,
}

#[derive(Deserialize)]
struct Tries {
    results: Vec<Try>,
}

#[derive(Deserialize)]
struct Try {
    #[serde(default)]
    errors: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vitest {
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

impl Suite {
    fn failures(&self) -> Vec<String> {
        let own = self.specs.iter().flat_map(Spec::failures);
        own.chain(self.suites.iter().flat_map(Self::failures)).collect()
    }
}

impl Spec {
    fn failures(&self) -> impl Iterator<Item = String> {
        let tries = self.tests.iter().flat_map(|test| &test.results);
        tries.flat_map(|one| &one.errors).map(|problem| format!("{}: {}", self.title, problem.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(passed: u64, failed: u64, skipped: u64, failure: &str) -> Counts {
        Counts { passed, failed, skipped, failures: vec![failure.to_owned()] }
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
        let read = super::playwright(playwright).expect("it is a report");
        assert_eq!(read, failing(7, 3, 1, "mines: no block"));
        let vitest = r#"{
            "numTotalTests": 5, "numPassedTests": 4, "numFailedTests": 1, "numPendingTests": 0,
            "testResults": [{"assertionResults": [
                {"fullName": "a fee is paid", "failureMessages": []},
                {"fullName": "a fee is shown", "failureMessages": ["expected 1", "at fee.ts"]}
            ]}]
        }"#;
        let read = super::vitest(vitest).expect("it is a report");
        assert_eq!(read, failing(4, 1, 0, "a fee is shown: expected 1\nat fee.ts"));
        assert!(super::vitest("{}").is_err());
    }
}
