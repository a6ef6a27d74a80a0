//! Prints the figures of the benches named, or of all: `tabchain-bench [NAME...]`.

use std::process::ExitCode;

use tabchain_bench::{BENCHES, Scale};

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    for (name, bench) in BENCHES {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            for row in bench(Scale::Full).0 {
                println!("{row}");
            }
        }
    }
    ExitCode::SUCCESS
}
