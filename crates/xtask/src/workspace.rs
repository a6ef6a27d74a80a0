//! Where things are in the checkout, and how cargo is called in it.

use std::env;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The target that a tab runs.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// The checkout and its build folder, as absolute paths.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the checkout that this binary was compiled from.
    pub(crate) fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root =
            here.ancestors().nth(2).context("crates/xtask lies two folders below the root")?.to_owned();
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root, target })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The npm workspace: the package, the page and the examples.
    pub(crate) fn web(&self) -> PathBuf {
        self.root.join("web")
    }

    /// The published npm package.
    pub(crate) fn package(&self) -> PathBuf {
        self.root.join("web/package")
    }

    /// The page.
    pub(crate) fn app(&self) -> PathBuf {
        self.root.join("web/app")
    }

    /// The Playwright tests.
    pub(crate) fn browser_tests(&self) -> PathBuf {
        self.root.join("tests/browser")
    }

    /// cargo's build folder.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// What our own steps keep between two calls.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// A command that runs in the root of the checkout.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// cargo, with an environment as if a person had called it from a shell.
    ///
    /// `cargo run` gives its child variables that describe xtask. Some build scripts (ring's for one) watch those, so handing
    /// them on would rebuild half of the tree each time a person and xtask take turns.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = self.command("cargo");
        for (name, _) in env::vars_os() {
            let described = name.to_string_lossy();
            if described.starts_with("CARGO_PKG_")
                || described.starts_with("CARGO_MANIFEST_")
                || matches!(
                    &*described,
                    "CARGO" | "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR"
                )
            {
                command.env_remove(name);
            }
        }
        command
    }

    /// A cargo command that compiles: with cargo's own progress for a person, silent up to its warnings in a log.
    pub(crate) fn compile(&self, command: &str) -> Command {
        let mut cargo = self.cargo();
        cargo.arg(command);
        if !io::stderr().is_terminal() {
            cargo.arg("--quiet");
        }
        cargo
    }

    /// Flags for rustc that shorten the source paths which panic messages carry: so a file is the same on every machine, and
    /// tells nothing about it.
    pub(crate) fn remap(&self) -> Result<String> {
        let home = match env::var_os("CARGO_HOME") {
            Some(home) => PathBuf::from(home),
            None => {
                Path::new(&env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?).join(".cargo")
            }
        };
        let registries = fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten();
        let folders = registries.map(|registry| registry.path()).chain([self.root.clone()]);
        Ok(folders
            .map(|folder| format!("--remap-path-prefix={}=", folder.display()))
            .collect::<Vec<_>>()
            .join(" "))
    }
}
