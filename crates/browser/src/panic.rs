//! A panic is a bug, and ends this instance: the page must hear of it, to close what is left and say so.

use std::cell::RefCell;

use js_sys::Function;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

thread_local! {
    static LISTENER: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Calls `listener` with the message of a panic. The console gets message and stack in any case.
#[wasm_bindgen(js_name = onPanic)]
pub fn on_panic(#[wasm_bindgen(unchecked_param_type = "(message: string) => void")] listener: JsValue) {
    LISTENER.set(listener.dyn_into().ok());
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        let listener = LISTENER.with(|place| place.try_borrow().ok().and_then(|found| found.clone()));
        if let Some(listener) = listener {
            // A listener that throws changes nothing: this instance is lost already.
            listener.call1(&JsValue::NULL, &JsValue::from_str(&info.to_string())).ok();
        }
    }));
}
