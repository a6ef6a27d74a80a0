//! The wasm standard library, built from the `rust-src` package of the archive that this machine's apt already trusts.
//!
//! apt checks its signatures as always; everything it fetches stays in a private folder below the build folder, so nothing
//! of the system's package state is touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{capture, find, run_quietly};
use crate::workspace::{WASM, Workspace};

/// Where a matching source may be: backports carry the newer compilers, the development suites the newest.
const SUITES: [&str; 6] =
    ["trixie-backports", "trixie", "forky-backports", "stable-backports", "testing", "unstable"];

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Fetches the library source of exactly this compiler, builds it and puts it where the compiler looks.
pub(super) fn install(workspace: &Workspace, version: &str, lib: &Path) -> Result<()> {
    if find("apt-get").is_none() || !Path::new(KEYRING).is_file() {
        bail!(
            "the standard library for {WASM} is missing, RUSTUP_AUTO_INSTALL=0 forbids fetching it with rustup, and this \
             is not Debian; install Rust {version}'s {WASM} target, then call again"
        );
    }
    let apt = Apt::new(workspace.scratch().join("rust-src"))?;
    let source = apt.source(version)?;
    let built = compile(workspace, &source)?;
    place(&built, lib)?;
    fs::remove_dir_all(&apt.home).context("removing the library's source after use")
}

/// An apt with a private folder instead of the system's lists and caches.
struct Apt {
    home: PathBuf,
    archive: String,
}

impl Apt {
    fn new(home: PathBuf) -> Result<Self> {
        for folder in ["lists/partial", "cache/archives/partial", "root"] {
            fs::create_dir_all(home.join(folder)).context("making apt's private folder")?;
        }
        let targets = capture(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(REPO_URI)|$(LABEL)",
            "Created-By: Packages",
        ]))?;
        let archive = targets.lines().find_map(|line| line.strip_suffix("|Debian"));
        let archive = archive
            .context("apt on this machine is not set up for Debian's archive; add it, then call again")?;
        Ok(Self { archive: archive.to_owned(), home })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let home = self.home.display();
        command.current_dir(&self.home).env("LC_ALL", "C");
        for setting in [
            format!("Dir::Etc::sourcelist={home}/suite.list"),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::lists={home}/lists"),
            format!("Dir::Cache={home}/cache"),
            // The sandboxed download user could not write below a person's own folder.
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.args(["-o", &setting]);
        }
        command
    }

    /// Finds the compiler's library source in one of the suites and unpacks it.
    fn source(&self, version: &str) -> Result<PathBuf> {
        for suite in SUITES {
            if let Some(package) = self.package(suite, version)? {
                return self.unpack(&package, version);
            }
        }
        bail!(
            "none of Debian's suites ({}) has rust-src {version}; install the {WASM} target of Rust {version}, then call again",
            SUITES.join(", ")
        )
    }

    /// The full version of a suite's `rust-src` for this compiler.
    fn package(&self, suite: &str, version: &str) -> Result<Option<String>> {
        let list = format!("deb [signed-by={KEYRING}] {} {suite} main\n", self.archive);
        fs::write(self.home.join("suite.list"), list).context("writing apt's private source list")?;
        // A suite that the archive doesn't have is no error: the next one may have the package.
        let updated = self.command("apt-get").arg("update").output().context("starting apt-get")?;
        if !updated.status.success() {
            return Ok(None);
        }
        let versions = capture(self.command("apt-cache").args(["madison", "rust-src"]))?;
        let prefix = format!("{version}+");
        let mut listed = versions.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim);
        Ok(listed.find(|listed| listed.starts_with(&prefix)).map(str::to_owned))
    }

    fn unpack(&self, package: &str, version: &str) -> Result<PathBuf> {
        run_quietly(self.command("apt-get").args(["download", &format!("rust-src={package}")]))?;
        let files = fs::read_dir(&self.home).context("reading apt's private folder")?;
        let deb = files
            .flatten()
            .map(|file| file.path())
            .find(|path| path.extension().is_some_and(|end| end == "deb"));
        let deb = deb.context("apt-get downloaded no package")?;
        run_quietly(Command::new("dpkg").arg("-x").arg(deb).arg(self.home.join("root")))?;
        Ok(self.home.join(format!("root/usr/src/rustc-{version}/library")))
    }
}

/// Builds the library for wasm and gives back the folder of the results.
fn compile(workspace: &Workspace, source: &Path) -> Result<PathBuf> {
    // Of two prefixes that match, rustc takes the last: this one names the place that official builds name.
    let flags = format!(
        "-Zforce-unstable-if-unmarked -Cembed-bitcode=yes {} --remap-path-prefix={}=/rustc/library",
        workspace.remap()?,
        source.display()
    );
    run_quietly(
        workspace
            .cargo()
            .current_dir(source)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", flags)
            .env("CARGO_TARGET_DIR", source.join("target"))
            .args(["build", "--release", "--target", WASM])
            .args(["--manifest-path", "sysroot/Cargo.toml", "--features", "compiler-builtins-mem"]),
    )?;
    Ok(source.join("target").join(WASM).join("release/deps"))
}

/// Copies the libraries beside their place first, so that a copy cut short never looks installed.
fn place(built: &Path, lib: &Path) -> Result<()> {
    let partial = lib.with_extension("partial");
    fs::create_dir_all(&partial).with_context(|| format!("making {}", partial.display()))?;
    for file in fs::read_dir(built).context("reading the built standard library")? {
        let path = file?.path();
        if let (Some(name), Some("rlib")) = (path.file_name(), path.extension().and_then(|end| end.to_str()))
        {
            fs::copy(&path, partial.join(name)).with_context(|| format!("copying {}", path.display()))?;
        }
    }
    if lib.exists() {
        fs::remove_dir_all(lib).with_context(|| format!("replacing {}", lib.display()))?;
    }
    fs::rename(&partial, lib).with_context(|| format!("putting {} in place", lib.display()))
}
