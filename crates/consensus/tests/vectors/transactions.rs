//! `transactions.json`: transactions with all their hashes on the `dev` chain, and bytes that are none.

use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use serde_json::{Value, json};
use tabchain_consensus::ChainSpec;
use tabchain_primitives::{
    AccountNonce, Action, Address, Amount, Anchor, Decode, Encode, Height, Output, PublicKey, Signature,
    Transaction, Transfer, UnsignedTransaction,
};

pub(crate) fn vectors() -> Value {
    let good = [
        ("one output", transfer(&[(7, 1)], ""), 0, 1),
        ("three outputs and a memo", transfer(&[(1, 1), (2, 1_500_000), (1, 300)], "grüße"), 127, 1000),
        ("anchor", anchor("doc", &[0xde, 0xad]), 128, 0),
        ("empty anchor", anchor("t", &[]), u64::MAX, 1),
        ("the most there is", transfer(&[(7, Amount::MAX.units() - 1)], ""), 3, 1),
    ];
    let good = good.map(|(name, action, nonce, fee)| described(name, &signed(action, nonce, fee)));
    json!({ "good": good, "bad": bad() })
}

fn transfer(outputs: &[(u8, u64)], memo: &str) -> Action {
    let output = |(to, units): &(u8, u64)| {
        Output::new(Address::from_bytes([*to; 20]), Amount::from_units(*units).expect("in range"))
            .expect("not zero")
    };
    Action::Transfer(Transfer::new(outputs.iter().map(output).collect(), memo).expect("in bounds"))
}

fn anchor(topic: &str, data: &[u8]) -> Action {
    Action::Anchor(Anchor::new(topic, data.to_vec()).expect("in bounds"))
}

/// Signed by the key whose secret is 32 times 01.
fn signed(action: Action, nonce: u64, fee: u64) -> Transaction {
    let key = SigningKey::from([1; 32]);
    let sender = PublicKey::from_bytes(VerificationKeyBytes::from(&key).into());
    let fee = Amount::from_units(fee).expect("in range");
    let unsigned = UnsignedTransaction::new(sender, AccountNonce::new(nonce), Height::new(100), fee, action);
    let unsigned = unsigned.expect("in range");
    let digest = unsigned.signing_digest(&ChainSpec::dev().genesis_hash());
    unsigned.with_signature(Signature::from_bytes(key.sign(digest.as_bytes()).into()))
}

fn described(name: &str, transaction: &Transaction) -> Value {
    let bytes = transaction.to_bytes();
    assert_eq!(Transaction::from_bytes(&bytes).as_ref(), Ok(transaction));
    json!({
        "name": name,
        "secret_key": hex::encode([1; 32]),
        "bytes": hex::encode(&bytes),
        "nonce": transaction.nonce().to_string(),
        "valid_until": transaction.valid_until().value(),
        "fee": transaction.fee().units(),
        "total": transaction.total().units(),
        "id": transaction.id().to_string(),
        "witness_hash": transaction.witness_hash().to_string(),
        "signing_digest_on_dev": transaction.unsigned().signing_digest(&ChainSpec::dev().genesis_hash()).to_string(),
    })
}

/// Each is a good transaction with one thing changed.
fn bad() -> Vec<Value> {
    let transfer = signed(transfer(&[(7, 1)], "m"), 0, 1).to_bytes();
    let anchor = signed(anchor("t", &[1]), 0, 1).to_bytes();
    let most = signed(self::transfer(&[(7, Amount::MAX.units() - 1)], ""), 0, 1).to_bytes();
    // Version, sender, nonce, valid_until, fee, kind: at 0, 1, 33, 34, 38, 39. Then a count or a topic.
    let changed = |bytes: &[u8], place: usize, value: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.splice(place..=place, value.iter().copied());
        bytes
    };
    let cases = [
        ("unknown version", changed(&transfer, 0, &[2])),
        ("nonce not minimal", changed(&transfer, 33, &[0x80, 0])),
        ("fee above the maximum", changed(&transfer, 38, &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10])),
        ("fee and output above the maximum", changed(&most, 38, &[2])),
        ("unknown action", changed(&transfer, 39, &[2])),
        ("no outputs", changed(&transfer, 40, &[0])),
        ("too many outputs", changed(&transfer, 40, &[0x81, 2])),
        ("output of nothing", changed(&transfer, 61, &[0])),
        ("memo is not UTF-8", changed(&transfer, 63, &[0xff])),
        ("memo too long", changed(&transfer, 62, &[65])),
        ("no topic", changed(&anchor, 40, &[0])),
        ("too much data", changed(&anchor, 42, &[0x81, 2])),
        ("cut", transfer[..transfer.len() - 1].to_vec()),
        ("a byte too many", [transfer.as_slice(), &[0]].concat()),
    ];
    let describe = |(name, bytes): (&str, Vec<u8>)| {
        let error = Transaction::from_bytes(&bytes).expect_err(name);
        json!({ "name": name, "bytes": hex::encode(&bytes), "error": format!("{error:?}") })
    };
    cases.map(describe).to_vec()
}
