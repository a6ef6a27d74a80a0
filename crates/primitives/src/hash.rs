//! Names of things: hashes, keys and signatures, each a type of its own over its bytes.

use std::{fmt, str::FromStr};

use crate::{address::Address, tagged::Tag};

/// Why text is not the hex form of a hash, a key or a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// The number of digits is wrong.
    #[error("{expected} hex digits are needed, not {found}")]
    Length {
        /// Two for each byte of the type.
        expected: usize,
        /// What the text has.
        found: usize,
    },
    /// Something in the text is not a hex digit.
    #[error("the text holds something else than hex digits")]
    Digit,
}

/// A type over fixed bytes: its constructors, its order as bytes, and its byte form (the bytes as they are).
macro_rules! fixed_bytes {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// All bytes zero.
            pub const ZERO: Self = Self([0; $length]);

            /// The value with these bytes.
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl $crate::codec::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.0);
            }
        }

        impl $crate::codec::Decode for $name {
            const MIN_BYTES: usize = $length;

            fn decode(reader: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::codec::DecodeError> {
                reader.array().map(Self)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, "{}({})", stringify!($name), hex::encode(self.0))
            }
        }
    };
}
pub(crate) use fixed_bytes;

/// [`fixed_bytes`] that people read and write as hex.
macro_rules! hex_bytes {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        fixed_bytes!($(#[$doc])* $name, $length);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = HexError;

            fn from_str(text: &str) -> Result<Self, HexError> {
                if text.len() != 2 * $length {
                    return Err(HexError::Length { expected: 2 * $length, found: text.len() });
                }
                let mut bytes = [0; $length];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| HexError::Digit)?;
                Ok(Self(bytes))
            }
        }
    };
}

hex_bytes! {
    /// Double SHA-256 of a header. As a big-endian number it is what proof of work is measured on.
    BlockHash, 32
}
hex_bytes! {
    /// Names a transaction by what it does; the signature is left out.
    TxId, 32
}
hex_bytes! {
    /// Hash of a transaction with its signature: what a block commits to.
    WitnessHash, 32
}
hex_bytes! {
    /// What a sender signs: the unsigned transaction bound to one chain.
    SigningDigest, 32
}
hex_bytes! {
    /// Merkle root over the witness hashes of a block.
    MerkleRoot, 32
}
hex_bytes! {
    /// Root of all accounts after a block.
    StateRoot, 32
}
hex_bytes! {
    /// Root of the mountain range over all earlier headers.
    HistoryRoot, 32
}
hex_bytes! {
    /// Where an account stands in the state tree: the hash of its address.
    AccountKey, 32
}
hex_bytes! {
    /// Names a chain spec with all its parameters.
    SpecHash, 32
}
hex_bytes! {
    /// An Ed25519 public key as its bytes; whether they are a point is the signature check's question.
    PublicKey, 32
}
hex_bytes! {
    /// An Ed25519 signature as its bytes.
    Signature, 64
}

impl AccountKey {
    /// The key of an address.
    pub fn of(address: &Address) -> Self {
        Self(Tag::Account.hash(&[address.as_bytes()]))
    }

    /// The key of each address, in order. In a tab several are hashed at once.
    pub fn of_all(addresses: &[Address]) -> Vec<Self> {
        let addresses: Vec<&[u8]> = addresses.iter().map(AsRef::as_ref).collect();
        Tag::Account.hash_all(&addresses).into_iter().map(Self).collect()
    }
}

impl From<AccountKey> for [u8; 32] {
    fn from(key: AccountKey) -> Self {
        key.0
    }
}
