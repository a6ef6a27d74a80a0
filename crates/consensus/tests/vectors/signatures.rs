//! `signatures.json`: the edges of ZIP-215.

use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use serde_json::{Value, json};
use tabchain_consensus::{SignatureCheck, SignatureChecks, Verdict, verify_batch, verify_each};
use tabchain_primitives::{PublicKey, Signature, SigningDigest};

/// Every encoding of a point of small order, canonical or not.
const SMALL_ORDER: [&str; 14] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

/// The order of the group, little endian.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// On no curve: y = 2.
const NO_POINT: &str = "0200000000000000000000000000000000000000000000000000000000000000";

pub(crate) fn vectors() -> Value {
    let mut cases = Vec::new();
    for key in SMALL_ORDER {
        for r in SMALL_ORDER {
            cases.push(case("small order", key, &format!("{r}{ZERO}")));
        }
    }
    cases.push(case("s is the order", SMALL_ORDER[0], &format!("{}{ORDER}", SMALL_ORDER[0])));
    cases.push(case("the key is no point", NO_POINT, &format!("{}{ZERO}", SMALL_ORDER[0])));
    cases.push(case("R is no point", SMALL_ORDER[0], &format!("{NO_POINT}{ZERO}")));
    let secret = SigningKey::from([1; 32]);
    let key = hex::encode(<[u8; 32]>::from(VerificationKeyBytes::from(&secret)));
    let signature: [u8; 64] = secret.sign(&DIGEST).into();
    cases.push(case("honest", &key, &hex::encode(signature)));
    let mut flipped = signature;
    flipped[63] ^= 1;
    cases.push(case("one bit flipped", &key, &hex::encode(flipped)));
    Value::Array(cases)
}

const DIGEST: [u8; 32] = [0xd1; 32];

fn case(name: &str, key: &str, signature: &str) -> Value {
    let check = SignatureCheck {
        key: key.parse::<PublicKey>().expect("hex"),
        digest: SigningDigest::from_bytes(DIGEST),
        signature: signature.parse::<Signature>().expect("hex"),
    };
    let checks = SignatureChecks(vec![check]);
    let verdict = verify_each(&checks);
    assert_eq!(verify_batch(&checks, [0; 32]), verdict);
    json!({
        "name": name,
        "public_key": key,
        "digest": hex::encode(DIGEST),
        "signature": signature,
        "valid": verdict == Verdict::AllValid,
    })
}
