//! SHA-256 (FIPS 180-4) of what begins with whole blocks that are known: of one message, or of many at once.
//!
//! All roots are made of hashes of one or two blocks, so the blocks are laid out here, without the machinery of a general
//! hasher. One message at a time is left to the `sha2` crate. Many are hashed four at a time, one in each lane of a 128-bit
//! vector, where that is faster: on wasm32 built with `simd128`, about twice as fast. Elsewhere processors have
//! instructions for SHA-256 itself, and many messages are hashed one after the other.

#![allow(clippy::inline_always, reason = "rounds are faster than calls: every step of them belongs inlined")]

pub mod lanes;
mod rounds;

pub use rounds::{INITIAL, State, Words, add, compress, first_rounds, rounds, splat};

use lanes::{LANES, U32x4};
use rounds::{compress_scheduled, scheduled};
use sha2::block_api::compress256;

/// The bytes of a block.
pub(crate) const BLOCK: usize = 64;
/// The end of a message's padding: its length.
const LENGTH: usize = 8;

/// Whether many messages are hashed four at a time.
const IN_LANES: bool = cfg!(target_feature = "simd128");

/// SHA-256 after one block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun([u32; 8]);

impl Begun {
    pub(crate) fn with(block: &[u8; BLOCK]) -> Self {
        let mut state = INITIAL;
        compress256(&mut state, std::slice::from_ref(block));
        Self(state)
    }

    /// The hash of the block and these parts after it.
    pub(crate) fn hash(self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = Hasher { state: self.0, block: [0; BLOCK], filled: 0, length: BLOCK as u64 };
        for part in parts {
            hasher.write(part);
        }
        hasher.finish()
    }

    /// The hashes of the block and each of these messages after it.
    pub(crate) fn hash_all(self, messages: &[&[u8]]) -> Vec<[u8; 32]> {
        if IN_LANES {
            self.hash_in_lanes(messages)
        } else {
            messages.iter().map(|message| self.hash(&[message])).collect()
        }
    }

    /// The hashes of the block and each of these pairs of hashes, which are a block too, after it.
    pub(crate) fn hash_pairs(self, pairs: &[[[u8; 32]; 2]]) -> Vec<[u8; 32]> {
        if IN_LANES {
            self.hash_pairs_in_lanes(pairs)
        } else {
            pairs.iter().map(|pair| self.hash(&[pair.as_flattened()])).collect()
        }
    }

    /// Messages of the same number of blocks share their lanes as far as there are such.
    fn hash_in_lanes(self, messages: &[&[u8]]) -> Vec<[u8; 32]> {
        let mut hashes = vec![[0; 32]; messages.len()];
        let mut order: Vec<usize> = (0..messages.len()).collect();
        order.sort_by_key(|place| padded_blocks(messages[*place]));
        for places in order.chunks(LANES) {
            if let [alone] = places {
                hashes[*alone] = self.hash(&[messages[*alone]]);
                continue;
            }
            let messages: [&[u8]; LANES] = spread(places, |place| messages[*place]);
            let mut state = splat(self.0);
            for number in 0..padded_blocks(messages[LANES - 1]) {
                let blocks = messages.map(|message| padded_block(message, number));
                state = compress_block(&state, &blocks.each_ref());
                let ended = |(_, message): &(_, &[u8])| padded_blocks(message) == number + 1;
                for (lane, (place, _)) in
                    places.iter().zip(messages).enumerate().filter(|(_, one)| ended(one))
                {
                    hashes[*place] = write(&state)[lane];
                }
            }
        }
        hashes
    }

    fn hash_pairs_in_lanes(self, pairs: &[[[u8; 32]; 2]]) -> Vec<[u8; 32]> {
        let mut hashes = Vec::with_capacity(pairs.len());
        let begun = splat(self.0);
        for pairs in pairs.chunks(LANES) {
            if let [alone] = pairs {
                hashes.push(self.hash(&[alone.as_flattened()]));
                continue;
            }
            let blocks =
                spread(pairs, |pair| pair.as_flattened().try_into().expect("two hashes are a block"));
            let state = compress_end_of_two(&compress_block(&begun, &blocks));
            hashes.extend_from_slice(&write(&state)[..pairs.len()]);
        }
        hashes
    }
}

/// One for each lane; where there are fewer, the last one again.
fn spread<'a, T, U>(items: &'a [T], of: impl Fn(&'a T) -> U) -> [U; LANES] {
    std::array::from_fn(|lane| of(&items[lane.min(items.len() - 1)]))
}

/// How many blocks there are to a message, with one bit and the length at its end.
const fn padded_blocks(message: &[u8]) -> usize {
    (message.len() + 1 + LENGTH).div_ceil(BLOCK)
}

/// One of a message's blocks; the last one ends with the length in bits, which counts the block before the message.
fn padded_block(message: &[u8], number: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let rest = message.get(number * BLOCK..).unwrap_or_default();
    let filled = rest.len().min(BLOCK);
    block[..filled].copy_from_slice(&rest[..filled]);
    let end = message.len().checked_sub(number * BLOCK);
    if let Some(end) = end.filter(|end| *end < BLOCK) {
        block[end] = 0x80;
    }
    if number + 1 == padded_blocks(message) {
        block[BLOCK - LENGTH..].copy_from_slice(&bits(BLOCK + message.len()));
    }
    block
}

/// A length in bits, as the last bytes of the padding.
fn bits(length: usize) -> [u8; LENGTH] {
    (length as u64 * 8).to_be_bytes()
}

/// One compression of four blocks.
#[inline(never)]
fn compress_block(state: &State, blocks: &[&[u8; BLOCK]; LANES]) -> State {
    let rows = |at: usize| U32x4::read(std::array::from_fn(|lane| quarter(blocks[lane], at)));
    let [a, b, c, d] = [rows(0), rows(1), rows(2), rows(3)];
    compress(
        state,
        [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], c[0], c[1], c[2], c[3], d[0], d[1], d[2], d[3]],
    )
}

/// The compression that ends a message of one block after the first: nothing but padding.
#[inline(never)]
fn compress_end_of_two(state: &State) -> State {
    const BITS: u32 = 2 * 64 * 8;
    const END: [u32; 64] = scheduled([0x8000_0000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, BITS]);
    compress_scheduled(state, &END)
}

fn quarter(block: &[u8; BLOCK], number: usize) -> &[u8; 16] {
    block.as_chunks().0.get(number).expect("a block has four quarters")
}

/// The hash in each lane.
fn write(state: &State) -> [[u8; 32]; LANES] {
    let half = |at: usize| U32x4::write(std::array::from_fn(|word| state[at + word]));
    let (left, right) = (half(0), half(4));
    std::array::from_fn(|lane| {
        let mut hash = [0; 32];
        hash[..16].copy_from_slice(&left[lane]);
        hash[16..].copy_from_slice(&right[lane]);
        hash
    })
}

/// SHA-256 of one message, from a state that is known.
struct Hasher {
    state: [u32; 8],
    block: [u8; BLOCK],
    /// How many bytes of the block are written; always fewer than all.
    filled: usize,
    /// How many bytes were hashed, those before the message included.
    length: u64,
}

impl Hasher {
    fn write(&mut self, mut part: &[u8]) {
        self.length += part.len() as u64;
        while !part.is_empty() {
            let (head, tail) = part.split_at(part.len().min(BLOCK - self.filled));
            self.block[self.filled..self.filled + head.len()].copy_from_slice(head);
            self.filled += head.len();
            part = tail;
            if self.filled == BLOCK {
                self.compress();
            }
        }
    }

    /// Pads with one bit, zeros, and the length in bits as the last eight bytes (FIPS 180-4, 5.1.1).
    fn finish(mut self) -> [u8; 32] {
        self.block[self.filled] = 0x80;
        self.block[self.filled + 1..].fill(0);
        if self.filled >= BLOCK - LENGTH {
            self.compress();
            self.block.fill(0);
        }
        self.block[BLOCK - LENGTH..].copy_from_slice(&(self.length * 8).to_be_bytes());
        self.compress();
        let mut hash = [0; 32];
        for (bytes, word) in hash.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        hash
    }

    fn compress(&mut self) {
        compress256(&mut self.state, std::slice::from_ref(&self.block));
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    const FIRST: [u8; BLOCK] = [7; BLOCK];

    fn by_definition(message: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(FIRST).chain_update(message).finalize().into()
    }

    /// Every length around the ends of the first four blocks, in company of every other.
    #[test]
    fn many_messages_have_the_hashes_that_each_has_alone() {
        let bytes: Vec<u8> = (0..300_u32).map(|n| n.to_le_bytes()[0].wrapping_mul(151)).collect();
        for count in 0..=9 {
            for length in 0..=260 {
                let message = |at: usize| &bytes[at..at + (length + at * 83) % 261];
                let messages: Vec<&[u8]> = (0..count).map(message).collect();
                let expected: Vec<_> = messages.iter().map(|message| by_definition(message)).collect();
                assert_eq!(Begun::with(&FIRST).hash_in_lanes(&messages), expected, "{count} from {length}");
                assert_eq!(Begun::with(&FIRST).hash_all(&messages), expected, "{count} from {length}");
            }
        }
    }

    #[test]
    fn pairs_have_the_hashes_that_messages_of_that_length_have() {
        for count in 0..=9_u8 {
            let half = |n: u8| std::array::from_fn(|at| n.wrapping_mul(31) ^ at.to_le_bytes()[0]);
            let pairs: Vec<[[u8; 32]; 2]> = (0..count).map(|n| [half(n), half(200 + n)]).collect();
            let expected: Vec<_> = pairs.iter().map(|pair| by_definition(pair.as_flattened())).collect();
            assert_eq!(Begun::with(&FIRST).hash_pairs_in_lanes(&pairs), expected);
            assert_eq!(Begun::with(&FIRST).hash_pairs(&pairs), expected);
        }
    }
}
