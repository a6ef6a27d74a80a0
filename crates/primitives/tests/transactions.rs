//! The shape rules of transactions, and their hashes.

use tabchain_primitives::{
    AccountNonce, Action, Address, Amount, AmountTooLarge, Anchor, BlockHash, Decode, DecodeError, Encode,
    Height, Malformed, Output, PublicKey, Signature, Transaction, Transfer, UnsignedTransaction,
};

fn units(units: u64) -> Amount {
    Amount::from_units(units).expect("in range")
}

fn output(to: u8, amount: u64) -> Output {
    Output::new(Address::from_bytes([to; 20]), units(amount)).expect("not zero")
}

fn paying(fee: Amount, outputs: Vec<Output>) -> Result<UnsignedTransaction, Malformed> {
    let action = Action::Transfer(Transfer::new(outputs, "")?);
    UnsignedTransaction::new(
        PublicKey::from_bytes([2; 32]),
        AccountNonce::new(3),
        Height::new(4),
        fee,
        action,
    )
}

#[test]
fn a_transfer_has_these_bytes() {
    let transfer = Transfer::new(vec![output(7, 300)], "hi").expect("in bounds");
    let unsigned = UnsignedTransaction::new(
        PublicKey::from_bytes([2; 32]),
        AccountNonce::new(3),
        Height::new(0x0102),
        units(5),
        Action::Transfer(transfer),
    )
    .expect("in range");
    let expected = [
        [1].as_slice(),      // version
        &[2; 32],            // sender
        &[3],                // nonce
        &[0x02, 0x01, 0, 0], // valid until
        &[5],                // fee
        &[0, 1],             // transfer, one output
        &[7; 20],            // to
        &[0xac, 0x02],       // 300
        &[2, b'h', b'i'],    // memo
    ]
    .concat();
    assert_eq!(unsigned.to_bytes(), expected);
    let signed = unsigned.with_signature(Signature::from_bytes([9; 64]));
    assert_eq!(signed.to_bytes(), [expected.as_slice(), &[9; 64]].concat());
    assert_eq!(signed.size(), expected.len() + 64);
    assert_eq!(signed.total(), units(305));
}

#[test]
fn an_anchor_has_these_bytes() {
    let action = Action::Anchor(Anchor::new("t", vec![1, 2]).expect("in bounds"));
    assert_eq!(action.to_bytes(), [1, 1, b't', 2, 1, 2]);
    assert_eq!(action.outputs(), []);
}

/// Rules T1 and T2.
#[test]
fn version_and_kind_are_known() {
    let mut bytes = paying(units(1), vec![output(1, 1)]).expect("in range").to_bytes();
    assert!(UnsignedTransaction::from_bytes(&bytes).is_ok());
    bytes[0] = 2;
    assert_eq!(UnsignedTransaction::from_bytes(&bytes), Err(DecodeError::UnknownVersion(2)));
    bytes[0] = 1;
    bytes[39] = 2;
    assert_eq!(UnsignedTransaction::from_bytes(&bytes), Err(DecodeError::UnknownAction(2)));
}

/// Rule T3: at the maximum, and one above it, for one amount and for the sum.
#[test]
fn amounts_and_their_sum_are_bounded() {
    let max = Amount::MAX.units();
    assert_eq!(Amount::from_units(max + 1), Err(AmountTooLarge(max + 1)));
    let mut bytes = Amount::MAX.to_bytes();
    assert_eq!(Amount::from_bytes(&bytes), Ok(Amount::MAX));
    bytes.clear();
    tabchain_primitives::codec::write_varint(&mut bytes, max + 1);
    assert_eq!(Amount::from_bytes(&bytes), Err(DecodeError::AmountTooLarge(AmountTooLarge(max + 1))));

    let whole = paying(units(1), vec![output(1, max - 3), output(2, 2)]).expect("just in range");
    assert_eq!(whole.total(), Amount::MAX);
    assert_eq!(paying(units(2), vec![output(1, max - 3), output(2, 2)]), Err(Malformed::TotalTooLarge));
    // 256 outputs of the maximum would wrap 64 bits if added up carelessly.
    assert_eq!(paying(Amount::MAX, vec![output(1, max); 256]), Err(Malformed::TotalTooLarge));

    // The decoder finds the same as the constructor: raise the fee of the transaction at the limit by one.
    let mut bytes = whole.to_bytes();
    bytes[38] = 2;
    assert_eq!(
        UnsignedTransaction::from_bytes(&bytes),
        Err(DecodeError::Malformed(Malformed::TotalTooLarge))
    );
}

/// Rule T4.
#[test]
fn outputs_pay_something() {
    assert_eq!(Output::new(Address::ZERO, Amount::ZERO), Err(Malformed::ZeroOutput));
    let bytes = [0; 21];
    assert_eq!(Output::from_bytes(&bytes), Err(DecodeError::Malformed(Malformed::ZeroOutput)));
}

#[test]
fn lists_and_texts_keep_their_bounds() {
    let memo = |length| Transfer::new(vec![output(1, 1)], "m".repeat(length)).map(|_| ());
    assert_eq!(memo(64), Ok(()));
    assert_eq!(memo(65), Err(Malformed::MemoLength(65)));
    let outputs = |count| Transfer::new(vec![output(1, 1); count], "").map(|_| ());
    assert_eq!(outputs(0), Err(Malformed::OutputCount(0)));
    assert_eq!(outputs(256), Ok(()));
    assert_eq!(outputs(257), Err(Malformed::OutputCount(257)));
    let anchor = |topic, data| Anchor::new("t".repeat(topic), vec![0; data]).map(|_| ());
    assert_eq!(anchor(0, 0), Err(Malformed::TopicLength(0)));
    assert_eq!(anchor(32, 256), Ok(()));
    assert_eq!(anchor(33, 0), Err(Malformed::TopicLength(33)));
    assert_eq!(anchor(1, 257), Err(Malformed::DataLength(257)));

    let no_outputs = [0, 0, 0];
    let refused = DecodeError::Length { length: 0, min: 1, max: 256 };
    assert_eq!(Action::from_bytes(&no_outputs), Err(refused));
    let bad_topic = [1, 1, 0xff, 0];
    assert_eq!(Action::from_bytes(&bad_topic), Err(DecodeError::NotUtf8));
}

/// Another signature changes the witness hash, never the id; another chain changes what is signed.
#[test]
fn the_id_leaves_the_signature_out() {
    let unsigned = paying(units(1), vec![output(1, 1)]).expect("in range");
    let one = Transaction::new(unsigned.clone(), Signature::from_bytes([1; 64]));
    let other = Transaction::new(unsigned.clone(), Signature::from_bytes([2; 64]));
    assert_eq!(one.id(), other.id());
    assert_ne!(one.witness_hash(), other.witness_hash());
    let here = unsigned.signing_digest(&BlockHash::from_bytes([1; 32]));
    let there = unsigned.signing_digest(&BlockHash::from_bytes([2; 32]));
    assert_ne!(here, there);
}
