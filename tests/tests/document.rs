//! `docs/protocol.md` shows the bytes of one small chain. Here they are made by the code, frozen as a vector, and held
//! against what the document says: each table of bytes, and each value that follows from them.

use std::{env, fs, path::PathBuf, sync::Arc};

use serde_json::{Map, Value, json};
use tabchain_chain::{
    Chain, Prefix,
    testing::{connect, mine_at, units},
};
use tabchain_consensus::{
    ChainSpec, CheckedBlock, Parameters, SignatureChecks, Verdict, check_header, verify_each,
};
use tabchain_primitives::{
    Account, AccountKey, AccountNonce, Action, Address, Anchor, Block, CompactTarget, Decode, Encode, Header,
    Height, Output, Timestamp, Transaction, Transfer, UnsignedTransaction,
    codec::{write_bytes, write_varint},
    merkle,
    tagged::tagged_hash,
};
use tabchain_wallet::SecretKey;
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

const DOCUMENT: &str = include_str!("../../docs/protocol.md");
const FROZEN: &str = include_str!("../vectors/example.json");

/// The chain of the example, with three blocks.
struct Example {
    spec: Arc<ChainSpec>,
    chain: Chain,
    blocks: Vec<Block>,
    /// The chain as it was after block 1.
    after_first: Chain,
}

fn secret(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32])
}

fn parameters() -> Parameters {
    Parameters {
        name: "example".into(),
        prefix: "etab".parse().expect("letters"),
        interval_ms: 5_000,
        half_life_ms: 60_000,
        genesis_time: Timestamp::from_millis(1_790_000_000_000),
        pow_limit: CompactTarget::from_bits(0x207f_ffff),
        genesis_target: CompactTarget::from_bits(0x2000_ffff),
        future_limit_ms: 120_000,
        max_block_bytes: 262_144,
        maturity: 1,
        reward_initial: units(50_000_000),
        reward_half_life: 1_051_200,
        reward_tail: units(500_000),
        allocations: vec![
            (secret(1).address(), units(1_000_000_000)),
            (secret(2).address(), units(5_000_000)),
        ],
    }
}

fn miner() -> Address {
    Address::from_bytes([0x11; 20])
}

fn absent() -> Address {
    Address::from_bytes([0x33; 20])
}

/// What the key with this number signs for the chain.
fn signed(spec: &ChainSpec, number: u8, nonce: u64, fee: u64, action: Action) -> Transaction {
    let key = secret(number);
    let (nonce, until) = (AccountNonce::new(nonce), Height::new(100));
    let unsigned = UnsignedTransaction::new(key.public_key(), nonce, until, units(fee), action);
    key.sign(unsigned.expect("in range"), &spec.genesis_hash())
}

fn transactions(spec: &ChainSpec) -> [Transaction; 3] {
    let pay = |to, amount| Output::new(to, units(amount)).expect("not zero");
    let outputs = vec![pay(secret(2).address(), 1_500_000), pay(Address::from_bytes([0x22; 20]), 300)];
    let transfer = Action::Transfer(Transfer::new(outputs, "grüße").expect("in bounds"));
    let anchor = |data: &[u8]| Action::Anchor(Anchor::new("doc", data.to_vec()).expect("in bounds"));
    [
        signed(spec, 1, 0, 1_000, transfer),
        signed(spec, 2, 0, 1_000, anchor(&[0xde, 0xad, 0xbe, 0xef])),
        signed(spec, 1, 1, 1_000, anchor(&[])),
    ]
}

/// Block 1 holds the transactions; blocks 2 and 3 are empty, 9 and 5 seconds later.
fn example() -> Example {
    let spec = Arc::new(ChainSpec::new(parameters()).expect("good parameters"));
    let mut chain = Chain::new(Arc::clone(&spec));
    let mut after_first = Chain::new(Arc::clone(&spec));
    let mut blocks: Vec<Block> = Vec::new();
    for (after, transactions) in [(5_000, &transactions(&spec)[..]), (9_000, &[]), (5_000, &[])] {
        let time = chain.tip().header.time().saturating_add(after);
        let block = mine_at(&chain, miner(), transactions, time);
        if blocks.is_empty() {
            connect(&mut after_first, &block);
        }
        connect(&mut chain, &block);
        blocks.push(block);
    }
    Example { spec, chain, blocks, after_first }
}

/// What the spec hash is taken of, written once more from the document.
fn spec_bytes(of: &Parameters) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_bytes(&mut bytes, of.name.as_bytes());
    write_bytes(&mut bytes, of.prefix.as_str().as_bytes());
    write_varint(&mut bytes, of.interval_ms);
    write_varint(&mut bytes, of.half_life_ms);
    write_varint(&mut bytes, of.genesis_time.millis());
    bytes.extend_from_slice(&of.pow_limit.bits().to_le_bytes());
    bytes.extend_from_slice(&of.genesis_target.bits().to_le_bytes());
    write_varint(&mut bytes, of.future_limit_ms);
    write_varint(&mut bytes, of.max_block_bytes.into());
    write_varint(&mut bytes, of.maturity.into());
    write_varint(&mut bytes, of.reward_initial.units());
    write_varint(&mut bytes, of.reward_half_life.into());
    write_varint(&mut bytes, of.reward_tail.units());
    write_varint(&mut bytes, of.allocations.len() as u64);
    for (address, amount) in &of.allocations {
        bytes.extend_from_slice(address.as_bytes());
        write_varint(&mut bytes, amount.units());
    }
    bytes
}

fn vectors() -> Value {
    let example = example();
    let parameters: Value = serde_json::from_str(&example.spec.to_json()).expect("its own form");
    json!({ "spec": parameters, "bytes": bytes(&example), "values": values(&example) })
}

/// The byte forms, each read back before it is shown, and each proof checked.
fn bytes(example: &Example) -> Value {
    let Example { spec, chain, blocks, after_first } = example;
    let headers: Vec<Header> = blocks.iter().map(|block| block.header).collect();
    let [transfer, anchor, last] = transactions(spec);
    let items = [&transfer, &anchor, &last].map(|one| *one.witness_hash().as_bytes());
    let inclusion = merkle::Proof::of(&items, 1).expect("the second of three");
    assert!(inclusion.verify(headers[0].tx_root().as_bytes(), &items[1]));
    let (root, sender) = (headers[0].state_root(), secret(1).address());
    let account = after_first.account_proof(&sender);
    assert_eq!(account.verify(&root, &sender), Ok(after_first.account(&sender)));
    let absence = after_first.account_proof(&absent());
    assert_eq!(absence.verify(&root, &absent()), Ok(Account::EMPTY));
    let chunk = after_first.state_chunk(Prefix::new(1, 1).expect("one bit"));
    assert_eq!(chunk.verify(&root), Ok(()));
    let history = chain.history_proof(Height::new(1), Height::new(3)).expect("below");
    assert!(history.verify(&headers[2], &headers[0].hash()));
    json!({
        "spec": hex::encode(spec_bytes(&parameters())),
        "genesis": read_back(&spec.genesis()),
        "transfer": read_back(&transfer),
        "anchor": read_back(&anchor),
        "anchor_of_nothing": read_back(&last),
        "header_1": read_back(&headers[0]),
        "header_2": read_back(&headers[1]),
        "header_3": read_back(&headers[2]),
        "block_1": read_back(&blocks[0]),
        "merkle_proof": read_back(&inclusion),
        "account_proof": read_back(&account),
        "absence_proof": read_back(&absence),
        "state_chunk": read_back(&chunk),
        "history_proof": read_back(&history),
    })
}

fn read_back<T: Encode + Decode + PartialEq + std::fmt::Debug>(value: &T) -> String {
    let bytes = value.to_bytes();
    assert_eq!(T::from_bytes(&bytes).as_ref(), Ok(value));
    hex::encode(bytes)
}

/// The hashes and addresses that the bytes lead to.
fn values(example: &Example) -> Value {
    let Example { spec, blocks, after_first, .. } = example;
    let mut values = Map::new();
    let mut put = |name: String, value: String| assert_eq!(values.insert(name, value.into()), None);
    put("spec hash".into(), hex::encode(tagged_hash("tabchain/spec", &[&spec_bytes(&parameters())])));
    put("genesis hash".into(), spec.genesis_hash().to_string());
    for (name, number) in [("sender", 1), ("other", 2)] {
        let key = secret(number);
        put(format!("{name}: public key"), key.public_key().to_string());
        put(format!("{name}: address"), hex::encode(key.address().as_bytes()));
        put(format!("{name}: address as text"), key.address().to_bech32(spec.prefix()));
    }
    for (name, one) in ["transfer", "anchor", "anchor of nothing"].iter().zip(transactions(spec)) {
        put(
            format!("{name}: signing digest"),
            one.unsigned().signing_digest(&spec.genesis_hash()).to_string(),
        );
        put(format!("{name}: transaction id"), one.id().to_string());
        put(format!("{name}: witness hash"), one.witness_hash().to_string());
        put(format!("{name}: Merkle leaf"), hex::encode(merkle::leaf(one.witness_hash().as_bytes())));
    }
    for block in blocks {
        put(format!("block {}: hash", block.header.height()), block.hash().to_string());
    }
    let all = after_first.state_chunk(Prefix::new(0, 0).expect("everything"));
    for (place, (address, account)) in all.accounts().enumerate() {
        let key = AccountKey::of(address);
        put(format!("account {place}: address"), hex::encode(address.as_bytes()));
        put(format!("account {place}: bytes"), hex::encode(account.to_bytes()));
        put(format!("account {place}: key"), hex::encode(key.as_bytes()));
        put(format!("account {place}: state leaf"), hex::encode(account.leaf(&key)));
    }
    put("absent: account key".into(), hex::encode(AccountKey::of(&absent()).as_bytes()));
    Value::Object(values)
}

#[test]
fn the_example_is_a_valid_chain() {
    let Example { spec, blocks, chain, .. } = example();
    assert_eq!(chain.tip().height, Height::new(3));
    let genesis = *spec.genesis_header();
    let headers: Vec<Header> =
        std::iter::once(genesis).chain(blocks.iter().map(|block| block.header)).collect();
    for height in 1..headers.len() {
        let grandparent = height.checked_sub(2).map(|below| &headers[below]);
        let (header, parent) = (&headers[height], &headers[height - 1]);
        assert_eq!(check_header(&spec, header, parent, grandparent, header.time()), Ok(()));
    }
    assert_eq!(headers[0].parent().as_bytes(), &tagged_hash("tabchain/spec", &[&spec_bytes(&parameters())]));
    for block in blocks {
        let checked = CheckedBlock::check(&spec, block).expect("good by itself");
        let checks: SignatureChecks = checked.signatures(&spec.genesis_hash());
        assert_eq!(verify_each(&checks), Verdict::AllValid);
    }
}

/// Frozen like the other vectors; `cargo xtask vectors` writes it.
#[test]
fn the_example_is_as_frozen() {
    let computed = vectors();
    if env::var_os("TABCHAIN_BLESS").is_some() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/example.json");
        let text = serde_json::to_string_pretty(&computed).expect("a value has a JSON form") + "\n";
        return fs::write(path, text).expect("the vectors can be written");
    }
    let frozen: Value = FROZEN.parse().expect("the vectors are JSON");
    assert_eq!(frozen, computed);
}

/// The section of the document that shows the example.
fn section() -> &'static str {
    let begin = DOCUMENT.find("## 12. A worked example").expect("the section is there");
    &DOCUMENT[begin..]
}

/// The tables of bytes: the name behind the fence, and the lines.
fn tables() -> Vec<(&'static str, Vec<&'static str>)> {
    let fenced = section().split("```bytes ").skip(1);
    let table = |text: &'static str| {
        let (name, rest) = text.split_once('\n').expect("a name, then lines");
        let (lines, _) = rest.split_once("```").expect("a table ends");
        (name, lines.lines().collect())
    };
    fenced.map(table).collect()
}

/// The hex of a table: each line is an offset, bytes or `@` and the name of another table, and words.
fn read(lines: &[&str], shown: &Map<String, Value>) -> String {
    let mut hex = String::new();
    for line in lines {
        let mut columns = line.trim_start().splitn(3, "  ");
        let (offset, bytes) = (columns.next().expect("an offset"), columns.next().expect("bytes"));
        assert_eq!(offset.parse(), Ok(hex.len() / 2), "{line}");
        match bytes.trim().strip_prefix('@') {
            Some(name) => hex.push_str(shown[name].as_str().expect("hex")),
            None => hex.extend(bytes.chars().filter(|digit| *digit != ' ')),
        }
    }
    hex
}

#[test]
fn every_table_of_the_document_holds_the_bytes() {
    let computed = vectors();
    let expected = computed["bytes"].as_object().expect("names and hex");
    let mut read_so_far = Map::new();
    for (name, lines) in tables() {
        read_so_far.insert(name.into(), read(&lines, &read_so_far).into());
    }
    assert_eq!(&read_so_far, expected);
}

#[test]
fn every_value_of_the_document_follows_from_the_bytes_and_all_are_there() {
    let computed = vectors();
    let values = computed["values"].as_object().expect("names and text");
    let quoted: Vec<&str> = section().split('`').skip(1).step_by(2).collect();
    for (name, value) in values {
        let value = value.as_str().expect("text");
        assert!(quoted.contains(&value), "{name} is missing: {value}");
    }
    let hashes = quoted.iter().filter(|text| text.len() >= 40 && text.chars().all(|c| c.is_ascii_hexdigit()));
    for hash in hashes {
        assert!(values.values().any(|value| value == *hash), "{hash} is no value of the example");
    }
}

#[test]
fn the_document_names_the_built_in_chains() {
    for spec in [ChainSpec::dev(), ChainSpec::test()] {
        let row = format!("| `{}` | `{}` |", spec.name(), spec.genesis_hash());
        assert!(DOCUMENT.contains(&row), "{row}");
    }
}
