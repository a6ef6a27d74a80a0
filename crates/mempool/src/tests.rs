use std::collections::BTreeMap;

use proptest::prelude::*;
use tabchain_chain::{Chain, testing::*};
use tabchain_consensus::{TransactionError, VerifiedTransaction};
use tabchain_primitives::{AccountNonce, Amount, Block, Height, Transaction, TxId};

use super::*;

/// Accounts as a test sets them.
#[derive(Debug, Default)]
struct Accounts(BTreeMap<Address, Account>);

impl AccountView for Accounts {
    fn account(&self, address: &Address) -> Account {
        self.0.get(address).copied().unwrap_or_default()
    }
}

impl Accounts {
    /// The keys 0 to 19, each with this balance.
    fn with(balance: u64) -> Self {
        let account = Account { nonce: AccountNonce::ZERO, balance: units(balance) };
        Self((0..20).map(|key| (Key::new(key).address(), account)).collect())
    }

    fn set(&mut self, key: u64, nonce: u64, balance: u64) {
        let account = Account { nonce: AccountNonce::new(nonce), balance: units(balance) };
        self.0.insert(Key::new(key).address(), account);
    }
}

const NEXT: Height = Height::new(10);

/// Key `from` pays one unit to key 99 with this nonce and fee. It has the same size for all small numbers.
fn payment(from: u64, nonce: u64, fee: u64) -> Transaction {
    transfer(&spec(), &Key::new(from), nonce, Key::new(99).address(), 1, fee)
}

fn checked(transaction: &Transaction) -> VerifiedTransaction {
    verified_transaction(&spec(), transaction.clone())
}

/// How many bytes such a payment has with a fee of 128 to 16,383 units.
fn size() -> usize {
    payment(0, 0, 200).size()
}

fn pool(limits: Limits) -> Mempool {
    Mempool::new(Limits { min_fee_rate: FeeRate::new(0), ..limits })
}

fn offer(pool: &mut Mempool, view: &Accounts, transaction: &Transaction) -> Result<Admitted, AdmitError> {
    let outcome = pool.insert(checked(transaction), view, NEXT);
    is_consistent(pool);
    outcome
}

fn ids(transactions: &[Transaction]) -> Vec<TxId> {
    transactions.iter().map(Transaction::id).collect()
}

/// What a look before the signature says of a transaction.
fn consider(pool: &mut Mempool, view: &Accounts, transaction: &Transaction) -> Result<bool, AdmitError> {
    let considered = pool.consider(checked(transaction).as_checked(), view, NEXT);
    is_consistent(pool);
    considered
}

/// Everything that is counted or sorted agrees with the queues.
fn is_consistent(pool: &Mempool) {
    let sum = |bytes: fn(&queue::Queue) -> usize| pool.queues.values().map(bytes).sum::<usize>();
    assert_eq!(pool.bytes, sum(queue::Queue::bytes));
    assert_eq!(pool.held_bytes, sum(queue::Queue::held_bytes));
    assert_eq!(pool.len(), pool.queues.values().map(|queue| queue.entries().count()).sum::<usize>());
    assert_eq!(pool.tails.len(), pool.queues.len());
    for (sender, queue) in &pool.queues {
        let tail = queue.tail().expect("an empty queue is not kept");
        assert!(pool.tails.contains(&(tail.standing(), *sender)));
        assert!(queue.head().is_none_or(|head| pool.heads.contains(&(head.rank(), *sender))));
        for entry in queue.entries() {
            assert_eq!(pool.get(&entry.id), Some(&entry.transaction));
        }
    }
    assert_eq!(pool.heads.len(), pool.queues.values().filter(|queue| queue.head().is_some()).count());
    assert!(pool.bytes <= pool.limits.bytes && pool.held_bytes <= pool.limits.held_bytes);
}

#[test]
fn a_good_transaction_is_let_in_once() {
    let (mut pool, view) = (pool(Limits::default()), Accounts::with(10_000));
    let payment = payment(0, 0, 200);
    let admitted = offer(&mut pool, &view, &payment).expect("it is good");
    assert_eq!(admitted, Admitted { held: false, replaced: None, evicted: Vec::new() });
    assert_eq!(pool.get(&payment.id()), Some(&payment));
    assert_eq!(offer(&mut pool, &view, &payment), Err(AdmitError::Known));
    assert_eq!((pool.len(), pool.bytes()), (1, payment.size()));
    assert_eq!(pool.by_account(&Key::new(0).address()), [&payment]);
    assert_eq!(pool.by_account(&Key::new(99).address()), [&payment]);
    assert_eq!(pool.next_nonce(&Key::new(0).address(), &view), AccountNonce::new(1));
}

#[test]
fn what_no_block_could_take_is_refused() {
    let (mut pool, mut view) = (pool(Limits::default()), Accounts::with(1_000));
    view.set(1, 3, 1_000);
    let rule = |outcome: Result<Admitted, AdmitError>| match outcome {
        Err(AdmitError::Rule(error)) => error,
        other => panic!("{other:?}"),
    };
    let late = transfer_until(&spec(), &Key::new(0), 0, Key::new(9).address(), 1, 0, Height::new(9));
    assert!(matches!(rule(offer(&mut pool, &view, &late)), TransactionError::Expired { .. }));
    assert!(matches!(
        rule(offer(&mut pool, &view, &payment(1, 2, 200))),
        TransactionError::WrongNonce { .. }
    ));
    offer(&mut pool, &view, &payment(0, 0, 499)).expect("500 of 1,000");
    offer(&mut pool, &view, &payment(0, 1, 499)).expect("1,000 of 1,000");
    let short = TransactionError::BalanceTooLow { balance: units(1_000), needed: units(1_201) };
    assert_eq!(rule(offer(&mut pool, &view, &payment(0, 2, 200))), short, "taken together");
    let unknown = payment(50, 0, 200);
    assert!(matches!(rule(offer(&mut pool, &view, &unknown)), TransactionError::BalanceTooLow { .. }));
}

#[test]
fn a_fee_below_the_least_is_refused_with_the_least() {
    let mut pool = Mempool::new(Limits::default());
    let view = Accounts::with(10_000);
    let cheap = payment(0, 0, 20);
    let AdmitError::FeeTooLow { needed } = offer(&mut pool, &view, &cheap).expect_err("too cheap") else {
        panic!("another error")
    };
    assert_eq!(
        offer(&mut pool, &view, &payment(0, 0, needed.units())).map(|admitted| admitted.held),
        Ok(false)
    );
}

#[test]
fn behind_a_gap_it_is_held_until_the_gap_is_filled() {
    let (mut pool, view) = (pool(Limits::default()), Accounts::with(10_000));
    assert!(offer(&mut pool, &view, &payment(0, 2, 200)).expect("held").held);
    assert!(offer(&mut pool, &view, &payment(0, 1, 200)).expect("held").held);
    assert!(pool.template(&view, 10_000, NEXT).is_empty());
    assert_eq!(pool.next_nonce(&Key::new(0).address(), &view), AccountNonce::ZERO);
    assert!(!offer(&mut pool, &view, &payment(0, 0, 200)).expect("it fills the gap").held);
    assert_eq!(pool.template(&view, 10_000, NEXT).len(), 3);
    assert_eq!(pool.next_nonce(&Key::new(0).address(), &view), AccountNonce::new(3));
    assert_eq!(pool.held_bytes, 0);
}

#[test]
fn what_is_held_is_bounded_by_bytes_and_by_distance() {
    let limits = Limits { held_bytes: 2 * size(), count_per_sender: 8, ..Limits::default() };
    let (mut pool, view) = (pool(limits), Accounts::with(10_000));
    assert_eq!(offer(&mut pool, &view, &payment(0, 8, 200)), Err(AdmitError::NonceTooFar));
    offer(&mut pool, &view, &payment(0, 7, 200)).expect("just near enough");
    offer(&mut pool, &view, &payment(1, 7, 200)).expect("there is room for two");
    assert!(matches!(offer(&mut pool, &view, &payment(2, 7, 200)), Err(AdmitError::PoolFull { .. })));
    let dearer = offer(&mut pool, &view, &payment(2, 7, 300)).expect("it pays more");
    assert_eq!(dearer.evicted, [payment(1, 7, 200).id()], "the newer of two equals goes");
    offer(&mut pool, &view, &payment(3, 0, 200)).expect("what is ready needs no such room");
}

#[test]
fn one_sender_can_not_fill_the_pool() {
    let limits = Limits { bytes_per_sender: 3 * size(), ..Limits::default() };
    let (mut pool, view) = (pool(limits), Accounts::with(10_000));
    for nonce in 0..3 {
        offer(&mut pool, &view, &payment(0, nonce, 200)).expect("within its bounds");
    }
    assert_eq!(offer(&mut pool, &view, &payment(0, 3, 5_000)), Err(AdmitError::SenderFull));
    offer(&mut pool, &view, &payment(0, 2, 300)).expect("in another's place there is room");
    offer(&mut pool, &view, &payment(1, 0, 200)).expect("others have theirs");
}

#[test]
fn a_quarter_more_replaces_and_less_does_not() {
    let (mut pool, view) = (pool(Limits::default()), Accounts::with(10_000));
    let first = payment(0, 0, 200);
    offer(&mut pool, &view, &first).expect("it is good");
    let refused = offer(&mut pool, &view, &payment(0, 0, 249));
    assert_eq!(refused, Err(AdmitError::ReplacementTooCheap { needed: units(250) }));
    let admitted = offer(&mut pool, &view, &payment(0, 0, 250)).expect("a quarter more");
    assert_eq!(admitted.replaced, Some(first.id()));
    assert_eq!(pool.len(), 1);
}

#[test]
fn the_cheapest_goes_when_the_pool_is_full() {
    let limits = Limits { bytes: 3 * size(), ..Limits::default() };
    let (mut pool, view) = (pool(limits), Accounts::with(10_000));
    for (key, fee) in [(0, 300), (1, 200), (2, 400)] {
        offer(&mut pool, &view, &payment(key, 0, fee)).expect("there is room");
    }
    let refused = offer(&mut pool, &view, &payment(3, 0, 200)).expect_err("no better than the cheapest");
    assert_eq!(refused, AdmitError::PoolFull { needed: FeeRate::of(units(200), size()) });
    let admitted = offer(&mut pool, &view, &payment(3, 0, 250)).expect("better");
    assert_eq!(admitted.evicted, [payment(1, 0, 200).id()]);
}

#[test]
fn a_dear_transaction_behind_a_cheap_one_counts_as_cheap() {
    let limits = Limits { bytes: 3 * size(), ..Limits::default() };
    let (mut pool, view) = (pool(limits), Accounts::with(10_000));
    offer(&mut pool, &view, &payment(0, 0, 200)).expect("there is room");
    offer(&mut pool, &view, &payment(0, 1, 5_000)).expect("there is room");
    offer(&mut pool, &view, &payment(1, 0, 300)).expect("there is room");
    let admitted = offer(&mut pool, &view, &payment(2, 0, 250)).expect("better than what has to come first");
    assert_eq!(admitted.evicted, [payment(0, 1, 5_000).id()], "from the end, so that no gap is left");
    let admitted = offer(&mut pool, &view, &payment(3, 0, 260)).expect("better");
    assert_eq!(admitted.evicted, [payment(0, 0, 200).id()]);
}

#[test]
fn a_dear_transaction_behind_a_cheap_one_pushes_nobody_out() {
    let limits = Limits { bytes: 2 * size(), ..Limits::default() };
    let (mut pool, view) = (pool(limits), Accounts::with(10_000));
    offer(&mut pool, &view, &payment(0, 0, 200)).expect("there is room");
    offer(&mut pool, &view, &payment(1, 0, 300)).expect("there is room");
    let refused = offer(&mut pool, &view, &payment(0, 1, 5_000));
    assert!(matches!(refused, Err(AdmitError::PoolFull { .. })), "it can't be mined before the cheap one");
}

#[test]
fn nobody_goes_for_one_that_does_not_get_in() {
    let limits = Limits { bytes: 2 * size(), ..Limits::default() };
    let (mut pool, view) = (pool(limits), Accounts::with(100_000));
    offer(&mut pool, &view, &payment(0, 0, 200)).expect("there is room");
    offer(&mut pool, &view, &payment(1, 0, 5_000)).expect("there is room");
    let outputs = (0..20).map(|_| tabchain_primitives::Output::new(Key::new(9).address(), units(1)));
    let outputs = outputs.collect::<Result<Vec<_>, _>>().expect("one unit is something");
    let action = tabchain_primitives::Transfer::new(outputs, "").map(tabchain_primitives::Action::Transfer);
    let action = action.expect("twenty outputs are allowed");
    let key = Key::new(2);
    let fee = units(3_000);
    let large =
        tabchain_primitives::UnsignedTransaction::new(key.public(), AccountNonce::ZERO, NEXT, fee, action);
    let large = key.sign(&spec(), large.expect("small amounts"));
    assert!(large.size() > size());
    // It pays more by the byte than the first, but would need the second's room too.
    assert!(matches!(offer(&mut pool, &view, &large), Err(AdmitError::PoolFull { .. })));
    assert_eq!(pool.len(), 2);
}

#[test]
fn a_template_pays_most_first_and_keeps_the_order_of_nonces() {
    let (mut pool, view) = (pool(Limits::default()), Accounts::with(100_000));
    let order = [payment(1, 0, 3_000), payment(0, 0, 2_000), payment(0, 1, 4_000), payment(2, 0, 1_000)];
    for transaction in order.iter().rev() {
        offer(&mut pool, &view, transaction).expect("it is good");
    }
    assert_eq!(ids(&pool.template(&view, 100_000, NEXT)), ids(&order));
    assert_eq!(ids(&pool.template(&view, 2 * size() + 1, NEXT)), ids(&order[..2]), "what fits");
    assert!(pool.template(&view, size() - 1, NEXT).is_empty());
}

#[test]
fn a_template_leaves_out_what_the_accounts_no_longer_allow() {
    let (mut pool, mut view) = (pool(Limits::default()), Accounts::with(1_000));
    offer(&mut pool, &view, &payment(0, 0, 200)).expect("it is good");
    offer(&mut pool, &view, &payment(0, 1, 200)).expect("it is good");
    offer(&mut pool, &view, &payment(1, 0, 200)).expect("it is good");
    // The pool has not been told yet.
    view.set(0, 0, 300);
    view.set(1, 1, 1_000);
    assert_eq!(ids(&pool.template(&view, 10_000, NEXT)), ids(&[payment(0, 0, 200)]));
}

#[test]
fn settling_drops_what_can_not_be_sent_any_more_and_says_why() {
    let (mut pool, mut view) = (pool(Limits::default()), Accounts::with(1_000));
    let expiring = transfer_until(&spec(), &Key::new(2), 0, Key::new(9).address(), 1, 200, NEXT);
    let block_of = |transactions: Vec<Transaction>| Block { header: *spec().genesis_header(), transactions };
    let rival = transfer(&spec(), &Key::new(1), 0, Key::new(8).address(), 700, 0);
    let waiting =
        [payment(0, 0, 200), payment(0, 1, 200), payment(1, 0, 200), payment(1, 1, 200), payment(1, 2, 200)];
    for transaction in waiting.iter().chain([&expiring]) {
        offer(&mut pool, &view, transaction).expect("it is good");
    }
    let confirmed = pool.on_connect(&block_of(vec![waiting[0].clone(), rival]));
    assert_eq!(confirmed, [waiting[0].id()]);
    view.set(0, 1, 799);
    view.set(1, 1, 300);
    let dropped: BTreeMap<TxId, Dropped> = pool.settle(&view, Height::new(11)).into_iter().collect();
    is_consistent(&pool);
    let expected = [
        (waiting[2].id(), Dropped::Conflict),
        (waiting[4].id(), Dropped::Unfunded),
        (expiring.id(), Dropped::Expired),
    ];
    assert_eq!(dropped, BTreeMap::from(expected));
    assert_eq!(pool.len(), 2);
    assert_eq!(pool.template(&view, 10_000, NEXT).len(), 2);
    assert!(pool.settle(&view, NEXT).is_empty(), "told once");
}

#[test]
fn an_expired_one_leaves_a_gap() {
    let (mut pool, view) = (pool(Limits::default()), Accounts::with(1_000));
    let first = transfer_until(&spec(), &Key::new(0), 0, Key::new(9).address(), 1, 200, NEXT);
    offer(&mut pool, &view, &first).expect("it is good");
    offer(&mut pool, &view, &payment(0, 1, 200)).expect("it is good");
    assert_eq!(pool.settle(&view, Height::new(11)), [(first.id(), Dropped::Expired)]);
    assert!(pool.template(&view, 10_000, Height::new(11)).is_empty());
    assert_eq!(pool.held_bytes, size());
}

/// Moves an archive's chain onto another branch, with the pool watching.
fn reorganise(archive: &mut Archive, pool: &mut Mempool, blocks: &[Block]) -> Vec<(TxId, Dropped)> {
    for block in blocks {
        archive.chain.insert_header(block.header, block.header.time()).expect("the header is good");
        archive.blocks.insert(block.hash(), block.clone());
        archive.chain.mark_body(&block.hash());
    }
    while let Some(step) = archive.chain.next_step() {
        archive.follow(step);
        match step {
            tabchain_chain::Step::Connect(hash) => drop(pool.on_connect(&archive.blocks[&hash])),
            tabchain_chain::Step::Disconnect(hash) => pool.on_disconnect(&archive.blocks[&hash]),
        }
    }
    let next = archive.chain.tip().height.next().expect("tests stay low");
    let dropped = pool.settle(&archive.chain, next);
    is_consistent(pool);
    dropped
}

#[test]
fn a_reorg_brings_transactions_back_unless_they_conflict() {
    let (mut ours, mut theirs) = (Archive::new(Chain::new(spec())), Archive::new(Chain::new(spec())));
    let mut pool = pool(Limits::default());
    let miner = Key::new(70).address();
    let kept = [payment(0, 0, 200), payment(0, 1, 200)];
    let lost = payment(1, 0, 200);
    ours.extend(miner, &[kept[0].clone(), lost.clone()]);
    ours.extend(miner, &kept[1..]);
    pool.insert(checked(&payment(0, 2, 200)), &ours.chain, Height::new(3)).expect("it follows");

    // The other branch has another transaction with the nonce of `lost`, and has confirmed one of ours too.
    let rival = transfer(&spec(), &Key::new(1), 0, Key::new(8).address(), 77, 0);
    let fork = [theirs.extend(miner, &[rival]), theirs.extend(miner, &kept[..1]), theirs.extend(miner, &[])];
    let dropped = reorganise(&mut ours, &mut pool, &fork);
    assert_eq!(dropped, [(lost.id(), Dropped::Conflict)]);
    let template = pool.template(&ours.chain, 10_000, Height::new(4));
    assert_eq!(ids(&template), ids(&[kept[1].clone(), payment(0, 2, 200)]));
    ours.extend(miner, &template);
}

#[test]
fn what_was_paid_out_of_a_reverted_payment_goes() {
    let (mut ours, mut theirs) = (Archive::new(Chain::new(spec())), Archive::new(Chain::new(spec())));
    let mut pool = pool(Limits::default());
    let (miner, newcomer) = (Key::new(70).address(), Key::new(30));
    let gift = transfer(&spec(), &Key::new(0), 0, newcomer.address(), 1_000, 0);
    ours.extend(miner, &[gift]);
    let spent = transfer(&spec(), &newcomer, 0, Key::new(9).address(), 500, 200);
    pool.insert(checked(&spent), &ours.chain, Height::new(2)).expect("it has been paid");
    let rival = transfer(&spec(), &Key::new(0), 0, Key::new(8).address(), 1, 0);
    let fork = [theirs.extend(miner, &[rival]), theirs.extend(miner, &[])];
    let dropped = reorganise(&mut ours, &mut pool, &fork);
    assert!(dropped.contains(&(spent.id(), Dropped::Unfunded)), "{dropped:?}");
    assert!(pool.is_empty());
}

#[test]
fn a_deep_reorg_does_not_flood_the_pool() {
    let (mut ours, mut theirs) = (Archive::new(Chain::new(spec())), Archive::new(Chain::new(spec())));
    let limits = Limits { bytes: 20 * size(), count_per_sender: 10, ..Limits::default() };
    let mut pool = pool(limits);
    let miner = Key::new(70).address();
    for nonce in 0..30 {
        ours.extend(miner, &[payment(0, nonce, 200), payment(1, nonce, 300), payment(2, nonce, 400)]);
    }
    let fork: Vec<Block> = (0..31).map(|_| theirs.extend(miner, &[])).collect();
    reorganise(&mut ours, &mut pool, &fork);
    let template = pool.template(&ours.chain, 100_000, Height::new(32));
    assert_eq!(template.len(), 20, "the pool is full of what can be sent next");
    assert!(template.iter().all(|transaction| transaction.nonce() < AccountNonce::new(10)));
    ours.extend(miner, &template);
}

#[derive(Clone, Debug)]
enum Deed {
    Offer { key: u64, nonce: u64, fee: u64 },
    Mine,
    TakeBack,
    Settle,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => (0..5_u64, 0..8_u64, 0..2_000_u64).prop_map(|(key, nonce, fee)| Deed::Offer { key, nonce, fee }),
        2 => Just(Deed::Mine),
        1 => Just(Deed::TakeBack),
        1 => Just(Deed::Settle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_happens_the_pool_is_consistent_and_its_templates_apply(
        deeds in prop::collection::vec(deed(), 1..60),
        room in 3..30_usize,
    ) {
        let limits = Limits { bytes: room * size(), held_bytes: 4 * size(), count_per_sender: 6, ..Limits::default() };
        let mut pool = pool(limits);
        let mut chain = Chain::new(spec());
        let mut connected = Vec::new();
        for deed in deeds {
            let next = chain.tip().height.next().expect("tests stay low");
            match deed {
                Deed::Offer { key, nonce, fee } => {
                    let outcome = pool.insert(checked(&payment(key, nonce, fee)), &chain, next);
                    prop_assert_eq!(outcome.is_ok(), pool.contains(&payment(key, nonce, fee).id())
                        && outcome != Err(AdmitError::Known));
                }
                Deed::Mine => {
                    let template = pool.template(&chain, 6 * size(), next);
                    let (block, undo) = extend(&mut chain, Key::new(70).address(), &template);
                    prop_assert_eq!(pool.on_connect(&block).len(), template.len());
                    connected.push((block, undo));
                }
                Deed::TakeBack => {
                    if let Some((block, undo)) = connected.pop() {
                        chain.disconnect(&undo).expect("it is the tip's");
                        pool.on_disconnect(&block);
                    }
                }
                Deed::Settle => drop(pool.settle(&chain, next)),
            }
            is_consistent(&pool);
        }
        let next = chain.tip().height.next().expect("tests stay low");
        pool.settle(&chain, next);
        is_consistent(&pool);
        let template = pool.template(&chain, 100_000, next);
        let ready = pool.bytes - pool.held_bytes;
        prop_assert_eq!(template.iter().map(Transaction::size).sum::<usize>(), ready, "all that is ready is taken");
        prop_assert!(Amount::checked_sum(template.iter().map(Transaction::fee)).is_some());
        extend(&mut chain, Key::new(70).address(), &template);
    }
}

#[test]
fn a_look_before_the_signature_says_what_letting_in_would() {
    let mut view = Accounts::with(100_000);
    view.set(1, 2, 100_000);
    let mut pool = Mempool::new(Limits { held_bytes: 3 * size(), ..Limits::default() });
    // Good, behind a gap, used, too far, too poor, too cheap, known, a replacement that pays enough and one that does not.
    let offers = [
        payment(0, 0, 1_000),
        payment(0, 5, 1_000),
        payment(1, 1, 1_000),
        payment(0, 64, 1_000),
        payment(0, 1, 99_999),
        payment(0, 1, 1),
        payment(0, 0, 1_000),
        payment(0, 0, 1_300),
        payment(0, 0, 1_301),
        payment(2, 7, 900),
        payment(3, 7, 900),
        payment(4, 7, 500),
    ];
    let mut held = 0;
    for transaction in &offers {
        let considered = consider(&mut pool, &view, transaction);
        let admitted = offer(&mut pool, &view, transaction);
        assert_eq!(considered, admitted.clone().map(|admitted| admitted.held));
        held += usize::from(admitted.is_ok_and(|admitted| admitted.held));
    }
    assert_eq!(held, 3);
}

#[test]
fn only_what_is_held_can_be_forgotten() {
    let view = Accounts::with(100_000);
    let mut pool = pool(Limits::default());
    let (ready, behind) = (payment(0, 0, 1_000), payment(0, 2, 1_000));
    for transaction in [&ready, &behind] {
        offer(&mut pool, &view, transaction).expect("it is good");
    }
    assert_eq!((pool.is_held(&ready.id()), pool.is_held(&behind.id())), (false, true));
    assert!(!pool.forget_held(&ready.id()) && pool.forget_held(&behind.id()));
    is_consistent(&pool);
    assert_eq!((pool.contains(&ready.id()), pool.contains(&behind.id())), (true, false));
}
