//! What is said about some bytes.

use std::fmt;

use tabchain_primitives::DecodeError;

use crate::rules::rule_of;

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its name in `docs/protocol.md`.
    pub rule: &'static str,
    /// What is wrong, in the words of the error.
    pub words: String,
}

/// Fields with their values, then faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was read: names and values, in order. A line without a value is a heading.
    pub lines: Vec<(String, String)>,
    /// The rules that are broken; none of them if there are none.
    pub faults: Vec<Fault>,
    /// What can't be told from the bytes and the chain spec alone.
    pub unchecked: Vec<&'static str>,
}

impl Report {
    /// The report on bytes that are no value at all.
    pub(crate) fn unreadable(what: &str, bytes: usize, error: &DecodeError) -> Self {
        let mut report = Self::default();
        report.line(what, format!("not one: {bytes} bytes"));
        report.fault(rule_of(error), error.to_string());
        report
    }

    pub(crate) fn heading(&mut self, words: impl Into<String>) {
        self.lines.push((words.into(), String::new()));
    }

    pub(crate) fn line(&mut self, name: impl Into<String>, value: impl fmt::Display) {
        self.lines.push((name.into(), value.to_string()));
    }

    pub(crate) fn fault(&mut self, rule: &'static str, words: impl Into<String>) {
        self.faults.push(Fault { rule, words: words.into() });
    }

    /// Takes in what was said about a part.
    pub(crate) fn part(&mut self, name: &str, part: Self) {
        self.lines.extend(part.lines.into_iter().map(|(field, value)| (format!("  {field}"), value)));
        let fault = |fault: Fault| Fault { words: format!("{name}: {}", fault.words), ..fault };
        self.faults.extend(part.faults.into_iter().map(fault));
    }

    /// Whether no broken rule was found.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let valued = self.lines.iter().filter(|(_, value)| !value.is_empty());
        let width = valued.map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in &self.lines {
            if value.is_empty() {
                writeln!(f, "{name}")?;
            } else {
                writeln!(f, "{name:<width$}  {value}")?;
            }
        }
        for Fault { rule, words } in &self.faults {
            writeln!(f, "breaks {rule}: {words}")?;
        }
        if self.is_good() {
            writeln!(f, "breaks no rule that can be checked here")?;
        }
        for words in &self.unchecked {
            writeln!(f, "not checked: {words}")?;
        }
        Ok(())
    }
}
