//! Bytes that have come and wait for a reader.

use std::collections::VecDeque;

/// What is kept for what comes next when all has been read.
const SPARE: usize = 128 << 10;

/// Whoever adds to it bounds it.
#[derive(Default)]
pub(super) struct Received(VecDeque<u8>);

impl Received {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// Moves bytes into `buffer`; `None` when there are none.
    pub(super) fn take(&mut self, buffer: &mut [u8]) -> Option<usize> {
        if buffer.is_empty() {
            return Some(0);
        }
        let count = self.0.len().min(buffer.len());
        let (front, back) = self.0.as_slices();
        let split = front.len().min(count);
        buffer[..split].copy_from_slice(&front[..split]);
        buffer[split..count].copy_from_slice(&back[..count - split]);
        self.0.drain(..count);
        if self.0.is_empty() && self.0.capacity() > SPARE {
            self.0 = VecDeque::new();
        }
        (count > 0).then_some(count)
    }

    /// Drops what nobody will read, and says how much it was.
    pub(super) fn clear(&mut self) -> usize {
        std::mem::take(&mut self.0).len()
    }
}
