//! An account: what the state knows about an address.

use crate::{
    amount::Amount,
    codec::{Decode, DecodeError, Encode, Pieces, Reader},
    hash::AccountKey,
    quantity::AccountNonce,
    tagged::Tag,
};

/// What an address has and how much it has sent. An account that is [`EMPTY`](Self::EMPTY) does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Account {
    /// The nonce of its next transaction.
    pub nonce: AccountNonce,
    /// What it can spend.
    pub balance: Amount,
}

impl Account {
    /// Nothing sent, nothing owned.
    pub const EMPTY: Self = Self { nonce: AccountNonce::ZERO, balance: Amount::ZERO };

    /// Whether the state leaves it out.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// Its leaf in the state tree (section 7).
    pub fn leaf(&self, key: &AccountKey) -> [u8; 32] {
        Tag::State.hash(&[key.as_bytes(), &self.to_bytes()])
    }

    /// The leaf of each account under its key, in order. In a tab several are hashed at once.
    pub fn leaves(accounts: impl IntoIterator<Item = (AccountKey, Self)>) -> Vec<[u8; 32]> {
        let accounts = accounts.into_iter();
        let mut messages =
            Pieces::with_capacity(accounts.size_hint().0, AccountKey::MIN_BYTES + Self::MAX_BYTES);
        for (key, account) in accounts {
            messages.add(|bytes| {
                key.encode(bytes);
                account.encode(bytes);
            });
        }
        Tag::State.hash_all(&messages.list())
    }

    /// The most bytes an account has: two varints of 64 bits.
    const MAX_BYTES: usize = 20;
}

impl Encode for Account {
    fn encode(&self, out: &mut Vec<u8>) {
        self.nonce.encode(out);
        self.balance.encode(out);
    }
}

impl Decode for Account {
    const MIN_BYTES: usize = 2;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { nonce: AccountNonce::decode(reader)?, balance: Amount::decode(reader)? })
    }
}
