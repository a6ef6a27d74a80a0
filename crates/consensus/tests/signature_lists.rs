//! Lists of signatures with bad ones among them, at random.
//!
//! Not in wasm, where the generator of the cases has no source of randomness.
#![cfg(not(target_family = "wasm"))]

use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use proptest::prelude::*;
use tabchain_consensus::{SignatureCheck, SignatureChecks, Verdict, verify_batch, verify_each};
use tabchain_primitives::{Decode, Encode, PublicKey, Signature, SigningDigest};

fn signed(secret: u8, digest: [u8; 32]) -> SignatureCheck {
    let key = SigningKey::from([secret; 32]);
    SignatureCheck {
        key: PublicKey::from_bytes(VerificationKeyBytes::from(&key).into()),
        digest: SigningDigest::from_bytes(digest),
        signature: Signature::from_bytes(key.sign(&digest).into()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The first bad one is named, by both ways.
    #[test]
    fn the_first_bad_signature_is_found(
        secrets in proptest::collection::vec(any::<u8>(), 1..20),
        bad in proptest::collection::btree_map(0_usize..20, 0_usize..128, 0..3),
    ) {
        let mut checks: Vec<_> = secrets.iter().map(|secret| signed(*secret, [*secret ^ 1; 32])).collect();
        for (place, byte) in bad.iter().filter(|(place, _)| **place < secrets.len()) {
            let mut bytes = checks[*place].to_bytes();
            bytes[*byte] ^= 0x10;
            checks[*place] = SignatureCheck::from_bytes(&bytes).expect("any bytes are a check");
        }
        let first = bad.keys().copied().find(|place| *place < secrets.len());
        let expected = first.map_or(Verdict::AllValid, |index| Verdict::Invalid { index });
        let checks = SignatureChecks(checks);
        prop_assert_eq!(verify_each(&checks), expected);
        prop_assert_eq!(verify_batch(&checks, [5; 32]), expected);
        prop_assert_eq!(SignatureChecks::from_bytes(&checks.to_bytes()), Ok(checks));
        prop_assert_eq!(Verdict::from_bytes(&expected.to_bytes()), Ok(expected));
    }
}
