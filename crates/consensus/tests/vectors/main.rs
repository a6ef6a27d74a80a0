//! Golden vectors: what the protocol gives, as JSON for whoever builds a second implementation.
//!
//! The files under `tests/vectors/` are what another implementation tests itself against, so they are frozen: these
//! tests compute them anew and compare. A change of the protocol is written with
//! `cargo xtask vectors`, and shows in the diff.

mod blocks;
mod codec;
mod difficulty;
mod signatures;
mod transactions;
mod trees;

use std::{env, fs, path::PathBuf};

use serde_json::Value;
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// One test for each file. The file is part of the test, so that wasm has it too.
macro_rules! frozen {
    ($($module:ident)*) => {$(
        #[test]
        fn $module() {
            let frozen = include_str!(concat!("../../../../tests/vectors/", stringify!($module), ".json"));
            check(stringify!($module), frozen, &$module::vectors());
        }
    )*};
}

frozen! { blocks codec difficulty signatures transactions trees }

/// Holds a file against what was computed, or writes it when asked to.
fn check(name: &str, frozen: &str, computed: &Value) {
    if env::var_os("TABCHAIN_BLESS").is_some() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
        let text = serde_json::to_string_pretty(computed).expect("a value has a JSON form") + "\n";
        return fs::write(folder.join(name).with_extension("json"), text)
            .expect("the vectors can be written");
    }
    let frozen: Value = frozen.parse().expect("the vectors are JSON");
    assert_eq!(frozen, *computed, "{name} has changed: see the head of this test for how to mean it");
}
