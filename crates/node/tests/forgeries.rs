//! Whoever gives transactions with forged signatures, as many and as fast as it can, has few of them checked; and what it forged
//! in the name of others is had from them.

mod support;

use std::collections::{BTreeMap, VecDeque};

use tabchain_chain::testing::{Key, spec, transfer};
use tabchain_consensus::{SignatureChecks, verify_each};
use tabchain_node::{Command, CommandId, Config, Input, JobId, Message, Node, Output, PeerId, Reason, Reply};
use tabchain_primitives::{Signature, Timestamp, Transaction, TxId};
use tabchain_sync::transactions::MAX_WANTED_PER_PEER;
use tabchain_sync::{LinkMessage, Request, RequestId, Response};

use support::{direct, hello, peer, settle};

/// A node, and a checker of signatures that does nothing until it is told to.
struct Stage {
    node: Node,
    now: Timestamp,
    asked: VecDeque<(PeerId, RequestId, Vec<TxId>)>,
    to_check: VecDeque<(JobId, SignatureChecks)>,
    /// Signatures that were given to the checker.
    given: usize,
    sent_away: Vec<(PeerId, Reason)>,
    pooled: u32,
}

impl Stage {
    fn open() -> Self {
        let mut stage = Self {
            node: Node::open(Config::new(spec(), [3; 32])),
            now: spec().genesis_header().time().saturating_add(60_000),
            asked: VecDeque::new(),
            to_check: VecDeque::new(),
            given: 0,
            sent_away: Vec::new(),
            pooled: 0,
        };
        stage.settle();
        stage
    }

    fn give(&mut self, input: Input) {
        self.node.handle(self.now, input);
        self.settle();
    }

    fn settle(&mut self) {
        let Self { node, now, asked, to_check, given, sent_away, pooled } = self;
        settle(node, *now, |output| {
            match output {
                Output::Verify(id, checks) => {
                    *given += checks.0.len();
                    to_check.push_back((id, checks));
                }
                Output::Send(peer, Message::Request(id, Request::Transactions(ids))) => {
                    asked.push_back((peer, id, ids));
                }
                Output::Disconnect(peer, why) => {
                    sent_away.push((peer, why));
                    return Some(Input::PeerDown(peer));
                }
                Output::Reply(_, Ok(Reply::Status(status))) => *pooled = status.mempool,
                _ => {}
            }
            None
        });
    }

    fn meet(&mut self, peer: PeerId) {
        self.give(Input::PeerUp(peer, direct(false)));
        let hello = hello(spec().genesis_hash(), 1, self.now);
        self.give(Input::Message(peer, Message::Link(hello)));
    }

    fn announce(&mut self, peer: PeerId, transactions: &[Transaction]) {
        for some in transactions.chunks(256) {
            let ids = some.iter().map(Transaction::id).collect();
            self.give(Input::Message(peer, Message::Link(LinkMessage::Transactions(ids))));
        }
    }

    /// Whoever was asked gives what it has; gives how many questions that were.
    fn answer(&mut self, has: impl Fn(&PeerId, &TxId) -> Option<Transaction>) -> usize {
        let asked = std::mem::take(&mut self.asked);
        let count = asked.len();
        for (peer, id, ids) in asked {
            let given = ids.iter().filter_map(|id| has(&peer, id)).collect();
            self.give(Input::Message(peer, Message::Response(id, Response::Transactions(given))));
        }
        count
    }

    /// The checker does what it was given first; false when it has nothing to do.
    fn check(&mut self) -> bool {
        let Some((job, checks)) = self.to_check.pop_front() else { return false };
        self.give(Input::Verified(job, verify_each(&checks)));
        true
    }

    fn pooled(&mut self) -> u32 {
        self.give(Input::Command(CommandId(1), Command::Status));
        self.pooled
    }
}

/// Payments of the same account, each with the first nonce and another amount, so that all are worth a check.
fn payments(count: u64) -> Vec<Transaction> {
    let (from, to) = (Key::new(1), Key::new(2).address());
    (1..=count).map(|units| transfer(&spec(), &from, 0, to, units, 10_000)).collect()
}

fn forged(genuine: &Transaction) -> Transaction {
    genuine.unsigned().clone().with_signature(Signature::ZERO)
}

#[test]
fn of_a_flood_of_forgeries_one_batch_is_checked_and_the_forger_sent_away() {
    let mut stage = Stage::open();
    let forger = peer("forger");
    stage.meet(forger);
    let forgeries: Vec<_> = payments(5_000).iter().map(forged).collect();
    let by_id: BTreeMap<_, _> = forgeries.iter().map(|one| (one.id(), one)).collect();
    let find = |_: &PeerId, id: &TxId| by_id.get(id).copied().cloned();
    for some in forgeries.chunks(1_000) {
        stage.announce(forger, some);
        // It answers at once, and the checker takes its time.
        while stage.answer(find) > 0 {}
    }
    while stage.check() {
        while stage.answer(find) > 0 {}
    }
    assert_eq!(stage.sent_away, [(forger, Reason::Misbehaviour)]);
    assert!(stage.given <= MAX_WANTED_PER_PEER, "{} were checked", stage.given);
}

#[test]
fn what_was_forged_in_the_name_of_others_is_had_from_them() {
    let mut stage = Stage::open();
    let (forger, honest) = (peer("forger"), peer("honest"));
    stage.meet(forger);
    stage.meet(honest);
    let genuine: Vec<_> =
        (0..8).map(|from| transfer(&spec(), &Key::new(from), 0, Key::new(9).address(), 5, 10_000)).collect();
    let find = |of: &PeerId, id: &TxId| {
        let one = genuine.iter().find(|one| one.id() == *id)?;
        Some(if *of == forger { forged(one) } else { one.clone() })
    };
    // The forger is asked first; the honest one tells of the same before the forgeries come, and again while they are checked.
    stage.announce(forger, &genuine);
    stage.announce(honest, &genuine[..4]);
    assert_eq!(stage.answer(find), 1);
    stage.announce(honest, &genuine);
    assert_eq!(stage.asked, [], "it is not asked for what may be here");
    assert!(stage.check());
    assert_eq!(stage.sent_away, [(forger, Reason::Misbehaviour)]);
    while stage.answer(find) > 0 || stage.check() {}
    assert_eq!(stage.pooled(), 8);
}

#[test]
fn what_is_good_before_the_first_forgery_of_an_answer_is_taken() {
    let mut stage = Stage::open();
    let forger = peer("forger");
    stage.meet(forger);
    let genuine: Vec<_> =
        (0..8).map(|from| transfer(&spec(), &Key::new(from), 0, Key::new(9).address(), 5, 10_000)).collect();
    stage.announce(forger, &genuine);
    let (_, request, ids) = stage.asked.pop_front().expect("it is asked");
    let find = |id: &TxId| genuine.iter().find(|one| one.id() == *id).expect("one of them");
    let given = ids.iter().enumerate().map(|(place, id)| match place {
        5 => forged(find(id)),
        _ => find(id).clone(),
    });
    let given = Response::Transactions(given.collect());
    stage.give(Input::Message(forger, Message::Response(request, given)));
    while stage.check() {}
    assert_eq!(stage.pooled(), 5);
    assert_eq!(stage.sent_away, [(forger, Reason::Misbehaviour)]);
}
