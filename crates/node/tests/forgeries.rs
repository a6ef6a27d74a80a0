//! Whoever gives forged signatures, as many and as fast as it can, has few of them checked; and transactions that it forged in the
//! name of others are had from them.

mod support;

use std::collections::{BTreeMap, VecDeque};

use tabchain_chain::Chain;
use tabchain_chain::testing::{Key, extend, spec, transfer};
use tabchain_consensus::{SignatureChecks, verify_each};
use tabchain_node::{Command, CommandId, Config, Input, JobId, Message, Node, Output, PeerId, Reason, Reply};
use tabchain_primitives::{Block, Encode, HEADER_BYTES, Signature, Timestamp, Transaction, TxId};
use tabchain_sync::transactions::MAX_WANTED_PER_PEER;
use tabchain_sync::{Body, LinkMessage, Request, RequestId, Response, TipClaim};

use support::{direct, hello, peer, settle};

/// A node, and a checker of signatures that does nothing until it is told to.
struct Stage {
    node: Node,
    now: Timestamp,
    asked: VecDeque<(PeerId, RequestId, Request)>,
    to_check: VecDeque<(JobId, SignatureChecks)>,
    /// Signatures that were checked.
    checked: usize,
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
            checked: 0,
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
        let Self { node, now, asked, to_check, sent_away, pooled, .. } = self;
        settle(node, *now, |output| {
            match output {
                Output::Verify(id, checks) => to_check.push_back((id, checks)),
                Output::Unverify(id) => to_check.retain(|(job, _)| *job != id),
                Output::Send(peer, Message::Request(id, request)) => asked.push_back((peer, id, request)),
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

    /// Whoever was asked answers; gives how many questions that were.
    fn answer(&mut self, answer: impl Fn(&PeerId, &Request) -> Response) -> usize {
        let asked = std::mem::take(&mut self.asked);
        let count = asked.len();
        for (peer, id, request) in asked {
            let response = answer(&peer, &request);
            self.give(Input::Message(peer, Message::Response(id, response)));
        }
        count
    }

    /// Whoever was asked gives the transactions that it has.
    fn answer_with(&mut self, has: impl Fn(&PeerId, &TxId) -> Option<Transaction>) -> usize {
        self.answer(|peer, request| match request {
            Request::Transactions(ids) => {
                Response::Transactions(ids.iter().filter_map(|id| has(peer, id)).collect())
            }
            other => panic!("only transactions are asked for, not {other:?}"),
        })
    }

    /// The checker does what it was given first; false when it has nothing to do.
    fn check(&mut self) -> bool {
        let Some((job, checks)) = self.to_check.pop_front() else { return false };
        self.checked += checks.0.len();
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
        while stage.answer_with(find) > 0 {}
    }
    while stage.check() {
        while stage.answer_with(find) > 0 {}
    }
    assert_eq!(stage.sent_away, [(forger, Reason::Misbehaviour)]);
    assert!(stage.checked <= MAX_WANTED_PER_PEER, "{} were checked", stage.checked);
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
    assert_eq!(stage.answer_with(find), 1);
    stage.announce(honest, &genuine);
    assert_eq!(stage.asked, [], "it is not asked for what may be here");
    assert!(stage.check());
    assert_eq!(stage.sent_away, [(forger, Reason::Misbehaviour)]);
    while stage.answer_with(find) > 0 || stage.check() {}
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
    let sixth = genuine[5].id();
    stage.answer_with(|_, id| {
        let one = genuine.iter().find(|one| one.id() == *id)?;
        Some(if *id == sixth { forged(one) } else { one.clone() })
    });
    while stage.check() {}
    assert_eq!(stage.pooled(), 5);
    assert_eq!(stage.sent_away, [(forger, Reason::Misbehaviour)]);
}

#[test]
fn of_blocks_above_one_with_a_forgery_no_signature_is_checked() {
    let mut chain = Chain::new(spec());
    let forgeries = |nonce: u64| -> Vec<_> {
        let payment = |from| transfer(&spec(), &Key::new(from), nonce, Key::new(9).address(), 5, 10_000);
        (0..8).map(|from| forged(&payment(from))).collect()
    };
    let blocks: Vec<_> =
        (0..100).map(|nonce| extend(&mut chain, Key::new(1).address(), &forgeries(nonce)).0).collect();
    let answer = |_: &PeerId, request: &Request| match request {
        Request::Headers { .. } => Response::Headers(blocks.iter().map(|block| block.header).collect()),
        Request::Bodies(hashes) => {
            let body = |block: &Block| block.to_bytes()[HEADER_BYTES..].to_vec();
            let of = |hash| blocks.iter().find(|block| block.hash() == hash).map(body);
            let bodies = hashes.iter().filter_map(|&hash| Some(Body { hash, bytes: of(hash)? }));
            Response::Bodies(bodies.collect())
        }
        other => panic!("unexpected {other:?}"),
    };
    let mut stage = Stage::open();
    stage.now = chain.tip().header.time().saturating_add(1_000);
    let forger = peer("forger");
    stage.meet(forger);
    let tip = chain.tip();
    let claim = TipClaim { hash: tip.hash, height: tip.height, work: tip.work };
    stage.give(Input::Message(forger, Message::Link(LinkMessage::Tip(claim))));
    while stage.answer(answer) > 0 {}
    let waiting: usize = stage.to_check.iter().map(|(_, checks)| checks.0.len()).sum();
    assert!(waiting > 400, "much waits to be checked: {waiting}");
    while stage.check() {}
    assert_eq!(stage.sent_away, [(forger, Reason::Misbehaviour)]);
    assert_eq!(stage.checked, 8, "those of the first block");
}
