//! A payment from wallet to wallet: pending, then confirmed, on both sides.

use tabchain_chain::testing;
use tabchain_node::{
    Command, CommandError, Event, Reply, Sealing, TransactionStatus, TransactionView, WalletState,
};
use tabchain_primitives::{AccountNonce, Address, Amount, Output as Payment};
use tabchain_sim::{Place, Sim};
use tabchain_tests::{address, agree, confirm, height, keep_transactions_secret, payment, world};
use zeroize::Zeroizing;

const SEALING: Sealing = Sealing { salt: [3; 16], nonce: [4; 24] };

fn passphrase() -> Zeroizing<String> {
    Zeroizing::new("correct horse".to_owned())
}

fn create_wallet(sim: &mut Sim, place: Place, entropy: u8) -> Zeroizing<String> {
    let entropy = Zeroizing::new(vec![entropy; 16]);
    match sim.call(place, Command::WalletCreate { entropy, passphrase: passphrase(), sealing: SEALING }) {
        Ok(Reply::Phrase(phrase)) => phrase,
        other => panic!("a phrase, not {other:?}"),
    }
}

fn wallet(sim: &mut Sim, place: Place) -> WalletState {
    match sim.call(place, Command::WalletState) {
        Ok(Reply::Wallet(state)) => state,
        other => panic!("a wallet, not {other:?}"),
    }
}

/// A payment by a wallet's first account.
fn send(sim: &mut Sim, place: Place, to: Address, units: u64) -> Result<TransactionView, CommandError> {
    send_from(sim, place, 0, to, units, None)
}

/// A payment by one of a wallet's accounts, valid for so many blocks.
fn send_from(
    sim: &mut Sim,
    place: Place,
    from: u32,
    to: Address,
    units: u64,
    valid_for: Option<u32>,
) -> Result<TransactionView, CommandError> {
    let amount = Amount::from_units(units).expect("a small amount");
    let outputs = vec![Payment::new(to, amount).expect("more than nothing")];
    let command = Command::WalletSend { outputs, memo: "thanks".into(), fee: None, valid_for, from };
    match sim.call(place, command)? {
        Reply::Transaction(Some(view)) => Ok(*view),
        other => panic!("a transaction, not {other:?}"),
    }
}

fn history(sim: &mut Sim, place: Place, of: Address) -> Vec<TransactionView> {
    match sim.call(place, Command::TransactionsOf { address: of, before: None, limit: 10 }) {
        Ok(Reply::Transactions(views)) => views,
        other => panic!("transactions, not {other:?}"),
    }
}

#[test]
fn a_payment_is_pending_then_confirmed_on_both_sides() {
    let mut sim = world(21);
    let (alice, bob) = (sim.add_node(), sim.add_node());
    sim.connect(alice, bob);
    create_wallet(&mut sim, alice, 1);
    create_wallet(&mut sim, bob, 2);
    let (from, to) = (wallet(&mut sim, alice).accounts[0].address, wallet(&mut sim, bob).accounts[0].address);

    sim.start_mining(alice, from);
    assert!(sim.run_until(60_000, |sim| height(sim, bob) >= 6));
    sim.stop_mining(alice);
    sim.run_for(2_000);

    let sent = send(&mut sim, alice, to, 2_500_000).expect("it was mined for long enough");
    assert_eq!(sent.status, TransactionStatus::Pending);
    let second = send(&mut sim, alice, to, 500_000).expect("and again, with the next nonce");
    assert_eq!(
        second.transaction.nonce().next(),
        sent.transaction.nonce().next().and_then(AccountNonce::next)
    );
    sim.run_for(2_000);
    for place in [alice, bob] {
        let pending = history(&mut sim, place, to);
        assert_eq!(pending.len(), 2, "both see both");
        assert!(pending.iter().all(|view| view.status == TransactionStatus::Pending));
    }
    let (before, after) = (account_of(&mut sim, bob, to), 3_000_000);
    assert_eq!((before.balance, before.pending_in.units()), (Amount::ZERO, after));

    sim.start_mining(bob, to);
    assert!(sim.run_until(60_000, |sim| account_of(sim, alice, to).balance.units() >= after));
    sim.stop_mining(bob);
    assert!(sim.run_until(30_000, |sim| agree(sim, &[alice, bob])));
    for place in [alice, bob] {
        let confirmed = history(&mut sim, place, to);
        assert_eq!(confirmed.len(), 2);
        assert!(
            confirmed
                .iter()
                .all(|view| matches!(view.status, TransactionStatus::Confirmed { confirmations: 1.., .. }))
        );
        let told = |event: &Event| {
            matches!(event, Event::Transaction(view)
            if view.id == sent.id && matches!(view.status, TransactionStatus::Confirmed { .. }))
        };
        assert!(sim.events(place).iter().any(told), "and it was told");
    }
}

#[test]
fn what_is_still_to_come_cannot_be_spent_and_does_not_count_as_spent() {
    let mut sim = world(24);
    let node = sim.add_node();
    create_wallet(&mut sim, node, 1);
    let own = wallet(&mut sim, node).accounts[0].address;
    sim.call(node, funds(1, 0, own, 5_000_000)).expect("a good payment");
    assert_eq!(account_of(&mut sim, node, own).pending_in.units(), 5_000_000);
    assert_eq!(
        send(&mut sim, node, address(3), 1).expect_err("it is not there yet").code(),
        "insufficient-funds"
    );

    sim.start_mining(node, address(0));
    assert!(sim.run_until(30_000, |sim| account_of(sim, node, own).balance.units() == 5_000_000));
    sim.stop_mining(node);
    sim.call(node, funds(2, 0, own, 5_000_000)).expect("a good payment");
    send(&mut sim, node, address(3), 4_000_000)
        .expect("what is there can be spent, whatever is still to come");
    assert_eq!(
        send(&mut sim, node, address(3), 2_000_000).expect_err("only once").code(),
        "insufficient-funds"
    );
}

/// A payment from a numbered key.
fn funds(from: u64, nonce: u64, to: Address, units: u64) -> Command {
    let (spec, key) = (testing::spec(), testing::Key::new(from));
    Command::SendTransaction(Box::new(testing::transfer(&spec, &key, nonce, to, units, 10_000)))
}

fn account_of(sim: &mut Sim, place: Place, address: Address) -> tabchain_node::AccountView {
    match sim.call(place, Command::Account(address)) {
        Ok(Reply::Account(view)) => view,
        other => panic!("an account, not {other:?}"),
    }
}

#[test]
fn a_wallet_says_no_in_so_many_words() {
    let mut sim = world(22);
    let node = sim.add_node();
    let code = |reply: Result<Reply, CommandError>| reply.expect_err("refused").code();
    let unlock = |word: &str| Command::WalletUnlock { passphrase: Zeroizing::new(word.to_owned()) };

    assert_eq!(code(sim.call(node, unlock("correct horse"))), "no-wallet");
    assert_eq!(code(sim.call(node, Command::WalletExport)), "no-wallet");
    create_wallet(&mut sim, node, 1);
    let entropy = Zeroizing::new(vec![9; 16]);
    let again = Command::WalletCreate { entropy, passphrase: passphrase(), sealing: SEALING };
    assert_eq!(code(sim.call(node, again)), "wallet-exists");
    assert_eq!(send(&mut sim, node, address(1), 1).expect_err("it is empty").code(), "insufficient-funds");

    sim.call(node, Command::WalletLock).expect("a wallet can be locked");
    assert_eq!(send(&mut sim, node, address(1), 1).expect_err("it is locked").code(), "wallet-locked");
    assert_eq!(code(sim.call(node, unlock("wrong horse"))), "wrong-passphrase");
    let phrase = Zeroizing::new("not a phrase".to_owned());
    sim.call(node, Command::WalletForget).expect("a wallet can be forgotten");
    let restore = Command::WalletRestore { phrase, passphrase: passphrase(), sealing: SEALING };
    assert_eq!(code(sim.call(node, restore)), "invalid-phrase");
    assert_eq!(code(sim.call(node, Command::SendTransaction(payment(0, 7_000, 1, 1)))), "nonce-conflict");
}

#[test]
fn a_wallet_comes_back_after_a_crash_from_its_phrase_and_from_its_backup() {
    let mut sim = world(23);
    let node = sim.add_node();
    let phrase = create_wallet(&mut sim, node, 5);
    sim.call(node, Command::WalletAddAccount { sealing: SEALING }).expect("a second account");
    let before = wallet(&mut sim, node);
    assert_eq!(before.accounts.len(), 2);

    sim.kill(node);
    sim.open(node);
    let locked = wallet(&mut sim, node);
    assert_eq!((locked.exists, locked.unlocked, &locked.accounts), (true, false, &before.accounts));
    sim.call(node, Command::WalletUnlock { passphrase: passphrase() }).expect("the right passphrase");
    let Ok(Reply::Backup(backup)) = sim.call(node, Command::WalletExport) else { panic!("a backup") };

    sim.call(node, Command::WalletForget).expect("a wallet can be forgotten");
    assert!(!wallet(&mut sim, node).exists);
    sim.call(node, Command::WalletImport { backup, passphrase: passphrase() }).expect("its own backup");
    assert_eq!(wallet(&mut sim, node), before);

    sim.call(node, Command::WalletForget).expect("a wallet can be forgotten");
    sim.call(node, Command::WalletRestore { phrase, passphrase: passphrase(), sealing: SEALING })
        .expect("its own phrase");
    assert_eq!(wallet(&mut sim, node).accounts[0], before.accounts[0]);
}

/// Of a block that is taken back a person is told so much and no more; what becomes of a payment later is told of each.
#[test]
fn all_payments_of_a_block_that_was_taken_back_are_watched_though_not_all_are_told_of() {
    const SENDERS: u32 = 10;
    const EACH: usize = 60;
    let mut sim = world(25);
    let (payer, rival) = (sim.add_node(), sim.add_node());
    // The rival never hears of the payments, so none gets into its blocks.
    keep_transactions_secret(&mut sim, payer);
    sim.connect(payer, rival);
    create_wallet(&mut sim, payer, 1);
    for _ in 1..SENDERS {
        sim.call(payer, Command::WalletAddAccount { sealing: SEALING }).expect("one more account");
    }
    for (number, account) in (0..).zip(wallet(&mut sim, payer).accounts) {
        sim.call(payer, funds(number % 8, number / 8, account.address, 10_000_000)).expect("a good payment");
    }
    confirm(&mut sim, payer, &[payer, rival]);

    sim.cut_off(&[payer]);
    for from in 0..SENDERS {
        for _ in 0..EACH {
            send_from(&mut sim, payer, from, address(3), 1, Some(50)).expect("each account has enough");
        }
    }
    confirm(&mut sim, payer, &[payer]);
    let told = |sim: &Sim, status: TransactionStatus| {
        let with = |event: &&Event| matches!(event, Event::Transaction(view) if view.status == status);
        sim.events(payer).iter().filter(with).count()
    };
    let before = told(&sim, TransactionStatus::Pending);
    let high = height(&mut sim, payer);
    sim.start_mining(rival, address(0));
    assert!(sim.run_until(60_000, |sim| height(sim, rival) > high + 1));
    sim.heal();
    sim.connect(payer, rival);
    assert!(sim.run_until(10_000, |sim| sim.status(payer).mempool as usize == EACH * SENDERS as usize));
    assert_eq!(told(&sim, TransactionStatus::Pending) - before, 512, "so many are told of");

    assert!(sim.run_until(120_000, |sim| sim.status(payer).mempool == 0), "none was valid for long");
    assert_eq!(told(&sim, TransactionStatus::Dropped), EACH * SENDERS as usize, "each had been watched");
}
