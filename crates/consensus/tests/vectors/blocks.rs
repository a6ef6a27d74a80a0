//! `blocks.json`: the built-in chains with their genesis, and block 1 of `dev`, valid in every way.

use serde_json::{Value, json};
use tabchain_consensus::{ChainSpec, CheckedBlock, check_header};
use tabchain_primitives::{
    Address, Block, Decode, Encode, Header, HeaderFields, Height, HistoryRoot, MerkleRoot, merkle,
};

pub(crate) fn vectors() -> Value {
    let spec = ChainSpec::dev();
    let first = first_of_dev(&spec);
    let now = first.header.time();
    assert_eq!(check_header(&spec, &first.header, spec.genesis_header(), None, now), Ok(()));
    assert!(CheckedBlock::check(&spec, first.clone()).is_ok());
    let specs = [spec, ChainSpec::test()].map(|spec| chain(&spec));
    json!({ "specs": specs, "dev_block_1": described(&first) })
}

fn chain(spec: &ChainSpec) -> Value {
    let parameters: Value = serde_json::from_str(&spec.to_json()).expect("its own form");
    json!({ "spec": parameters, "genesis": described(&spec.genesis()) })
}

fn described(block: &Block) -> Value {
    let bytes = block.to_bytes();
    assert_eq!(Block::from_bytes(&bytes).as_ref(), Ok(block));
    let header = block.header;
    json!({
        "bytes": hex::encode(&bytes),
        "hash": block.hash().to_string(),
        "version": header.version(),
        "height": header.height().value(),
        "parent": header.parent().to_string(),
        "miner": hex::encode(header.miner().as_bytes()),
        "tx_count": header.tx_count(),
        "tx_root": header.tx_root().to_string(),
        "state_root": header.state_root().to_string(),
        "history_root": header.history_root().to_string(),
        "time": header.time().millis(),
        "target": header.target().to_string(),
        "nonce": header.nonce(),
    })
}

/// Empty, five seconds after the genesis. Nothing has matured, so the state is as empty as before.
fn first_of_dev(spec: &ChainSpec) -> Block {
    let genesis = spec.genesis_header();
    let header = Header::new(HeaderFields {
        height: Height::new(1),
        parent: spec.genesis_hash(),
        miner: Address::from_bytes([0x11; 20]),
        tx_root: MerkleRoot::ZERO,
        history_root: HistoryRoot::from_bytes(merkle::root([*spec.genesis_hash().as_bytes()])),
        time: genesis.time().saturating_add(spec.interval_ms()),
        nonce: 590_657,
        ..genesis.fields()
    });
    Block { header, transactions: Vec::new() }
}
