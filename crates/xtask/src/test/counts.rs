//! Adds up what test runners report.

use std::fmt;
use std::ops::AddAssign;
use std::process::ExitStatus;

use anyhow::Result;

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
