//! `tests/vectors/wallet.json`: from a phrase to keys, addresses and a sealed keystore.
//!
//! Frozen like the vectors of `consensus`: a phrase that people wrote down must give the same accounts for ever.

use std::{env, fs, path::PathBuf};

use serde_json::{Value, json};
use tabchain_wallet::{COIN_TYPE, KeystoreNonce, Mnemonic, Salt, Wallet};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// The file is part of the test, so that wasm has it too.
const FROZEN: &str = include_str!("../../../tests/vectors/wallet.json");

#[test]
fn wallet() {
    let wallets = [(&[0; 16][..], "correct horse"), (&[0xff; 32][..], "pässwörter")];
    let computed = Value::from(wallets.map(|(entropy, passphrase)| described(entropy, passphrase)).to_vec());
    if env::var_os("TABCHAIN_BLESS").is_some() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/wallet.json");
        let text = serde_json::to_string_pretty(&computed).expect("a value has a JSON form") + "\n";
        return fs::write(path, text).expect("the vectors can be written");
    }
    let frozen: Value = FROZEN.parse().expect("the vectors are JSON");
    assert_eq!(frozen, computed);
}

fn described(entropy: &[u8], passphrase: &str) -> Value {
    let mnemonic = Mnemonic::from_entropy(entropy).expect("a good length");
    let mut wallet = Wallet::create(mnemonic, passphrase, Salt([1; 16])).expect("long enough");
    wallet.add_account().expect("few");
    let accounts = wallet.accounts().iter().map(|account| {
        json!({
            "path": format!("m/44'/{COIN_TYPE}'/{}'/0'", account.index.value()),
            "public_key": account.public_key.to_string(),
            "address_on_dev": account.address.to_bech32("dtab".parse().expect("letters")),
        })
    });
    let keystore = wallet.seal(KeystoreNonce([2; 24]));
    let again = Wallet::unlock(&keystore, passphrase).expect("the same passphrase");
    assert_eq!(again.accounts(), wallet.accounts());
    json!({
        "entropy": hex::encode(entropy),
        "phrase": wallet.mnemonic().phrase().as_str(),
        "accounts": accounts.collect::<Vec<_>>(),
        "passphrase": passphrase,
        "salt": hex::encode([1; 16]),
        "nonce": hex::encode([2; 24]),
        "keystore": hex::encode(keystore),
    })
}
