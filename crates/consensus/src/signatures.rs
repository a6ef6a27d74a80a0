//! Signature checks as values: what is to be checked goes out, a verdict comes back.
//!
//! Ed25519 under the ZIP-215 rules (T5): any encoding of a point is a key, small order or not, and the equation is
//! checked with the cofactor. Under these rules a batch says yes exactly if every single check would, so a node that
//! batches and a node that doesn't can never disagree about a block.

use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
use ed25519_zebra::{Signature as ZebraSignature, VerificationKey, VerificationKeyBytes, batch};
use tabchain_primitives::{
    Decode, DecodeError, Encode, MAX_BLOCK_TRANSACTIONS, PublicKey, Signature, SigningDigest,
    codec::{Reader, write_list, write_varint},
    tagged::tagged_hash,
};

use crate::transaction_rules::TransactionError;

/// One signature to be checked. It has a byte form, to be sent to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureCheck {
    /// Who is said to have signed.
    pub key: PublicKey,
    /// What is said to be signed.
    pub digest: SigningDigest,
    /// The signature.
    pub signature: Signature,
}

/// The signatures of one block, or of one transaction, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureChecks(pub Vec<SignatureCheck>);

/// What came of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every signature is valid.
    AllValid,
    /// This one is not; the ones before it are.
    Invalid {
        /// Its place in the list.
        index: usize,
    },
}

/// Rule T5: the signature is valid for the sender's key over the signing digest.
pub fn signature_is_valid(check: &SignatureCheck) -> Result<(), TransactionError> {
    VerificationKey::try_from(*check.key.as_bytes())
        .and_then(|key| key.verify(&check.zebra_signature(), check.digest.as_bytes()))
        .map_err(|_| TransactionError::BadSignature)
}

/// Asks [`signature_is_valid`] of one after the other.
pub fn verify_each(checks: &SignatureChecks) -> Verdict {
    match checks.0.iter().position(|check| signature_is_valid(check).is_err()) {
        None => Verdict::AllValid,
        Some(index) => Verdict::Invalid { index },
    }
}

/// Asks [`signature_is_valid`] of all at once, about twice as fast; if one is bad, finds it by asking of each.
///
/// The batch equation is weighed with random numbers. They come from `seed` and from everything that is checked, so
/// a signer can't fit signatures to them even if the seed is known.
pub fn verify_batch(checks: &SignatureChecks, seed: [u8; 32]) -> Verdict {
    if batch_is_valid(checks, seed) { Verdict::AllValid } else { verify_each(checks) }
}

/// Whether the batch equation holds: then every signature is valid, and else one is not.
pub(crate) fn batch_is_valid(checks: &SignatureChecks, seed: [u8; 32]) -> bool {
    let mut batch = batch::Verifier::new();
    for check in &checks.0 {
        let key = VerificationKeyBytes::from(*check.key.as_bytes());
        batch.queue((key, check.zebra_signature(), check.digest.as_bytes()));
    }
    let weights = tagged_hash("tabchain/batch", &[&seed, &checks.to_bytes()]);
    batch.verify(ChaCha20Rng::from_seed(weights)).is_ok()
}

impl SignatureCheck {
    fn zebra_signature(&self) -> ZebraSignature {
        ZebraSignature::from_bytes(self.signature.as_bytes())
    }
}

impl Encode for SignatureCheck {
    fn encode(&self, out: &mut Vec<u8>) {
        self.key.encode(out);
        self.digest.encode(out);
        self.signature.encode(out);
    }
}

impl Decode for SignatureCheck {
    const MIN_BYTES: usize = 32 + 32 + 64;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            key: Decode::decode(reader)?,
            digest: Decode::decode(reader)?,
            signature: Decode::decode(reader)?,
        })
    }
}

impl Encode for SignatureChecks {
    fn encode(&self, out: &mut Vec<u8>) {
        write_list(out, &self.0);
    }
}

impl Decode for SignatureChecks {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.list(0..=MAX_BLOCK_TRANSACTIONS).map(Self)
    }
}

impl Encode for Verdict {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::AllValid => out.push(0),
            Self::Invalid { index } => {
                out.push(1);
                write_varint(out, *index as u64);
            }
        }
    }
}

impl Decode for Verdict {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            0 => Ok(Self::AllValid),
            1 => Ok(Self::Invalid { index: reader.length(&(0..=MAX_BLOCK_TRANSACTIONS - 1))? }),
            kind => Err(DecodeError::UnknownKind { of: "verdict", kind }),
        }
    }
}
