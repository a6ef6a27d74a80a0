//! A buffer for one message, used again for the next: each is on its way from or to the browser only.

use std::cell::Cell;

use js_sys::Uint8Array;

#[derive(Default)]
pub(super) struct Scratch(Cell<Vec<u8>>);

impl Scratch {
    /// An empty buffer, for the time being.
    pub(super) fn take(&self) -> Vec<u8> {
        let mut buffer = self.0.take();
        buffer.clear();
        buffer
    }

    /// The bytes of a message that has come.
    pub(super) fn read(&self, message: &Uint8Array) -> Vec<u8> {
        let mut buffer = self.0.take();
        buffer.resize(message.length() as usize, 0);
        message.copy_to(&mut buffer);
        buffer
    }

    /// Gives a buffer back. Browsers bound the length of a message, and so what is kept.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        self.0.set(buffer);
    }
}
