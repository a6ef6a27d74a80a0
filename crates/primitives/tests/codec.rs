//! One byte form of every value: decode then encode is the identity, both ways round.

mod values;

use std::fmt::Debug;

use proptest::{collection::vec, prelude::*};
use tabchain_primitives::{
    Account, AccountNonce, Amount, Block, Decode, DecodeError, Encode, Header, Transaction,
    UnsignedTransaction, Work,
    codec::{Reader, write_varint},
    merkle,
};

/// The value comes back from its bytes; cut bytes and extra bytes are errors.
fn check_round_trip<T: Encode + Decode + PartialEq + Debug>(value: &T) {
    let bytes = value.to_bytes();
    assert_eq!(T::from_bytes(&bytes).as_ref(), Ok(value));
    assert!(bytes.len() >= T::MIN_BYTES, "{} bytes are fewer than MIN_BYTES", bytes.len());
    for cut in [0, bytes.len() / 2, bytes.len() - 1] {
        assert!(T::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(T::from_bytes(&longer), Err(DecodeError::TrailingBytes { count: 1 }));
}

/// Whatever can be decoded encodes to the very bytes it was decoded from.
fn check_canonical<T: Encode + Decode>(bytes: &[u8]) {
    if let Ok(value) = T::from_bytes(bytes) {
        assert_eq!(value.to_bytes(), bytes);
    }
}

proptest! {
    #[test]
    fn values_come_back(
        amount in values::amounts(),
        nonce in any::<u64>(),
        transaction in values::transactions(),
        block in values::blocks(),
        work in any::<[u8; 32]>(),
        items in vec(any::<[u8; 32]>(), 1..40),
    ) {
        check_round_trip(&amount);
        check_round_trip(&AccountNonce::new(nonce));
        check_round_trip(&Account { nonce: AccountNonce::new(nonce), balance: amount });
        check_round_trip(&transaction);
        check_round_trip(transaction.unsigned());
        check_round_trip(&block.header);
        check_round_trip(&block);
        check_round_trip(&Work::from_bytes(&work).expect("any 32 bytes are work"));
        check_round_trip(&merkle::Proof::of(&items, items.len() / 2).expect("within"));
        let mut range = merkle::MountainRange::default();
        for item in &items {
            range.push(item);
        }
        check_round_trip(&range);
    }

    #[test]
    fn what_decodes_is_canonical(bytes in vec(any::<u8>(), 0..300), block in values::blocks(), flip in any::<(u16, u8)>()) {
        check_canonical::<Amount>(&bytes);
        check_canonical::<UnsignedTransaction>(&bytes);
        check_canonical::<Header>(&bytes);
        check_canonical::<merkle::Proof>(&bytes);
        // A damaged block is a much deeper test of the decoder than noise is.
        let mut damaged = block.to_bytes();
        let place = usize::from(flip.0) % damaged.len();
        damaged[place] ^= flip.1;
        check_canonical::<Block>(&damaged);
    }

    #[test]
    fn varints_come_back(value in any::<u64>()) {
        let mut bytes = Vec::new();
        write_varint(&mut bytes, value);
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.varint(), Ok(value));
        prop_assert_eq!(reader.finish(), Ok(()));
    }
}

/// Rule E1.
#[test]
fn varints_are_minimal_and_fit() {
    let read = |bytes: &[u8]| Reader::new(bytes).varint();
    assert_eq!(read(&[0x00]), Ok(0));
    assert_eq!(read(&[0x7f]), Ok(127));
    assert_eq!(read(&[0x80, 0x01]), Ok(128));
    let largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(read(&largest), Ok(u64::MAX));

    assert_eq!(read(&[0x80, 0x00]), Err(DecodeError::NonMinimalVarint));
    assert_eq!(read(&[0xff, 0x80, 0x00]), Err(DecodeError::NonMinimalVarint));
    assert_eq!(
        read(&[0x80; 9].iter().copied().chain([0x00]).collect::<Vec<_>>()),
        Err(DecodeError::NonMinimalVarint)
    );
    let mut too_large = largest;
    too_large[9] = 0x02;
    assert_eq!(read(&too_large), Err(DecodeError::VarintOverflow));
    assert_eq!(read(&[0xff; 11]), Err(DecodeError::VarintOverflow));
    assert_eq!(read(&[]), Err(DecodeError::UnexpectedEnd));
    assert_eq!(read(&[0x80]), Err(DecodeError::UnexpectedEnd));
}

/// Rule E2: a length that can't be true fails before anything is allocated for it.
#[test]
fn hostile_lengths_fail_first() {
    let mut header_then_count = vec![0; Header::MIN_BYTES];
    write_varint(&mut header_then_count, 65_536);
    assert_eq!(Block::from_bytes(&header_then_count), Err(DecodeError::UnexpectedEnd));

    let mut too_many = vec![0; Header::MIN_BYTES];
    write_varint(&mut too_many, u64::MAX);
    let refused = DecodeError::Length { length: u64::MAX, min: 0, max: 65_536 };
    assert_eq!(Block::from_bytes(&too_many), Err(refused));

    let mut reader = Reader::new(&[0x05, 1, 2, 3, 4]);
    assert_eq!(reader.bytes(0..=10), Err(DecodeError::UnexpectedEnd));
    let mut reader = Reader::new(&[0x03, 1, 2, 3]);
    assert_eq!(reader.bytes(4..=10), Err(DecodeError::Length { length: 3, min: 4, max: 10 }));
    // Enough bytes for three of them by count, not by size.
    let mut reader = Reader::new(&[0x03, 1, 2, 3]);
    assert_eq!(reader.list::<Transaction>(0..=10), Err(DecodeError::UnexpectedEnd));
}

/// Rule E4.
#[test]
fn text_is_utf8() {
    assert_eq!(Reader::new(&[0x02, 0xc3, 0xa9]).text(0..=2), Ok("é"));
    assert_eq!(Reader::new(&[0x01, 0xc3]).text(0..=2), Err(DecodeError::NotUtf8));
}
