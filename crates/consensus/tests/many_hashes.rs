//! Hashes of many messages, which a tab takes four at a time, are those that each message has by itself.

use chacha20::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use tabchain_primitives::tagged::Tag;
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn random(rng: &mut ChaCha20Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

#[test]
fn messages_of_any_lengths_in_any_company() {
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    for length in 0..=330 {
        // Beside messages of about the same length, others of any.
        let lengths =
            [length, length + 1, length, (length * 7) % 331, length + 2, (length * 31) % 331, length];
        let messages: Vec<Vec<u8>> = lengths.iter().map(|length| random(&mut rng, *length)).collect();
        for count in 0..=messages.len() {
            let messages: Vec<&[u8]> = messages[..count].iter().map(Vec::as_slice).collect();
            let alone: Vec<_> = messages.iter().map(|message| Tag::Wtx.hash(&[message])).collect();
            assert_eq!(Tag::Wtx.hash_all(&messages), alone, "{count} of {lengths:?}");
        }
    }
}

#[test]
fn pairs_of_hashes_in_any_number() {
    let mut rng = ChaCha20Rng::from_seed([8; 32]);
    for count in 0..40 {
        let hash = |rng: &mut ChaCha20Rng| random(rng, 32).try_into().expect("32 bytes");
        let pairs: Vec<[[u8; 32]; 2]> = (0..count).map(|_| [hash(&mut rng), hash(&mut rng)]).collect();
        let alone: Vec<_> = pairs.iter().map(|[left, right]| Tag::Node.hash(&[left, right])).collect();
        assert_eq!(Tag::Node.hash_pairs(&pairs), alone, "{count} pairs");
    }
}
