//! Checks that every dependency may be used under one of the licences of `deny.toml`, by what its package says.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process::{self, capture};
use crate::test::counts::Counts;
use crate::workspace::Workspace;

#[derive(Deserialize)]
struct Policy {
    licenses: Licences,
}

#[derive(Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

/// One crate that may have licences of its own.
#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: BTreeSet<String>,
}

/// Checks every package that is compiled for any target, be it only to build or to test.
pub(super) fn check(workspace: &Workspace) -> Result<Counts> {
    let policy = process::read(&workspace.root().join("deny.toml"))?;
    let Policy { licenses } = toml::from_str(&policy).context("reading the licences of deny.toml")?;
    let listed =
        capture(workspace.cargo().args(["tree", "--workspace", "--all-features", "--target", "all"]).args(
            ["--edges", "normal,build,dev", "--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"],
        ))?;
    // A package that a test of ours depends on in a circle is listed with a mark behind it.
    let lines = listed.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty());
    let mut counts = Counts::default();
    for line in lines.collect::<BTreeSet<_>>() {
        counts += Counts::of(judge(&licenses, line));
    }
    Ok(counts)
}

/// Judges one package, given as `name version|licence`.
fn judge(licences: &Licences, line: &str) -> Result<()> {
    let (package, expression) =
        line.split_once('|').context("`cargo tree` printed a line that we can't read")?;
    let excepted =
        licences.exceptions.iter().find(|exception| package.split(' ').next() == Some(&exception.name));
    let allowed = |licence: &str| {
        licences.allow.contains(licence)
            || excepted.is_some_and(|exception| exception.allow.contains(licence))
    };
    let permitted = permits(expression, &allowed)
        .with_context(|| format!("{package} says its licence as `{expression}`"))?;
    anyhow::ensure!(permitted, "{package} is `{expression}`, which deny.toml does not allow");
    Ok(())
}

/// Whether an SPDX expression leaves us a choice made of allowed licences only. Old manifests write `/` for `OR`.
fn permits(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = Words { words: spaced.split_whitespace().collect(), next: 0 };
    let permitted = words.any(allowed)?;
    anyhow::ensure!(words.peek().is_none(), "the licence expression goes on where it should end");
    Ok(permitted)
}

/// The words of an expression, read by one method for each level of binding: `OR`, `AND`, one licence.
struct Words<'a> {
    words: Vec<&'a str>,
    next: usize,
}

impl Words<'_> {
    fn any(&mut self, allowed: &dyn Fn(&str) -> bool) -> Result<bool> {
        let mut permitted = self.all(allowed)?;
        while self.take("OR") {
            permitted |= self.all(allowed)?;
        }
        Ok(permitted)
    }

    fn all(&mut self, allowed: &dyn Fn(&str) -> bool) -> Result<bool> {
        let mut permitted = self.one(allowed)?;
        while self.take("AND") {
            permitted &= self.one(allowed)?;
        }
        Ok(permitted)
    }

    fn one(&mut self, allowed: &dyn Fn(&str) -> bool) -> Result<bool> {
        if self.take("(") {
            let permitted = self.any(allowed)?;
            anyhow::ensure!(self.take(")"), "a bracket of the licence expression is not closed");
            return Ok(permitted);
        }
        let licence = self.word()?;
        if self.take("WITH") {
            let exception = self.word()?;
            return Ok(allowed(&format!("{licence} WITH {exception}")));
        }
        Ok(allowed(&licence))
    }

    fn word(&mut self) -> Result<String> {
        let word = self.peek().context("a licence is missing")?.to_owned();
        self.next += 1;
        Ok(word)
    }

    fn peek(&self) -> Option<&str> {
        self.words.get(self.next).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let taken = self.peek() == Some(word);
        self.next += usize::from(taken);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(licence: &str) -> bool {
        matches!(licence, "MIT" | "ISC" | "Unicode-3.0" | "Apache-2.0 WITH LLVM-exception")
    }

    #[test]
    fn expressions_are_judged_by_the_best_choice_they_leave() {
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("GPL-3.0-only OR MIT", true),
            ("MIT/Apache-2.0", true),
            ("MIT AND GPL-3.0-only", false),
            ("(MIT OR GPL-2.0-only) AND Unicode-3.0", true),
            ("GPL-2.0-only OR MIT AND ISC", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
        ] {
            assert_eq!(permits(expression, &allowed).expect(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_permits_nothing() {
        for expression in ["", "MIT OR", "(MIT", "MIT ISC", "MIT)"] {
            assert!(permits(expression, &allowed).is_err(), "{expression}");
        }
    }
}
