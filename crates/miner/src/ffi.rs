//! What a plain worker calls on the tiny wasm: three functions over numbers, so that no glue code is needed.
//!
//! The worker writes a header and a target word by word, prepares the job, and searches in slices it chooses, so it can
//! look at its messages between two slices. Words are big endian, as in SHA-256.
#![expect(unsafe_code, reason = "exporting a symbol by name is the only unsafe thing here")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use tabchain_primitives::HEADER_BYTES;

use crate::search::Job;

const HEADER_WORDS: usize = HEADER_BYTES / 4;
const TARGET_WORDS: usize = 8;

/// What `search` returns when no nonce of the slice wins. The nonce of this value is the one that is never tried.
const NOT_FOUND: u64 = u64::MAX;

struct Slot {
    words: [u32; HEADER_WORDS + TARGET_WORDS],
    job: Option<Job>,
}

static SLOT: Mutex<Slot> = Mutex::new(Slot { words: [0; HEADER_WORDS + TARGET_WORDS], job: None });

/// Sets one word of the next job: 0 to 44 are the header, 45 to 52 the target. Other indices are ignored.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn set_word(index: u32, word: u32) {
    if let Some(place) = slot().words.get_mut(index as usize) {
        *place = word;
    }
}

/// Makes the words that were set the current job.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn prepare() {
    let mut slot = slot();
    let mut header = [0; HEADER_BYTES];
    let mut target = [0; 4 * TARGET_WORDS];
    let bytes = slot.words.iter().flat_map(|word| word.to_be_bytes());
    for (place, byte) in header.iter_mut().chain(&mut target).zip(bytes) {
        *place = byte;
    }
    slot.job = Some(Job::new(&header, &target));
}

/// Tries `count` nonces from `start` on; returns the first that wins, or `u64::MAX`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn search(start: u64, count: u32) -> u64 {
    let slot = slot();
    let found = slot.job.as_ref().and_then(|job| job.search(start, u64::from(count)));
    found.map_or(NOT_FOUND, |found| found.nonce)
}

fn slot() -> MutexGuard<'static, Slot> {
    // A worker has one thread and nothing here panics while it holds the lock.
    SLOT.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exported_functions_search_like_a_job() {
        let header: [u8; HEADER_BYTES] = core::array::from_fn(|i| u8::try_from(i).expect("180 bytes"));
        let mut target = [0xff; 32];
        target[0] = 0x03;
        let words = header.chunks(4).chain(target.chunks(4));
        for (index, word) in words.enumerate() {
            let word = u32::from_be_bytes(word.try_into().expect("chunks of four"));
            set_word(u32::try_from(index).expect("few words"), word);
        }
        prepare();
        let expected = Job::new(&header, &target).search(5, 1_000).expect("one in 64 wins");
        assert_eq!(search(5, 1_000), expected.nonce);
        assert_eq!(search(expected.nonce, 0), NOT_FOUND);
    }
}
