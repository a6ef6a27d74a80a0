//! Holds the house up: dependencies between our crates go strictly downward, and nothing that acts on the outside world
//! gets in below the fifth floor: not by somebody else's crate, and not by the standard library.

mod sources;

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use crate::metadata::{self, Metadata, Package};
use crate::process::capture;
use crate::test::counts::Counts;
use crate::workspace::Workspace;

/// A crate, its floor, and the crates of the same floor that it may use.
struct Room {
    name: &'static str,
    floor: u8,
    beside: &'static [&'static str],
}

const fn room(name: &'static str, floor: u8) -> Room {
    Room { name, floor, beside: &[] }
}

impl Room {
    const fn beside(self, beside: &'static [&'static str]) -> Self {
        Self { beside, ..self }
    }
}

/// The plan of the house. A new line here is a design change, to be stated in ARCHITECTURE.md.
const HOUSE: &[Room] = &[
    room("tabchain-primitives", 0),
    room("tabchain-records", 0),
    room("tabchain-consensus", 1),
    room("tabchain-chain", 2),
    room("tabchain-mempool", 2).beside(&["tabchain-chain"]),
    room("tabchain-wallet", 2),
    room("tabchain-sync", 3),
    room("tabchain-node", 4),
    room("tabchain-store", 5),
    room("libp2p-webrtc-browser", 5),
    room("tabchain-rendezvous", 5),
    room("tabchain-net", 5).beside(&["libp2p-webrtc-browser", "tabchain-rendezvous"]),
    room("tabchain-miner", 5),
    room("tabchain-checker", 5),
    room("tabchain-driver", 5).beside(&["tabchain-store", "tabchain-net", "tabchain-miner"]),
    room("tabchain-sim", 5),
    room("tabchain-browser", 6),
    room("tabchain-relay", 6),
    room("tabchain-tests", 6),
    room("tabchain-bench", 6),
    room("tabchain-measure", 6).beside(&["tabchain-bench"]),
    room("tabchain-scale", 6),
    room("tabchain-ledger", 6),
    room("xtask", 6),
];

/// The lowest floor that may have clocks, randomness, threads and I/O.
const OUTSIDE: u8 = 5;

/// What stands for the outside world: async runtimes, clocks, sources of randomness, browsers, disks and networks.
const FORBIDDEN: &[&str] = &[
    "async-std",
    "futures",
    "futures-core",
    "getrandom",
    "instant",
    "js-sys",
    "libp2p",
    "rand",
    "redb",
    "smol",
    "tokio",
    "wasm-bindgen",
    "web-sys",
    "web-time",
];

/// Checks the plan against what cargo resolves.
pub(super) fn check(workspace: &Workspace) -> Result<Counts> {
    let ours = metadata::ours(workspace)?;
    let mut faults = edges(&ours);
    for room in HOUSE.iter().filter(|room| room.floor < OUTSIDE) {
        if ours.packages.iter().any(|package| package.name == room.name) {
            faults.extend(reach(&tree(workspace, room.name)?)?);
            let folder = room.name.trim_start_matches("tabchain-");
            faults.extend(sources::check(&workspace.root().join("crates").join(folder).join("src"))?);
        }
    }
    for fault in &faults {
        eprintln!("error: {fault}");
    }
    let failed = faults.len() as u64;
    Ok(Counts { passed: ours.packages.len() as u64, failed, skipped: 0, failures: faults })
}

/// Every edge between our crates that the plan doesn't have.
fn edges(ours: &Metadata) -> Vec<String> {
    let names: BTreeSet<_> = ours.packages.iter().map(|package| package.name.as_str()).collect();
    let of_package = |package: &Package| {
        let Some(from) = find(&package.name) else {
            return vec![format!(
                "{} has no floor: give it one in xtask's plan and in ARCHITECTURE.md",
                package.name
            )];
        };
        let uses = package.dependencies.iter().filter(|dependency| names.contains(dependency.name.as_str()));
        uses.filter_map(|dependency| fault(from, &dependency.name, dependency.kind.as_deref())).collect()
    };
    ours.packages.iter().flat_map(of_package).collect()
}

/// What is wrong with one edge, if anything. Tests may look beside them, but not up.
fn fault(from: &Room, to: &str, kind: Option<&str>) -> Option<String> {
    let to = find(to)?;
    if to.floor > from.floor {
        return Some(format!(
            "{} (floor {}) depends upward on {} (floor {})",
            from.name, from.floor, to.name, to.floor
        ));
    }
    let sideways = to.floor == from.floor && kind != Some("dev") && !from.beside.contains(&to.name);
    sideways.then(|| format!("{} depends sideways on {}, both on floor {}", from.name, to.name, from.floor))
}

fn find(name: &str) -> Option<&'static Room> {
    HOUSE.iter().find(|room| room.name == name)
}

/// What a crate pulls in on any target, with the features that it alone asks for, one `depth name` a line.
fn tree(workspace: &Workspace, package: &str) -> Result<String> {
    capture(
        workspace
            .cargo()
            .args(["tree", "--package", package, "--edges", "normal,no-proc-macro"])
            .args(["--target", "all", "--prefix", "depth", "--format", " {p}"]),
    )
}

/// The first path to each forbidden crate in such a tree.
fn reach(tree: &str) -> Result<Vec<String>> {
    let mut path: Vec<&str> = Vec::new();
    let mut found = BTreeSet::new();
    let mut faults = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let depth = words.next().and_then(|depth| depth.parse::<usize>().ok());
        let (Some(depth), Some(name)) = (depth, words.next()) else {
            anyhow::bail!("`cargo tree` printed a line that we can't read: {line}");
        };
        path.truncate(depth);
        path.push(name);
        if FORBIDDEN.contains(&name) && found.insert(name) {
            faults.push(format!("below floor {OUTSIDE}, {name} may not be reached: {}", path.join(" -> ")));
        }
    }
    path.first().context("`cargo tree` printed nothing")?;
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn package(name: &str, uses: &[(&str, Option<&str>)]) -> Package {
        let dependencies = uses
            .iter()
            .map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: kind.map(str::to_owned) })
            .collect();
        Package { name: name.to_owned(), dependencies }
    }

    /// A house with empty rooms for all names, then the packages given.
    fn faults(packages: Vec<Package>) -> Vec<String> {
        let empty = HOUSE.iter().filter(|room| packages.iter().all(|package| package.name != room.name));
        let mut all: Vec<_> = empty.map(|room| package(room.name, &[])).collect();
        all.extend(packages);
        edges(&Metadata { packages: all })
    }

    #[test]
    fn downward_edges_stand() {
        let node = package(
            "tabchain-node",
            &[("tabchain-sync", None), ("tabchain-primitives", None), ("libp2p", None)],
        );
        assert_eq!(faults(vec![node]), Vec::<String>::new());
    }

    #[test]
    fn upward_edges_fall_even_in_tests() {
        for kind in [None, Some("dev"), Some("build")] {
            let chain = package("tabchain-chain", &[("tabchain-node", kind)]);
            assert_eq!(
                faults(vec![chain]),
                ["tabchain-chain (floor 2) depends upward on tabchain-node (floor 4)"],
                "{kind:?}"
            );
        }
    }

    #[test]
    fn sideways_edges_need_a_line_in_the_plan() {
        let allowed = package("tabchain-mempool", &[("tabchain-chain", None)]);
        let in_tests = package("tabchain-wallet", &[("tabchain-chain", Some("dev"))]);
        assert_eq!(faults(vec![allowed, in_tests]), Vec::<String>::new());
        let reverse = package("tabchain-chain", &[("tabchain-mempool", None)]);
        assert_eq!(
            faults(vec![reverse]),
            ["tabchain-chain depends sideways on tabchain-mempool, both on floor 2"]
        );
    }

    #[test]
    fn a_crate_without_a_floor_is_refused() {
        assert_eq!(faults(vec![package("tabchain-attic", &[])]).len(), 1);
    }

    #[test]
    fn forbidden_crates_are_found_with_the_way_to_them() {
        let tree = "0 tabchain-wallet v0.1.0 (/x)\n1 argon2 v0.5.3\n2 blake2 v0.10.6\n1 bip39 v2.0.0\n2 rand v0.8.5\n3 getrandom v0.2.15\n2 rand v0.8.5 (*)\n";
        assert_eq!(
            reach(tree).expect("it is a tree"),
            [
                "below floor 5, rand may not be reached: tabchain-wallet -> bip39 -> rand",
                "below floor 5, getrandom may not be reached: tabchain-wallet -> bip39 -> rand -> getrandom",
            ]
        );
    }

    #[test]
    fn an_unreadable_tree_is_no_proof() {
        assert!(reach("").is_err());
        assert!(reach("tabchain-wallet").is_err());
    }
}
