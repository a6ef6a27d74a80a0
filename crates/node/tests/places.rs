//! When all places are taken and somebody comes: who is hard to imitate keeps its place, however young its connection is.

mod support;

use tabchain_chain::Chain;
use tabchain_chain::testing::{Key, mine_at, spec, transfer};
use tabchain_consensus::Verdict;
use tabchain_node::{Config, Input, Message, Node, Output, PeerId, PeerInfo, Reason};
use tabchain_primitives::{Timestamp, Transaction, TxId};
use tabchain_sync::{CompactBlock, LinkMessage, Request, RequestId, Response};

use support::{direct, hello, settle};

/// Places for those who come by themselves.
const PLACES: u8 = 23;
const YOUNGEST: u8 = PLACES - 1;

/// What speaks for the youngest peer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Merit {
    Nothing,
    AnswersQuickly,
    FirstWithTransaction,
    FirstWithBlock,
    CameByAnother,
}

/// A node with its store; signatures are good, and questions wait until somebody answers them.
struct Stage {
    node: Node,
    now: Timestamp,
    asked: Vec<(PeerId, RequestId, Request)>,
    let_go: Vec<(PeerId, Reason)>,
}

impl Stage {
    fn open() -> Self {
        let now = spec().genesis_header().time().saturating_add(60_000);
        let node = Node::open(Config::new(spec(), [9; 32]));
        let mut stage = Self { node, now, asked: Vec::new(), let_go: Vec::new() };
        stage.drain();
        stage
    }

    fn give(&mut self, input: Input) {
        self.node.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        let Self { node, now, asked, let_go } = self;
        settle(node, *now, |output| {
            match output {
                Output::Verify(id, _) => return Some(Input::Verified(id, Verdict::AllValid)),
                Output::Send(peer, Message::Request(id, request)) => asked.push((peer, id, request)),
                Output::Disconnect(peer, why) => let_go.push((peer, why)),
                _ => {}
            }
            None
        });
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now.saturating_add(millis);
        self.give(Input::Tick);
    }

    fn say(&mut self, peer: PeerId, words: LinkMessage) {
        self.give(Input::Message(peer, Message::Link(words)));
    }

    fn meet(&mut self, peer: PeerId, introducer: &str) {
        self.connect(peer, introducer, false);
    }

    fn connect(&mut self, peer: PeerId, introducer: &str, outbound: bool) {
        let introducer = PeerId::new(introducer.as_bytes()).ok();
        self.give(Input::PeerUp(peer, PeerInfo { introducer, ..direct(outbound) }));
        let hello = hello(spec().genesis_hash(), 1, self.now);
        self.say(peer, hello);
    }

    /// The peer tells of a transaction, is asked for it, and answers after so long: with it, or that it has it no more.
    fn offer(&mut self, peer: PeerId, id: TxId, transaction: Option<&Transaction>, after_ms: u64) {
        self.say(peer, LinkMessage::Transactions(vec![id]));
        self.now = self.now.saturating_add(after_ms);
        for (from, question, request) in std::mem::take(&mut self.asked) {
            assert_eq!((from, request), (peer, Request::Transactions(vec![id])));
            let given = transaction.into_iter().cloned().collect();
            self.give(Input::Message(from, Message::Response(question, Response::Transactions(given))));
        }
    }

    /// All places are taken, one after the other; the last peer has the merit.
    fn fill(&mut self, merit: Merit) {
        for number in 0..PLACES {
            let alone = number == YOUNGEST && merit == Merit::CameByAnother;
            self.meet(peer(number), if alone { "another" } else { "one" });
            self.pass(1_000);
        }
        for number in 0..PLACES {
            let quick = number == YOUNGEST && merit == Merit::AnswersQuickly;
            self.offer(peer(number), TxId::from_bytes([number; 32]), None, if quick { 5 } else { 100 });
        }
        match merit {
            Merit::Nothing | Merit::AnswersQuickly | Merit::CameByAnother => {}
            Merit::FirstWithTransaction => {
                let payment = transfer(&spec(), &Key::new(1), 0, Key::new(2).address(), 5, 10_000);
                self.offer(peer(YOUNGEST), payment.id(), Some(&payment), 100);
            }
            Merit::FirstWithBlock => {
                let block = mine_at(&Chain::new(spec()), Key::new(3).address(), &[], self.now);
                self.say(peer(YOUNGEST), LinkMessage::Block(Box::new(CompactBlock::of(&block, 1))));
            }
        }
    }
}

fn peer(number: u8) -> PeerId {
    support::peer([b'p', number])
}

#[test]
fn a_young_peer_keeps_its_place_by_any_of_its_merits() {
    let merits =
        [Merit::AnswersQuickly, Merit::FirstWithTransaction, Merit::FirstWithBlock, Merit::CameByAnother];
    for (merit, goes) in
        [(Merit::Nothing, YOUNGEST)].into_iter().chain(merits.map(|merit| (merit, YOUNGEST - 1)))
    {
        let mut stage = Stage::open();
        stage.fill(merit);
        assert_eq!(stage.let_go, [], "there is a place for each");
        stage.meet(peer(100), "one");
        assert_eq!(stage.let_go, [(peer(goes), Reason::TooManyPeers)], "{merit:?}");
    }
}

#[test]
fn a_crowd_that_comes_by_one_way_takes_no_place_of_those_who_were_there() {
    let mut stage = Stage::open();
    stage.fill(Merit::CameByAnother);
    for number in 100..200 {
        stage.meet(peer(number), "one");
        stage.pass(100);
    }
    let went: Vec<_> = stage.let_go.iter().map(|(peer, _)| *peer).collect();
    let there_before: Vec<_> = (0..PLACES).map(peer).filter(|peer| went.contains(peer)).collect();
    assert_eq!(there_before, [peer(YOUNGEST - 1)], "the crowd has one place, which its own fight for");
    assert_eq!(went.len(), 100);
}

#[test]
fn whoever_opens_them_there_are_thirty_two_connections_and_no_more() {
    let mut stage = Stage::open();
    for number in 0..200 {
        stage.connect(peer(number), "one", number % 3 == 0);
        assert!(usize::from(number) + 1 - stage.let_go.len() <= 32, "{number}");
    }
    assert_eq!(stage.let_go.len(), 200 - 32, "and no fewer");
}
