//! `codec.json`: varints, amounts and addresses, good and bad.

use serde_json::{Value, json};
use tabchain_primitives::{
    Address, Amount, PublicKey,
    codec::{Reader, write_varint},
};

pub(crate) fn vectors() -> Value {
    let varints =
        [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), (1 << 53) - 1, 1 << 53, u64::MAX];
    let bad_varints = [
        "",
        "80",
        "8000",
        "ff8000",
        "80808080808080808000",
        "ffffffffffffffffff02",
        "ffffffffffffffffffff01",
    ];
    let amounts = [0, 1, 999_999, 1_000_000, 1_500_000, 10_000_010, Amount::MAX.units()];
    let bad_amounts = ["", ".", "1.", "-1", "+1", "1e3", "1,5", " 1", "0.0000001", "9007199254.740992"];
    let keys = [[0; 32], [1; 32], [0xff; 32]];
    json!({
        "varints": varints.map(varint),
        "bad_varints": bad_varints.map(bad_varint),
        "amounts": amounts.map(amount),
        "bad_amounts": bad_amounts.map(bad_amount),
        "addresses": keys.map(address),
        "bad_addresses": bad_addresses(),
    })
}

/// Numbers are text: JavaScript can't hold them all.
fn varint(value: u64) -> Value {
    let mut bytes = Vec::new();
    write_varint(&mut bytes, value);
    json!({ "value": value.to_string(), "bytes": hex::encode(bytes) })
}

fn bad_varint(digits: &str) -> Value {
    let bytes: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|place| u8::from_str_radix(&digits[place..place + 2], 16).expect("hex"))
        .collect();
    let error = Reader::new(&bytes).varint().expect_err("no varint");
    json!({ "bytes": digits, "error": format!("{error:?}") })
}

fn amount(units: u64) -> Value {
    let amount = Amount::from_units(units).expect("in range");
    json!({ "units": units.to_string(), "text": amount.to_string() })
}

fn bad_amount(text: &str) -> Value {
    json!({ "text": text, "error": format!("{:?}", text.parse::<Amount>().expect_err("no amount")) })
}

fn address(key: [u8; 32]) -> Value {
    let address = Address::of(&PublicKey::from_bytes(key));
    let text = ["tab", "ttab", "dtab"].map(|prefix| address.to_bech32(prefix.parse().expect("letters")));
    json!({ "public_key": hex::encode(key), "address": hex::encode(address.as_bytes()), "text": text })
}

/// Texts that are no address with the prefix `dtab`.
fn bad_addresses() -> Vec<Value> {
    let prefix = "dtab".parse().expect("letters");
    let good = Address::of(&PublicKey::ZERO).to_bech32(prefix);
    let elsewhere = Address::of(&PublicKey::ZERO).to_bech32("ttab".parse().expect("letters"));
    let mut mixed = good.clone();
    mixed.replace_range(..1, "D");
    let mut mistyped = good.clone();
    mistyped.replace_range(5..6, if good[5..].starts_with('q') { "p" } else { "q" });
    let short = &good[..good.len() - 1];
    let segwit = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    [elsewhere.as_str(), &mixed, &mistyped, short, segwit, ""]
        .map(|text| {
            let error = Address::parse(prefix, text).expect_err("no address");
            json!({ "text": text, "error": format!("{error:?}") })
        })
        .to_vec()
}
