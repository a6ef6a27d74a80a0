//! Strategies for values of every type.

use proptest::{collection::vec, prelude::*};
use tabchain_primitives::{
    AccountNonce, Action, Address, Amount, Anchor, Block, BlockHash, CompactTarget, Header, HeaderFields,
    Height, HistoryRoot, MerkleRoot, Output, PublicKey, Signature, StateRoot, Timestamp, Transaction,
    Transfer, UnsignedTransaction,
};

pub(crate) fn amounts() -> impl Strategy<Value = Amount> {
    prop_oneof![Just(0), Just(Amount::MAX.units()), 0..=Amount::MAX.units()]
        .prop_map(|units| Amount::from_units(units).expect("in range"))
}

pub(crate) fn addresses() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::from_bytes)
}

pub(crate) fn transactions() -> impl Strategy<Value = Transaction> {
    let parts = (any::<[u8; 32]>(), any::<u64>(), any::<u32>(), 0..1_u64 << 40, actions(), any::<[u8; 64]>());
    parts.prop_map(|(sender, nonce, valid_until, fee, action, signature)| {
        UnsignedTransaction::new(
            PublicKey::from_bytes(sender),
            AccountNonce::new(nonce),
            Height::new(valid_until),
            Amount::from_units(fee).expect("in range"),
            action,
        )
        .expect("the sum is in range")
        .with_signature(Signature::from_bytes(signature))
    })
}

pub(crate) fn headers() -> impl Strategy<Value = Header> {
    let names = (any::<[u8; 32]>(), addresses(), any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 32]>());
    let numbers = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u64>(), any::<u32>(), any::<u64>());
    (names, numbers).prop_map(
        |(
            (parent, miner, tx_root, state_root, history_root),
            (version, height, tx_count, time, target, nonce),
        )| {
            Header::new(HeaderFields {
                version,
                height: Height::new(height),
                parent: BlockHash::from_bytes(parent),
                miner,
                tx_count,
                tx_root: MerkleRoot::from_bytes(tx_root),
                state_root: StateRoot::from_bytes(state_root),
                history_root: HistoryRoot::from_bytes(history_root),
                time: Timestamp::from_millis(time),
                target: CompactTarget::from_bits(target),
                nonce,
            })
        },
    )
}

pub(crate) fn blocks() -> impl Strategy<Value = Block> {
    (headers(), vec(transactions(), 0..4)).prop_map(|(header, transactions)| Block { header, transactions })
}

fn actions() -> impl Strategy<Value = Action> {
    let output = (addresses(), 1..1_u64 << 40).prop_map(|(to, units)| {
        Output::new(to, Amount::from_units(units).expect("in range")).expect("not zero")
    });
    let transfer = (vec(output, 1..9), "\\PC{0,16}")
        .prop_map(|(outputs, memo)| Action::Transfer(Transfer::new(outputs, memo).expect("in bounds")));
    let anchor = ("\\PC{1,8}", vec(any::<u8>(), 0..=256))
        .prop_map(|(topic, data)| Action::Anchor(Anchor::new(topic, data).expect("in bounds")));
    prop_oneof![transfer, anchor]
}
