//! The store as it is on a window: the real IndexedDB of a headless browser.
#![cfg(target_arch = "wasm32")]

mod browser;
mod contract;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
