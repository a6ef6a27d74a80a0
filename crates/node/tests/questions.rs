//! Rule N19 for everything that can be asked: who asks the same without end is refused, and then sent away.

mod support;

use tabchain_chain::testing::spec;
use tabchain_node::{Config, Input, Message, Node, Output, Reason};
use tabchain_primitives::{BlockHash, Timestamp, TxId};
use tabchain_sync::{Failure, Request, RequestId};

use support::{direct, hello, peer, settle};

/// More than anybody may ask in one moment.
const QUESTIONS: u64 = 20_000;
/// So many answers of no bytes, of 4,096 each, are 36,000,000.
const ANSWERS: u64 = 36_000_000 / 4_096;

/// What became of questions.
#[derive(Debug, Default)]
struct Answers {
    given: u64,
    refused: u64,
    sent_away: bool,
}

fn drain(node: &mut Node, now: Timestamp, answers: &mut Answers) {
    settle(node, now, |output| {
        match output {
            Output::Send(_, Message::Response(..)) => answers.given += 1,
            Output::Send(_, Message::RequestFailed(_, Failure::Busy)) => answers.refused += 1,
            Output::Disconnect(_, why) => answers.sent_away = why == Reason::Misbehaviour,
            _ => {}
        }
        None
    });
}

/// A peer asks this, over and over, in one moment.
fn ask_without_end(request: &Request) -> Answers {
    let now = spec().genesis_header().time().saturating_add(60_000);
    let mut node = Node::open(Config::new(spec(), [9; 32]));
    let mut answers = Answers::default();
    drain(&mut node, now, &mut answers);
    let peer = peer("curious");
    node.handle(now, Input::PeerUp(peer, direct(false)));
    node.handle(now, Input::Message(peer, Message::Link(hello(spec().genesis_hash(), 1, now))));
    for number in 0..QUESTIONS {
        let question = Message::Request(RequestId(number), request.clone());
        node.handle(now, Input::Message(peer, question));
        drain(&mut node, now, &mut answers);
    }
    answers
}

#[test]
fn who_asks_without_end_is_refused_whatever_it_asks_and_then_sent_away() {
    let block = BlockHash::from_bytes([7; 32]);
    let questions = [
        Request::Headers { locator: Vec::new(), limit: 1 },
        Request::Transactions(vec![TxId::from_bytes([7; 32])]),
        Request::Bodies(vec![block]),
        Request::BlockTransactions { block, positions: vec![0] },
        Request::Snapshots,
        Request::StateChunks { block, first_bytes: vec![0] },
    ];
    for question in questions {
        let answers = ask_without_end(&question);
        assert!((ANSWERS..=ANSWERS + 1).contains(&answers.given), "{question:?}: {answers:?}");
        assert!(answers.refused > 0 && answers.sent_away, "{question:?}: {answers:?}");
    }
}
