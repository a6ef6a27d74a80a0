//! A wallet: one phrase, the accounts in use, and the lock of its keystore.

use std::fmt;

use tabchain_primitives::{
    Address, BlockHash, DecodeError, PublicKey, Transaction, UnsignedTransaction,
    codec::{Reader, write_bytes, write_varint},
};
use zeroize::Zeroizing;

use crate::{
    derivation::SecretKey,
    error::WalletError,
    keystore::{KeystoreNonce, Lock, Salt},
    mnemonic::Mnemonic,
};

/// The most accounts of one wallet.
pub const MAX_ACCOUNTS: u32 = 100;

/// Which account of a wallet: 0 is the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountIndex(u32);

/// An account as everybody may know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletAccount {
    /// Its place in the wallet.
    pub index: AccountIndex,
    /// Its public key, the sender of its transactions.
    pub public_key: PublicKey,
    /// Where it is paid.
    pub address: Address,
}

/// A wallet that is unlocked: it can sign. Dropping it wipes its keys; [`seal`](Self::seal) it first.
pub struct Wallet {
    mnemonic: Mnemonic,
    lock: Lock,
    /// The keys of accounts 0, 1, 2 and so on; at least one.
    keys: Vec<SecretKey>,
    accounts: Vec<WalletAccount>,
}

impl AccountIndex {
    /// The account at this place.
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// Its place.
    pub const fn value(self) -> u32 {
        self.0
    }
}

impl Wallet {
    /// A wallet with the first account of the phrase, to be locked by a new passphrase.
    ///
    /// Stretching the passphrase takes 19 MiB and a good part of a second.
    pub fn create(mnemonic: Mnemonic, passphrase: &str, salt: Salt) -> Result<Self, WalletError> {
        let lock = Lock::new(passphrase, salt)?;
        Ok(Self::with_accounts(mnemonic, lock, 1))
    }

    /// Opens a keystore. Takes as long as [`create`](Self::create).
    pub fn unlock(keystore: &[u8], passphrase: &str) -> Result<Self, WalletError> {
        let (lock, contents) = Lock::open(keystore, passphrase)?;
        let (mnemonic, accounts) = read_contents(&contents)?;
        Ok(Self::with_accounts(mnemonic, lock, accounts))
    }

    /// The encrypted keystore: what to keep on disk, and what to hand out as a backup.
    ///
    /// The nonce must be a new one every time.
    pub fn seal(&self, nonce: KeystoreNonce) -> Vec<u8> {
        let mut contents = Zeroizing::new(Vec::with_capacity(64));
        write_bytes(&mut contents, &self.mnemonic.entropy());
        write_varint(&mut contents, self.keys.len() as u64);
        self.lock.seal(&contents, nonce)
    }

    /// Changes the passphrase; the next [`seal`](Self::seal) is under the new one.
    pub fn change_passphrase(&mut self, passphrase: &str, salt: Salt) -> Result<(), WalletError> {
        self.lock = Lock::new(passphrase, salt)?;
        Ok(())
    }

    /// The phrase, for its owner to write down.
    pub const fn mnemonic(&self) -> &Mnemonic {
        &self.mnemonic
    }

    /// The accounts in use, the first one first.
    pub fn accounts(&self) -> &[WalletAccount] {
        &self.accounts
    }

    /// The account that is paid at this address.
    pub fn account_of(&self, address: &Address) -> Option<&WalletAccount> {
        self.accounts.iter().find(|account| account.address == *address)
    }

    /// Puts the next account to use.
    pub fn add_account(&mut self) -> Result<&WalletAccount, WalletError> {
        let index = u32::try_from(self.keys.len()).expect("a wallet has few accounts");
        if index >= MAX_ACCOUNTS {
            return Err(WalletError::TooManyAccounts);
        }
        self.push(SecretKey::derive(&*self.mnemonic.seed(), AccountIndex(index)));
        Ok(self.accounts.last().expect("one was just added"))
    }

    /// Signs a transaction of one of the accounts for the chain with this genesis.
    pub fn sign(
        &self,
        unsigned: UnsignedTransaction,
        genesis: &BlockHash,
    ) -> Result<Transaction, WalletError> {
        let ours = self.accounts.iter().position(|account| account.public_key == *unsigned.sender());
        let index = ours.ok_or(WalletError::NotOurs)?;
        Ok(self.keys[index].sign(unsigned, genesis))
    }

    fn with_accounts(mnemonic: Mnemonic, lock: Lock, count: u32) -> Self {
        let seed = mnemonic.seed();
        let mut wallet = Self { mnemonic, lock, keys: Vec::new(), accounts: Vec::new() };
        for index in 0..count {
            wallet.push(SecretKey::derive(&*seed, AccountIndex(index)));
        }
        wallet
    }

    fn push(&mut self, key: SecretKey) {
        let index = AccountIndex(u32::try_from(self.keys.len()).expect("a wallet has few accounts"));
        self.accounts.push(WalletAccount { index, public_key: key.public_key(), address: key.address() });
        self.keys.push(key);
    }
}

/// Without anything secret.
impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wallet").field("accounts", &self.accounts).finish_non_exhaustive()
    }
}

/// What a keystore holds: the entropy of the phrase, and how many accounts are in use.
fn read_contents(contents: &[u8]) -> Result<(Mnemonic, u32), WalletError> {
    let read = || -> Result<(&[u8], u32), DecodeError> {
        let mut reader = Reader::new(contents);
        let entropy = reader.bytes(16..=32)?;
        let accounts = reader.length(&(1..=MAX_ACCOUNTS as usize))?;
        reader.finish()?;
        Ok((entropy, u32::try_from(accounts).expect("it is at most MAX_ACCOUNTS")))
    };
    let (entropy, accounts) = read().map_err(|_| WalletError::Locked)?;
    Ok((Mnemonic::from_entropy(entropy)?, accounts))
}

#[cfg(test)]
mod tests {
    use tabchain_primitives::{AccountNonce, Action, Amount, Anchor, Height};

    use super::*;

    const PASSPHRASE: &str = "correct horse";
    const NONCE: KeystoreNonce = KeystoreNonce([2; 24]);

    fn wallet() -> Wallet {
        let mnemonic = Mnemonic::from_entropy(&[0; 16]).expect("a good length");
        Wallet::create(mnemonic, PASSPHRASE, Salt([1; 16])).expect("long enough")
    }

    fn unsigned(sender: PublicKey) -> UnsignedTransaction {
        let action = Action::Anchor(Anchor::new("note", vec![1]).expect("in bounds"));
        UnsignedTransaction::new(sender, AccountNonce::ZERO, Height::new(9), Amount::ONE_TAB, action)
            .expect("in range")
    }

    /// Frozen: the same phrase must give the same accounts for ever.
    #[test]
    fn accounts_follow_from_the_phrase() {
        let mut wallet = wallet();
        wallet.add_account().expect("few");
        let keys: Vec<_> = wallet.accounts().iter().map(|account| account.public_key.to_string()).collect();
        let expected = [
            "9896a67e5e259371c95250ee28c0227b4fe28b291750e157ff1429e9d0dde2f1",
            "ccb4fb6f11fd0488adbd3e256000d6e961c47a39f2a0062142ebc2d986f4f1ca",
        ];
        assert_eq!(keys, expected);
        for (place, account) in wallet.accounts().iter().enumerate() {
            assert_eq!(account.index.value() as usize, place);
            assert_eq!(account.address, Address::of(&account.public_key));
            assert_eq!(wallet.account_of(&account.address), Some(account));
        }
    }

    #[test]
    fn a_sealed_wallet_opens_with_all_its_accounts() {
        let mut wallet = wallet();
        wallet.add_account().expect("few");
        wallet.add_account().expect("few");
        let kept = wallet.seal(NONCE);
        let again = Wallet::unlock(&kept, PASSPHRASE).expect("the same passphrase");
        assert_eq!(again.accounts(), wallet.accounts());
        assert_eq!(again.mnemonic(), wallet.mnemonic());
        assert_eq!(again.seal(NONCE), kept);
        assert_eq!(Wallet::unlock(&kept, "wrong horse").err(), Some(WalletError::Locked));
    }

    #[test]
    fn a_changed_passphrase_is_the_only_one() {
        let mut wallet = wallet();
        assert_eq!(wallet.change_passphrase("short", Salt([5; 16])), Err(WalletError::PassphraseTooShort));
        wallet.change_passphrase("battery staple", Salt([5; 16])).expect("long enough");
        let kept = wallet.seal(NONCE);
        assert!(Wallet::unlock(&kept, "battery staple").is_ok());
        assert_eq!(Wallet::unlock(&kept, PASSPHRASE).err(), Some(WalletError::Locked));
    }

    #[test]
    fn only_our_transactions_are_signed() {
        let mut wallet = wallet();
        let ours = wallet.add_account().expect("few").public_key;
        let genesis = BlockHash::from_bytes([8; 32]);
        let signed = wallet.sign(unsigned(ours), &genesis).expect("ours");
        assert_eq!(signed.unsigned(), &unsigned(ours));
        let key = ed25519_zebra::VerificationKey::try_from(*ours.as_bytes()).expect("a point");
        let signature = ed25519_zebra::Signature::from_bytes(signed.signature().as_bytes());
        let digest = signed.unsigned().signing_digest(&genesis);
        assert_eq!(key.verify(&signature, digest.as_bytes()), Ok(()));
        let theirs = unsigned(PublicKey::from_bytes([1; 32]));
        assert_eq!(wallet.sign(theirs, &genesis), Err(WalletError::NotOurs));
    }

    #[test]
    fn accounts_are_bounded() {
        let mut wallet = wallet();
        let added = std::iter::from_fn(|| wallet.add_account().is_ok().then_some(())).take(200).count();
        assert_eq!(added + 1, MAX_ACCOUNTS as usize);
        assert_eq!(wallet.add_account(), Err(WalletError::TooManyAccounts));
    }

    #[test]
    fn other_contents_are_damage() {
        let good = [&[16], [0; 16].as_slice(), &[1]].concat();
        assert!(read_contents(&good).is_ok());
        let no_account = [&[16], [0; 16].as_slice(), &[0]].concat();
        let odd_entropy = [&[17], [0; 17].as_slice(), &[1]].concat();
        let more = [good.as_slice(), &[0]].concat();
        for bad in [&[], no_account.as_slice(), &odd_entropy, &more] {
            assert!(read_contents(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let wallet = wallet();
        let shown = format!("{wallet:?}");
        assert!(shown.contains("public_key"));
        assert!(!shown.contains("abandon") && !shown.contains("SecretKey"));
    }
}
