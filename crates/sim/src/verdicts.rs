//! Signature checks, done once for everybody: a thousand nodes ask about the same signatures, and a verdict depends on nothing
//! but what is checked.
//!
//! Bounds: at most [`MAX_KNOWN`] verdicts are remembered.

use std::collections::HashMap;

use tabchain_consensus::{SignatureCheck, SignatureChecks, Verdict, verify_each};

/// The most verdicts remembered.
const MAX_KNOWN: usize = 1 << 20;

type Key = [u8; 128];

/// What is known of signatures.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    known: HashMap<Key, bool>,
}

impl Verdicts {
    /// Whether all are valid, or which is the first that is not.
    pub(crate) fn of(&mut self, checks: &SignatureChecks) -> Verdict {
        let invalid = checks.0.iter().position(|check| !self.is_valid(check));
        invalid.map_or(Verdict::AllValid, |index| Verdict::Invalid { index })
    }

    fn is_valid(&mut self, check: &SignatureCheck) -> bool {
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        let verify = || verify_each(&SignatureChecks(vec![*check])) == Verdict::AllValid;
        *self.known.entry(key(check)).or_insert_with(verify)
    }
}

fn key(check: &SignatureCheck) -> Key {
    let mut key = [0; 128];
    key[..32].copy_from_slice(check.key.as_bytes());
    key[32..64].copy_from_slice(check.digest.as_bytes());
    key[64..].copy_from_slice(check.signature.as_bytes());
    key
}
