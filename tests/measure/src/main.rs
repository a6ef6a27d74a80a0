//! Makes the long chain that `cargo xtask bench sync` measures with.
//!
//! ```text
//! tabchain-measure blocks BLOCKS ACCOUNTS FILE    mines the chain; takes minutes, once
//! tabchain-measure rows BLOCKS_FILE ROWS FACTS    what a node's store holds after it has taken the chain in
//! tabchain-measure open ROWS                      how long a node takes from these rows to its tip, natively
//! ```
//!
//! It is a chain of the built-in `dev` spec with real work and real signatures, so what is measured is the package as it
//! ships. The same numbers make the same bytes.

mod blocks;
mod disk;
mod mix;
mod people;
mod work;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match perform(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: &[&str]) -> Result<()> {
    match *arguments {
        ["blocks", count, accounts, file] => blocks::mine(count.parse()?, accounts.parse()?, Path::new(file)),
        ["rows", chain, rows, facts] => disk::write(Path::new(chain), Path::new(rows), Path::new(facts)),
        ["open", rows] => disk::open(Path::new(rows)),
        _ => bail!("blocks BLOCKS ACCOUNTS FILE, rows BLOCKS_FILE ROWS FACTS, or open ROWS"),
    }
}
