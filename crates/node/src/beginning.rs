//! The first headers of one chain that is weighed, held so that they need not come twice.
//!
//! They are told by how the chain goes, not by who showed it: when another peer goes on with a weighing, its beginning is still
//! of use. Of a header what the one before it says is left out: version, height and parent.
//!
//! Bounds: [`MAX_STRETCHES`] answers of one chain.

use tabchain_chain::{Stretch, Weighing};
use tabchain_primitives::codec::Decode;
use tabchain_primitives::{BlockHash, HEADER_BYTES, HEADER_VERSION, Header, Height};
use tabchain_sync::message::MAX_HEADERS;

/// So many answers are held: 40,000 headers, in 5.6 MB.
const MAX_STRETCHES: usize = 20;
/// Version, height and parent come first.
const TOLD_BEFORE: usize = 4 + 4 + 32;
const HELD_BYTES: usize = HEADER_BYTES - TOLD_BEFORE;

/// The first stretches of a chain.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    stretches: Vec<Box<[u8]>>,
    /// The last header held.
    end: Option<BlockHash>,
}

impl Beginning {
    /// Holds the newest stretch that was weighed, if it is the first of a chain, or follows what is held of the same.
    pub(crate) fn add(&mut self, weighing: &Weighing, newest: &[Header]) {
        let Some((Stretch { end, .. }, before)) = weighing.stretches().split_last() else { return };
        if before.is_empty() {
            self.stretches.clear();
        } else if before.len() != self.stretches.len() || !self.is_of(weighing) {
            return;
        }
        if self.stretches.len() < MAX_STRETCHES {
            let mut held = Vec::with_capacity(newest.len() * HELD_BYTES);
            for header in newest {
                held.extend(&header.to_array()[TOLD_BEFORE..]);
            }
            self.stretches.push(held.into_boxed_slice());
            self.end = Some(*end);
        }
    }

    /// Whether it is the beginning of this chain.
    pub(crate) fn is_of(&self, weighing: &Weighing) -> bool {
        let last = self.stretches.len().checked_sub(1).and_then(|last| weighing.stretches().get(last));
        last.is_some_and(|stretch| Some(stretch.end) == self.end)
    }

    /// How many stretches are held.
    pub(crate) fn len(&self) -> usize {
        self.stretches.len()
    }

    /// The headers, with their hashes; they follow this one.
    pub(crate) fn headers_after(
        self,
        parent: BlockHash,
        height: Height,
    ) -> impl Iterator<Item = (BlockHash, Header)> {
        let (mut hash, mut height) = (parent, height.value());
        self.stretches.into_iter().flat_map(move |stretch| {
            let headers = stretch.chunks(HELD_BYTES).map(|held| {
                height += 1;
                let told: [&[u8]; 4] =
                    [&HEADER_VERSION.to_le_bytes(), &height.to_le_bytes(), hash.as_bytes(), held];
                let bytes = told.concat();
                let header = Header::from_bytes(&bytes).expect("it was a header when it came");
                hash = header.hash();
                (hash, header)
            });
            headers.collect::<Vec<_>>()
        })
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.stretches.iter().map(|stretch| stretch.len()).sum()
    }

    /// The most bytes held.
    pub(crate) const fn max_bytes() -> usize {
        MAX_STRETCHES * MAX_HEADERS * HELD_BYTES
    }
}
