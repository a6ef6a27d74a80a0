use std::collections::BTreeMap;

use proptest::prelude::*;
use tabchain_primitives::{AccountNonce, Decode, Encode};

use super::*;

fn address(number: u32) -> Address {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Address::from_bytes(bytes)
}

fn account(nonce: u64, balance: u64) -> Account {
    let balance = Amount::from_units(balance).expect("tests stay below 2^53");
    Account { nonce: AccountNonce::new(nonce), balance }
}

type Accounts = BTreeMap<Address, Account>;

/// The sorted changes that lead from one set of accounts to another for these addresses.
fn changes(state: &State, updates: &Accounts) -> Vec<Change> {
    let change = |(address, after): (&Address, &Account)| {
        let key = AccountKey::of(address);
        Change { key, address: *address, before: state.get(&key), after: *after }
    };
    let mut changes: Vec<Change> = updates.iter().map(change).collect();
    changes.sort_by_key(|change| change.key);
    changes
}

fn state_of(accounts: &Accounts) -> State {
    let mut state = State::new();
    state.write(&changes(&state, accounts), Change::after);
    state
}

fn is_state_of(state: &State, accounts: &Accounts) {
    let held: Accounts =
        accounts.iter().filter(|(_, account)| !account.is_empty()).map(|(a, b)| (*a, *b)).collect();
    assert_eq!(state.root(), StateRoot::of_accounts(&held));
    assert_eq!(state.len(), held.len());
    assert_eq!(state.supply(), Amount::checked_sum(held.values().map(|account| account.balance)));
    let keys: Vec<AccountKey> = (0..70).map(|number| AccountKey::of(&address(number))).collect();
    assert_eq!(state.get_all(&keys), keys.iter().map(|key| state.get(key)).collect::<Vec<_>>());
    for (address, account) in &held {
        assert_eq!(state.get(&AccountKey::of(address)), *account);
    }
}

fn thousand() -> Accounts {
    (0..1_000)
        .map(|number| (address(number), account(u64::from(number % 3), u64::from(number) + 1)))
        .collect()
}

/// Some accounts, a third of them empty, out of few enough addresses that batches meet.
fn some_accounts() -> impl Strategy<Value = Accounts> {
    let one = (0..60_u32, 0..3_u64, prop_oneof![Just(0), 1..1_000_u64]);
    prop::collection::vec(one, 0..40).prop_map(|entries| {
        entries
            .into_iter()
            .map(|(number, nonce, balance)| (address(number), account(nonce, balance)))
            .collect()
    })
}

proptest! {
    #[test]
    fn any_batches_lead_to_the_root_of_their_sum(batches in prop::collection::vec(some_accounts(), 1..6)) {
        let mut state = State::new();
        let mut sum = Accounts::new();
        for batch in batches {
            state.write(&changes(&state, &batch), Change::after);
            sum.extend(batch);
            is_state_of(&state, &sum);
        }
    }

    #[test]
    fn writing_back_is_the_inverse_of_writing(first in some_accounts(), second in some_accounts()) {
        let mut state = state_of(&first);
        let batch = changes(&state, &second);
        let foreseen = state.root_after(&batch);
        state.write(&batch, Change::after);
        prop_assert_eq!(state.root(), foreseen);
        state.write(&batch, Change::before);
        is_state_of(&state, &first);
    }

    #[test]
    fn every_address_has_a_proof(accounts in some_accounts(), asked in 0..80_u32) {
        let state = state_of(&accounts);
        let proof = state.prove(&AccountKey::of(&address(asked)));
        let expected = accounts.get(&address(asked)).copied().unwrap_or_default();
        prop_assert_eq!(proof.verify(&state.root(), &address(asked)), Ok(expected));
        let bytes = proof.to_bytes();
        prop_assert_eq!(AccountProof::from_bytes(&bytes), Ok(proof));
    }

    #[test]
    fn chunks_of_any_size_prove_themselves_and_rebuild_the_state(accounts in some_accounts(), bits in 0..=8_u8) {
        let state = state_of(&accounts);
        let mut rebuilt = Accounts::new();
        for value in 0..1_u16 << bits {
            let chunk = state.chunk(Prefix::new(bits, value).expect("it fits"));
            prop_assert_eq!(chunk.verify(&state.root()), Ok(()));
            prop_assert_eq!(StateChunk::from_bytes(&chunk.to_bytes()), Ok(chunk.clone()));
            rebuilt.extend(chunk.accounts().map(|(address, account)| (*address, *account)));
        }
        is_state_of(&state_of(&rebuilt), &accounts);
    }
}

#[test]
fn a_large_state_agrees_with_the_reference() {
    is_state_of(&state_of(&thousand()), &thousand());
}

#[test]
fn a_proof_proves_nothing_else() {
    let accounts = thousand();
    let state = state_of(&accounts);
    let root = state.root();
    for (asked, other) in
        [(address(7), address(8)), (address(5_000), address(9)), (address(3), address(5_001))]
    {
        let proof = state.prove(&AccountKey::of(&asked));
        assert!(proof.verify(&root, &other).is_err(), "another address");
        assert_eq!(proof.verify(&StateRoot::ZERO, &asked), Err(ProofError::Root), "another root");
        let bytes = proof.to_bytes();
        for place in 0..bytes.len() {
            let mut tampered = bytes.clone();
            tampered[place] ^= 1;
            let accepted = AccountProof::from_bytes(&tampered).is_ok_and(|p| p.verify(&root, &asked).is_ok());
            assert!(!accepted, "byte {place} of {} was changed", bytes.len());
        }
    }
}

#[test]
fn an_account_that_is_there_has_no_proof_of_absence() {
    let state = state_of(&thousand());
    let neighbour = AccountKey::of(&address(8));
    let leaf = state.find(&neighbour).expect("it is there");
    // The strongest lie there is: the account itself, shown as a stranger on its own path.
    let mut bytes = state.prove(&neighbour).to_bytes();
    let end = bytes.len() - 1 - leaf.account.to_bytes().len();
    bytes.truncate(end);
    bytes.push(2);
    bytes.extend_from_slice(neighbour.as_bytes());
    leaf.account.encode(&mut bytes);
    let lie = AccountProof::from_bytes(&bytes).expect("it is well formed");
    assert_eq!(lie.verify(&state.root(), &address(8)), Err(ProofError::Stranger));
}

#[test]
fn a_chunk_with_anything_changed_is_refused() {
    let state = state_of(&thousand());
    let root = state.root();
    let whole = state.chunk(Prefix::new(6, 11).expect("it fits"));
    assert!(whole.accounts().len() > 4);
    let bytes = whole.to_bytes();
    for place in 0..bytes.len() {
        let mut tampered = bytes.clone();
        tampered[place] ^= 1;
        let accepted = StateChunk::from_bytes(&tampered).is_ok_and(|chunk| chunk.verify(&root).is_ok());
        assert!(!accepted, "byte {place} of {} was changed", bytes.len());
    }
}

#[test]
fn a_chunk_can_leave_nothing_out() {
    // Two accounts and a prefix deep below them: the path ends early, at a stranger or at nothing.
    let accounts: Accounts = [(address(1), account(0, 5)), (address(2), account(0, 6))].into();
    let state = state_of(&accounts);
    for value in 0..1 << 10 {
        let chunk = state.chunk(Prefix::new(10, value).expect("it fits"));
        assert_eq!(chunk.verify(&state.root()), Ok(()));
        if chunk.accounts().len() == 1 {
            let mut bytes = chunk.to_bytes();
            // The same chunk without its row.
            let row = 1 + if value < 0x80 { 1 } else { 2 };
            bytes[row] = 0;
            bytes.drain(row + 1..row + 1 + 22);
            let emptied = StateChunk::from_bytes(&bytes).expect("it is well formed");
            assert_eq!(emptied.verify(&state.root()), Err(ProofError::Root));
        }
    }
}

#[test]
fn a_prefix_holds_what_begins_with_it() {
    assert_eq!(Prefix::new(17, 0), None);
    assert_eq!(Prefix::new(3, 8), None);
    let everything = Prefix::new(0, 0).expect("no bits at all");
    assert!(everything.contains(&AccountKey::from_bytes([0xff; 32])));
    let byte = Prefix::byte(0xa5);
    assert!(byte.contains(&byte.first_key()));
    assert!(!byte.contains(&AccountKey::from_bytes([0xa4; 32])));
}

#[test]
fn common_bits_are_counted_from_the_top() {
    let key = |first: u8, second: u8| {
        let mut bytes = [0; 32];
        (bytes[0], bytes[1]) = (first, second);
        AccountKey::from_bytes(bytes)
    };
    assert_eq!(common_bits(&key(0x80, 0), &key(0, 0)), 0);
    assert_eq!(common_bits(&key(1, 0), &key(1, 0x10)), 11);
    assert_eq!(common_bits(&key(1, 0), &key(1, 0)), 256);
}

#[test]
fn the_example_of_the_protocol_document_holds() {
    let (one, two) = (Address::from_bytes([1; 20]), Address::from_bytes([2; 20]));
    let leaf = account(0, 5).leaf(&AccountKey::of(&one));
    assert_eq!(
        StateRoot::from_bytes(leaf).to_string(),
        "b1b1206209d239a1548226e8d87d3ab63307e074c4823e4ed21a9e80dc76b8c6"
    );
    let state = state_of(&[(one, account(0, 5)), (two, account(1, 7))].into());
    assert_eq!(state.root().to_string(), "7177002f3a34138945785a4176ad2cb55359e83540fb42d17e2b7ea85a28e29d");
}

#[test]
fn an_account_takes_the_room_that_the_documentation_says() {
    assert_eq!((size_of::<Leaf>(), size_of::<Branch>()), (104, 40));
    // A random tree has about 1.44 branches an account, so an account takes about 162 bytes.
    let state = state_of(&thousand());
    assert!((1_350..1_550).contains(&state.branches.len()), "{} branches", state.branches.len());
}
