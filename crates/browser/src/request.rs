//! What the page asks: one enum, and one table from it to the node's commands.

use serde::Deserialize;
use tabchain_node::{Command, Sealing};
use tabchain_primitives::codec::Decode;
use tabchain_primitives::{self as primitives, Address, Amount, Height, Transaction};
use tsify::Tsify;
use zeroize::Zeroizing;

use crate::error::EdgeError;
use crate::view::Words;

/// Something the page wants. Hashes are hex, addresses bech32m, amounts base units.
#[derive(Deserialize, Tsify)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Request {
    Status,
    Peers,
    Block {
        hash: String,
    },
    BlockAt {
        height: u32,
    },
    LatestBlocks {
        before: Option<u32>,
        limit: u32,
    },
    Transaction {
        id: String,
    },
    /// `before` is the id of a transaction of the address: only those older than it.
    TransactionsOf {
        address: String,
        before: Option<String>,
        limit: u32,
    },
    Account {
        address: String,
    },
    AccountProof {
        address: String,
    },
    BlockProof {
        height: u32,
    },
    Mempool {
        limit: u32,
    },
    SendTransaction {
        #[serde(with = "serde_bytes")]
        #[tsify(type = "Uint8Array")]
        bytes: Vec<u8>,
    },
    StartMining {
        to: String,
    },
    StopMining,
    Close,
    WalletState,
    WalletCreate {
        #[tsify(type = "string")]
        passphrase: Zeroizing<String>,
        words: u32,
    },
    WalletRestore {
        #[tsify(type = "string")]
        phrase: Zeroizing<String>,
        #[tsify(type = "string")]
        passphrase: Zeroizing<String>,
    },
    WalletUnlock {
        #[tsify(type = "string")]
        passphrase: Zeroizing<String>,
    },
    WalletLock,
    WalletAddAccount,
    WalletSend {
        outputs: Vec<Payment>,
        memo: String,
        #[tsify(type = "bigint | undefined")]
        fee: Option<u64>,
        from: u32,
    },
    WalletAnchor {
        topic: String,
        #[serde(with = "serde_bytes")]
        #[tsify(type = "Uint8Array")]
        data: Vec<u8>,
        #[tsify(type = "bigint | undefined")]
        fee: Option<u64>,
        from: u32,
    },
    WalletExport,
    WalletImport {
        #[serde(with = "serde_bytes")]
        #[tsify(type = "Uint8Array")]
        backup: Vec<u8>,
        #[tsify(type = "string")]
        passphrase: Zeroizing<String>,
    },
    WalletForget,
}

/// One output of a transfer.
#[derive(Deserialize, Tsify)]
pub(crate) struct Payment {
    to: String,
    #[tsify(type = "bigint")]
    amount: u64,
}

impl Words {
    /// The table. What a command needs of randomness is drawn here.
    pub(crate) fn command(self, request: Request) -> Result<Command, EdgeError> {
        Ok(match request {
            Request::Status => Command::Status,
            Request::Peers => Command::Peers,
            Request::Block { hash } => Command::Block(hash.parse()?),
            Request::BlockAt { height } => Command::BlockAt(Height::new(height)),
            Request::LatestBlocks { before, limit } => {
                Command::LatestBlocks { before: before.map(Height::new), limit }
            }
            Request::Transaction { id } => Command::Transaction(id.parse()?),
            // The place of `before` is looked up by whoever carries the request out.
            Request::TransactionsOf { address, limit, .. } => {
                Command::TransactionsOf { address: self.parse(&address)?, before: None, limit }
            }
            Request::Account { address } => Command::Account(self.parse(&address)?),
            Request::AccountProof { address } => Command::AccountProof(self.parse(&address)?),
            Request::BlockProof { height } => Command::BlockProof(Height::new(height)),
            Request::Mempool { limit } => Command::Mempool { limit },
            Request::SendTransaction { bytes } => {
                Command::SendTransaction(Box::new(Transaction::from_bytes(&bytes)?))
            }
            Request::StartMining { to } => Command::StartMining { to: self.parse(&to)? },
            Request::StopMining => Command::StopMining,
            Request::Close => Command::Close,
            Request::WalletState => Command::WalletState,
            Request::WalletCreate { passphrase, words } => {
                Command::WalletCreate { entropy: entropy(words)?, passphrase, sealing: sealing()? }
            }
            Request::WalletRestore { phrase, passphrase } => {
                Command::WalletRestore { phrase, passphrase, sealing: sealing()? }
            }
            Request::WalletUnlock { passphrase } => Command::WalletUnlock { passphrase },
            Request::WalletLock => Command::WalletLock,
            Request::WalletAddAccount => Command::WalletAddAccount { sealing: sealing()? },
            Request::WalletSend { outputs, memo, fee, from } => Command::WalletSend {
                outputs: outputs.iter().map(|output| self.output(output)).collect::<Result<_, _>>()?,
                memo,
                fee: fee.map(Amount::from_units).transpose()?,
                valid_for: None,
                from,
            },
            Request::WalletAnchor { topic, data, fee, from } => Command::WalletAnchor {
                topic,
                data,
                fee: fee.map(Amount::from_units).transpose()?,
                valid_for: None,
                from,
            },
            Request::WalletExport => Command::WalletExport,
            Request::WalletImport { backup, passphrase } => Command::WalletImport { backup, passphrase },
            Request::WalletForget => Command::WalletForget,
        })
    }

    pub(crate) fn parse(self, address: &str) -> Result<Address, EdgeError> {
        Ok(Address::parse(self.prefix, address)?)
    }

    fn output(self, payment: &Payment) -> Result<primitives::Output, EdgeError> {
        Ok(primitives::Output::new(self.parse(&payment.to)?, Amount::from_units(payment.amount)?)?)
    }
}

/// Fresh bytes from the browser.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], EdgeError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn entropy(words: u32) -> Result<Zeroizing<Vec<u8>>, EdgeError> {
    match words {
        12 => Ok(Zeroizing::new(random::<16>()?.to_vec())),
        24 => Ok(Zeroizing::new(random::<32>()?.to_vec())),
        other => Err(EdgeError::Words(other)),
    }
}

fn sealing() -> Result<Sealing, EdgeError> {
    Ok(Sealing { salt: random()?, nonce: random()? })
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    /// What the node is asked when the page sends this object.
    fn asked(object: &str) -> Result<Command, EdgeError> {
        let object = js_sys::eval(&format!("({object})")).expect("valid JavaScript");
        let words = Words { prefix: "dtab".parse().expect("letters") };
        words.command(serde_wasm_bindgen::from_value(object)?)
    }

    fn payment(amount: &str) -> String {
        let to = Address::ZERO.to_bech32("dtab".parse().expect("letters"));
        format!("{{type: 'walletSend', outputs: [{{to: '{to}', amount: {amount}}}], memo: 'tea', from: 0}}")
    }

    #[wasm_bindgen_test]
    fn requests_become_commands() {
        assert!(matches!(asked("{type: 'status'}"), Ok(Command::Status)));
        let latest = asked("{type: 'latestBlocks', limit: 5, before: undefined}");
        assert!(matches!(latest, Ok(Command::LatestBlocks { before: None, limit: 5 })));
        let sent = asked("{type: 'sendTransaction', bytes: new Uint8Array(3)}");
        assert!(matches!(sent, Err(EdgeError::Transaction(_))), "the bytes arrived");
        let Ok(Command::WalletSend { outputs, memo, fee: None, .. }) = asked(&payment("7n")) else {
            panic!("a payment")
        };
        assert_eq!((outputs[0].amount().units(), memo.as_str()), (7, "tea"));
    }

    #[wasm_bindgen_test]
    fn secrets_are_drawn_here_and_never_twice() {
        let entropy =
            |words: u32| match asked(&format!("{{type: 'walletCreate', passphrase: 'p', words: {words}}}")) {
                Ok(Command::WalletCreate { entropy, .. }) => entropy,
                other => panic!("{other:?}"),
            };
        assert_eq!((entropy(12).len(), entropy(24).len()), (16, 32));
        assert_ne!(entropy(12), entropy(12));
    }

    #[wasm_bindgen_test]
    fn what_is_wrong_is_named() {
        assert!(matches!(asked("{type: 'account', address: 'x'}"), Err(EdgeError::Address(_))));
        assert!(matches!(asked("{type: 'block', hash: 'zz'}"), Err(EdgeError::Hash(_))));
        assert!(matches!(asked("{type: 'blockAt', height: -1}"), Err(EdgeError::Form(_))));
        assert!(matches!(asked("{type: 'fly'}"), Err(EdgeError::Form(_))));
        assert!(matches!(asked("7"), Err(EdgeError::Form(_))));
        assert!(matches!(asked(&payment("0n")), Err(EdgeError::Payment(_))));
        assert!(matches!(asked(&payment("2n ** 60n")), Err(EdgeError::Amount(_))));
        assert!(matches!(asked(&payment("-1n")), Err(EdgeError::Form(_))));
        let words = asked("{type: 'walletCreate', passphrase: 'p', words: 13}");
        assert!(matches!(words, Err(EdgeError::Words(13))));
    }
}
