//! Two bounded channels joined to two others over a `MessagePort`.
//!
//! A port itself holds whatever is put into it. So the receiving end tells how many bytes it has taken, and the sending
//! end keeps at most [`UNDER_WAY`] bytes (and one more item) on the way. An item is an `ArrayBuffer`, transferred rather
//! than copied; a number is so many bytes taken.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use async_channel::{Receiver, Sender};
use js_sys::{Array, ArrayBuffer, Uint8Array};
use tabchain_primitives::codec::{Decode, Encode};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{MessageEvent, MessagePort};

/// How many bytes may be on the way in one direction.
const UNDER_WAY: usize = 4 << 20;

/// One end of a joined pair. Dropping it closes the port.
pub(crate) struct Pipe {
    port: MessagePort,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

impl Pipe {
    /// Sends everything that comes out of `outgoing` to the other end, and everything from there into `incoming`.
    pub(crate) fn join<In, Out>(port: MessagePort, incoming: Sender<In>, outgoing: Receiver<Out>) -> Self
    where
        In: Decode + 'static,
        Out: Encode + 'static,
    {
        let (arrivals, arrived) = Arrivals::new();
        let (window, opened) = Window::new();
        let on_message =
            Closure::new(move |event: MessageEvent| match event.data().dyn_into::<ArrayBuffer>() {
                Ok(buffer) => arrivals.push(Uint8Array::new(&buffer).to_vec()),
                Err(taken) => window.give_back(taken.as_f64().unwrap_or_default()),
            });
        port.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        spawn_local(receive(port.clone(), arrived, incoming));
        spawn_local(send(port.clone(), opened, outgoing));
        Self { port, _on_message: on_message }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.port.set_onmessage(None);
        self.port.close();
    }
}

async fn receive<In: Decode>(port: MessagePort, arrived: Arrived, incoming: Sender<In>) {
    while let Some(bytes) = arrived.next().await {
        let item = In::from_bytes(&bytes).expect("the other end of a pipe is this same build");
        if incoming.send(item).await.is_err() {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "an item has a few MiB at most")]
        let taken = bytes.len() as f64;
        // Fails only where the port is closed, and then nobody waits for it.
        port.post_message(&JsValue::from_f64(taken)).ok();
    }
}

async fn send<Out: Encode>(port: MessagePort, window: Opened, outgoing: Receiver<Out>) {
    while let Ok(item) = outgoing.recv().await {
        let bytes = item.to_bytes();
        if !window.take(bytes.len()).await {
            return;
        }
        let buffer = Uint8Array::from(bytes.as_slice()).buffer();
        if port.post_message_with_transferable(&buffer, &Array::of1(&buffer)).is_err() {
            return;
        }
    }
}

/// Items that the other end has sent: at most what it may have under way.
struct Arrivals {
    items: Rc<RefCell<VecDeque<Vec<u8>>>>,
    bell: Sender<()>,
}

struct Arrived {
    items: Rc<RefCell<VecDeque<Vec<u8>>>>,
    rung: Receiver<()>,
}

impl Arrivals {
    fn new() -> (Self, Arrived) {
        let items = Rc::<RefCell<VecDeque<_>>>::default();
        let (bell, rung) = async_channel::bounded(1);
        (Self { items: Rc::clone(&items), bell }, Arrived { items, rung })
    }

    fn push(&self, item: Vec<u8>) {
        self.items.borrow_mut().push_back(item);
        // Full means that the bell rings already.
        self.bell.try_send(()).ok();
    }
}

impl Arrived {
    /// The next item; `None` once the pipe is dropped.
    async fn next(&self) -> Option<Vec<u8>> {
        loop {
            if let Some(item) = self.items.borrow_mut().pop_front() {
                return Some(item);
            }
            self.rung.recv().await.ok()?;
        }
    }
}

/// How much of what was sent is still on the way.
struct Window {
    bytes: Rc<Cell<usize>>,
    bell: Sender<()>,
}

struct Opened {
    bytes: Rc<Cell<usize>>,
    rung: Receiver<()>,
}

impl Window {
    fn new() -> (Self, Opened) {
        let bytes = Rc::<Cell<usize>>::default();
        let (bell, rung) = async_channel::bounded(1);
        (Self { bytes: Rc::clone(&bytes), bell }, Opened { bytes, rung })
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the length of an item")]
    fn give_back(&self, taken: f64) {
        self.bytes.set(self.bytes.get().saturating_sub(taken as usize));
        self.bell.try_send(()).ok();
    }
}

impl Opened {
    /// Waits until there is room, and takes it. `false` once the pipe is dropped.
    async fn take(&self, bytes: usize) -> bool {
        while self.bytes.get() >= UNDER_WAY {
            if self.rung.recv().await.is_err() {
                return false;
            }
        }
        self.bytes.set(self.bytes.get() + bytes);
        true
    }
}

#[cfg(test)]
mod tests {
    use js_sys::{Function, Promise};
    use tabchain_net::NetCommand;
    use tabchain_node::PeerId;
    use wasm_bindgen_futures::JsFuture;
    use wasm_bindgen_test::wasm_bindgen_test;
    use web_sys::MessageChannel;

    use super::*;

    const ITEM: usize = 1 << 20;
    const ITEMS: usize = 20;

    fn item(index: usize) -> NetCommand {
        let peer = PeerId::new(&[1; 38]).expect("a short id");
        NetCommand::Respond(peer, index as u64, vec![0; ITEM])
    }

    /// Lets everything that is due in this thread happen.
    async fn turn() {
        let timeout = Function::new_no_args("return new Promise((resolve) => setTimeout(resolve))");
        let promise: Promise = timeout.call0(&JsValue::NULL).expect("a promise").unchecked_into();
        JsFuture::from(promise).await.expect("it resolves");
    }

    #[wasm_bindgen_test]
    async fn items_keep_their_order_and_a_slow_reader_holds_them_back() {
        let channel = MessageChannel::new().expect("a channel");
        let (to_far, outgoing) = async_channel::bounded(ITEMS);
        let (incoming, at_far) = async_channel::bounded(1);
        let (_idle, nothing) = async_channel::bounded::<NetCommand>(1);
        let (nowhere, _nobody) = async_channel::bounded::<NetCommand>(1);
        let _near = Pipe::join(channel.port1(), nowhere, outgoing.clone());
        let _far = Pipe::join(channel.port2(), incoming, nothing);
        for index in 0..ITEMS {
            to_far.try_send(item(index)).expect("there is room");
        }

        for _ in 0..50 {
            turn().await;
        }
        // One was taken by the reader's channel; then as many are on the way as may be, and one waits to be sent.
        assert_eq!(outgoing.len(), ITEMS - 1 - UNDER_WAY / ITEM - 1);
        for index in 0..ITEMS {
            assert_eq!(at_far.recv().await, Ok(item(index)));
        }
    }

    #[wasm_bindgen_test]
    async fn a_dropped_end_ends_its_channels() {
        let channel = MessageChannel::new().expect("a channel");
        let (_outgoing, nothing) = async_channel::bounded::<NetCommand>(1);
        let (incoming, at_far) = async_channel::bounded::<NetCommand>(1);
        drop(Pipe::join(channel.port2(), incoming, nothing));
        assert!(at_far.recv().await.is_err());
    }
}
