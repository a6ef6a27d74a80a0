//! Connecting and disconnecting single blocks: who is paid what, and that going back is exact.

use tabchain_chain::{Chain, ConnectError, DisconnectError, Undo, testing::*};
use tabchain_consensus::{TransactionError, reward};
use tabchain_primitives::{Amount, Decode, Encode, Header, HeaderFields, Height, StateRoot};

fn supply_is_accounted_for(chain: &Chain) {
    let allocated = Amount::checked_sum(chain.spec().allocations().iter().map(|(_, amount)| *amount));
    let rewards = (1..=chain.tip().height.value()).map(|height| reward(chain.spec(), Height::new(height)));
    let minted = Amount::checked_sum(rewards.chain(allocated));
    assert_eq!(chain.supply().checked_add(chain.maturing()), minted, "at {}", chain.tip().height);
}

#[test]
fn a_new_chain_stands_at_its_genesis() {
    let chain = Chain::new(spec());
    assert_eq!(chain.tip().hash, chain.spec().genesis_hash());
    assert_eq!(chain.state_root(), chain.spec().genesis_header().state_root());
    assert_eq!(chain.accounts(), 8);
    supply_is_accounted_for(&chain);
    assert_eq!(chain.next_step(), None);
}

#[test]
fn a_transfer_moves_its_amount_and_pays_its_fee_to_the_miner() {
    let mut chain = Chain::new(spec());
    let (alice, bob, miner) = (Key::new(0), Key::new(100), Key::new(101));
    let payment = transfer(chain.spec(), &alice, 0, bob.address(), 5_000, 70);
    extend(&mut chain, miner.address(), &[payment]);
    assert_eq!(chain.account(&alice.address()).balance, units(1_000_000_000 - 5_070));
    assert_eq!(chain.account(&alice.address()).nonce.value(), 1);
    assert_eq!(chain.account(&bob.address()).balance, units(5_000));
    assert_eq!(chain.account(&miner.address()).balance, units(70), "the reward is not due yet");
    supply_is_accounted_for(&chain);
}

#[test]
fn what_came_in_earlier_in_the_block_can_be_spent_in_it() {
    let mut chain = Chain::new(spec());
    let (alice, bob) = (Key::new(0), Key::new(100));
    let first = transfer(chain.spec(), &alice, 0, bob.address(), 5_000, 0);
    let second = transfer(chain.spec(), &bob, 0, alice.address(), 4_000, 1_000);
    extend(&mut chain, alice.address(), &[first, second]);
    assert_eq!(chain.account(&bob.address()).balance, Amount::ZERO);
    assert_eq!(chain.account(&bob.address()).nonce.value(), 1, "an account that has sent stays");
    supply_is_accounted_for(&chain);
}

#[test]
fn a_reward_is_credited_when_it_has_matured_and_not_before() {
    let mut chain = Chain::new(spec());
    let miners: Vec<Key> = (200..204).map(Key::new).collect();
    let first = reward(chain.spec(), Height::new(1));
    for (miner, due) in miners.iter().zip([Amount::ZERO, Amount::ZERO, first, first]) {
        extend(&mut chain, miner.address(), &[]);
        assert_eq!(chain.account(&miners[0].address()).balance, due, "at {}", chain.tip().height);
        let waiting = first.checked_sub(due).expect("it is due whole");
        assert_eq!(chain.maturing_of(&miners[0].address()), waiting);
        supply_is_accounted_for(&chain);
    }
    assert_eq!(chain.account(&miners[1].address()).balance, reward(chain.spec(), Height::new(2)));
}

#[test]
fn disconnecting_is_the_inverse_of_connecting() {
    let mut chain = Chain::new(spec());
    let mut stack: Vec<(StateRoot, Vec<u8>)> = Vec::new();
    for round in 0..20 {
        let payments: Vec<_> = (0..4)
            .map(|key| transfer(chain.spec(), &Key::new(key), round, Key::new(1_000 + round).address(), 9, 1))
            .collect();
        let root = chain.state_root();
        let (_, undo) = extend(&mut chain, Key::new(300 + round % 3).address(), &payments);
        stack.push((root, undo.to_bytes()));
    }
    let accounts = chain.accounts();
    assert!(accounts > 28);
    while let Some((root, undo)) = stack.pop() {
        chain.disconnect(&Undo::from_bytes(&undo).expect("it was encoded")).expect("it is the tip's");
        assert_eq!(chain.state_root(), root);
        supply_is_accounted_for(&chain);
    }
    assert_eq!((chain.accounts(), chain.tip().height), (8, Height::GENESIS));
    assert!(chain.next_step().is_some(), "the way forward is still known");
}

#[test]
fn a_broken_rule_leaves_everything_as_it_was() {
    let chain = Chain::new(spec());
    let (alice, bob) = (Key::new(0), Key::new(100));
    let good = |nonce| transfer(&spec(), &alice, nonce, bob.address(), 10, 1);
    let too_much = transfer(&spec(), &bob, 0, alice.address(), 20, 0);
    let refused = |transactions: &[_]| {
        let tip = chain.tip();
        let time = tip.header.time().saturating_add(1);
        chain.prepare_header(bob.address(), transactions, time).expect_err("a rule is broken")
    };
    let index_and_rule = |error| match error {
        ConnectError::Transaction { index, error } => (index, error.rule()),
        other => panic!("{other}"),
    };
    assert_eq!(index_and_rule(refused(&[good(0), good(2)])), (1, "T7"));
    assert_eq!(index_and_rule(refused(&[good(0), good(0)])), (1, "T7"));
    assert_eq!(index_and_rule(refused(&[good(0), too_much])), (1, "T8"));
    let late = transfer_until(&spec(), &alice, 0, bob.address(), 1, 0, Height::GENESIS);
    assert_eq!(index_and_rule(refused(&[late])), (0, "T6"));
    assert_eq!(chain.state_root(), spec().genesis_header().state_root());
}

#[test]
fn a_block_that_lies_about_a_root_is_marked_and_changes_nothing() {
    let lies: [fn(HeaderFields) -> HeaderFields; 2] = [
        |fields| HeaderFields { state_root: StateRoot::ZERO, ..fields },
        |fields| HeaderFields { history_root: tabchain_primitives::HistoryRoot::ZERO, ..fields },
    ];
    for (lie, rule) in lies.into_iter().zip(["B11", "B12"]) {
        let mut chain = Chain::new(spec());
        extend(&mut chain, Key::new(1).address(), &[]);
        let before = (chain.tip(), chain.state_root(), chain.accounts());
        let payment = transfer(chain.spec(), &Key::new(0), 0, Key::new(9).address(), 10, 1);
        let mut block = mine(&chain, Key::new(1).address(), &[payment]);
        let honest = block.clone();
        block.header = solve(Header::new(lie(block.header.fields())));
        chain.insert_header(block.header, block.header.time()).expect("a header alone may claim it");
        let error = chain.connect(&verified(&spec(), block.clone())).expect_err("the claim is wrong");
        assert_eq!(error.rule(), Some(rule));
        assert_eq!((chain.tip(), chain.state_root(), chain.accounts()), before);
        let again = chain.connect(&verified(&spec(), block.clone())).expect_err("it is marked");
        assert_eq!(again, ConnectError::KnownInvalid(block.hash()));
        connect(&mut chain, &honest);
    }
}

#[test]
fn an_overspent_transaction_names_what_is_missing() {
    let chain = Chain::new(spec());
    let all = transfer(chain.spec(), &Key::new(0), 0, Key::new(1).address(), 1_000_000_000, 0);
    let one_more = transfer(chain.spec(), &Key::new(0), 0, Key::new(1).address(), 1_000_000_000, 1);
    let time = chain.tip().header.time();
    assert!(chain.prepare_header(Key::new(1).address(), &[all], time).is_ok());
    let error = chain.prepare_header(Key::new(1).address(), &[one_more], time).expect_err("one unit short");
    let expected =
        TransactionError::BalanceTooLow { balance: units(1_000_000_000), needed: units(1_000_000_001) };
    assert_eq!(error, ConnectError::Transaction { index: 0, error: expected });
}

#[test]
fn only_the_tips_own_undo_takes_it_back() {
    let mut chain = Chain::new(spec());
    let (_, first) = extend(&mut chain, Key::new(1).address(), &[]);
    let payment = transfer(chain.spec(), &Key::new(0), 0, Key::new(9).address(), 10, 1);
    let (block, second) = extend(&mut chain, Key::new(1).address(), &[payment]);
    assert_eq!(chain.disconnect(&first), Err(DisconnectError::NotTip(*first.block())));
    let before = (chain.tip(), chain.state_root(), chain.supply());
    let mut bytes = second.to_bytes();
    *bytes.last_mut().expect("it has rows") ^= 1;
    let damaged = Undo::from_bytes(&bytes).expect("a flipped bit of a balance still decodes");
    assert_eq!(chain.disconnect(&damaged), Err(DisconnectError::Damaged(block.hash())));
    assert_eq!((chain.tip(), chain.state_root(), chain.supply()), before);
    chain.disconnect(&second).expect("this one is whole");
    chain.disconnect(&first).expect("and the next");
    assert_eq!(chain.disconnect(&first), Err(DisconnectError::NotTip(*first.block())));
}
