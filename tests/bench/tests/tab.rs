//! The same figures in a tab: one test for each bench, called by `cargo xtask bench` one at a time.

#![cfg(target_family = "wasm")]

use tabchain_bench::{BENCHES, Scale};
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn print(name: &str) {
    let (_, bench) = BENCHES.iter().find(|(bench, _)| *bench == name).expect("a bench of this name");
    for row in bench(Scale::Full).0 {
        console_log!("{row}");
    }
}

#[wasm_bindgen_test]
fn signatures() {
    print("signatures");
}

#[wasm_bindgen_test]
fn blocks() {
    print("blocks");
}

#[wasm_bindgen_test]
fn catching_up() {
    print("catching-up");
}

#[wasm_bindgen_test]
fn headers() {
    print("headers");
}

#[wasm_bindgen_test]
fn template() {
    print("template");
}

#[wasm_bindgen_test]
fn memory_accounts() {
    print("memory-accounts");
}

#[wasm_bindgen_test]
fn memory_headers() {
    print("memory-headers");
}
