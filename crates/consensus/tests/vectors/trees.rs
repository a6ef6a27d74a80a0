//! `trees.json`: tagged hashes, Merkle roots and proofs, state roots.

use serde_json::{Value, json};
use tabchain_primitives::{
    Account, AccountKey, AccountNonce, Address, Amount, Encode, StateRoot,
    merkle::{Proof, root},
    tagged::Tag,
};

pub(crate) fn vectors() -> Value {
    json!({
        "tagged": Tag::ALL.map(tagged),
        "merkle_roots": (0..=9).map(merkle_root).collect::<Vec<_>>(),
        "merkle_proofs": (0..7).map(|index| merkle_proof(7, index)).collect::<Vec<_>>(),
        "state_roots": (0..=4).map(state_root).collect::<Vec<_>>(),
    })
}

fn tagged(tag: Tag) -> Value {
    json!({ "tag": tag.name(), "of_nothing": hex::encode(tag.hash(&[])), "of_abc": hex::encode(tag.hash(&[b"abc"])) })
}

/// Item i is 32 bytes of i.
fn items(count: u8) -> Vec<[u8; 32]> {
    (0..count).map(|number| [number; 32]).collect()
}

fn merkle_root(count: u8) -> Value {
    json!({ "items": items(count).iter().map(hex::encode).collect::<Vec<_>>(), "root": hex::encode(root(items(count))) })
}

fn merkle_proof(count: u8, index: u8) -> Value {
    let items = items(count);
    let proof = Proof::of(&items, index.into()).expect("within the list");
    let (item, root) = (items[usize::from(index)], root(items));
    assert!(proof.verify(&root, &item));
    json!({ "root": hex::encode(root), "item": hex::encode(item), "proof": hex::encode(proof.to_bytes()) })
}

/// Account i has address i + 1 twenty times, nonce i, and 1000 * i base units: so the first one is not there.
fn state_root(count: u8) -> Value {
    let account = |number: u8| {
        let balance = Amount::from_units(1000 * u64::from(number)).expect("in range");
        (Address::from_bytes([number + 1; 20]), Account { nonce: AccountNonce::new(number.into()), balance })
    };
    let accounts: Vec<_> = (0..count).map(account).collect();
    let root = StateRoot::of_accounts(accounts.iter().map(|(address, account)| (address, account)));
    let described = accounts.iter().map(|(address, account)| {
        let key = AccountKey::of(address);
        json!({
            "address": hex::encode(address.as_bytes()),
            "nonce": account.nonce.value(),
            "balance": account.balance.units(),
            "bytes": hex::encode(account.to_bytes()),
            "key": hex::encode(key.as_bytes()),
            "leaf": hex::encode(account.leaf(&key)),
        })
    });
    json!({ "accounts": described.collect::<Vec<_>>(), "root": root.to_string() })
}
