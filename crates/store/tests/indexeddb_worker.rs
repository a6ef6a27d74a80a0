//! The store as it is in a worker: the real IndexedDB of a headless browser.
#![cfg(target_arch = "wasm32")]

mod browser;
mod contract;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
