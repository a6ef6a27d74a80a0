//! A header being worked on, and the search for its nonce.

use tabchain_primitives::HEADER_BYTES;
use tabchain_primitives::sha256::lanes::{LANES, U32x4};
use tabchain_primitives::sha256::{self as sha, State, Words};

/// Words of a SHA-256 chunk.
const CHUNK_WORDS: usize = 16;

/// The two words of the last chunk that hold the nonce, low half first.
const NONCE_LOW: usize = 11;
const NONCE_HIGH: usize = 12;

/// A header without its nonce, prepared: everything that does not depend on the nonce is computed once.
#[derive(Clone)]
pub struct Job {
    midstate: State,
    /// Working state of the last chunk after the rounds before [`NONCE_LOW`].
    started: State,
    last_chunk: Words,
    /// The target as big-endian words: a hash wins when it is at most this.
    target: [u32; 8],
}

/// A nonce whose header hash is at most the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The winning nonce.
    pub nonce: u64,
}

impl Job {
    /// Prepares `header` (its nonce bytes are ignored) for a search below `target` (256-bit, big endian, inclusive).
    pub fn new(header: &[u8; HEADER_BYTES], target: &[u8; 32]) -> Self {
        let mut padded = [0u8; 3 * 4 * CHUNK_WORDS];
        padded[..HEADER_BYTES].copy_from_slice(header);
        padded[HEADER_BYTES] = 0x80;
        let bits = (HEADER_BYTES as u64) * 8;
        let end = padded.len();
        padded[end - 8..].copy_from_slice(&bits.to_be_bytes());

        let first = sha::compress(&sha::splat(sha::INITIAL), chunk(&padded, 0));
        let midstate = sha::compress(&first, chunk(&padded, 1));
        let last_chunk = chunk(&padded, 2);
        let started = sha::first_rounds::<NONCE_LOW>(midstate, &last_chunk);
        let target = core::array::from_fn(|i| big_endian(&target[4 * i..4 * i + 4]));
        Self { midstate, started, last_chunk, target }
    }

    /// Tries the `count` nonces from `start` on, in order, wrapping after `u64::MAX`, and returns the first that wins.
    ///
    /// Nonces are tried four at a time, so up to three more than `count` may be looked at; a nonce beyond `count` is
    /// never returned.
    pub fn search(&self, start: u64, count: u64) -> Option<Found> {
        (0..count).step_by(LANES).find_map(|done| {
            let nonces: [u64; LANES] = core::array::from_fn(|i| start.wrapping_add(done + i as u64));
            let hashes = self.hash(nonces);
            let tops = hashes[0].to_array();
            // Nearly every hash loses on its first word: the other seven are looked at only when it does not.
            (0..LANES)
                .filter(|&lane| tops[lane] <= self.target[0] && done + (lane as u64) < count)
                .find(|&lane| self.wins(&hashes, lane))
                .map(|lane| Found { nonce: nonces[lane] })
        })
    }

    /// Double SHA-256 of the header with each of four nonces.
    #[inline(always)]
    fn hash(&self, nonces: [u64; LANES]) -> State {
        let mut words = self.last_chunk;
        words[NONCE_LOW] = U32x4::new(nonces.map(low_word));
        words[NONCE_HIGH] = U32x4::new(nonces.map(high_word));
        let inner = sha::add(&self.midstate, &sha::rounds::<NONCE_LOW>(self.started, words));

        let mut second = [U32x4::splat(0); CHUNK_WORDS];
        second[..8].copy_from_slice(&inner);
        second[8] = U32x4::splat(0x8000_0000);
        second[15] = U32x4::splat(256);
        sha::compress(&sha::splat(sha::INITIAL), second)
    }

    fn wins(&self, hashes: &State, lane: usize) -> bool {
        let hash: [u32; 8] = core::array::from_fn(|i| hashes[i].to_array()[lane]);
        hash <= self.target
    }
}

fn chunk(padded: &[u8], index: usize) -> Words {
    let bytes = &padded[index * 4 * CHUNK_WORDS..];
    core::array::from_fn(|i| U32x4::splat(big_endian(&bytes[4 * i..4 * i + 4])))
}

fn big_endian(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().expect("callers slice four bytes"))
}

/// The nonce is little endian in the header, and SHA-256 reads words big endian.
fn low_word(nonce: u64) -> u32 {
    big_endian(&nonce.to_le_bytes()[..4])
}

fn high_word(nonce: u64) -> u32 {
    big_endian(&nonce.to_le_bytes()[4..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    fn hash_with_nonce(header: &[u8; HEADER_BYTES], nonce: u64) -> [u8; 32] {
        let mut header = *header;
        header[HEADER_BYTES - 8..].copy_from_slice(&nonce.to_le_bytes());
        Sha256::digest(Sha256::digest(header)).into()
    }

    fn first_below(header: &[u8; HEADER_BYTES], target: &[u8; 32], start: u64, count: u64) -> Option<Found> {
        (0..count)
            .map(|i| start.wrapping_add(i))
            .find(|&nonce| hash_with_nonce(header, nonce) <= *target)
            .map(|nonce| Found { nonce })
    }

    proptest! {
        #[test]
        fn finds_what_sha2_finds(
            header in prop::array::uniform32(any::<u8>()),
            start: u64,
            count in 0u64..300,
            difficulty in 0u8..=7,
        ) {
            let header: [u8; HEADER_BYTES] = core::array::from_fn(|i| header[i % 32].rotate_left(u32::try_from(i / 32).expect("six at most")));
            let mut target = [0xff; 32];
            target[0] = 0xff >> difficulty;
            prop_assert_eq!(
                Job::new(&header, &target).search(start, count),
                first_below(&header, &target, start, count)
            );
        }
    }

    #[test]
    fn a_hash_equal_to_the_target_wins_and_one_above_loses() {
        let header = [7; HEADER_BYTES];
        let hash = hash_with_nonce(&header, 42);
        assert_eq!(Job::new(&header, &hash).search(42, 1), Some(Found { nonce: 42 }));

        let mut below = hash;
        *below.last_mut().expect("a hash has bytes") -= 1;
        assert_eq!(Job::new(&header, &below).search(42, 1), None);
    }

    #[test]
    fn a_nonce_beyond_the_count_is_never_returned() {
        let header = [1; HEADER_BYTES];
        let target = hash_with_nonce(&header, 2);
        let winners = first_below(&header, &target, 0, 4).expect("nonce 2 wins");
        assert_eq!(Job::new(&header, &target).search(0, winners.nonce), None);
        assert_eq!(Job::new(&header, &target).search(0, winners.nonce + 1), Some(winners));
    }

    #[test]
    fn an_empty_search_finds_nothing() {
        assert_eq!(Job::new(&[0; HEADER_BYTES], &[0xff; 32]).search(0, 0), None);
    }
}
