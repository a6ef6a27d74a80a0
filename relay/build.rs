//! Rebuilds a release relay when the page has changed: its files are taken into the binary.
//!
//! A debug build reads them from the folder as it runs, so there is nothing to watch. A folder that is missing counts as
//! changed each time, which is right too: the next build may find it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if is_release {
        println!("cargo::rerun-if-changed=../web/app/dist");
    }
}
