//! Event listeners that end with their owner, functions that may throw, and readable errors.

use js_sys::{Function, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Event, EventTarget, RtcDataChannel, RtcPeerConnection};

use crate::Error;

/// Calls a closure at each event of one kind, until dropped.
pub(super) struct Listener {
    target: EventTarget,
    kind: &'static str,
    closure: Option<Closure<dyn Fn(Event)>>,
}

impl Listener {
    pub(super) fn new(target: &EventTarget, kind: &'static str, call: impl Fn(Event) + 'static) -> Self {
        let closure = Closure::<dyn Fn(Event)>::new(call);
        // It throws only for arguments of the wrong type.
        target.add_event_listener_with_callback(kind, closure.as_ref().unchecked_ref()).ok();
        Self { target: target.clone(), kind, closure: Some(closure) }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Some(closure) = self.closure.take() else { return };
        let function: &Function = closure.as_ref().unchecked_ref();
        self.target.remove_event_listener_with_callback(self.kind, function).ok();
        // The closure may be what is running now.
        spawn_local(async move { drop(closure) });
    }
}

/// `createDataChannel`, which throws when the connection is closed or no channel number is left.
pub(super) fn create_data_channel(peer: &RtcPeerConnection, label: &str) -> Result<RtcDataChannel, Error> {
    let refused = refused("create a data channel");
    let create: Function = get(peer, "createDataChannel").dyn_into().map_err(&refused)?;
    create.call1(peer, &label.into()).and_then(JsCast::dyn_into).map_err(refused)
}

/// A property, or undefined.
pub(super) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

/// Turns what a browser function threw into an error that says which step it was.
pub(super) fn refused(step: &'static str) -> impl Fn(JsValue) -> Error {
    move |thrown| {
        let message = get(&thrown, "message").as_string();
        Error::Browser { step, reason: message.unwrap_or_else(|| format!("{thrown:?}")) }
    }
}
