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
        Self::from_bytes(&derive(seed, &[44, COIN_TYPE, account.value(), 0]))
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

/// The secret key at a path of hardened indexes, each below 2^31.
fn derive(seed: &[u8], path: &[u32]) -> Zeroizing<[u8; 32]> {
    let (mut key, mut chain_code) = hmac(b"ed25519 seed", &[seed]);
    for index in path {
        let hardened = (index | 1 << 31).to_be_bytes();
        (key, chain_code) = hmac(&*chain_code, &[&[0], &*key, &hardened]);
    }
    key
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
    use super::*;

    /// Both Ed25519 vectors of SLIP-10: seed, then secret and public key at each step of the path.
    #[test]
    fn official_slip10_vectors() {
        let first = (
            "000102030405060708090a0b0c0d0e0f",
            [0, 1, 2, 2, 1_000_000_000],
            [
                (
                    "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7",
                    "a4b2856bfec510abab89753fac1ac0e1112364e7d250545963f135f2a33188ed",
                ),
                (
                    "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3",
                    "8c8a13df77a28f3445213a0f432fde644acaa215fc72dcdf300d5efaa85d350c",
                ),
                (
                    "b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2",
                    "1932a5270f335bed617d5b935c80aedb1a35bd9fc1e31acafd5372c30f5c1187",
                ),
                (
                    "92a5b23c0b8a99e37d07df3fb9966917f5d06e02ddbd909c7e184371463e9fc9",
                    "ae98736566d30ed0e9d2f4486a64bc95740d89c7db33f52121f8ea8f76ff0fc1",
                ),
                (
                    "30d1dc7e5fc04c31219ab25a27ae00b50f6fd66622f6e9c913253d6511d1e662",
                    "8abae2d66361c879b900d204ad2cc4984fa2aa344dd7ddc46007329ac76c429c",
                ),
                (
                    "8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793",
                    "3c24da049451555d51a7014a37337aa4e12d41e485abccfa46b47dfb2af54b7a",
                ),
            ],
        );
        let second = (
            "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542",
            [0, 2_147_483_647, 1, 2_147_483_646, 2],
            [
                (
                    "171cb88b1b3c1db25add599712e36245d75bc65a1a5c9e18d76f9f2b1eab4012",
                    "8fe9693f8fa62a4305a140b9764c5ee01e455963744fe18204b4fb948249308a",
                ),
                (
                    "1559eb2bbec5790b0c65d8693e4d0875b1747f4970ae8b650486ed7470845635",
                    "86fab68dcb57aa196c77c5f264f215a112c22a912c10d123b0d03c3c28ef1037",
                ),
                (
                    "ea4f5bfe8694d8bb74b7b59404632fd5968b774ed545e810de9c32a4fb4192f4",
                    "5ba3b9ac6e90e83effcd25ac4e58a1365a9e35a3d3ae5eb07b9e4d90bcf7506d",
                ),
                (
                    "3757c7577170179c7868353ada796c839135b3d30554bbb74a4b1e4a5a58505c",
                    "2e66aa57069c86cc18249aecf5cb5a9cebbfd6fadeab056254763874a9352b45",
                ),
                (
                    "5837736c89570de861ebc173b1086da4f505d4adb387c6a1b1342d5e4ac9ec72",
                    "e33c0f7d81d843c572275f287498e8d408654fdf0d1e065b84e2e6f157aab09b",
                ),
                (
                    "551d333177df541ad876a60ea71f00447931c0a9da16f227c11ea080d7391b8d",
                    "47150c75db263559a70d5778bf36abbab30fb061ad69f69ece61a72b0cfa4fc0",
                ),
            ],
        );
        for (seed, path, steps) in [first, second] {
            let seed = hex::decode(seed).expect("hex");
            for (depth, (secret, public)) in steps.into_iter().enumerate() {
                let key = derive(&seed, &path[..depth]);
                assert_eq!(hex::encode(*key), secret, "at depth {depth}");
                assert_eq!(SecretKey::from_bytes(&key).public_key().to_string(), public, "at depth {depth}");
            }
        }
    }

    /// The first three vectors of RFC 8032, and its SHA(abc) one: secret key, public key, message, signature.
    #[test]
    fn official_rfc8032_vectors() {
        let vectors = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
            (
                "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
                "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
                "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
            ),
        ];
        for (secret, public, message, signature) in vectors {
            let secret = *secret.parse::<PublicKey>().expect("hex").as_bytes();
            let key = SecretKey::from_bytes(&secret);
            assert_eq!(key.public_key().to_string(), public);
            let signed: [u8; 64] = key.0.sign(&hex::decode(message).expect("hex")).into();
            assert_eq!(hex::encode(signed), signature);
        }
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(format!("{:?}", SecretKey::from_bytes(&[1; 32])), "SecretKey(..)");
    }
}
