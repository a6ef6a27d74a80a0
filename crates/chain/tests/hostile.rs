//! Bytes from peers and from a damaged disk: whatever they are, they decode canonically or not at all, and prove
//! nothing.

use proptest::prelude::*;
use tabchain_chain::{AccountProof, Chain, ChainBuilder, HistoryProof, Prefix, StateChunk, Undo, testing::*};
use tabchain_primitives::{BlockHash, Decode, Encode, Height};

/// What decodes encodes to the same bytes.
fn is_canonical<T: Decode + Encode>(bytes: &[u8]) -> Option<T> {
    let value = T::from_bytes(bytes).ok()?;
    assert_eq!(value.to_bytes(), bytes);
    Some(value)
}

/// Nothing may panic, and nothing but the truth may be accepted.
fn judge(chain: &mut Chain, bytes: &[u8], honest: bool) {
    let root = chain.state_root();
    let tip = chain.tip();
    let asked = Key::new(3).address();
    if let Some(proof) = is_canonical::<AccountProof>(bytes) {
        assert!(honest || proof.verify(&root, &asked).is_err());
    }
    if let Some(chunk) = is_canonical::<StateChunk>(bytes) {
        assert!(honest || chunk.verify(&root).is_err());
    }
    if let Some(proof) = is_canonical::<HistoryProof>(bytes) {
        let first = chain.hash_at(Height::new(1)).expect("there are blocks");
        assert!(honest || !proof.verify(&tip.header, &first));
    }
    if let Some(undo) = is_canonical::<Undo>(bytes) {
        assert!(honest || chain.disconnect(&undo).is_err());
        assert_eq!((chain.tip(), chain.state_root()), (tip, root));
    }
    let mut builder = ChainBuilder::new(spec());
    drop(builder.chunk(bytes.first().copied().unwrap_or(0), bytes));
    assert!(builder.build(&BlockHash::ZERO).is_err());
}

/// A chain of a few blocks, and honest bytes of every kind about it.
fn chain_and_honest_bytes() -> (Chain, Vec<Vec<u8>>) {
    let mut chain = Chain::new(spec());
    let mut undo = Vec::new();
    for nonce in 0..6 {
        let payment = transfer(&spec(), &Key::new(3), nonce, Key::new(40 + nonce).address(), 500, 9);
        undo = extend(&mut chain, Key::new(60).address(), &[payment]).1.to_bytes();
    }
    let history = chain.history_proof(Height::new(1), chain.tip().height).expect("it is below the tip");
    let honest = vec![
        chain.account_proof(&Key::new(3).address()).to_bytes(),
        chain.state_chunk(Prefix::new(2, 1).expect("it fits")).to_bytes(),
        history.to_bytes(),
        undo,
    ];
    (chain, honest)
}

#[test]
fn honest_bytes_are_canonical() {
    let (mut chain, honest) = chain_and_honest_bytes();
    for bytes in &honest {
        judge(&mut chain, bytes, true);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        judge(&mut chain_and_honest_bytes().0, &bytes, false);
    }

    #[test]
    fn changed_bytes_do_no_harm(
        kind in 0..4_usize,
        place in any::<prop::sample::Index>(),
        change in 1..=255_u8,
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (mut chain, mut honest) = chain_and_honest_bytes();
        let mut bytes = honest.swap_remove(kind);
        let place = place.index(bytes.len());
        bytes[place] ^= change;
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()).max(place + 1));
        }
        judge(&mut chain, &bytes, false);
    }
}
