//! Skips a step whose inputs are those of its last success.
//!
//! Inputs are compared by content, so that neither a checkout nor a touch causes work. A stamp is written only after the
//! step has succeeded, and a step whose outputs have gone is done again whatever its stamp says.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// Folders that hold results, never sources.
const RESULTS: [&str; 4] = ["node_modules", "dist", "test-results", ".svelte-kit"];

/// What a step reads and writes.
pub(crate) struct Step<'a> {
    /// Names the stamp.
    pub(crate) name: &'a str,
    /// Whatever else decides the result: flags, versions.
    pub(crate) recipe: &'a str,
    /// Files, and folders whose `node_modules` and `dist` are left out.
    pub(crate) inputs: &'a [PathBuf],
    /// Files and folders that must exist afterwards.
    pub(crate) outputs: &'a [PathBuf],
}

/// Does the work unless it is done already.
pub(crate) fn when_changed(
    workspace: &Workspace,
    step: &Step<'_>,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let file = workspace.scratch().join(format!("{}.stamp", step.name));
    let wanted = fingerprint(step)?;
    let done = fs::read_to_string(&file).is_ok_and(|found| found == wanted);
    if done && step.outputs.iter().all(|output| output.exists()) {
        return Ok(());
    }
    work()?;
    fs::create_dir_all(workspace.scratch()).context("making the folder of stamps")?;
    // The work may have completed its own inputs (npm writes a lock file when there is none).
    fs::write(&file, fingerprint(step)?).with_context(|| format!("writing {}", file.display()))
}

fn fingerprint(step: &Step<'_>) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    hasher.write(step.recipe.as_bytes());
    for input in step.inputs {
        add(&mut hasher, input)?;
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Adds a file's name and bytes, or a folder's in the order of names; a missing input counts as empty.
fn add(hasher: &mut DefaultHasher, path: &Path) -> Result<()> {
    hasher.write(path.as_os_str().as_encoded_bytes());
    if path.is_dir() {
        let entries = fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        paths.retain(|path| {
            path.file_name().is_some_and(|name| !RESULTS.iter().any(|result| name == *result))
        });
        paths.sort();
        paths.iter().try_for_each(|path| add(hasher, path))?;
    } else if path.is_file() {
        let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        hasher.write_usize(bytes.len());
        hasher.write(&bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test's own, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("xtask-stamp-{name}-{}", std::process::id()));
            fs::create_dir_all(path.join("node_modules")).expect("the temporary folder is writable");
            Self(path)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).expect("the temporary folder is writable");
        }

        fn fingerprint(&self) -> String {
            let inputs = [self.0.clone()];
            fingerprint(&Step { name: "test", recipe: "", inputs: &inputs, outputs: &[] })
                .expect("it is readable")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    #[test]
    fn content_decides_and_results_do_not() {
        let folder = Folder::new("content");
        folder.write("a", "one");
        let first = folder.fingerprint();
        folder.write("a", "one");
        folder.write("node_modules/b", "a result");
        assert_eq!(folder.fingerprint(), first, "the same bytes are the same inputs");
        folder.write("a", "two");
        assert_ne!(folder.fingerprint(), first, "other bytes are other inputs");
    }

    #[test]
    fn where_one_file_ends_and_the_next_begins_matters() {
        let folder = Folder::new("borders");
        folder.write("a", "12");
        folder.write("b", "3");
        let first = folder.fingerprint();
        folder.write("a", "1");
        folder.write("b", "23");
        assert_ne!(folder.fingerprint(), first);
    }
}
