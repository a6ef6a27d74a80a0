//! What proves something or takes something back: nothing but the truth may be accepted.

use std::sync::LazyLock;

use tabchain_chain::{AccountProof, ChainBuilder, HistoryProof, Prefix, StateChunk, Undo, testing::Key};
use tabchain_primitives::{
    Address, BlockHash, Decode, Encode, Header, Height, StateRoot, merkle::MountainRange,
};

use super::{
    decoders::canonical,
    world::{self, BLOCKS, spec},
};

/// What is true of the small world.
struct Truth {
    tip: Header,
    first: BlockHash,
    undo: Undo,
    chunks: Vec<StateChunk>,
    account_proofs: Vec<AccountProof>,
    history_proof: HistoryProof,
}

/// No longer range can be read, so one more item would make it one that nobody reads.
const LONGEST: u64 = 1 << 48;

/// Whom account proofs are asked about: one that is there, and one that is not.
fn asked() -> [Address; 2] {
    [Key::new(3).address(), Key::new(99).address()]
}

static TRUTH: LazyLock<Truth> = LazyLock::new(|| {
    let (chain, undo) = world::chain();
    let prefixes = [(0, 0), (1, 1), (4, 5), (8, 200)];
    let chunk = |(bits, value)| chain.state_chunk(Prefix::new(bits, value).expect("it fits"));
    Truth {
        tip: chain.tip().header,
        first: BLOCKS.all[0].0.hash(),
        undo,
        chunks: prefixes.into_iter().map(chunk).collect(),
        account_proofs: asked().iter().map(|address| chain.account_proof(address)).collect(),
        history_proof: chain.history_proof(Height::new(1), chain.tip().height).expect("it is earlier"),
    }
});

fn root() -> StateRoot {
    TRUTH.tip.state_root()
}

pub(super) fn undo(bytes: &[u8]) -> bool {
    let Some(undo) = canonical::<Undo>(bytes) else { return false };
    if *undo.block() == *TRUTH.undo.block() {
        let (mut chain, honest) = world::chain();
        let before = (chain.tip(), chain.state_root());
        match chain.disconnect(&undo) {
            Ok(()) => assert_eq!(undo, honest, "only the true record leads back"),
            Err(_) => assert_eq!((chain.tip(), chain.state_root()), before),
        }
    }
    true
}

pub(super) fn state_chunk(bytes: &[u8]) -> bool {
    let Some(chunk) = canonical::<StateChunk>(bytes) else { return false };
    if chunk.verify(&root()).is_ok() {
        let (chain, _) = world::chain();
        assert_eq!(chunk, chain.state_chunk(chunk.prefix()), "there is one chunk of a prefix");
    }
    true
}

/// Rows of a damaged disk. The first byte says which row they stand in.
pub(super) fn state_rows(bytes: &[u8]) -> bool {
    let Some((row, rows)) = bytes.split_first() else { return false };
    let mut builder = ChainBuilder::new(spec());
    for (block, _) in &BLOCKS.all[..BLOCKS.main] {
        builder.header(block.header, block.hash());
    }
    let taken = builder.chunk(*row, rows).is_ok();
    let tip = TRUTH.tip.hash();
    assert!(builder.build(&tip).is_err(), "one row is not the whole state");
    taken
}

pub(super) fn account_proof(bytes: &[u8]) -> bool {
    let Some(proof) = canonical::<AccountProof>(bytes) else { return false };
    for (address, honest) in asked().iter().zip(&TRUTH.account_proofs) {
        if let Ok(account) = proof.verify(&root(), address) {
            assert_eq!(Ok(account), honest.verify(&root(), address), "there is one account of an address");
        }
    }
    true
}

pub(super) fn history_proof(bytes: &[u8]) -> bool {
    let Some(proof) = canonical::<HistoryProof>(bytes) else { return false };
    if proof.verify(&TRUTH.tip, &TRUTH.first) {
        assert_eq!(proof, TRUTH.history_proof, "there is one proof of a block");
    }
    true
}

pub(super) fn mountain_range(bytes: &[u8]) -> bool {
    let Some(mut range) = canonical::<MountainRange>(bytes) else { return false };
    let before = range.length();
    if before == LONGEST {
        return true;
    }
    range.push(&[5; 32]);
    assert_eq!(range.length(), before + 1);
    assert_eq!(MountainRange::from_bytes(&range.to_bytes()).as_ref(), Ok(&range));
    true
}

pub(super) fn undos() -> Vec<Vec<u8>> {
    vec![TRUTH.undo.to_bytes()]
}

pub(super) fn state_chunks() -> Vec<Vec<u8>> {
    TRUTH.chunks.iter().map(Encode::to_bytes).collect()
}

pub(super) fn rows() -> Vec<Vec<u8>> {
    let (mut chain, _) = world::chain();
    let rows = chain.take_dirty_chunks().into_iter().filter(|(_, rows)| rows.len() > 1);
    rows.take(3).map(|(row, rows)| [&[row], &rows[..]].concat()).collect()
}

pub(super) fn account_proofs() -> Vec<Vec<u8>> {
    TRUTH.account_proofs.iter().map(Encode::to_bytes).collect()
}

pub(super) fn history_proofs() -> Vec<Vec<u8>> {
    vec![TRUTH.history_proof.to_bytes()]
}

pub(super) fn mountain_ranges() -> Vec<Vec<u8>> {
    let of = |length: u8| {
        let mut range = MountainRange::default();
        (0..length).for_each(|item| range.push(&[item; 32]));
        range.to_bytes()
    };
    vec![of(0), of(1), of(5), of(7)]
}
