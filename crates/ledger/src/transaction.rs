//! Transactions and addresses.

use tabchain_consensus::{
    ChainSpec, CheckedTransaction, TransactionError, transaction_is_not_expired, verify_each,
};
use tabchain_primitives::{Action, Address, AddressPrefix, Decode, Encode, Height, PublicKey, Transaction};

use crate::report::Report;

/// What a transaction is; with a height, whether a block there could still contain it.
pub fn transaction(spec: &ChainSpec, bytes: &[u8], height: Option<Height>) -> Report {
    match Transaction::from_bytes(bytes) {
        Ok(read) => {
            let mut report = describe(spec, &read);
            if let Some(height) = height {
                judge(&mut report, transaction_is_not_expired(&read, height));
            } else {
                report.unchecked.push("T6, whether it has expired: no height was given");
            }
            judge(&mut report, signature_is_valid(spec, read));
            report.unchecked.push("T7 and T8, nonce and balance: they need the sender's account");
            report
        }
        Err(error) => Report::unreadable("transaction", bytes.len(), &error),
    }
}

/// What an address is. Text may be an address of the chain, or 40 hex digits, or the 64 of a public key.
pub fn address(spec: &ChainSpec, text: &str) -> Report {
    let mut report = Report::default();
    let text = text.trim();
    let from_hex = hex::decode(text).ok().and_then(|bytes| match bytes.len() {
        32 => PublicKey::from_bytes(bytes.try_into().ok()?).into(),
        _ => None,
    });
    if let Some(key) = from_hex {
        report.line("public key", format!("{key}, 32 bytes"));
        name(&mut report, "address", spec.prefix(), &Address::of(&key));
    } else if let Some(bytes) = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()) {
        name(&mut report, "address", spec.prefix(), &Address::from_bytes(bytes));
    } else {
        match Address::parse(spec.prefix(), text) {
            Ok(address) => name(&mut report, "address", spec.prefix(), &address),
            Err(error) => report.fault("section 2", error.to_string()),
        }
    }
    report
}

/// Every field of a transaction.
pub(crate) fn describe(spec: &ChainSpec, transaction: &Transaction) -> Report {
    let mut report = Report::default();
    let prefix = spec.prefix();
    report.line("id", transaction.unsigned().id());
    report.line("witness hash", transaction.witness_hash());
    report.line("size", format!("{} bytes", transaction.size()));
    report.line("sender's key", transaction.sender());
    name(&mut report, "sender", prefix, &Address::of(transaction.sender()));
    report.line("nonce", format!("{} sent before", transaction.nonce()));
    report.line("valid until", format!("height {}", transaction.valid_until()));
    report.line("fee", format!("{} TAB", transaction.fee()));
    match transaction.action() {
        Action::Transfer(transfer) => {
            report.line("action", format!("transfer of {} outputs", transfer.outputs().len()));
            for output in transfer.outputs() {
                report
                    .line("  pays", format!("{} TAB to {}", output.amount(), output.to().to_bech32(prefix)));
            }
            report.line("memo", format!("{:?}, {} bytes", transfer.memo(), transfer.memo().len()));
        }
        Action::Anchor(anchor) => {
            report.line("action", "anchor");
            report.line("topic", format!("{:?}", anchor.topic()));
            report.line("data", format!("{} ({} bytes)", hex::encode(anchor.data()), anchor.data().len()));
        }
    }
    report.line("leaves the sender", format!("{} TAB in all", transaction.total()));
    report.line("signature", hex::encode(transaction.signature().to_bytes()));
    report
}

fn signature_is_valid(spec: &ChainSpec, transaction: Transaction) -> Result<(), TransactionError> {
    let checked = CheckedTransaction::check(spec, transaction)?;
    let verdict = verify_each(&checked.signatures(&spec.genesis_hash()));
    checked.verified(verdict).map(drop)
}

fn judge(report: &mut Report, verdict: Result<(), TransactionError>) {
    if let Err(error) = verdict {
        report.fault(error.rule(), error.to_string());
    }
}

fn name(report: &mut Report, what: &str, prefix: AddressPrefix, address: &Address) {
    report.line(what, format!("{} (bytes {})", address.to_bech32(prefix), hex::encode(address.as_bytes())));
}
