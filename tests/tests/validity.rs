//! What is valid and what is not, at every edge: the same verdicts natively and in wasm.
//!
//! Each case names the very error, and what is valid still comes in after what was not.

use tabchain_chain::{ConnectError, InsertError, Prefix, testing::*};
use tabchain_consensus::{
    BlockError, ChainSpec, HeaderError, Parameters, TransactionError, hash_meets_target, reward,
};
use tabchain_mempool::{AdmitError, FeeRate, Limits, Mempool};
use tabchain_primitives::{
    Account, AccountNonce, Action, Address, Amount, AmountTooLarge, Anchor, Block, BlockHash, CompactTarget,
    DecodeError, Encode, Header, HeaderFields, Height, Malformed, Output, PublicKey, Signature, StateRoot,
    Timestamp, Transaction, Transfer, UnsignedTransaction,
    codec::{write_bytes, write_varint},
};
use tabchain_tests::door::{Door, Refusal, miner, with_raw_transaction, with_work};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// What a key of the genesis owns.
const OWNED: u64 = 1_000_000_000;

fn door() -> Door {
    Door::new(&spec())
}

fn to() -> Address {
    Key::new(40).address()
}

fn pay(nonce: u64, amount: u64, fee: u64) -> Transaction {
    transfer(&spec(), &Key::new(0), nonce, to(), amount, fee)
}

/// The refusal of the first transaction of a block for its sender's account.
fn transaction_error(error: TransactionError) -> Refusal {
    Refusal::State(ConnectError::Transaction { index: 0, error })
}

/// The refusal of the first transaction of a block for its signature.
fn bad_signature() -> Refusal {
    Refusal::Body(BlockError::Transaction { index: 0, error: TransactionError::BadSignature })
}

/// The bytes of a transfer of the key 0 with any numbers at all, with a signature of zeros.
fn raw_transfer(fee: u64, outputs: &[(Address, u64)], count: u64) -> Vec<u8> {
    let mut bytes = vec![1];
    Key::new(0).public().encode(&mut bytes);
    write_varint(&mut bytes, 0);
    Height::MAX.encode(&mut bytes);
    write_varint(&mut bytes, fee);
    bytes.push(0);
    write_varint(&mut bytes, count);
    for (to, amount) in outputs {
        to.encode(&mut bytes);
        write_varint(&mut bytes, *amount);
    }
    write_bytes(&mut bytes, b"memo");
    bytes.extend_from_slice(&[0; 64]);
    bytes
}

/// What comes of a block with this raw transaction.
fn offer_raw(transaction: &[u8]) -> Result<(), Refusal> {
    let mut door = door();
    let block = door.good(&[]);
    let refused = door.offer_at(&with_raw_transaction(&block, transaction), block.header.time());
    door.offer(&block).expect("the honest block comes in after all");
    refused
}

#[test]
fn a_reward_one_unit_too_high_or_too_early_has_no_way_in() {
    let mut door = door();
    let first = door.good(&[]);
    door.offer(&first).expect("a good block");
    for blocks in 0..3_u64 {
        let honest = door.good(&[]);
        let genuine: Vec<(Address, Account)> = everyone(&door, &honest);
        for extra in [1, reward(&spec(), Height::new(1)).units()] {
            let mut greedy = genuine.clone();
            match greedy.iter_mut().find(|(address, _)| *address == miner()) {
                Some((_, account)) => account.balance = units(account.balance.units() + extra),
                None => greedy.push((miner(), Account { balance: units(extra), ..Account::EMPTY })),
            }
            let root = StateRoot::of_accounts(greedy.iter().map(|(address, account)| (address, account)));
            let header = with_work(&honest.header, |fields| fields.state_root = root);
            let lie = Block { header, ..honest.clone() };
            let computed = honest.header.state_root();
            let refused = Refusal::State(ConnectError::StateRoot { computed, claimed: root });
            assert_eq!(door.offer(&lie), Err(refused), "{extra} more after {blocks} blocks");
        }
        door.offer(&honest).expect("the honest twin");
    }
    // Blocks 1 and 2 have matured by now, with a maturity of two.
    let rewards = [1, 2].map(|height| reward(&spec(), Height::new(height)));
    assert_eq!(Some(door.chain.account(&miner()).balance), Amount::checked_sum(rewards));
}

/// All accounts as they are after this block.
fn everyone(door: &Door, next: &Block) -> Vec<(Address, Account)> {
    let mut after = tabchain_chain::Chain::new(door.chain.spec().clone());
    for height in 1..=door.chain.tip().height.value() {
        let hash = door.chain.hash_at(Height::new(height)).expect("below the tip");
        let header = *door.chain.header(&hash).expect("it is active");
        connect(&mut after, &Block { header, transactions: Vec::new() });
    }
    connect(&mut after, next);
    let all = after.state_chunk(Prefix::new(0, 0).expect("everything"));
    all.accounts().map(|(address, account)| (*address, *account)).collect()
}

#[test]
fn a_sum_of_amounts_that_overflows_is_refused_and_does_not_wrap() {
    let max = Amount::MAX.units();
    let too_much = Err(Refusal::Bytes(DecodeError::Malformed(Malformed::TotalTooLarge)));
    assert_eq!(offer_raw(&raw_transfer(0, &[(to(), max), (to(), 1)], 2)), too_much);
    // 2,049 times the maximum is just above 2^64, so a sum that wraps would be small.
    let many: Vec<_> = (0..256).map(|_| (to(), max)).collect();
    assert_eq!(offer_raw(&raw_transfer(0, &many, 256)), too_much);
    let half = u64::MAX / 2 + 1;
    let wrapping = raw_transfer(0, &[(to(), half), (to(), half)], 2);
    let refused = Refusal::Bytes(DecodeError::AmountTooLarge(AmountTooLarge(half)));
    assert_eq!(offer_raw(&wrapping), Err(refused));
}

#[test]
fn an_amount_may_be_the_maximum_and_no_more() {
    let max = Amount::MAX.units();
    // The maximum is an amount: that nobody owns as much is another matter.
    let needed = Amount::MAX;
    let mut door = door();
    let forged = door.forged(vec![pay(0, max, 0)]);
    let refused = transaction_error(TransactionError::BalanceTooLow { balance: units(OWNED), needed });
    assert_eq!(door.offer(&forged), Err(refused));
    let refused = Refusal::Bytes(DecodeError::AmountTooLarge(AmountTooLarge(max + 1)));
    assert_eq!(offer_raw(&raw_transfer(0, &[(to(), max + 1)], 1)), Err(refused));
}

#[test]
fn an_account_can_hold_nearly_everything_and_pay_it_all_away() {
    let all = 4_000_000_000_000_000;
    let allocations = vec![(Key::new(0).address(), units(all))];
    let spec = ChainSpec::new(Parameters { allocations, ..parameters() }).expect("below 2^53");
    let mut door = Door::new(&spec);
    let everything = transfer(&spec, &Key::new(0), 0, to(), all, 0);
    door.offer(&door.good(&[everything])).expect("all of it");
    assert_eq!(door.chain.account(&to()).balance, units(all));
}

#[test]
fn fee_and_outputs_together_do_not_overflow() {
    let max = Amount::MAX.units();
    let too_much = Err(Refusal::Bytes(DecodeError::Malformed(Malformed::TotalTooLarge)));
    assert_eq!(offer_raw(&raw_transfer(1, &[(to(), max)], 1)), too_much);
    assert_eq!(offer_raw(&raw_transfer(max, &[(to(), 1)], 1)), too_much);
    let action = Action::Transfer(
        Transfer::new(vec![Output::new(to(), Amount::MAX).expect("some")], "").expect("one"),
    );
    let key = Key::new(0).public();
    let unsigned = UnsignedTransaction::new(key, AccountNonce::ZERO, Height::MAX, units(1), action);
    assert_eq!(unsigned, Err(Malformed::TotalTooLarge), "it can't even be made");
}

#[test]
fn a_nonce_gap_is_held_by_the_pool_and_refused_in_a_block() {
    let mut door = door();
    let (expected, found) = (AccountNonce::ZERO, AccountNonce::new(1));
    let gap = door.forged(vec![pay(1, 5, 1_000)]);
    let refused = transaction_error(TransactionError::WrongNonce { expected, found });
    assert_eq!(door.offer(&gap), Err(refused));

    let mut pool = Mempool::new(Limits { min_fee_rate: FeeRate::new(0), ..Limits::default() });
    let later = verified_transaction(&spec(), pay(1, 5, 1_000));
    let admitted = pool.insert(later, &door.chain, Height::new(1)).expect("it is good, only early");
    assert!(admitted.held);
    assert!(pool.template(&door.chain, 100_000, Height::new(1)).is_empty());
    let first = verified_transaction(&spec(), pay(0, 5, 1_000));
    assert!(!pool.insert(first, &door.chain, Height::new(1)).expect("it is next").held);
    let both = pool.template(&door.chain, 100_000, Height::new(1));
    assert_eq!(both.len(), 2, "the gap is filled");
    door.offer(&door.good(&both)).expect("in the order of nonces");
}

#[test]
fn a_nonce_is_used_once() {
    let mut door = door();
    door.offer(&door.good(&[pay(0, 5, 1)])).expect("the first");
    let (expected, found) = (AccountNonce::new(1), AccountNonce::ZERO);
    let again = TransactionError::WrongNonce { expected, found };
    for repeated in [pay(0, 5, 1), pay(0, 6, 1)] {
        let block = door.forged(vec![repeated.clone()]);
        assert_eq!(door.offer(&block), Err(transaction_error(again)));
        let mut pool = Mempool::new(Limits { min_fee_rate: FeeRate::new(0), ..Limits::default() });
        let admitted = pool.insert(verified_transaction(&spec(), repeated), &door.chain, Height::new(2));
        assert_eq!(admitted, Err(AdmitError::Rule(again)));
    }
    door.offer(&door.good(&[pay(1, 5, 1)])).expect("the next");
}

#[test]
fn a_balance_short_by_one_is_refused() {
    let mut door = door();
    let short = door.forged(vec![pay(0, OWNED - 9, 10)]);
    let (balance, needed) = (units(OWNED), units(OWNED + 1));
    let refused = TransactionError::BalanceTooLow { balance, needed };
    assert_eq!(door.offer(&short), Err(transaction_error(refused)));
    door.offer(&door.good(&[pay(0, OWNED - 10, 10)])).expect("to the last unit");
    assert_eq!(door.chain.account(&Key::new(0).address()).balance, Amount::ZERO);
}

#[test]
fn a_transfer_has_one_to_256_outputs() {
    let outputs = |count: usize| (0..count).map(|_| (to(), 1)).collect::<Vec<_>>();
    for count in [0, 257] {
        let refused = DecodeError::Length { length: count, min: 1, max: 256 };
        let listed = outputs(usize::try_from(count).expect("few"));
        assert_eq!(offer_raw(&raw_transfer(0, &listed, count)), Err(Refusal::Bytes(refused)));
    }
    let most = outputs(256).into_iter().map(|(to, _)| Output::new(to, units(1)).expect("some")).collect();
    let transfer = Action::Transfer(Transfer::new(most, "").expect("256"));
    let key = Key::new(0);
    let unsigned =
        UnsignedTransaction::new(key.public(), AccountNonce::ZERO, Height::MAX, units(0), transfer);
    let mut door = door();
    door.offer(&door.good(&[key.sign(&spec(), unsigned.expect("small"))])).expect("256 outputs");
    assert_eq!(door.chain.account(&to()).balance, units(256));
}

#[test]
fn an_output_of_nothing_is_refused() {
    let refused = Refusal::Bytes(DecodeError::Malformed(Malformed::ZeroOutput));
    assert_eq!(offer_raw(&raw_transfer(0, &[(to(), 0)], 1)), Err(refused));
}

#[test]
fn a_transaction_is_in_a_block_once() {
    let mut door = door();
    let twice = door.forged(vec![pay(0, 5, 1), pay(1, 5, 1), pay(0, 5, 1)]);
    assert_eq!(door.offer(&twice), Err(Refusal::Body(BlockError::RepeatedTransaction { index: 2 })));
    door.offer(&door.good(&[pay(0, 5, 1), pay(1, 5, 1)])).expect("each once");
}

/// CVE-2012-2459: where odd leaves are doubled, a body with its end repeated has the honest header's root.
#[test]
fn a_body_with_leaves_repeated_is_another_body_and_the_original_comes_in_after_it() {
    for count in 1..=7_u64 {
        let mut door = door();
        let payments: Vec<_> = (0..count).map(|nonce| pay(nonce, 5, 1)).collect();
        let honest = door.good(&payments);
        for tail in 1..=payments.len() {
            let mut doubled = honest.clone();
            doubled.transactions.extend_from_slice(&payments[payments.len() - tail..]);
            let found = payments.len() + tail;
            let claimed = honest.header.tx_count();
            let wrong_count = BlockError::WrongCount { claimed, found };
            assert_eq!(door.offer(&doubled), Err(Refusal::Body(wrong_count)));
            // A header that counts them all commits to another root than the honest one, so it is another block.
            let count = u32::try_from(found).expect("few");
            doubled.header = with_work(&honest.header, |fields| fields.tx_count = count);
            assert_eq!(door.offer(&doubled), Err(Refusal::Body(BlockError::WrongRoot)));
        }
        door.offer(&honest).expect("the original");
    }
}

#[test]
fn bytes_that_are_not_canonical_are_no_block_and_their_twin_is() {
    let mut door = door();
    let good = door.good(&[pay(0, 5, 1_000)]);
    let (bytes, now) = (good.to_bytes(), good.header.time());
    let fee_at = 180 + 1 + 1 + 32 + 1 + 4;
    assert_eq!(bytes[fee_at..fee_at + 2], [0xe8, 0x07]);
    let longer = [&bytes[..fee_at], &[0xe8, 0x87, 0x00], &bytes[fee_at + 2..]].concat();
    let overlong = [&bytes[..fee_at], &[0xff; 9], &[0x02], &bytes[fee_at + 2..]].concat();
    let trailing = [&bytes[..], &[0]].concat();
    let cut = &bytes[..bytes.len() - 1];
    for (wrong, error) in [
        (&longer[..], DecodeError::NonMinimalVarint),
        (&overlong, DecodeError::VarintOverflow),
        (&trailing, DecodeError::TrailingBytes { count: 1 }),
        (cut, DecodeError::UnexpectedEnd),
    ] {
        assert_eq!(door.offer_at(wrong, now), Err(Refusal::Bytes(error)));
    }
    door.offer_at(&bytes, now).expect("the canonical twin");
}

#[test]
fn a_block_may_reach_its_limit_and_not_pass_it_by_a_byte() {
    let limit = 1 << 14;
    let spec = ChainSpec::new(Parameters { max_block_bytes: limit, ..parameters() }).expect("a small one");
    let limit = spec.max_block_bytes();
    let mut door = Door::new(&spec);
    let key = Key::new(0);
    let anchor = |nonce: u64, data: usize| {
        let action = Action::Anchor(Anchor::new("fill", vec![0; data]).expect("in bounds"));
        let nonce = AccountNonce::new(nonce);
        let unsigned = UnsignedTransaction::new(key.public(), nonce, Height::MAX, units(0), action);
        key.sign(&spec, unsigned.expect("in range"))
    };
    let mut filled: Vec<_> = (0..51).map(|nonce| anchor(nonce, 200)).collect();
    let missing = limit - door.forged(filled.clone()).to_bytes().len() - anchor(51, 0).size() - 1;
    assert!((128..256).contains(&missing), "{missing} bytes of data fill it");
    filled.push(anchor(51, missing + 1));
    let too_large = door.forged(filled.clone());
    assert_eq!(too_large.to_bytes().len(), limit + 1);
    let refused = Refusal::Body(BlockError::TooLarge { bytes: limit + 1, limit });
    assert_eq!(door.offer(&too_large), Err(refused));
    filled.pop();
    filled.push(anchor(51, missing));
    let full = door.good(&filled);
    assert_eq!(full.to_bytes().len(), limit);
    door.offer(&full).expect("full to the last byte");
}

#[test]
fn a_wrong_target_is_refused_before_its_body_is_wanted() {
    let mut door = door();
    let good = door.good(&[]);
    let (expected, found) = (spec().genesis_target(), CompactTarget::from_bits(0x2000_ffff));
    let header = with_work(&good.header, |fields| fields.target = found);
    let wrong = HeaderError::WrongTarget { expected, found };
    let refused = door.chain.insert_header(header, header.time());
    assert_eq!(refused, Err(InsertError::Rule(wrong)));
    assert!(!door.chain.contains(&header.hash()) && door.chain.missing_bodies(10).is_empty());
    door.offer(&good).expect("the right one");
}

#[test]
fn a_hash_may_equal_its_target_and_not_be_one_above() {
    let target = CompactTarget::from_bits(0x0300_ffff);
    let header = Header::new(HeaderFields { target, ..spec().genesis_header().fields() });
    let hash = |value: u32| {
        let mut bytes = [0; 32];
        bytes[28..].copy_from_slice(&value.to_be_bytes());
        BlockHash::from_bytes(bytes)
    };
    assert_eq!(hash_meets_target(&header, &hash(0xffff)), Ok(()));
    assert_eq!(hash_meets_target(&header, &hash(0x1_0000)), Err(HeaderError::NotEnoughWork));
    // And at the door: of a header's nonces, those come in whose hash is not above.
    let mut door = door();
    let good = door.good(&[]);
    let limit = good.header.target().expand().expect("a target");
    let lazy = (0..).map(|nonce| good.header.with_nonce(nonce));
    let lazy = lazy.into_iter().find(|header| !limit.is_met_by(&header.hash())).expect("every other one");
    let refused = Refusal::Header(InsertError::Rule(HeaderError::NotEnoughWork));
    assert_eq!(door.offer(&Block { header: lazy, ..good.clone() }), Err(refused));
    door.offer(&good).expect("with its work");
}

#[test]
fn a_time_not_after_the_parents_is_refused() {
    let mut door = door();
    let genesis = spec().genesis_header().time();
    let good = door.good(&[]);
    let before = Timestamp::from_millis(genesis.millis() - 1);
    for time in [genesis, before, Timestamp::ZERO] {
        let header = with_work(&good.header, |fields| fields.time = time);
        let refused = Refusal::Header(InsertError::Rule(HeaderError::TimeNotAfterParent));
        assert_eq!(door.offer(&Block { header, ..good.clone() }), Err(refused));
    }
    let header = with_work(&good.header, |fields| fields.time = genesis.saturating_add(1));
    door.offer(&Block { header, ..good }).expect("one millisecond is enough");
}

#[test]
fn a_block_from_the_future_waits_and_is_valid_later() {
    let mut door = door();
    let good = door.good(&[pay(0, 5, 1)]);
    let at = Timestamp::from_millis(good.header.time().millis() - spec().future_limit_ms());
    let early = Timestamp::from_millis(at.millis() - 1);
    for _ in 0..3 {
        let refused = Refusal::Header(InsertError::TooEarly { at });
        assert_eq!(door.offer_at(&good.to_bytes(), early), Err(refused), "held, as often as it comes");
        assert!(!door.chain.contains(&good.hash()), "and neither known nor invalid");
    }
    door.offer_at(&good.to_bytes(), at).expect("its time has come");
}

#[test]
fn a_malleated_signature_keeps_the_id_and_is_refused() {
    let honest = pay(0, 5, 1);
    let flipped = |at: usize, bit: u8| {
        let mut bytes = *honest.signature().as_bytes();
        bytes[at] ^= bit;
        honest.unsigned().clone().with_signature(Signature::from_bytes(bytes))
    };
    let mut door = door();
    for malleated in [flipped(0, 1), flipped(31, 0x80), flipped(33, 4), flipped(63, 0x10), flipped(63, 0xe0)]
    {
        assert_eq!(malleated.unsigned().id(), honest.unsigned().id());
        assert_ne!(malleated.witness_hash(), honest.witness_hash());
        let block = door.forged(vec![malleated.clone()]);
        assert_eq!(door.offer(&block), Err(bad_signature()));
        // Under the honest header it is another body, and the header is not to blame.
        let mut other_body = door.good(std::slice::from_ref(&honest));
        other_body.transactions[0] = malleated;
        assert_eq!(door.offer(&other_body), Err(Refusal::Body(BlockError::WrongRoot)));
    }
    door.offer(&door.good(&[honest])).expect("the honest one");
}

/// Keys that RFC 8032 would not write or that have small order follow ZIP-215: with `s = 0` and a small `R` the
/// equation holds for any message. Such an account can be paid, and anybody can spend from it.
#[test]
fn small_and_odd_keys_get_the_verdict_of_zip_215() {
    let identity = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    // y = p + 1, which is 1 written with more than the field has.
    let not_canonical = {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xee;
        bytes[31] = 0x7f;
        bytes
    };
    let zero = [0; 32];
    let no_point = {
        let mut bytes = [0; 32];
        bytes[0] = 2;
        bytes
    };
    for (key, valid) in [(identity, true), (not_canonical, true), (zero, true), (no_point, false)] {
        let mut door = door();
        let key = PublicKey::from_bytes(key);
        let paid = transfer(&spec(), &Key::new(0), 0, Address::of(&key), 100, 0);
        door.offer(&door.good(&[paid])).expect("any address can be paid");
        let output = Output::new(to(), units(60)).expect("some");
        let action = Action::Transfer(Transfer::new(vec![output], "").expect("one"));
        let unsigned = UnsignedTransaction::new(key, AccountNonce::ZERO, Height::MAX, units(0), action);
        let mut signature = [0; 64];
        signature[0] = 1;
        let spent = unsigned.expect("in range").with_signature(Signature::from_bytes(signature));
        if valid {
            signature[32] = 1;
            let other_s = spent.unsigned().clone().with_signature(Signature::from_bytes(signature));
            let refused = door.offer(&door.forged(vec![other_s]));
            assert_eq!(refused, Err(bad_signature()));
            door.offer(&door.good(&[spent])).expect("ZIP-215 says yes");
            assert_eq!(door.chain.account(&to()).balance, units(60));
        } else {
            let refused = door.offer(&door.forged(vec![spent]));
            assert_eq!(refused, Err(bad_signature()));
        }
    }
}

#[test]
fn what_was_signed_for_another_chain_is_refused() {
    let other = ChainSpec::new(Parameters { name: "other".into(), ..parameters() }).expect("a chain");
    let elsewhere = transfer(&other, &Key::new(0), 0, to(), 5, 1);
    assert_eq!(elsewhere.unsigned().id(), pay(0, 5, 1).unsigned().id(), "the chain is in the signature only");
    let mut door = door();
    let block = door.forged(vec![elsewhere.clone()]);
    assert_eq!(door.offer(&block), Err(bad_signature()));
    door.offer(&door.good(&[pay(0, 5, 1)])).expect("signed for this one");
    let mut there = Door::new(&other);
    there.offer(&there.good(&[elsewhere])).expect("and there it is good");
}

#[test]
fn what_has_expired_is_refused() {
    let until = |height: u32| transfer_until(&spec(), &Key::new(0), 0, to(), 5, 1, Height::new(height));
    let mut door = door();
    let (valid_until, height) = (Height::GENESIS, Height::new(1));
    let error = TransactionError::Expired { valid_until, height };
    let late = door.forged(vec![until(0)]);
    assert_eq!(door.offer(&late), Err(Refusal::Body(BlockError::Transaction { index: 0, error })));
    door.offer(&door.good(&[until(1)])).expect("in its last block");
}
