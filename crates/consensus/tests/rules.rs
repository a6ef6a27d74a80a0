//! Every rule that needs no state, at its edge: what keeps it, and what just breaks it with which error.

use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use tabchain_consensus::{
    BlockError, ChainSpec, CheckedBlock, CheckedTransaction, HeaderError, Parameters, TransactionError,
    Verdict, balance_covers_total, check_header, nonce_is_next, reward, transaction_is_not_expired,
    verify_batch, verify_each,
};
use tabchain_primitives::{
    Account, AccountNonce, Action, Address, Amount, Anchor, Block, BlockHash, CompactTarget, Encode, Header,
    HeaderFields, Height, MerkleRoot, Output, PublicKey, Signature, Timestamp, Transaction, Transfer,
    UnsignedTransaction,
};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// The dev chain, so easy that every other hash will do.
fn spec() -> ChainSpec {
    let easy = CompactTarget::from_bits(0x207f_ffff);
    let parameters =
        Parameters { pow_limit: easy, genesis_target: easy, ..ChainSpec::dev().parameters().clone() };
    ChainSpec::new(parameters).expect("as good as dev")
}

/// The first header above `parent` that does the work.
fn mined(fields: HeaderFields) -> Header {
    let header = Header::new(fields);
    let target = header.target().expand().expect("a target");
    (0..1 << 20)
        .map(|nonce| header.with_nonce(nonce))
        .find(|header| target.is_met_by(&header.hash()))
        .expect("easy")
}

/// What the header above `parent` would be, not mined.
fn fields_above(spec: &ChainSpec, parent: &Header, transactions: &[Transaction]) -> HeaderFields {
    HeaderFields {
        height: parent.height().next().expect("low"),
        parent: parent.hash(),
        time: parent.time().saturating_add(spec.interval_ms()),
        tx_count: u32::try_from(transactions.len()).expect("few"),
        tx_root: MerkleRoot::of_transactions(transactions),
        ..parent.fields()
    }
}

fn transfer(secret: u8, nonce: u64, genesis: &BlockHash) -> Transaction {
    let output = Output::new(Address::from_bytes([9; 20]), Amount::ONE_TAB).expect("not zero");
    let action = Action::Transfer(Transfer::new(vec![output], "").expect("in bounds"));
    sign(secret, nonce, Height::new(10), action, genesis)
}

fn sign(secret: u8, nonce: u64, valid_until: Height, action: Action, genesis: &BlockHash) -> Transaction {
    let key = SigningKey::from([secret; 32]);
    let sender = PublicKey::from_bytes(VerificationKeyBytes::from(&key).into());
    let fee = Amount::from_units(1000).expect("in range");
    let unsigned = UnsignedTransaction::new(sender, AccountNonce::new(nonce), valid_until, fee, action)
        .expect("in range");
    let signature = key.sign(unsigned.signing_digest(genesis).as_bytes());
    unsigned.with_signature(Signature::from_bytes(signature.into()))
}

/// The verdict on a header that differs from a good one in some fields.
fn changed(change: impl FnOnce(&mut HeaderFields)) -> Result<(), HeaderError> {
    let spec = spec();
    let genesis = *spec.genesis_header();
    let mut fields = fields_above(&spec, &genesis, &[]);
    change(&mut fields);
    let now = genesis.time();
    let header = if fields.target.expand().is_ok() { mined(fields) } else { Header::new(fields) };
    check_header(&spec, &header, &genesis, None, now)
}

#[test]
fn b1_version_is_known() {
    assert_eq!(changed(|_| ()), Ok(()));
    assert_eq!(changed(|fields| fields.version = 2), Err(HeaderError::UnknownVersion { found: 2 }));
    assert_eq!(changed(|fields| fields.version = 0).unwrap_err().rule(), "B1");
}

#[test]
fn b2_height_follows_parent() {
    for wrong in [0, 2, u32::MAX] {
        let error = HeaderError::HeightDoesNotFollow { parent: Height::GENESIS, found: Height::new(wrong) };
        assert_eq!(changed(|fields| fields.height = Height::new(wrong)), Err(error));
    }
}

#[test]
fn b3_time_is_after_parent() {
    let genesis = spec().genesis_header().time();
    assert_eq!(changed(|fields| fields.time = genesis.saturating_add(1)), Ok(()));
    assert_eq!(changed(|fields| fields.time = genesis), Err(HeaderError::TimeNotAfterParent));
    assert_eq!(changed(|fields| fields.time = Timestamp::ZERO), Err(HeaderError::TimeNotAfterParent));
}

#[test]
fn b4_time_is_not_ahead_and_is_good_later() {
    let spec = spec();
    let genesis = *spec.genesis_header();
    let limit = spec.future_limit_ms();
    let ahead =
        HeaderFields { time: genesis.time().saturating_add(limit + 7), ..fields_above(&spec, &genesis, &[]) };
    let header = mined(ahead);
    let at = genesis.time().saturating_add(7);
    let check = |now| check_header(&spec, &header, &genesis, None, now);
    assert_eq!(check(genesis.time()), Err(HeaderError::TooEarly { at }));
    assert_eq!(check(genesis.time().saturating_add(6)), Err(HeaderError::TooEarly { at }));
    assert_eq!(check(at), Ok(()));
}

/// Only what is otherwise good is held for later: no work, no waiting room.
#[test]
fn b4_is_checked_last() {
    let spec = spec();
    let genesis = *spec.genesis_header();
    let ahead = HeaderFields { time: Timestamp::from_millis(u64::MAX), ..fields_above(&spec, &genesis, &[]) };
    let target = spec.pow_limit();
    let lazy = (0..1 << 20)
        .map(|nonce| Header::new(ahead).with_nonce(nonce))
        .find(|header| !target.is_met_by(&header.hash()));
    let lazy = lazy.expect("every other one");
    assert_eq!(check_header(&spec, &lazy, &genesis, None, genesis.time()), Err(HeaderError::NotEnoughWork));
}

#[test]
fn b5_target_is_as_computed() {
    let expected = spec().genesis_target();
    for wrong in [0x2000_ffff, 0x2100_ffff, 0, 0x2080_0000] {
        let found = CompactTarget::from_bits(wrong);
        assert_eq!(
            changed(|fields| fields.target = found),
            Err(HeaderError::WrongTarget { expected, found })
        );
    }
}

#[test]
fn b6_hash_meets_target() {
    use tabchain_consensus::hash_meets_target;
    let header = Header::new(HeaderFields {
        target: CompactTarget::from_bits(0x0300_ffff),
        ..spec().genesis_header().fields()
    });
    let hash = |value: u32| {
        let mut bytes = [0; 32];
        bytes[28..].copy_from_slice(&value.to_be_bytes());
        BlockHash::from_bytes(bytes)
    };
    assert_eq!(hash_meets_target(&header, &hash(0xffff)), Ok(()), "equal to the target");
    assert_eq!(hash_meets_target(&header, &hash(0x1_0000)), Err(HeaderError::NotEnoughWork), "one above");
}

/// A good block of these transactions above the genesis.
fn block(spec: &ChainSpec, transactions: Vec<Transaction>) -> Block {
    let header = Header::new(fields_above(spec, spec.genesis_header(), &transactions));
    Block { header, transactions }
}

#[test]
fn b7_tx_count_matches() {
    let spec = spec();
    let mut block = block(&spec, vec![transfer(1, 0, &spec.genesis_hash())]);
    assert!(CheckedBlock::check(&spec, block.clone()).is_ok());
    block.header = Header::new(HeaderFields { tx_count: 2, ..block.header.fields() });
    assert_eq!(CheckedBlock::check(&spec, block), Err(BlockError::WrongCount { claimed: 2, found: 1 }));
}

/// Another body under an honest header speaks against the body alone, whatever else is wrong with it.
#[test]
fn b8_tx_root_matches() {
    let spec = spec();
    let genesis = spec.genesis_hash();
    let honest = block(&spec, vec![transfer(1, 0, &genesis), transfer(2, 0, &genesis)]);
    let mut damaged = honest.clone();
    let signature = Signature::from_bytes([7; 64]);
    damaged.transactions[1] = damaged.transactions[1].unsigned().clone().with_signature(signature);
    let mut swapped = honest.clone();
    swapped.transactions.swap(0, 1);
    let mut repeated = honest.clone();
    repeated.transactions[1] = repeated.transactions[0].clone();
    for other in [damaged, swapped, repeated] {
        let error = CheckedBlock::check(&spec, other).expect_err("another body");
        assert_eq!(error, BlockError::WrongRoot);
        assert!(error.is_of_another_body());
    }
    assert!(CheckedBlock::check(&spec, honest).is_ok(), "the honest body is still good");
}

/// A block at the limit is good, one byte more is not.
#[test]
fn b9_block_fits_limit() {
    let parameters = Parameters { max_block_bytes: 1 << 14, ..spec().parameters().clone() };
    let spec = ChainSpec::new(parameters).expect("within bounds");
    let genesis = spec.genesis_hash();
    let anchor = |nonce: u64, data: usize| {
        let action = Action::Anchor(Anchor::new("fill", vec![0; data]).expect("in bounds"));
        sign(1, nonce, Height::new(10), action, &genesis)
    };
    let mut transactions: Vec<_> = (0..51).map(|nonce| anchor(nonce, 200)).collect();
    let size = |transactions: &[Transaction]| block(&spec, transactions.to_vec()).to_bytes().len();
    let missing = spec.max_block_bytes() - size(&transactions) - anchor(51, 0).size();
    assert!((128..255).contains(&missing), "{missing} bytes fit one more");
    // Data of 128 bytes and more has a length of two bytes.
    transactions.push(anchor(51, missing - 1));
    assert_eq!(size(&transactions), spec.max_block_bytes());
    assert!(CheckedBlock::check(&spec, block(&spec, transactions.clone())).is_ok());
    transactions.pop();
    transactions.push(anchor(51, missing));
    let error = BlockError::TooLarge { bytes: 16_385, limit: 16_384 };
    assert_eq!(CheckedBlock::check(&spec, block(&spec, transactions)), Err(error));
}

/// Also with another signature: it is the same transaction.
#[test]
fn b10_no_transaction_appears_twice() {
    let spec = spec();
    let one = transfer(1, 0, &spec.genesis_hash());
    let twin = one.unsigned().clone().with_signature(Signature::from_bytes([3; 64]));
    let other = transfer(2, 0, &spec.genesis_hash());
    for again in [one.clone(), twin] {
        let repeated = block(&spec, vec![one.clone(), other.clone(), again]);
        let error = CheckedBlock::check(&spec, repeated).expect_err("repeated");
        assert_eq!(error, BlockError::RepeatedTransaction { index: 2 });
        assert!(!error.is_of_another_body());
    }
}

#[test]
fn t5_signatures_are_for_this_chain_and_unchanged() {
    let spec = spec();
    let genesis = spec.genesis_hash();
    let verdict = |transaction: Transaction| {
        let checked = CheckedTransaction::check(&spec, transaction).expect("small");
        let checks = checked.signatures(&genesis);
        assert_eq!(verify_each(&checks), verify_batch(&checks, [1; 32]));
        checked.verified(verify_each(&checks)).map(|verified| verified.id())
    };
    let good = transfer(1, 0, &genesis);
    assert_eq!(verdict(good.clone()), Ok(good.id()));
    let elsewhere = transfer(1, 0, &BlockHash::ZERO);
    assert_eq!(verdict(elsewhere), Err(TransactionError::BadSignature));

    let mut bytes = *good.signature().as_bytes();
    bytes[40] ^= 1;
    let malleated = good.unsigned().clone().with_signature(Signature::from_bytes(bytes));
    assert_eq!(malleated.id(), good.id());
    assert_eq!(verdict(malleated), Err(TransactionError::BadSignature));
}

#[test]
fn t5_a_block_names_its_bad_signature() {
    let spec = spec();
    let genesis = spec.genesis_hash();
    let transactions =
        vec![transfer(1, 0, &genesis), transfer(2, 0, &BlockHash::ZERO), transfer(3, 0, &genesis)];
    let checked = CheckedBlock::check(&spec, block(&spec, transactions)).expect("good so far");
    let verdict = verify_batch(&checked.signatures(&genesis), [1; 32]);
    assert_eq!(verdict, Verdict::Invalid { index: 1 });
    let error = checked.verified(verdict).expect_err("signed for another chain");
    let bad = BlockError::Transaction { index: 1, error: TransactionError::BadSignature };
    assert_eq!((error, error.rule()), (bad, "T5"));
}

#[test]
fn t6_transactions_are_not_expired() {
    let spec = spec();
    let transaction = transfer(1, 0, &spec.genesis_hash());
    let check = |height| transaction_is_not_expired(&transaction, Height::new(height));
    assert_eq!(check(10), Ok(()));
    let error = TransactionError::Expired { valid_until: Height::new(10), height: Height::new(11) };
    assert_eq!(check(11), Err(error));

    let mut late = block(&spec, vec![transfer(2, 0, &spec.genesis_hash()), transaction.clone()]);
    late.transactions[0] = sign(2, 0, Height::MAX, transaction.action().clone(), &spec.genesis_hash());
    late.header = Header::new(HeaderFields {
        height: Height::new(11),
        tx_root: MerkleRoot::of_transactions(&late.transactions),
        ..late.header.fields()
    });
    assert_eq!(CheckedBlock::check(&spec, late), Err(BlockError::Transaction { index: 1, error }));
}

#[test]
fn t7_and_t8_look_at_the_sender() {
    let transaction = transfer(1, 5, &BlockHash::ZERO);
    let account = |nonce, balance| Account {
        nonce: AccountNonce::new(nonce),
        balance: Amount::from_units(balance).expect("in range"),
    };
    assert_eq!(nonce_is_next(&transaction, &account(5, 0)), Ok(()));
    for (nonce, rule) in [(4, "T7"), (6, "T7")] {
        assert_eq!(nonce_is_next(&transaction, &account(nonce, 0)).expect_err("wrong nonce").rule(), rule);
    }
    assert_eq!(balance_covers_total(&transaction, &account(5, 1_001_000)), Ok(()));
    let short = balance_covers_total(&transaction, &account(5, 1_000_999)).expect_err("short by one");
    assert_eq!(
        (short.rule(), short.to_string()),
        ("T8", "the transaction needs 1.001 TAB, the account has 1.000999".into())
    );
}

/// There is no credit but the spec's: what matures when is known from heights alone.
#[test]
fn rewards_mature() {
    let spec = spec();
    let matured = |height| spec.matured_height(Height::new(height)).map(Height::value);
    assert_eq!([matured(1), matured(10), matured(11), matured(12)], [None, None, Some(1), Some(2)]);
    assert_eq!(reward(&spec, Height::GENESIS), Amount::ZERO);
}
