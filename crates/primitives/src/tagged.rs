//! Tagged hashes (after BIP-340): the same bytes hashed as different things give different hashes.
//!
//! `tagged(tag, m) = sha256(sha256(tag) || sha256(tag) || m)`. The two tag hashes fill exactly one SHA-256 block, so
//! the state after them is computed once per tag, and each hash begins there. All roots are made of such hashes, most
//! of them of one or two blocks; so the blocks are laid out here, without the machinery of a general hasher.

use std::sync::LazyLock;

use sha2::{Digest, Sha256, block_api::compress256};

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
        Hasher::from(STARTED[self as usize]).hash(parts)
    }
}

/// The tagged hash of the parts under a tag that is not one of the protocol's.
///
/// The protocol's own are quicker through [`Tag::hash`].
pub fn tagged_hash(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    Hasher::from(state_after(tag)).hash(parts)
}

/// SHA-256's state after the block that a tag fills.
type State = [u32; 8];

static STARTED: LazyLock<[State; Tag::ALL.len()]> =
    LazyLock::new(|| Tag::ALL.map(|tag| state_after(tag.name())));

/// SHA-256's state before anything (FIPS 180-4, 5.3.3).
const INITIAL: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

fn state_after(tag: &str) -> State {
    let tag: [u8; 32] = Sha256::digest(tag).into();
    let mut state = INITIAL;
    compress256(&mut state, &[[tag; 2].as_flattened().try_into().expect("two hashes are a block")]);
    state
}

const BLOCK: usize = 64;

/// SHA-256 from the state after a tag.
struct Hasher {
    state: State,
    block: [u8; BLOCK],
    /// How many bytes of the block are written; always fewer than all.
    filled: usize,
    /// How many bytes were hashed, those of the tag included.
    length: u64,
}

impl From<State> for Hasher {
    fn from(state: State) -> Self {
        Self { state, block: [0; BLOCK], filled: 0, length: BLOCK as u64 }
    }
}

impl Hasher {
    fn hash(mut self, parts: &[&[u8]]) -> [u8; 32] {
        for part in parts {
            self.write(part);
        }
        self.finish()
    }

    fn write(&mut self, mut part: &[u8]) {
        self.length += part.len() as u64;
        while !part.is_empty() {
            let (head, tail) = part.split_at(part.len().min(BLOCK - self.filled));
            self.block[self.filled..self.filled + head.len()].copy_from_slice(head);
            self.filled += head.len();
            part = tail;
            if self.filled == BLOCK {
                self.compress();
            }
        }
    }

    /// Pads with one bit, zeros, and the length in bits as the last eight bytes (FIPS 180-4, 5.1.1).
    fn finish(mut self) -> [u8; 32] {
        self.block[self.filled] = 0x80;
        self.block[self.filled + 1..].fill(0);
        if self.filled >= BLOCK - 8 {
            self.compress();
            self.block.fill(0);
        }
        self.block[BLOCK - 8..].copy_from_slice(&(self.length * 8).to_be_bytes());
        self.compress();
        let mut hash = [0; 32];
        for (bytes, word) in hash.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        hash
    }

    fn compress(&mut self) {
        compress256(&mut self.state, std::slice::from_ref(&self.block));
        self.filled = 0;
    }
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
            }
        }
    }

    #[test]
    fn tags_keep_things_apart() {
        let hashes: std::collections::BTreeSet<_> = Tag::ALL.map(|tag| tag.hash(&[b"same"])).into();
        assert_eq!(hashes.len(), Tag::ALL.len());
    }
}
