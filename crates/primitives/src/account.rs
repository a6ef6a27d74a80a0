//! An account: what the state knows about an address.

use crate::{
    amount::Amount,
    codec::{Decode, DecodeError, Encode, Reader},
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
        let message = |(key, account): (AccountKey, Self)| {
            let mut bytes = Vec::with_capacity(AccountKey::MIN_BYTES + Self::MAX_BYTES);
            key.encode(&mut bytes);
            account.encode(&mut bytes);
            bytes
        };
        let messages: Vec<Vec<u8>> = accounts.into_iter().map(message).collect();
        Tag::State.hash_all(&messages.iter().map(Vec::as_slice).collect::<Vec<_>>())
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
