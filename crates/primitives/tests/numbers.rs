//! Amounts as text, addresses as text, targets and work.

use proptest::prelude::*;
use tabchain_primitives::{
    Address, AddressError, AddressPrefix, Amount, AmountParseError, BlockHash, CompactTarget,
    CompactTargetError, HexError, PublicKey, Target, U256, Work,
};

#[test]
fn amounts_are_written_in_tab() {
    for (units, text) in
        [(0, "0"), (1, "0.000001"), (1_500_000, "1.5"), (3_000_000, "3"), (10_000_010, "10.00001")]
    {
        let amount = Amount::from_units(units).expect("in range");
        assert_eq!(amount.to_string(), text);
        assert_eq!(text.parse(), Ok(amount));
    }
    assert_eq!(Amount::MAX.to_string(), "9007199254.740991");
    assert_eq!(".5".parse(), Amount::from_units(500_000).map_err(|_| AmountParseError::Form));
}

#[test]
fn odd_amounts_are_refused() {
    for text in ["", ".", "1.", "-1", "+1", "1e3", "1,5", "0x1", " 1", "1 ", "1.2.3", "NaN", "inf", "١"] {
        assert_eq!(text.parse::<Amount>(), Err(AmountParseError::Form), "{text:?}");
    }
    assert_eq!("0.0000001".parse::<Amount>(), Err(AmountParseError::TooPrecise));
    assert_eq!("9007199254.740992".parse::<Amount>(), Err(AmountParseError::TooLarge));
    assert_eq!("99999999999999999999999".parse::<Amount>(), Err(AmountParseError::TooLarge));
}

#[test]
fn addresses_know_their_chain() {
    let prefix: AddressPrefix = "dtab".parse().expect("letters");
    let address = Address::of(&PublicKey::from_bytes([7; 32]));
    let text = address.to_bech32(prefix);
    assert!(text.starts_with("dtab1"));
    assert_eq!(text.len(), "dtab1".len() + 32 + 6);
    assert_eq!(Address::parse(prefix, &text), Ok(address));
    assert_eq!(Address::parse(prefix, &text.to_uppercase()), Ok(address), "as a QR code has it");

    let other: AddressPrefix = "ttab".parse().expect("letters");
    let refused = AddressError::OtherChain { expected: other, found: prefix };
    assert_eq!(Address::parse(other, &text), Err(refused));
    let mistyped = text.replacen('q', "p", 1);
    assert_ne!(mistyped, text);
    assert_eq!(Address::parse(prefix, &mistyped), Err(AddressError::Checksum));
    assert_eq!(Address::parse(prefix, &text[..40]), Err(AddressError::Checksum));
    assert_eq!(Address::parse(prefix, ""), Err(AddressError::Checksum));
    // A segwit address: bech32, not bech32m.
    let foreign = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    assert_eq!(Address::parse(prefix, foreign), Err(AddressError::Checksum));
    for bad in ["", "Dtab", "d-tab", "seventeen-letters"] {
        assert_eq!(bad.parse::<AddressPrefix>(), Err(AddressError::Prefix));
    }
}

#[test]
fn addresses_have_twenty_bytes() {
    let hrp = bech32::Hrp::parse("dtab").expect("letters");
    let prefix: AddressPrefix = "dtab".parse().expect("letters");
    for length in [0, 19, 21, 32] {
        let text = bech32::encode::<bech32::Bech32m>(hrp, &vec![1; length]).expect("short");
        assert_eq!(Address::parse(prefix, &text), Err(AddressError::Length), "{length} bytes");
    }
}

#[test]
fn hashes_are_written_in_hex() {
    let hash = BlockHash::from_bytes([0xab; 32]);
    assert_eq!(hash.to_string(), "ab".repeat(32));
    assert_eq!(hash.to_string().parse(), Ok(hash));
    assert_eq!("ab".parse::<BlockHash>(), Err(HexError::Length { expected: 64, found: 2 }));
    assert_eq!("gb".repeat(32).parse::<BlockHash>(), Err(HexError::Digit));
    assert_eq!(format!("{hash:?}"), format!("BlockHash({})", "ab".repeat(32)));
}

fn expand(bits: u32) -> Result<U256, CompactTargetError> {
    CompactTarget::from_bits(bits).expand().map(Target::value)
}

#[test]
fn compact_targets_expand_as_bitcoins_do() {
    assert_eq!(expand(0x1d00_ffff), Ok(U256::from(0xffff_u32) << 208));
    assert_eq!(expand(0x0112_0000), Ok(U256::from(0x12_u32)));
    assert_eq!(expand(0x0200_8000), Ok(U256::from(0x80_u32)));
    assert_eq!(expand(0x0500_9234), Ok(U256::from(0x9234_0000_u32)));
    assert_eq!(expand(0x0412_3456), Ok(U256::from(0x1234_5600_u32)));
    assert_eq!(expand(0x207f_ffff), Ok(U256::from(0x007f_ffff_u32) << 232));
    assert_eq!(expand(0x2100_ffff), Ok(U256::from(0xffff_u32) << 240));
}

#[test]
fn other_four_bytes_are_refused() {
    use CompactTargetError::{Negative, NotCanonical, Overflow, Zero};
    let cases = [
        (0x0000_0000, Zero),
        (0x0100_0000, Zero),
        (0x2000_0000, Zero),
        (0x0000_ffff, Zero), // shifted out altogether
        (0x01fe_dcba, Negative),
        (0x0492_3456, Negative),
        (0x1d80_0000, Negative),
        (0xff12_3456, Overflow),
        (0x2112_3456, Overflow),
        (0x2201_0000, Overflow),
        (0x0112_3456, NotCanonical), // its low bytes are shifted out
        (0x1e00_00ff, NotCanonical), // fits a smaller exponent
        (0x2200_00ff, NotCanonical), // the same at the upper end
    ];
    for (bits, error) in cases {
        assert_eq!(expand(bits), Err(error), "{bits:#010x}");
    }
}

#[test]
fn work_counts_hashes() {
    let work = |value| Target::new(value).expect("not zero").work().value();
    assert_eq!(work(U256::MAX), U256::ONE);
    assert_eq!(work(U256::MAX >> 1), U256::from(2));
    assert_eq!(work(U256::MAX >> 32), U256::ONE << 32);
    assert_eq!(work(U256::ONE), U256::ONE << 255);
    // Bitcoin's easiest target.
    assert_eq!(work(U256::from(0xffff_u32) << 208), U256::from(0x0001_0001_0001_u64));
    assert_eq!(Target::new(U256::ZERO), None);

    let most = Work::new(U256::MAX);
    assert_eq!(most + Work::new(U256::ONE), most, "a sum stops at the top");
    assert_eq!([Work::new(U256::ONE); 3].into_iter().sum::<Work>(), Work::new(U256::from(3)));
    assert_eq!(Work::new(U256::from(1234)).to_string(), "1234");
}

#[test]
fn a_hash_meets_a_target_that_it_equals() {
    let target = Target::new(U256::from(0x0001_0000)).expect("not zero");
    let hash = |value: u64| BlockHash::from_bytes(U256::from(value).to_be_bytes());
    assert!(target.is_met_by(&hash(0x0001_0000)));
    assert!(!target.is_met_by(&hash(0x0001_0001)));
}

proptest! {
    #[test]
    fn amounts_come_back_from_text(units in 0..=Amount::MAX.units()) {
        let amount = Amount::from_units(units).expect("in range");
        prop_assert_eq!(amount.to_string().parse(), Ok(amount));
    }

    #[test]
    fn addresses_come_back_from_text(bytes in any::<[u8; 20]>()) {
        let address = Address::from_bytes(bytes);
        let prefix: AddressPrefix = "tab".parse().expect("letters");
        prop_assert_eq!(Address::parse(prefix, &address.to_bech32(prefix)), Ok(address));
    }

    /// Rounding to the compact form loses less than one part in 2^15, never rises, and is done once.
    #[test]
    fn compact_targets_round_down(bytes in any::<[u8; 32]>(), shift in 0_usize..256) {
        let value = U256::from_be_bytes(bytes) >> shift;
        prop_assume!(!value.is_zero());
        let target = Target::new(value).expect("not zero");
        let rounded = target.to_compact().expand().expect("a target's compact form is one");
        prop_assert!(rounded <= target);
        prop_assert!(target.value() - rounded.value() <= target.value() >> 15);
        prop_assert_eq!(rounded.to_compact(), target.to_compact());
    }

    /// Every four bytes are either refused or the only ones of their value.
    #[test]
    fn compact_targets_are_canonical(bits in any::<u32>()) {
        let compact = CompactTarget::from_bits(bits);
        if let Ok(target) = compact.expand() {
            prop_assert_eq!(target.to_compact(), compact);
        }
    }
}
