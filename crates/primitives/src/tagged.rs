//! Tagged hashes (after BIP-340): the same bytes hashed as different things give different hashes.
//!
//! `tagged(tag, m) = sha256(sha256(tag) || sha256(tag) || m)`. The two tag hashes fill exactly one SHA-256 block, so
//! the state after them is computed once per tag, and each hash begins there.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::sha256::Begun;

/// What is being hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// An unsigned transaction, for its id.
    Tx,
    /// An unsigned transaction, to be signed.
    Sign,
    /// A signed transaction.
    Wtx,
    /// A public key, for its address.
    Address,
    /// An address, for its place in the state.
    Account,
    /// A leaf of a Merkle tree.
    Leaf,
    /// Two halves of a Merkle tree.
    Node,
    /// An account with its key: a leaf of the state.
    State,
    /// A chain spec.
    Spec,
}

impl Tag {
    /// Every tag, in the order of declaration.
    pub const ALL: [Self; 9] = [
        Self::Tx,
        Self::Sign,
        Self::Wtx,
        Self::Address,
        Self::Account,
        Self::Leaf,
        Self::Node,
        Self::State,
        Self::Spec,
    ];

    /// The tag as it is hashed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tx => "tabchain/tx",
            Self::Sign => "tabchain/sign",
            Self::Wtx => "tabchain/wtx",
            Self::Address => "tabchain/address",
            Self::Account => "tabchain/account",
            Self::Leaf => "tabchain/leaf",
            Self::Node => "tabchain/node",
            Self::State => "tabchain/state",
            Self::Spec => "tabchain/spec",
        }
    }

    /// The tagged hash of the parts, one after the other.
    pub fn hash(self, parts: &[&[u8]]) -> [u8; 32] {
        self.begun().hash(parts)
    }

    /// The tagged hash of each message, in order. In a tab several are hashed at once.
    pub fn hash_all(self, messages: &[&[u8]]) -> Vec<[u8; 32]> {
        self.begun().hash_all(messages)
    }

    /// The tagged hash of each pair of hashes, in order; quicker yet, as all have the same length.
    pub fn hash_pairs(self, pairs: &[[[u8; 32]; 2]]) -> Vec<[u8; 32]> {
        self.begun().hash_pairs(pairs)
    }

    fn begun(self) -> Begun {
        BEGUN[self as usize]
    }
}

/// The tagged hash of the parts under a tag that is not one of the protocol's.
///
/// The protocol's own are quicker through [`Tag::hash`].
pub fn tagged_hash(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    begin(tag).hash(parts)
}

static BEGUN: LazyLock<[Begun; Tag::ALL.len()]> = LazyLock::new(|| Tag::ALL.map(|tag| begin(tag.name())));

fn begin(tag: &str) -> Begun {
    let tag: [u8; 32] = Sha256::digest(tag).into();
    Begun::with([tag; 2].as_flattened().try_into().expect("two hashes are a block"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, with a general hasher.
    fn by_definition(tag: &str, message: &[u8]) -> [u8; 32] {
        let tag = Sha256::digest(tag);
        Sha256::new().chain_update(tag).chain_update(tag).chain_update(message).finalize().into()
    }

    /// Every length around the ends of the first four blocks, whole and in parts.
    #[test]
    fn hashes_are_as_defined() {
        let message: Vec<u8> = (0..=255).collect();
        for tag in Tag::ALL {
            for length in 0..message.len() {
                let message = &message[..length];
                let expected = by_definition(tag.name(), message);
                let (head, tail) = message.split_at(length / 3);
                assert_eq!(tag.hash(&[message]), expected, "{tag:?} of {length}");
                assert_eq!(tag.hash(&[head, &[], tail]), expected, "{tag:?} of {length} in parts");
                assert_eq!(tagged_hash(tag.name(), &[message]), expected);
                assert_eq!(tag.hash_all(&[message; 3]), [expected; 3], "{tag:?} of {length}, three times");
            }
        }
    }

    #[test]
    fn tags_keep_things_apart() {
        let hashes: std::collections::BTreeSet<_> = Tag::ALL.map(|tag| tag.hash(&[b"same"])).into();
        assert_eq!(hashes.len(), Tag::ALL.len());
    }
}
