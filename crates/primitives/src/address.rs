//! Addresses: who is paid, as twenty bytes and as bech32m text (BIP-350).

use std::{fmt, str::FromStr};

use bech32::{Bech32m, Hrp, primitives::decode::CheckedHrpstring};

use crate::{
    hash::{PublicKey, fixed_bytes},
    tagged::Tag,
};

fixed_bytes! {
    /// The first twenty bytes of a tagged hash of a public key.
    ///
    /// Its text form belongs to a chain: see [`Address::to_bech32`].
    #[derive(Default)]
    Address, 20
}

/// Why text is not an address of this chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A prefix is 1 to 16 of `a-z0-9`.
    #[error("an address prefix is 1 to 16 letters and digits")]
    Prefix,
    /// The text is an address of another chain.
    #[error("the address belongs to another chain: it starts with \"{found}\", not \"{expected}\"")]
    OtherChain {
        /// This chain's prefix.
        expected: AddressPrefix,
        /// The prefix of the text.
        found: AddressPrefix,
    },
    /// Not bech32m: mistyped, cut or something else altogether.
    #[error("this is not an address: the checksum does not match")]
    Checksum,
    /// Bech32m of something that has not twenty bytes.
    #[error("this is not an address: its length is wrong")]
    Length,
}

/// What addresses of a chain begin with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AddressPrefix {
    /// The text, then zeros, which no prefix holds.
    padded: [u8; Self::MAX_BYTES],
}

impl Address {
    /// How many bytes an address has.
    pub const BYTES: usize = 20;

    /// The address of a public key.
    pub fn of(key: &PublicKey) -> Self {
        Self::beginning(&Tag::Address.hash(&[key.as_bytes()]))
    }

    /// The address of each public key, in order. In a tab several are hashed at once.
    pub fn of_all<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> Vec<Self> {
        let keys: Vec<&[u8]> = keys.into_iter().map(AsRef::as_ref).collect();
        Tag::Address.hash_all(&keys).iter().map(Self::beginning).collect()
    }

    fn beginning(hash: &[u8; 32]) -> Self {
        Self::from_bytes(*hash.first_chunk().expect("a hash is longer than an address"))
    }

    /// The address as people write it on the chain with this prefix.
    pub fn to_bech32(&self, prefix: AddressPrefix) -> String {
        bech32::encode::<Bech32m>(prefix.hrp(), self.as_bytes())
            .expect("36 symbols are within bech32m's 1023")
    }

    /// Reads an address of the chain with this prefix.
    pub fn parse(prefix: AddressPrefix, text: &str) -> Result<Self, AddressError> {
        let parsed = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| AddressError::Checksum)?;
        if parsed.hrp() != prefix.hrp() {
            let found = AddressPrefix::from_str(&parsed.hrp().to_lowercase())?;
            return Err(AddressError::OtherChain { expected: prefix, found });
        }
        // Twenty bytes are exactly 32 symbols: no bits of padding, so no second text of the same address.
        if parsed.data_part_ascii_no_checksum().len() != Self::BYTES * 8 / 5 {
            return Err(AddressError::Length);
        }
        let bytes: Vec<u8> = parsed.byte_iter().collect();
        bytes.try_into().map(Self::from_bytes).map_err(|_| AddressError::Length)
    }
}

impl AddressPrefix {
    /// How long a prefix can be.
    const MAX_BYTES: usize = 16;

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        let length = self.padded.iter().position(|byte| *byte == 0).unwrap_or(Self::MAX_BYTES);
        std::str::from_utf8(&self.padded[..length]).expect("letters and digits are text")
    }

    fn hrp(&self) -> Hrp {
        Hrp::parse_unchecked(self.as_str())
    }
}

impl FromStr for AddressPrefix {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !(1..=Self::MAX_BYTES).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err(AddressError::Prefix);
        }
        let mut padded = [0; Self::MAX_BYTES];
        padded[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { padded })
    }
}

impl fmt::Display for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AddressPrefix({})", self.as_str())
    }
}
