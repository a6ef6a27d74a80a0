//! `tests/vectors/wallet.json`: from a phrase to keys, addresses and a sealed keystore; `payments.json`: payment links.
//!
//! Frozen like the vectors of `consensus`: a phrase that people wrote down must give the same accounts for ever, and a
//! link that was printed must ask for the same payment.

use std::{env, fs, path::PathBuf};

use serde_json::{Value, json};
use tabchain_primitives::{Address, AddressPrefix};
use tabchain_wallet::{COIN_TYPE, KeystoreNonce, Mnemonic, PaymentUri, Salt, Wallet};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// One test for each file. The file is part of the test, so that wasm has it too.
macro_rules! frozen {
    ($($name:ident: $vectors:expr,)*) => {$(
        #[test]
        fn $name() {
            let frozen = include_str!(concat!("../../../tests/vectors/", stringify!($name), ".json"));
            check(stringify!($name), frozen, &$vectors);
        }
    )*};
}

frozen! { wallet: wallets(), payments: payment_links(), }

/// Holds a file against what was computed, or writes it when asked to.
fn check(name: &str, frozen: &str, computed: &Value) {
    if env::var_os("TABCHAIN_BLESS").is_some() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
        let text = serde_json::to_string_pretty(computed).expect("a value has a JSON form") + "\n";
        return fs::write(folder.join(name).with_extension("json"), text)
            .expect("the vectors can be written");
    }
    let frozen: Value = frozen.parse().expect("the vectors are JSON");
    assert_eq!(frozen, *computed);
}

fn wallets() -> Value {
    let wallets = [(&[0; 16][..], "correct horse"), (&[0xff; 32][..], "pässwörter")];
    Value::from(wallets.map(|(entropy, passphrase)| described(entropy, passphrase)).to_vec())
}

/// Links for the address of 20 bytes 07 on `dev`, and texts that are none.
fn payment_links() -> Value {
    let prefix: AddressPrefix = "dtab".parse().expect("letters");
    let to = Address::from_bytes([7; 20]).to_bech32(prefix);
    let good = [
        "",
        "?",
        "?amount=1.5",
        "?memo=two%20teas%20%26%20a%20bun%20%E2%98%95",
        "?AMOUNT=0.000001&memo=",
        "?label=shop&&x",
    ]
    .map(|query| format!("tabchain:{to}{query}"));
    let capitals = format!("tabchain:{to}?amount=2").to_uppercase();
    let queries =
        ["?amount=", "?amount=0", "?amount=1e3", "?amount=1&amount=1", "?memo=%FF", "?req-expires=1"];
    let long_memo = format!("tabchain:{to}?memo={}", "m".repeat(65));
    let bad = [String::new(), to.clone(), format!("bitcoin:{to}"), "tabchain:".into(), long_memo];
    let bad = queries.map(|query| format!("tabchain:{to}{query}")).into_iter().chain(bad);
    json!({
        "good": good.into_iter().chain([capitals]).map(|text| read(prefix, &text)).collect::<Vec<_>>(),
        "bad": bad.map(|text| refused(prefix, &text)).collect::<Vec<_>>(),
    })
}

fn read(prefix: AddressPrefix, text: &str) -> Value {
    let payment = PaymentUri::parse(prefix, text).expect("a link");
    let written = payment.to_text(prefix);
    assert_eq!(PaymentUri::parse(prefix, &written).as_ref(), Ok(&payment));
    json!({
        "text": text,
        "address": payment.address.to_bech32(prefix),
        "amount": payment.amount.map(|amount| amount.to_string()),
        "memo": payment.memo,
        "written": written,
    })
}

fn refused(prefix: AddressPrefix, text: &str) -> Value {
    json!({ "text": text, "error": format!("{:?}", PaymentUri::parse(prefix, text).expect_err("no link")) })
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
