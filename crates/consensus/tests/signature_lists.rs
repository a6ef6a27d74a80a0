//! Lists of signatures with bad ones among them, at random.
//!
//! Not in wasm, where the generator of the cases has no source of randomness.
#![cfg(not(target_family = "wasm"))]

use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use proptest::prelude::*;
use tabchain_consensus::{
    CheckOrder, SignatureCheck, SignatureChecks, Verdict, Verdicts, verify_batch, verify_each,
};
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

    /// Each list gets the verdict that it would get by itself.
    #[test]
    fn lists_that_are_checked_together_do_not_suffer_from_each_other(
        lists in proptest::collection::vec(proptest::collection::vec(any::<(u8, bool)>(), 0..6), 0..6),
    ) {
        let list = |list: &Vec<(u8, bool)>| {
            let sign = |(secret, valid): &(u8, bool)| {
                let mut check = signed(*secret, [*secret; 32]);
                check.digest = SigningDigest::from_bytes([if *valid { *secret } else { !*secret }; 32]);
                check
            };
            SignatureChecks(list.iter().map(sign).collect())
        };
        let order = CheckOrder { seed: [5; 32], lists: lists.iter().map(list).collect() };
        let expected = Verdicts(order.lists.iter().map(verify_each).collect());
        prop_assert_eq!(&order.check(), &expected);
        prop_assert_eq!(Verdicts::from_bytes(&expected.to_bytes()), Ok(expected));
        prop_assert_eq!(CheckOrder::from_bytes(&order.to_bytes()), Ok(order));
    }
}
