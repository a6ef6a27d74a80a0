//! Looks for the outside world in the sources of the lower floors: what the standard library offers needs no dependency.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::process;

/// What gives a crate time, threads, locks, I/O or another platform, with what it is called in an error.
const OUTSIDE: [(&str, &str); 14] = [
    ("std::time", "a clock"),
    ("SystemTime", "a clock"),
    ("Instant::now", "a clock"),
    ("std::thread", "threads"),
    ("std::fs", "files"),
    ("std::net", "the network"),
    ("std::env", "the environment"),
    ("std::io", "input and output"),
    ("std::process", "processes"),
    ("Mutex", "a lock"),
    ("RwLock", "a lock"),
    ("async fn", "asynchrony"),
    (".await", "asynchrony"),
    ("target_arch", "a platform"),
];

/// Every such line in a folder of sources, tests left out.
pub(super) fn check(folder: &Path) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            faults.extend(check(&path)?);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            faults.extend(scan(&path.display().to_string(), &process::read(&path)?));
        }
    }
    Ok(faults)
}

/// The lines of one file up to its tests, which come last in our files.
fn scan(name: &str, text: &str) -> Vec<String> {
    let code = text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    let code = code.filter(|(_, line)| !line.trim_start().starts_with("//"));
    let found = code.filter_map(|(number, line)| {
        let (word, what) = OUTSIDE.iter().find(|(word, _)| line.contains(word))?;
        Some(format!("{name}:{}: `{word}` brings {what} to a floor that must have none", number + 1))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_searched_and_words_about_it_are_not() {
        let text = "//! Needs no std::time.\nuse std::time::Duration;\nlet now = Instant::now();\n#[cfg(test)]\nuse std::fs;\n";
        assert_eq!(
            scan("a.rs", text),
            [
                "a.rs:2: `std::time` brings a clock to a floor that must have none",
                "a.rs:3: `Instant::now` brings a clock to a floor that must have none",
            ]
        );
    }
}
