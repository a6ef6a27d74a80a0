//! Proofs of one account, present or absent, that a light client checks with a header alone.

use tabchain_primitives::{
    Account, AccountKey, Address, Decode, DecodeError, Encode, StateRoot,
    codec::{Reader, write_list},
    merkle,
};

use super::{KEY_BITS, State, Subtree, common_bits};

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The root that follows from it is another.
    #[error("the proof leads to another root")]
    Root,
    /// What it shows in the account's place is not on the account's path, or is the account itself.
    #[error("the account shown does not stand on this path")]
    Stranger,
    /// A chunk's accounts are not in the order of their keys, or one is empty.
    #[error("the accounts of a chunk are in strictly rising order, none of them empty")]
    Order,
    /// A chunk holds an account that is outside its prefix.
    #[error("an account of the chunk is outside its prefix")]
    Outside,
    /// The path is longer than a key or a chunk's prefix allows.
    #[error("the path is too long")]
    TooLong,
}

/// What a state root says about one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountProof {
    /// The hashes beside the path, from the root down.
    siblings: Vec<[u8; 32]>,
    end: End,
}

/// What stands at the end of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// Nothing: the account is empty.
    Nothing,
    /// The account.
    Account(Account),
    /// Another account, alone in a subtree that this one would be in too: the account is empty.
    Stranger(AccountKey, Account),
}

impl AccountProof {
    /// The account of `address` in the state with this root.
    pub fn verify(&self, root: &StateRoot, address: &Address) -> Result<Account, ProofError> {
        let key = AccountKey::of(address);
        let (hash, account) = match &self.end {
            End::Nothing => (merkle::EMPTY, Account::EMPTY),
            End::Account(account) => (account.leaf(&key), *account),
            End::Stranger(other, account) => {
                stranger_is_on_path(other, &key, self.siblings.len())?;
                (account.leaf(other), Account::EMPTY)
            }
        };
        if climb(&key, hash, &self.siblings)? == *root.as_bytes() {
            Ok(account)
        } else {
            Err(ProofError::Root)
        }
    }
}

impl State {
    /// The proof for one key.
    pub(crate) fn prove(&self, key: &AccountKey) -> AccountProof {
        let mut siblings = Vec::new();
        let (_, link) = self.descend(key, KEY_BITS, |link| siblings.push(self.hash(link)));
        let end = match link.subtree() {
            Subtree::Empty => End::Nothing,
            Subtree::Leaf(index) => {
                let leaf = self.leaves.get(index);
                if leaf.key == *key {
                    End::Account(leaf.account)
                } else {
                    End::Stranger(leaf.key, leaf.account)
                }
            }
            Subtree::Branch(_) => unreachable!("no branch stands below the last bit of a key"),
        };
        AccountProof { siblings, end }
    }
}

/// Another key stands at the end of a path only if it shares the path's bits.
pub(super) fn stranger_is_on_path(
    stranger: &AccountKey,
    key: &AccountKey,
    path: usize,
) -> Result<(), ProofError> {
    let common = common_bits(stranger, key);
    if common >= path && common < KEY_BITS { Ok(()) } else { Err(ProofError::Stranger) }
}

/// The root that follows from a subtree's hash and the hashes beside its path.
pub(super) fn climb(key: &AccountKey, hash: [u8; 32], siblings: &[[u8; 32]]) -> Result<[u8; 32], ProofError> {
    if siblings.len() > KEY_BITS {
        return Err(ProofError::TooLong);
    }
    Ok(siblings.iter().enumerate().rev().fold(hash, |hash, (depth, sibling)| {
        if key.bit(depth) { merkle::node(sibling, &hash) } else { merkle::node(&hash, sibling) }
    }))
}

impl Encode for AccountProof {
    fn encode(&self, out: &mut Vec<u8>) {
        write_list(out, &self.siblings);
        match &self.end {
            End::Nothing => out.push(0),
            End::Account(account) => {
                out.push(1);
                account.encode(out);
            }
            End::Stranger(key, account) => {
                out.push(2);
                key.encode(out);
                account.encode(out);
            }
        }
    }
}

impl Decode for AccountProof {
    const MIN_BYTES: usize = 2;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let siblings = reader.list(0..=KEY_BITS)?;
        let end = match reader.u8()? {
            0 => End::Nothing,
            1 => End::Account(Decode::decode(reader)?),
            2 => End::Stranger(Decode::decode(reader)?, Decode::decode(reader)?),
            kind => return Err(DecodeError::UnknownKind { of: "the end of an account proof", kind }),
        };
        Ok(Self { siblings, end })
    }
}
