//! The ledger: blocks, transactions, accounts, and the wallet's part of it.

use js_sys::Date;
use serde::Serialize;
use tabchain_node as node;
use tabchain_primitives as primitives;
use tsify::Tsify;

use super::{Words, date};

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlockSummary {
    hash: String,
    height: u32,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    #[tsify(type = "Date")]
    time: Date,
    miner: String,
    transactions: u32,
    size: u32,
    #[tsify(type = "bigint")]
    reward: u64,
    #[tsify(type = "bigint")]
    fees: u64,
    difficulty: f64,
}

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Block {
    #[serde(flatten)]
    summary: BlockSummary,
    parent: String,
    version: u32,
    #[tsify(type = "bigint")]
    nonce: u64,
    target: String,
    tx_root: String,
    state_root: String,
    history_root: String,
    confirmations: u32,
    transaction_list: Vec<Transaction>,
}

#[derive(Serialize, Tsify)]
#[tsify(type = "TransactionFacts & Action")]
pub(crate) struct Transaction {
    #[serde(flatten)]
    facts: TransactionFacts,
    #[serde(flatten)]
    action: Action,
}

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransactionFacts {
    id: String,
    sender: String,
    #[tsify(type = "bigint")]
    nonce: u64,
    #[tsify(type = "bigint")]
    fee: u64,
    valid_until: u32,
    size: u32,
    #[serde(with = "optional_date", skip_serializing_if = "Option::is_none")]
    #[tsify(type = "Date", optional)]
    time: Option<Date>,
    status: TransactionStatus,
}

#[derive(Serialize, Tsify)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum Action {
    Transfer {
        outputs: Vec<Output>,
        memo: String,
    },
    Anchor {
        topic: String,
        #[serde(with = "serde_bytes")]
        #[tsify(type = "Uint8Array<ArrayBuffer>")]
        data: Vec<u8>,
    },
}

#[derive(Serialize, Tsify)]
pub(crate) struct Output {
    to: String,
    #[tsify(type = "bigint")]
    amount: u64,
}

#[derive(Serialize, Tsify)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum TransactionStatus {
    Pending,
    Confirmed { block_hash: String, height: u32, confirmations: u32, position: u32 },
    Dropped,
}

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Account {
    address: String,
    #[tsify(type = "bigint")]
    balance: u64,
    #[tsify(type = "bigint")]
    nonce: u64,
    #[tsify(type = "bigint")]
    pending_out: u64,
    #[tsify(type = "bigint")]
    pending_in: u64,
    #[tsify(type = "bigint")]
    maturing: u64,
}

#[derive(Serialize, Tsify)]
pub(crate) struct WalletState {
    exists: bool,
    unlocked: bool,
    accounts: Vec<WalletAccount>,
}

#[derive(Serialize, Tsify)]
pub(crate) struct WalletAccount {
    index: u32,
    address: String,
}

impl Words {
    pub(crate) fn summary(self, block: &node::BlockSummary) -> BlockSummary {
        let header = &block.header;
        BlockSummary {
            hash: block.hash.to_string(),
            height: header.height().value(),
            time: date(header.time()),
            miner: self.address(&header.miner()),
            transactions: header.tx_count(),
            size: block.size,
            reward: block.reward.units(),
            fees: block.fees.units(),
            difficulty: block.difficulty,
        }
    }

    pub(crate) fn block(self, block: &node::BlockView) -> Block {
        let header = block.summary.header.fields();
        Block {
            summary: self.summary(&block.summary),
            parent: header.parent.to_string(),
            version: header.version,
            nonce: header.nonce,
            target: header
                .target
                .expand()
                .map(|target| hex::encode(target.to_be_bytes()))
                .unwrap_or_default(),
            tx_root: header.tx_root.to_string(),
            state_root: header.state_root.to_string(),
            history_root: header.history_root.to_string(),
            confirmations: block.confirmations,
            transaction_list: block
                .transactions
                .iter()
                .map(|transaction| self.transaction(transaction))
                .collect(),
        }
    }

    pub(crate) fn transaction(self, view: &node::TransactionView) -> Transaction {
        let transaction = &view.transaction;
        let facts = TransactionFacts {
            id: view.id.to_string(),
            sender: self.address(&view.sender),
            nonce: transaction.nonce().value(),
            fee: transaction.fee().units(),
            valid_until: transaction.valid_until().value(),
            size: u32::try_from(transaction.size()).expect("a transaction fits a block"),
            time: view.time.map(date),
            status: view.status.into(),
        };
        Transaction { facts, action: self.action(transaction.action()) }
    }

    fn action(self, action: &primitives::Action) -> Action {
        match action {
            primitives::Action::Transfer(transfer) => {
                let output = |output: &primitives::Output| Output {
                    to: self.address(output.to()),
                    amount: output.amount().units(),
                };
                Action::Transfer {
                    outputs: transfer.outputs().iter().map(output).collect(),
                    memo: transfer.memo().to_owned(),
                }
            }
            primitives::Action::Anchor(anchor) => {
                Action::Anchor { topic: anchor.topic().to_owned(), data: anchor.data().to_vec() }
            }
        }
    }

    pub(crate) fn account(self, account: &node::AccountView) -> Account {
        Account {
            address: self.address(&account.address),
            balance: account.balance.units(),
            nonce: account.nonce.value(),
            pending_out: account.pending_out.units(),
            pending_in: account.pending_in.units(),
            maturing: account.maturing.units(),
        }
    }

    pub(crate) fn wallet(self, wallet: &node::WalletState) -> WalletState {
        let account = |account: &node::WalletAccount| WalletAccount {
            index: account.index,
            address: self.address(&account.address),
        };
        WalletState {
            exists: wallet.exists,
            unlocked: wallet.unlocked,
            accounts: wallet.accounts.iter().map(account).collect(),
        }
    }
}

impl From<node::TransactionStatus> for TransactionStatus {
    fn from(status: node::TransactionStatus) -> Self {
        match status {
            node::TransactionStatus::Pending => Self::Pending,
            node::TransactionStatus::Confirmed { block, height, position, confirmations } => {
                Self::Confirmed {
                    block_hash: block.to_string(),
                    height: height.value(),
                    confirmations,
                    position,
                }
            }
            node::TransactionStatus::Dropped => Self::Dropped,
        }
    }
}

mod optional_date {
    use js_sys::Date;
    use serde::{Serialize, Serializer};

    struct Preserved<'a>(&'a Date);

    impl Serialize for Preserved<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serde_wasm_bindgen::preserve::serialize(self.0, serializer)
        }
    }

    #[expect(clippy::ref_option, reason = "serde calls it with the field")]
    pub(super) fn serialize<S: Serializer>(date: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
        date.as_ref().map(Preserved).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use js_sys::{BigInt, Reflect, Uint8Array};
    use tabchain_primitives::{
        AccountNonce, Address, Amount, Anchor, Height, PublicKey, Signature, Timestamp, TxId,
        UnsignedTransaction,
    };
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::error::to_js;

    fn get(object: &JsValue, name: &str) -> JsValue {
        Reflect::get(object, &name.into()).expect("an object")
    }

    #[wasm_bindgen_test]
    fn a_transaction_is_a_flat_object_of_bigints_dates_and_bytes() {
        let anchor = Anchor::new("notes", vec![1, 2, 3]).expect("short");
        let fee = Amount::from_units(150).expect("small");
        let unsigned = UnsignedTransaction::new(
            PublicKey::ZERO,
            AccountNonce::new(u64::MAX),
            Height::new(7),
            fee,
            primitives::Action::Anchor(anchor),
        );
        let transaction = unsigned.expect("well-formed").with_signature(Signature::ZERO);
        let view = node::TransactionView {
            id: TxId::ZERO,
            sender: Address::ZERO,
            transaction,
            status: node::TransactionStatus::Pending,
            time: Some(Timestamp::from_millis(1_500)),
        };
        let words = Words { prefix: "dtab".parse().expect("letters") };
        let object = to_js(&words.transaction(&view));
        assert_eq!(get(&object, "kind"), "anchor");
        assert_eq!(get(&get(&object, "status"), "state"), "pending");
        assert_eq!(get(&object, "nonce"), JsValue::from(BigInt::from(u64::MAX)));
        assert_eq!(get(&object, "fee"), JsValue::from(BigInt::from(150)));
        assert_eq!(get(&object, "validUntil"), 7);
        assert_eq!(get(&object, "time").dyn_into::<Date>().map(|date| date.get_time()), Ok(1_500.0));
        assert_eq!(
            get(&object, "data").dyn_into::<Uint8Array>().map(|bytes| bytes.to_vec()),
            Ok(vec![1, 2, 3])
        );
        assert!(get(&object, "sender").as_string().is_some_and(|sender| sender.starts_with("dtab1")));
    }
}
