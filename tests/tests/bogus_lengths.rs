//! Messages that promise more than they hold: whatever a length or a count says, no decoder allocates for what is not there.
#![cfg(not(target_family = "wasm"))]

use tabchain_tests::counting::{self, Counting};
use tabchain_tests::fuzz::{TARGETS, Target};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What strangers send, whole or in parts.
const FROM_PEERS: [&str; 11] = [
    "transaction",
    "header",
    "block",
    "link",
    "request",
    "response",
    "good_peer",
    "undo",
    "state_chunk",
    "account_proof",
    "history_proof",
];
/// The message as it arrives.
const MESSAGE: usize = 4 * 1024;
/// What is decoded takes at most twice its bytes.
const DECODED: isize = 2 * 4 * 1024;
/// How far into a message counts are put; behind that it repeats itself.
const DEEP: usize = 400;

/// Counts within the bounds of some list and beyond those of every list.
const BOGUS: [&[u8]; 6] = [
    &[0xff, 0x01],
    &[0xd0, 0x0f],
    &[0x80, 0x40],
    &[0x80, 0x80, 0x80, 0x01],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
];

/// The most that looking at a message held.
fn held_for(target: &Target, message: &[u8]) -> (bool, isize) {
    let before = counting::begin();
    let is_value = (target.run)(message);
    (is_value, counting::most() - before)
}

#[test]
fn no_count_makes_a_decoder_allocate_for_what_is_not_there() {
    let mut refused = 0;
    for target in TARGETS.iter().filter(|target| FROM_PEERS.contains(&target.name)) {
        for genuine in (target.seeds)() {
            for at in 0..genuine.len().min(DEEP) {
                for bogus in BOGUS {
                    let mut message = [&genuine[..at], bogus].concat();
                    message.resize(MESSAGE, 1);
                    let (is_value, held) = held_for(target, &message);
                    assert!(held <= DECODED, "{}: {held} bytes for {bogus:?} at {at}", target.name);
                    refused += usize::from(!is_value);
                }
            }
        }
    }
    assert!(refused > 10_000, "most of them are no values: {refused}");
}
