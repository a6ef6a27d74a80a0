//! The state root from scratch (section 7 of `docs/protocol.md`): for a genesis, for a restored chunk, and to hold
//! the incremental tree of `chain` against.

use crate::{
    account::Account,
    address::Address,
    hash::{AccountKey, StateRoot},
    merkle::{EMPTY, node},
};

impl StateRoot {
    /// The root over these accounts. Empty accounts are left out; of two entries for one address the last counts.
    pub fn of_accounts<'a>(accounts: impl IntoIterator<Item = (&'a Address, &'a Account)>) -> Self {
        let accounts: std::collections::BTreeMap<AccountKey, &Account> =
            accounts.into_iter().map(|(address, account)| (AccountKey::of(address), account)).collect();
        let leaves: Vec<Leaf> = accounts
            .into_iter()
            .filter(|(_, account)| !account.is_empty())
            .map(|(key, account)| Leaf { key, hash: account.leaf(&key) })
            .collect();
        Self::from_bytes(subtree(&leaves, 0))
    }
}

impl AccountKey {
    /// The bit at `depth`, from the most significant: whether the key lies in the right half there.
    pub const fn bit(&self, depth: usize) -> bool {
        self.as_bytes()[depth / 8] >> (7 - depth % 8) & 1 == 1
    }
}

struct Leaf {
    key: AccountKey,
    hash: [u8; 32],
}

/// The root of the subtree that holds these leaves, which are in order and agree in their first `depth` bits.
fn subtree(leaves: &[Leaf], depth: usize) -> [u8; 32] {
    match leaves {
        [] => EMPTY,
        [only] => only.hash,
        _ => {
            let (left, right) = leaves.split_at(leaves.partition_point(|leaf| !leaf.key.bit(depth)));
            node(&subtree(left, depth + 1), &subtree(right, depth + 1))
        }
    }
}
