//! From a seed to keys: SLIP-10 for Ed25519, along `m/44'/COIN_TYPE'/account'/0'`.

use std::fmt;

use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use tabchain_primitives::{Address, BlockHash, PublicKey, Signature, Transaction, UnsignedTransaction};
use zeroize::{Zeroize, Zeroizing};

use crate::wallet::AccountIndex;

/// The coin in the derivation path: the letters "TAB" as a number. It is not registered in SLIP-44.
pub const COIN_TYPE: u32 = 0x0054_4142;

/// The secret key of one account. Wiped when it is dropped.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<SigningKey>);

impl SecretKey {
    /// The key with these 32 secret bytes (RFC 8032).
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        Self(Zeroizing::new(SigningKey::from_bytes(secret)))
    }

    /// The key of an account of the seed.
    pub(crate) fn derive(seed: &[u8], account: AccountIndex) -> Self {
        let (key, _) = node_at(seed, &[44, COIN_TYPE, account.value(), 0]);
        Self::from_bytes(&key)
    }

    /// The public key that goes with it.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(VerificationKeyBytes::from(&*self.0).into())
    }

    /// The address of the public key.
    pub fn address(&self) -> Address {
        Address::of(&self.public_key())
    }

    /// Signs a transaction of this key for the chain with this genesis.
    pub fn sign(&self, unsigned: UnsignedTransaction, genesis: &BlockHash) -> Transaction {
        let signature = self.0.sign(unsigned.signing_digest(genesis).as_bytes());
        unsigned.with_signature(Signature::from_bytes(signature.into()))
    }
}

/// Without the key.
impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// The secret key and the chain code at a path of hardened indexes, each below 2^31.
fn node_at(seed: &[u8], path: &[u32]) -> (Half, Half) {
    let (mut key, mut chain_code) = hmac(b"ed25519 seed", &[seed]);
    for index in path {
        let hardened = (index | 1 << 31).to_be_bytes();
        (key, chain_code) = hmac(&*chain_code, &[&[0], &*key, &hardened]);
    }
    (key, chain_code)
}

type Half = Zeroizing<[u8; 32]>;

/// HMAC-SHA512, as its two halves.
fn hmac(key: &[u8], parts: &[&[u8]]) -> (Half, Half) {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("any length is a key");
    for part in parts {
        mac.update(part);
    }
    let mut output: [u8; 64] = mac.finalize().into_bytes().into();
    let mut halves = (Half::default(), Half::default());
    halves.0.copy_from_slice(&output[..32]);
    halves.1.copy_from_slice(&output[32..]);
    output.zeroize();
    halves
}

#[cfg(test)]
mod tests {
    use ed25519_zebra::VerificationKey;
    use serde::Deserialize;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[derive(Deserialize)]
    struct Slip10 {
        seed: String,
        steps: Vec<Step>,
    }

    #[derive(Deserialize)]
    struct Step {
        path: String,
        chain_code: String,
        secret_key: String,
        public_key: String,
    }

    #[derive(Deserialize)]
    struct Rfc8032 {
        name: String,
        secret_key: String,
        public_key: String,
        message: String,
        signature: String,
    }

    /// `m/0'/1'` as 0, 1.
    fn indexes(path: &str) -> Vec<u32> {
        let hardened = |step: &str| step.strip_suffix('\'').and_then(|index| index.parse().ok());
        path.split('/').skip(1).map(|step| hardened(step).expect("hardened")).collect()
    }

    /// Both chains that SLIP-10 gives for Ed25519, every step of them.
    #[test]
    fn official_slip10_vectors() {
        let vectors = include_str!("../../../tests/vectors/official/slip10.json");
        let chains: Vec<Slip10> = serde_json::from_str(vectors).expect("the vectors are JSON");
        assert_eq!(chains.iter().map(|chain| chain.steps.len()).collect::<Vec<_>>(), [6, 6]);
        for Slip10 { seed, steps } in chains {
            let seed = hex::decode(seed).expect("hex");
            for Step { path, chain_code, secret_key, public_key } in steps {
                let (key, code) = node_at(&seed, &indexes(&path));
                assert_eq!((hex::encode(*key), hex::encode(*code)), (secret_key, chain_code), "{path}");
                assert_eq!(SecretKey::from_bytes(&key).public_key().to_string(), public_key, "{path}");
            }
        }
    }

    /// All vectors of RFC 8032, section 7.1: the key, the signature byte for byte, and that it is valid.
    #[test]
    fn official_rfc8032_vectors() {
        let vectors = include_str!("../../../tests/vectors/official/rfc8032.json");
        let vectors: Vec<Rfc8032> = serde_json::from_str(vectors).expect("the vectors are JSON");
        let names = vectors.iter().map(|vector| vector.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["TEST 1", "TEST 2", "TEST 3", "TEST 1024", "TEST SHA(abc)"]);
        for Rfc8032 { name, secret_key, public_key, message, signature } in vectors {
            let mut secret = [0; 32];
            hex::decode_to_slice(secret_key, &mut secret).expect("32 bytes of hex");
            let key = SecretKey::from_bytes(&secret);
            assert_eq!(key.public_key().to_string(), public_key, "{name}");
            let mut message = hex::decode(message).expect("hex");
            let signed = key.0.sign(&message);
            assert_eq!(hex::encode(<[u8; 64]>::from(signed)), signature, "{name}");
            let public = VerificationKey::try_from(*key.public_key().as_bytes()).expect("a point");
            assert!(public.verify(&signed, &message).is_ok(), "{name}");
            message.push(0);
            assert!(public.verify(&signed, &message).is_err(), "{name}, and a byte more");
        }
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(format!("{:?}", SecretKey::from_bytes(&[1; 32])), "SecretKey(..)");
    }
}
