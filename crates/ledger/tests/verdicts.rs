//! One good value of each kind, and for each rule a twin that breaks it: the report names the rule.

use serde_json::Value;
use tabchain_chain::{Chain, testing::*};
use tabchain_consensus::ChainSpec;
use tabchain_ledger::{Above, Fault, Report, address, block, header, rule_of, transaction};
use tabchain_primitives::{
    Address, Amount, Block, Decode, Encode, Header, HeaderFields, Height, MerkleRoot, Signature, Timestamp,
    Transaction,
};

/// Where the fields of [`good_transaction`] begin.
const FEE_AT: usize = 1 + 32 + 1 + 4;
const ACTION_AT: usize = FEE_AT + 2;
const AMOUNT_AT: usize = ACTION_AT + 2 + Address::BYTES;

fn good_transaction() -> Transaction {
    transfer_until(&spec(), &Key::new(1), 0, Key::new(2).address(), 100, 1_000, Height::new(50))
}

/// A block of two transfers above the genesis.
fn good_block() -> Block {
    let other = transfer(&spec(), &Key::new(3), 0, Key::new(4).address(), 7, 10);
    mine(&Chain::new(spec()), Key::new(9).address(), &[good_transaction(), other])
}

/// The bytes with some at a place replaced.
fn patched(bytes: &[u8], at: usize, old: usize, new: &[u8]) -> Vec<u8> {
    [&bytes[..at], new, &bytes[at + old..]].concat()
}

fn rules(report: &Report) -> Vec<&'static str> {
    report.faults.iter().map(|fault| fault.rule).collect()
}

fn varint(value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    tabchain_primitives::codec::write_varint(&mut bytes, value);
    bytes
}

#[test]
fn a_good_transaction_is_told_field_by_field() {
    let good = good_transaction();
    let report = transaction(&spec(), &good.to_bytes(), Some(Height::new(50)));
    assert!(report.is_good(), "{report}");
    let text = report.to_string();
    for told in [
        good.unsigned().id().to_string(),
        good.witness_hash().to_string(),
        Key::new(1).address().to_bech32(spec().prefix()),
        Key::new(2).address().to_bech32(spec().prefix()),
        "0.0001 TAB to".into(),
        "0.001 TAB".into(),
        "height 50".into(),
        "0.0011 TAB in all".into(),
        "breaks no rule that can be checked here".into(),
        "not checked: T7 and T8".into(),
    ] {
        assert!(text.contains(&told), "{told} is missing in\n{text}");
    }
}

#[test]
fn a_transaction_names_the_rule_it_breaks() {
    let good = good_transaction().to_bytes();
    let too_much = varint(Amount::MAX.units() + 1);
    let malleated = good_transaction().unsigned().clone().with_signature(Signature::from_bytes([7; 64]));
    let cases: [(&str, Vec<u8>, u32); 12] = [
        ("E1", patched(&good, FEE_AT, 2, &[0xe8, 0x87, 0x00]), 50),
        ("E2", good[..good.len() - 1].to_vec(), 50),
        ("E2", patched(&good, ACTION_AT + 1, 1, &[0]), 50),
        ("E3", [&good[..], &[0]].concat(), 50),
        ("E4", patched(&good, AMOUNT_AT + 1, 1, &[1, 0xff]), 50),
        ("T1", patched(&good, 0, 1, &[2]), 50),
        ("T2", patched(&good, ACTION_AT, 1, &[9]), 50),
        ("T3", patched(&good, FEE_AT, 2, &too_much), 50),
        ("T3", patched(&good, FEE_AT, 2, &varint(Amount::MAX.units())), 50),
        ("T4", patched(&good, AMOUNT_AT, 1, &[0]), 50),
        ("T5", malleated.to_bytes(), 50),
        ("T6", good.clone(), 51),
    ];
    for (rule, bytes, height) in cases {
        let report = transaction(&spec(), &bytes, Some(Height::new(height)));
        assert_eq!(rules(&report), [rule], "{report}");
        assert!(report.to_string().contains(&format!("breaks {rule}: ")));
    }
    let elsewhere = transaction(&ChainSpec::dev(), &good, Some(Height::new(50)));
    assert_eq!(rules(&elsewhere), ["T5"], "signed for another chain");
}

/// The report on the good block's header with some fields changed, its work done again.
fn changed_header(change: impl FnOnce(&mut HeaderFields)) -> Report {
    let mut fields = good_block().header.fields();
    change(&mut fields);
    let changed = Header::new(fields);
    let solved = if changed.target().expand().is_ok() { solve(changed) } else { changed };
    header(&spec(), &solved.to_bytes(), &Above { now: Some(good_block().header.time()), ..Above::default() })
}

#[test]
fn a_header_names_the_rule_it_breaks() {
    let genesis = spec().genesis_header().time();
    let good = changed_header(|_| ());
    assert!(good.is_good() && good.unchecked.is_empty(), "{good}");
    assert!(good.to_string().contains(&good_block().hash().to_string()));
    assert_eq!(rules(&changed_header(|fields| fields.version = 2)), ["B1"]);
    assert_eq!(rules(&changed_header(|fields| fields.height = Height::new(7))), ["B2"]);
    assert_eq!(rules(&changed_header(|fields| fields.time = genesis)), ["B3"]);
    let ahead = genesis.saturating_add(10_000_000);
    assert_eq!(rules(&changed_header(|fields| fields.time = ahead)), ["B4"]);
    let other = tabchain_primitives::CompactTarget::from_bits(0x2000_ffff);
    assert_eq!(rules(&changed_header(|fields| fields.target = other)), ["B5"]);

    let target = spec().pow_limit();
    let lazy = (0..).map(|nonce| good_block().header.with_nonce(nonce));
    let lazy = lazy.into_iter().find(|header| !target.is_met_by(&header.hash())).expect("every other one");
    assert_eq!(rules(&header(&spec(), &lazy.to_bytes(), &Above::default())), ["B6"]);
    assert_eq!(rules(&header(&spec(), &lazy.to_bytes()[1..], &Above::default())), ["E2"]);
}

#[test]
fn a_header_without_the_ones_below_says_what_was_not_checked() {
    let mut chain = Chain::new(spec());
    let blocks: Vec<Block> = (0..3).map(|_| extend(&mut chain, Key::new(9).address(), &[]).0).collect();
    let bytes = blocks[2].header.to_bytes();
    let alone = header(&spec(), &bytes, &Above::default());
    assert!(alone.is_good() && alone.unchecked.iter().any(|words| words.starts_with("B2, B3 and B5")));
    let (parent, grandparent) = (Some(blocks[1].header), Some(blocks[0].header));
    let whole = Above { parent, grandparent, now: Some(Timestamp::from_millis(u64::MAX)) };
    assert_eq!(header(&spec(), &bytes, &whole).unchecked, Vec::<&str>::new());
    let genesis = header(&spec(), &spec().genesis_header().to_bytes(), &Above::default());
    assert!(genesis.is_good() && genesis.to_string().contains("the genesis of the chain trivial"));
}

/// The report on a block with these transactions under a header that commits to them.
fn block_of(transactions: Vec<Transaction>) -> Report {
    let header = solve(Header::new(HeaderFields {
        tx_count: u32::try_from(transactions.len()).expect("few"),
        tx_root: MerkleRoot::of_transactions(&transactions),
        ..good_block().header.fields()
    }));
    block(&spec(), &Block { header, transactions }.to_bytes(), &Above::default())
}

#[test]
fn a_block_names_the_rule_it_breaks() {
    let good = good_block();
    let report = block(&spec(), &good.to_bytes(), &Above::default());
    assert!(report.is_good(), "{report}");
    for transaction in &good.transactions {
        assert!(report.to_string().contains(&transaction.unsigned().id().to_string()));
    }
    let fewer = Block { transactions: good.transactions[..1].to_vec(), ..good };
    assert_eq!(rules(&block(&spec(), &fewer.to_bytes(), &Above::default())), ["B7"]);
    let mut swapped = good_block();
    swapped.transactions.swap(0, 1);
    assert_eq!(rules(&block(&spec(), &swapped.to_bytes(), &Above::default())), ["B8"]);

    let many = (0..2_200).map(|nonce| transfer(&spec(), &Key::new(1), nonce, Key::new(2).address(), 1, 9));
    let unsigned = many.map(|one| one.unsigned().clone().with_signature(Signature::ZERO)).collect();
    assert_eq!(rules(&block_of(unsigned)), ["B9"]);
    assert_eq!(rules(&block_of(vec![good_transaction(), good_transaction()])), ["B10"]);
    let damaged = good_transaction().unsigned().clone().with_signature(Signature::from_bytes([7; 64]));
    assert_eq!(rules(&block_of(vec![damaged])), ["T5"]);
    let late = transfer_until(&spec(), &Key::new(1), 0, Key::new(2).address(), 1, 9, Height::GENESIS);
    assert_eq!(rules(&block_of(vec![late])), ["T6"]);
    assert_eq!(
        rules(&block(&spec(), &[&good_block().to_bytes()[..], &[1]].concat(), &Above::default())),
        ["E3"]
    );
}

#[test]
fn an_address_is_read_in_each_form() {
    let key = Key::new(5);
    let text = key.address().to_bech32(spec().prefix());
    for form in [text.clone(), hex::encode(key.address().as_bytes()), key.public().to_string()] {
        let report = address(&spec(), &form);
        assert!(report.is_good() && report.to_string().contains(&text), "{form}: {report}");
    }
    let mistyped = text.replace('q', "p");
    for wrong in [mistyped.as_str(), "", "abcd", &key.address().to_bech32(ChainSpec::dev().prefix())] {
        assert_eq!(rules(&address(&spec(), wrong)), ["section 2"], "{wrong}");
    }
}

/// The frozen vectors of transactions on `dev`, as somebody would paste them.
#[test]
fn the_vectors_of_transactions_get_their_verdicts() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../tests/vectors/transactions.json")).expect("JSON");
    let bytes = |one: &Value| hex::decode(one["bytes"].as_str().expect("hex")).expect("hex");
    let (good, bad) =
        (vectors["good"].as_array().expect("a list"), vectors["bad"].as_array().expect("a list"));
    for one in good {
        let report = transaction(&ChainSpec::dev(), &bytes(one), None);
        assert!(report.is_good(), "{report}");
        assert!(report.to_string().contains(one["id"].as_str().expect("its id")));
    }
    for one in bad {
        let report = transaction(&ChainSpec::dev(), &bytes(one), None);
        let error = Transaction::from_bytes(&bytes(one)).expect_err("it is among the bad");
        assert_eq!(format!("{error:?}"), one["error"].as_str().expect("an error"));
        assert_eq!(report.faults, [Fault { rule: rule_of(&error), words: error.to_string() }]);
    }
    assert!(good.len() > 2 && bad.len() > 5);
}
