//! Joining in the middle, and checking the past afterwards.

use std::sync::Arc;

use tabchain_chain::{
    Chain, ConnectError, Prefix, ProofError, Replay, RestoreError, Snapshot, StateChunk, Step, testing::*,
};
use tabchain_consensus::{ChainSpec, Parameters};
use tabchain_primitives::{Block, Decode, Encode, Header, HeaderFields, StateRoot};

/// A chain of so many blocks with a payment in each.
fn served(blocks: u64) -> (Archive, Vec<Block>) {
    let mut archive = Archive::new(Chain::new(spec()));
    let block = |nonce| {
        let to = Key::new(700 + nonce % 9).address();
        archive.extend(Key::new(50).address(), &[transfer(&spec(), &Key::new(3), nonce, to, 100, 2)])
    };
    let blocks = (0..blocks).map(block).collect();
    (archive, blocks)
}

fn chunk(chain: &Chain, byte: u8) -> StateChunk {
    let bytes = chain.state_chunk(Prefix::byte(byte)).to_bytes();
    StateChunk::from_bytes(&bytes).expect("it was encoded")
}

/// The state of a chain's tip as a peer serves it.
fn snapshot(of: &Chain) -> Snapshot {
    let mut snapshot = Snapshot::of(of.tip().header);
    for byte in (0..=u8::MAX).rev() {
        snapshot.take(byte, &chunk(of, byte)).expect("the chunk is of this state");
    }
    assert!(snapshot.missing().is_empty());
    snapshot
}

/// A chain that knows the headers of these blocks.
fn newcomer(blocks: &[Block]) -> Chain {
    let mut chain = Chain::new(spec());
    for block in blocks {
        chain.insert_header(block.header, block.header.time()).expect("the header is good");
    }
    chain
}

#[test]
fn a_newcomer_stands_at_the_snapshot_at_once_and_goes_on_from_there() {
    let (server, mut blocks) = served(9);
    let mut chain = newcomer(&blocks);
    chain.adopt(snapshot(&server.chain)).expect("the snapshot is whole");
    assert_eq!(chain.tip(), server.chain.tip());
    assert_eq!(chain.supply(), server.chain.supply());
    assert_eq!(chain.next_step(), None, "what lies below counts as connected");
    assert!(!chain.has_body(&blocks[3].hash()), "and is not there for that");
    assert!(!chain.take_dirty_chunks().is_empty(), "all of the state is to be stored");

    let mut joined = Archive::new(chain);
    let mut server = server;
    blocks.push(server.extend(Key::new(51).address(), &[]));
    joined.chain.insert_header(blocks[9].header, blocks[9].header.time()).expect("the header is good");
    joined.chain.mark_body(&blocks[9].hash());
    let block = verified(&spec(), blocks[9].clone());
    joined.chain.connect(&block).expect("the block follows");
    assert_eq!(joined.chain.state_root(), server.chain.state_root());
    assert_eq!(joined.chain.history_root(), server.chain.history_root());
}

#[test]
fn the_past_is_replayed_to_the_very_root_of_the_snapshot() {
    let (server, blocks) = served(9);
    let mut chain = newcomer(&blocks);
    let mut replay = chain.adopt(snapshot(&server.chain)).expect("the snapshot is whole");
    assert_eq!(*replay.at(), spec().genesis_hash());
    for block in &blocks {
        let block = verified(&spec(), block.clone());
        replay.connect(&chain, &block).expect("the past is valid");
        assert_eq!(replay.connect(&chain, &block), Err(ConnectError::NotNext(block.hash())), "each once");
    }
    assert_eq!(*replay.at(), chain.tip().hash);

    // It can be put down on the way and taken up again.
    let mut stored = Vec::new();
    let mut replay = Replay::genesis(&spec());
    for block in &blocks[..5] {
        replay.connect(&chain, &verified(&spec(), block.clone())).expect("the past is valid");
        stored.extend(replay.take_dirty_chunks());
    }
    let newest: std::collections::BTreeMap<_, _> =
        stored.iter().map(|(byte, row)| (*byte, &row[..])).collect();
    let mut again = Replay::restore(&chain, replay.at(), newest).expect("the rows are whole");
    assert_eq!(again.height(), replay.height());
    for block in &blocks[5..] {
        again.connect(&chain, &verified(&spec(), block.clone())).expect("the past is valid");
    }
    let refused = Replay::restore(&chain, again.at(), None).map(|replay| replay.height());
    assert!(matches!(refused, Err(RestoreError::StateRoot { .. })), "rows of another block are refused");
}

#[test]
fn who_was_only_away_replays_from_where_it_stood() {
    let (server, blocks) = served(9);
    let mut back = Archive::new(newcomer(&blocks));
    blocks[..4].iter().for_each(|block| back.body(block));
    let mut replay = back.chain.adopt(snapshot(&server.chain)).expect("the snapshot is whole");
    assert_eq!(replay.height(), blocks[3].header.height());
    for block in &blocks[4..] {
        replay.connect(&back.chain, &verified(&spec(), block.clone())).expect("the past is valid");
    }
    assert_eq!(*replay.at(), back.chain.tip().hash);
}

#[test]
fn who_stood_on_a_losing_branch_replays_from_the_genesis() {
    let (server, blocks) = served(9);
    let mut lost = Archive::new(Chain::new(spec()));
    for _ in 0..3 {
        lost.extend(Key::new(77).address(), &[]);
    }
    let was = lost.chain.tip();
    for block in &blocks {
        lost.chain.insert_header(block.header, block.header.time()).expect("the header is good");
    }
    let replay = lost.chain.adopt(snapshot(&server.chain)).expect("the snapshot is whole");
    assert_eq!(*replay.at(), spec().genesis_hash());
    assert_eq!(lost.chain.tip().hash, server.chain.tip().hash);
    assert_eq!(lost.chain.history_root(), server.chain.history_root());
    assert!(!lost.chain.is_active(&was.hash));
}

#[test]
fn a_chunk_of_another_state_or_place_is_refused() {
    let (server, blocks) = served(9);
    let (other, _) = served(8);
    let full = (0..=u8::MAX).find(|byte| chunk(&server.chain, *byte) != chunk(&other.chain, *byte));
    let byte = full.expect("a payment changes something");
    let mut snapshot = Snapshot::of(blocks[8].header);
    assert_eq!(snapshot.take(byte, &chunk(&other.chain, byte)), Err(ProofError::Root));
    assert_eq!(snapshot.take(byte ^ 1, &chunk(&server.chain, byte)), Err(ProofError::Outside));
    assert_eq!(snapshot.missing().len(), 256);
    assert_eq!(snapshot.take(byte, &chunk(&server.chain, byte)), Ok(()));
    assert_eq!(snapshot.take(byte, &chunk(&server.chain, byte)), Ok(()), "again changes nothing");
    assert_eq!(snapshot.missing().len(), 255);

    let mut chain = newcomer(&blocks);
    let refused = chain.adopt(snapshot).map(|replay| replay.height());
    assert!(matches!(refused, Err(RestoreError::StateRoot { .. })), "one chunk is not all");
    assert_eq!(chain.tip().hash, spec().genesis_hash(), "and all is as it was");
    assert_eq!(chain.state_root(), spec().genesis_header().state_root());
}

#[test]
fn a_past_that_broke_a_rule_is_found_by_the_replay() {
    // Theft leaves the supply as it should be: the snapshot stands, and only the past tells.
    let thief = Key::new(66).address();
    let all = units(8 * 1_000_000_000);
    let stolen = ChainSpec::new(Parameters { allocations: vec![(thief, all)], ..parameters() });
    let stolen = Chain::new(Arc::new(stolen.expect("these parameters make a chain")));
    let (mut chain, block) = forged_chain(stolen.state_root());
    let mut replay = chain.adopt(of_block(&block, &stolen)).expect("the supply is right");
    assert_eq!(chain.account(&thief).balance, all);

    let hash = block.hash();
    let refused = replay.connect(&chain, &verified(&spec(), block));
    assert!(matches!(refused, Err(ConnectError::StateRoot { .. })));
    assert_eq!(*replay.at(), spec().genesis_hash());
    chain.mark_invalid(&hash);
    assert_eq!(chain.best_header().hash, spec().genesis_hash(), "what is honest is left");
    assert_eq!(chain.next_step(), Some(Step::Disconnect(hash)));
}

#[test]
fn a_snapshot_that_makes_money_is_no_snapshot() {
    let allocations = vec![(Key::new(66).address(), units(8 * 1_000_000_000 + 1))];
    let minted = ChainSpec::new(Parameters { allocations, ..parameters() });
    let minted = Chain::new(Arc::new(minted.expect("these parameters make a chain")));
    let (mut chain, block) = forged_chain(minted.state_root());
    let refused = chain.adopt(of_block(&block, &minted)).map(|replay| replay.height());
    assert_eq!(refused, Err(RestoreError::Supply { expected: units(8 * 1_000_000_000) }));
    assert_eq!(chain.tip().hash, spec().genesis_hash());
}

/// A chain with a block on its genesis that has all its work and claims a state that no rules lead to.
fn forged_chain(root: StateRoot) -> (Chain, Block) {
    let mut chain = Chain::new(spec());
    let honest = mine(&chain, Key::new(50).address(), &[]).header;
    let header = solve(Header::new(HeaderFields { state_root: root, ..honest.fields() }));
    chain.insert_header(header, header.time()).expect("all the work is there");
    (chain, Block { header, transactions: Vec::new() })
}

/// The accounts of a chain as if they were those of a block.
fn of_block(block: &Block, accounts: &Chain) -> Snapshot {
    let mut snapshot = Snapshot::of(block.header);
    for byte in 0..=u8::MAX {
        snapshot.take(byte, &chunk(accounts, byte)).expect("the root is theirs");
    }
    snapshot
}
