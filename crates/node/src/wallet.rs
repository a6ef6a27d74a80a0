//! The wallet's room: commands in, signed transactions out.
//!
//! What is on disk is the encrypted keystore, and the addresses in the open, so that a locked wallet can still be looked at.
//! Secrets are in memory only while it is unlocked. A wallet is never overwritten: it has to be forgotten first.
//!
//! Bounds: [`MAX_ACCOUNTS`] accounts, [`MAX_PENDING`] own transactions watched; all of it our own side's doing.

use std::collections::BTreeMap;

use tabchain_consensus::VerifiedBlock;
use tabchain_primitives::{
    Action, Address, Amount, Anchor, Height, Signature, Transaction, Transfer, TxId, UnsignedTransaction,
};
use tabchain_records::{Column, Rows};
use tabchain_wallet::{KeystoreNonce, MAX_ACCOUNTS, Mnemonic, Salt, Wallet, WalletError};

use crate::node::Node;
use crate::{Command, CommandError, CommandId, Event, Reply, Sealing, WalletAccount, WalletState, rows};

const MAX_PENDING: usize = 1_024;
/// For how long a transaction may be taken, in milliseconds of the chain's intervals, unless told otherwise.
const VALID_FOR_MS: u64 = 2 * 60 * 60 * 1000;

#[derive(Debug, Default)]
pub(crate) struct WalletRoom {
    keystore: Option<Vec<u8>>,
    addresses: Vec<Address>,
    open: Option<Wallet>,
    /// Our transactions that are not confirmed yet.
    pending: BTreeMap<TxId, Transaction>,
}

impl WalletRoom {
    /// Takes in what is on disk.
    pub(crate) fn restore(&mut self, rows: &Rows) {
        for (key, value) in &rows.0 {
            if key == rows::KEYSTORE {
                self.keystore = Some(value.clone());
            } else if key == rows::ACCOUNTS {
                self.addresses = rows::read_accounts(value, MAX_ACCOUNTS as usize).unwrap_or_default();
            }
        }
    }

    pub(crate) fn lock(&mut self) {
        self.open = None;
    }

    pub(crate) fn state(&self) -> WalletState {
        let accounts = (0..).zip(&self.addresses);
        WalletState {
            exists: self.keystore.is_some(),
            unlocked: self.open.is_some(),
            accounts: accounts.map(|(index, address)| WalletAccount { index, address: *address }).collect(),
        }
    }

    /// A transaction became pending; watches it if it is ours.
    pub(crate) fn pending(&mut self, id: TxId, transaction: &Transaction) {
        let ours = self.addresses.contains(&Address::of(transaction.sender()));
        if ours && self.pending.len() < MAX_PENDING {
            self.pending.insert(id, transaction.clone());
        }
    }

    /// A block joined the chain: what it holds is pending no more.
    pub(crate) fn confirmed(&mut self, block: Option<&VerifiedBlock>) {
        for id in block.map(VerifiedBlock::ids).unwrap_or_default() {
            self.pending.remove(id);
        }
    }

    /// A transaction is gone from the memory pool; gives it if it was ours.
    pub(crate) fn dropped(&mut self, id: &TxId) -> Option<Transaction> {
        self.pending.remove(id)
    }
}

impl Node {
    pub(crate) fn wallet_command(&mut self, id: CommandId, command: Command) {
        let done = match command {
            Command::WalletState => Ok(Reply::Wallet(self.wallet.state())),
            Command::WalletUnlock { passphrase } => self.unlock(&passphrase),
            Command::WalletLock => {
                self.wallet.lock();
                Ok(self.wallet_changed())
            }
            Command::WalletExport => {
                self.wallet.keystore.clone().map(Reply::Backup).ok_or(CommandError::NoWallet)
            }
            Command::WalletSend { outputs, memo, fee, valid_for, from } => {
                let transfer = Transfer::new(outputs, memo).map(Action::Transfer);
                return self.pay(id, transfer.map_err(Into::into), fee, valid_for, from);
            }
            Command::WalletAnchor { topic, data, fee, valid_for, from } => {
                let anchor = Anchor::new(topic, data).map(Action::Anchor);
                return self.pay(id, anchor.map_err(Into::into), fee, valid_for, from);
            }
            command => return self.write_wallet(id, command),
        };
        self.reply(id, done);
    }

    /// Commands that change what is on disk: answered once it is written.
    fn write_wallet(&mut self, id: CommandId, command: Command) {
        let done = match command {
            Command::WalletCreate { entropy, passphrase, sealing } => {
                self.create_wallet(&entropy, &passphrase, sealing)
            }
            Command::WalletRestore { phrase, passphrase, sealing } => {
                self.restore_wallet(&phrase, &passphrase, sealing)
            }
            Command::WalletImport { backup, passphrase } => self.import_wallet(backup, &passphrase),
            Command::WalletAddAccount { sealing } => self.add_account(sealing),
            Command::WalletForget => Ok(self.forget_wallet()),
            _ => return,
        };
        let written = done.and_then(|reply| Ok(self.disk.answer_when_written(id, reply)?));
        if let Err(error) = written {
            self.reply(id, Err(error));
        }
    }

    fn create_wallet(
        &mut self,
        entropy: &[u8],
        passphrase: &str,
        sealing: Sealing,
    ) -> Result<Reply, CommandError> {
        let mnemonic = Mnemonic::from_entropy(entropy).map_err(WalletError::from)?;
        let phrase = mnemonic.phrase();
        self.new_wallet(mnemonic, passphrase, sealing)?;
        Ok(Reply::Phrase(phrase))
    }

    fn restore_wallet(
        &mut self,
        phrase: &str,
        passphrase: &str,
        sealing: Sealing,
    ) -> Result<Reply, CommandError> {
        let mnemonic = Mnemonic::parse(phrase).map_err(WalletError::from)?;
        self.new_wallet(mnemonic, passphrase, sealing)
    }

    fn new_wallet(
        &mut self,
        mnemonic: Mnemonic,
        passphrase: &str,
        sealing: Sealing,
    ) -> Result<Reply, CommandError> {
        self.no_wallet_yet()?;
        let wallet = Wallet::create(mnemonic, passphrase, Salt(sealing.salt))?;
        let keystore = wallet.seal(KeystoreNonce(sealing.nonce));
        Ok(self.keep_wallet(wallet, keystore))
    }

    fn import_wallet(&mut self, backup: Vec<u8>, passphrase: &str) -> Result<Reply, CommandError> {
        self.no_wallet_yet()?;
        let wallet = Wallet::unlock(&backup, passphrase)?;
        Ok(self.keep_wallet(wallet, backup))
    }

    fn unlock(&mut self, passphrase: &str) -> Result<Reply, CommandError> {
        let keystore = self.wallet.keystore.as_ref().ok_or(CommandError::NoWallet)?;
        let wallet = Wallet::unlock(keystore, passphrase)?;
        self.wallet.addresses = wallet.accounts().iter().map(|account| account.address).collect();
        self.wallet.open = Some(wallet);
        Ok(self.wallet_changed())
    }

    fn add_account(&mut self, sealing: Sealing) -> Result<Reply, CommandError> {
        let mut wallet = match self.wallet.open.take() {
            Some(wallet) => wallet,
            None if self.wallet.keystore.is_some() => return Err(CommandError::WalletLocked),
            None => return Err(CommandError::NoWallet),
        };
        if let Err(error) = wallet.add_account() {
            self.wallet.open = Some(wallet);
            return Err(error.into());
        }
        let keystore = wallet.seal(KeystoreNonce(sealing.nonce));
        Ok(self.keep_wallet(wallet, keystore))
    }

    fn forget_wallet(&mut self) -> Reply {
        self.wallet = WalletRoom::default();
        self.disk.delete(Column::Wallet, rows::KEYSTORE);
        self.disk.delete(Column::Wallet, rows::ACCOUNTS);
        self.wallet_changed()
    }

    fn no_wallet_yet(&self) -> Result<(), CommandError> {
        if self.wallet.keystore.is_some() { Err(CommandError::WalletExists) } else { Ok(()) }
    }

    fn keep_wallet(&mut self, wallet: Wallet, keystore: Vec<u8>) -> Reply {
        self.wallet.addresses = wallet.accounts().iter().map(|account| account.address).collect();
        self.disk.put(Column::Wallet, rows::KEYSTORE, keystore.clone());
        self.disk.put(Column::Wallet, rows::ACCOUNTS, rows::accounts(&self.wallet.addresses));
        self.wallet.keystore = Some(keystore);
        self.wallet.open = Some(wallet);
        self.wallet_changed()
    }

    fn wallet_changed(&mut self) -> Reply {
        let state = self.wallet.state();
        self.event(Event::Wallet(state.clone()));
        Reply::Wallet(state)
    }

    /// Builds, signs and sends a transaction.
    fn pay(
        &mut self,
        id: CommandId,
        action: Result<Action, CommandError>,
        fee: Option<Amount>,
        valid_for: Option<u32>,
        from: u32,
    ) {
        match action.and_then(|action| self.build(&action, fee, valid_for, from)) {
            Ok(transaction) => self.send_transaction(id, transaction),
            Err(error) => self.reply(id, Err(error)),
        }
    }

    fn build(
        &self,
        action: &Action,
        fee: Option<Amount>,
        valid_for: Option<u32>,
        from: u32,
    ) -> Result<Transaction, CommandError> {
        let wallet = match &self.wallet.open {
            Some(wallet) => wallet,
            None if self.wallet.keystore.is_some() => return Err(CommandError::WalletLocked),
            None => return Err(CommandError::NoWallet),
        };
        let account = wallet.accounts().get(from as usize).ok_or(CommandError::NoSuchAccount(from))?;
        let nonce = self.mempool.next_nonce(&account.address, &self.chain);
        let valid_until = self.valid_until(valid_for);
        let draft =
            |fee| UnsignedTransaction::new(account.public_key, nonce, valid_until, fee, action.clone());
        let fee = match fee {
            Some(fee) => fee,
            None => self.least_fee(&draft(Amount::ZERO)?),
        };
        let unsigned = draft(fee)?;
        self.affordable(account, &unsigned)?;
        Ok(wallet.sign(unsigned, &self.config.spec.genesis_hash())?)
    }

    /// What a transaction has to pay to be relayed. Its own size rises with the fee, by a few bytes at most.
    fn least_fee(&self, draft: &UnsignedTransaction) -> Amount {
        const FEE_BYTES: usize = 8;
        let signed = draft.clone().with_signature(Signature::ZERO);
        self.mempool.limits().min_fee_rate.fee_for(signed.size() + FEE_BYTES)
    }

    /// Whether the account covers a transaction and those that wait before it.
    fn affordable(
        &self,
        account: &tabchain_wallet::WalletAccount,
        unsigned: &UnsignedTransaction,
    ) -> Result<(), CommandError> {
        let pending = self.mempool.by_account(&account.address).into_iter();
        let before = |pending: &&Transaction| {
            *pending.sender() == account.public_key && pending.nonce() < unsigned.nonce()
        };
        let spent =
            Amount::checked_sum(pending.filter(before).map(Transaction::total)).unwrap_or(Amount::MAX);
        let balance = self.chain.account(&account.address).balance;
        let (needed, available) = (unsigned.total(), balance.checked_sub(spent).unwrap_or(Amount::ZERO));
        if needed > available { Err(CommandError::InsufficientFunds { needed, available }) } else { Ok(()) }
    }

    fn valid_until(&self, valid_for: Option<u32>) -> Height {
        let usual = u32::try_from(VALID_FOR_MS / self.config.spec.interval_ms().max(1)).unwrap_or(u32::MAX);
        let tip = self.chain.tip().height.value();
        Height::new(tip.saturating_add(valid_for.unwrap_or(usual.max(10))))
    }
}
