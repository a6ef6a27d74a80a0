//! Signatures at the edges of ZIP-215: single and batch checks give the same verdict.

use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
use ed25519_zebra::{Signature as ZebraSignature, SigningKey, VerificationKey, VerificationKeyBytes, batch};
use tabchain_consensus::{SignatureCheck, SignatureChecks, Verdict, verify_batch, verify_each};
use tabchain_primitives::{PublicKey, Signature, SigningDigest};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

const SEED: [u8; 32] = [5; 32];

/// 2^255 - 19, little endian.
const P: [u8; 32] = {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed;
    bytes[31] = 0x7f;
    bytes
};

/// The order of the base point, little endian: a signature's second half is below it.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Every encoding of a point of small order: eight canonical ones, and six that RFC 8032 would not write.
fn small_order_encodings() -> Vec<[u8; 32]> {
    let order_eight_y = [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ]
    .map(|digits| *digits.parse::<PublicKey>().expect("hex").as_bytes());
    let small = |value: u8| {
        let mut bytes = [0; 32];
        bytes[0] = value;
        bytes
    };
    let near_p = |offset: i8| {
        let mut bytes = P;
        bytes[0] = bytes[0].wrapping_add_signed(offset);
        bytes
    };
    // y = 0, 1, -1 and the two of order eight; then 0 and 1 once more as p and p + 1. Each with either sign of x.
    let ys = [small(0), small(1), near_p(-1), order_eight_y[0], order_eight_y[1], near_p(0), near_p(1)];
    let mut encodings = ys.to_vec();
    encodings.extend(ys.map(|mut bytes| {
        bytes[31] |= 0x80;
        bytes
    }));
    encodings
}

fn check(key: [u8; 32], r: [u8; 32], s: [u8; 32], digest: [u8; 32]) -> SignatureCheck {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(&s);
    SignatureCheck {
        key: PublicKey::from_bytes(key),
        digest: SigningDigest::from_bytes(digest),
        signature: Signature::from_bytes(signature),
    }
}

fn signed(secret: u8, digest: [u8; 32]) -> SignatureCheck {
    let key = SigningKey::from([secret; 32]);
    SignatureCheck {
        key: PublicKey::from_bytes(VerificationKeyBytes::from(&key).into()),
        digest: SigningDigest::from_bytes(digest),
        signature: Signature::from_bytes(key.sign(&digest).into()),
    }
}

/// The verdict of both ways, which must be one.
fn verdict(checks: Vec<SignatureCheck>) -> Verdict {
    let checks = SignatureChecks(checks);
    let single = verify_each(&checks);
    assert_eq!(verify_batch(&checks, SEED), single);
    single
}

/// With s = 0, the equation with its cofactor holds for all of them, whatever is signed.
#[test]
fn small_order_keys_are_valid_under_zip215() {
    let encodings = small_order_encodings();
    assert_eq!(encodings.len(), 14);
    let mut all = Vec::new();
    for key in &encodings {
        for r in &encodings {
            let check = check(*key, *r, [0; 32], *b"what is signed does not matter..");
            assert_eq!(verdict(vec![check]), Verdict::AllValid, "key {key:02x?}, r {r:02x?}");
            all.push(check);
        }
    }
    assert_eq!(verdict(all.clone()), Verdict::AllValid);
    // One honest signature among them, and one that is not.
    all.push(signed(1, [1; 32]));
    assert_eq!(verdict(all.clone()), Verdict::AllValid);
    let mut forged = signed(2, [2; 32]);
    forged.digest = SigningDigest::from_bytes([3; 32]);
    all.insert(100, forged);
    assert_eq!(verdict(all), Verdict::Invalid { index: 100 });
}

/// The published cases of ZIP-215: every pair of small-order encodings as key and R, with s = 0, over "Zcash".
#[test]
fn the_196_cases_of_zip215_are_valid_alone_and_together() {
    let (message, mut together) = (b"Zcash", batch::Verifier::new());
    for key in small_order_encodings() {
        for r in small_order_encodings() {
            let signature = ZebraSignature::from_components(r, [0; 32]);
            let verified = VerificationKey::try_from(key).and_then(|key| key.verify(&signature, message));
            assert_eq!(verified, Ok(()), "key {key:02x?}, r {r:02x?}");
            together.queue((VerificationKeyBytes::from(key), signature, message));
        }
    }
    assert_eq!(together.verify(ChaCha20Rng::from_seed(SEED)), Ok(()));
}

#[test]
fn small_order_keys_with_another_s_are_not() {
    let mut one = [0; 32];
    one[0] = 1;
    for key in small_order_encodings() {
        assert_eq!(verdict(vec![check(key, key, one, [0; 32])]), Verdict::Invalid { index: 0 });
    }
}

/// Adding the order to s gives another signature of the same meaning: refused, so nobody can make one.
#[test]
fn malleated_signatures_are_refused() {
    let good = signed(1, [9; 32]);
    assert_eq!(verdict(vec![good]), Verdict::AllValid);
    let mut bytes = *good.signature.as_bytes();
    let mut carry = 0_u16;
    for (byte, add) in bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    let malleated = SignatureCheck { signature: Signature::from_bytes(bytes), ..good };
    assert_eq!(verdict(vec![good, malleated]), Verdict::Invalid { index: 1 });
    // s = order is zero written otherwise.
    let encoding = small_order_encodings()[0];
    assert_eq!(verdict(vec![check(encoding, encoding, ORDER, [0; 32])]), Verdict::Invalid { index: 0 });
}

#[test]
fn keys_that_are_no_points_are_refused() {
    let mut no_point = [0; 32];
    no_point[0] = 2;
    let good = signed(1, [9; 32]);
    let bad_key = SignatureCheck { key: PublicKey::from_bytes(no_point), ..good };
    assert_eq!(verdict(vec![bad_key]), Verdict::Invalid { index: 0 });
    let bad_r = check(*good.key.as_bytes(), no_point, [0; 32], [9; 32]);
    assert_eq!(verdict(vec![good, good, bad_r]), Verdict::Invalid { index: 2 });
}

#[test]
fn nothing_to_check_is_valid() {
    assert_eq!(verdict(vec![]), Verdict::AllValid);
}
