//! What happens while a node opens is there when it is open, however much else is said meanwhile.

mod support;

use std::sync::Arc;

use tabchain_consensus::ChainSpec;
use tabchain_node::{Command, CommandId, Config, Input, LoadId, Message, Node, Output, PeerId, Reply};
use tabchain_primitives::Timestamp;
use tabchain_records::Rows;
use tabchain_sync::{Failure, LinkMessage, Request, RequestId, Response};

use support::{direct, hello, peer};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// More than any node keeps.
const FLOOD: u64 = 3_000;

/// A node that reads its store, which does not answer before [`Stage::open`].
struct Stage {
    node: Node,
    loads: Vec<LoadId>,
    said: Vec<(PeerId, Message)>,
    replies: Vec<Reply>,
}

impl Stage {
    fn new() -> Self {
        let node = Node::open(Config::new(Arc::new(ChainSpec::dev()), [1; 32]));
        let mut stage = Self { node, loads: Vec::new(), said: Vec::new(), replies: Vec::new() };
        stage.drain();
        stage
    }

    fn give(&mut self, input: Input) {
        self.node.handle(NOW, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll() {
            match output {
                Output::Load(id, _) => self.loads.push(id),
                Output::Commit(id, _) => self.node.handle(NOW, Input::Committed(id)),
                Output::Send(peer, message) => self.said.push((peer, message)),
                Output::Reply(_, reply) => self.replies.extend(reply),
                _ => {}
            }
        }
    }

    /// The store is empty, and says so.
    fn open(&mut self) {
        while let Some(id) = self.loads.pop() {
            self.give(Input::Loaded(id, Rows::default()));
        }
    }

    fn come(&mut self, peer: PeerId) {
        self.give(Input::PeerUp(peer, direct(false)));
    }

    fn say(&mut self, peer: PeerId, words: LinkMessage) {
        self.give(Input::Message(peer, Message::Link(words)));
    }

    fn greet(&mut self, peer: PeerId) {
        self.say(peer, hello(ChainSpec::dev().genesis_hash(), 1, NOW));
    }

    /// Peers that have a place, which is whom the node said hello to.
    fn greeted(&self) -> Vec<PeerId> {
        let hello = |message: &Message| matches!(message, Message::Link(LinkMessage::Hello(_)));
        self.said.iter().filter(|(_, message)| hello(message)).map(|(peer, _)| *peer).collect()
    }

    /// How many peers have said hello to the node, as it says.
    fn peers(&mut self) -> u32 {
        self.give(Input::Command(CommandId(1), Command::Status));
        match self.replies.pop() {
            Some(Reply::Status(status)) => status.peers,
            other => panic!("a status, not {other:?}"),
        }
    }
}

#[test]
fn who_comes_and_goes_while_one_talks_without_end_is_known_all_the_same() {
    let mut stage = Stage::new();
    let (loud, gone, quiet) = (peer("loud"), peer("gone"), peer("quiet"));
    stage.come(loud);
    stage.come(gone);
    stage.greet(gone);
    for _ in 0..FLOOD {
        stage.say(loud, LinkMessage::GetPeers);
    }
    stage.give(Input::PeerDown(gone));
    stage.come(quiet);
    stage.greet(quiet);
    stage.open();
    assert_eq!(stage.greeted(), [loud, quiet], "who came has a place, who went has none");
    assert_eq!(stage.peers(), 1, "and the hello of the quiet one was heard");
}

#[test]
fn of_peers_that_come_and_go_only_who_is_there_has_a_place() {
    let mut stage = Stage::new();
    let names: Vec<_> = (0..FLOOD).map(|number| peer(number.to_string())).collect();
    for &name in &names {
        stage.come(name);
        stage.greet(name);
        stage.give(Input::PeerDown(name));
    }
    let last = names[0];
    stage.come(last);
    stage.come(last);
    stage.greet(last);
    stage.open();
    assert_eq!(stage.greeted(), [last]);
    assert_eq!(stage.peers(), 1);
}

#[test]
fn every_question_has_its_answer_though_most_are_refused() {
    let mut stage = Stage::new();
    let curious = peer("curious");
    stage.come(curious);
    stage.greet(curious);
    for number in 0..FLOOD {
        let question =
            Message::Request(RequestId(number), Request::Headers { locator: Vec::new(), limit: 1 });
        stage.give(Input::Message(curious, question));
    }
    let refused =
        |(_, message): &&(PeerId, Message)| matches!(message, Message::RequestFailed(_, Failure::Busy));
    let at_once = stage.said.iter().filter(refused).count();
    assert!(at_once + 10 > usize::try_from(FLOOD).expect("few"), "only a few wait: {at_once} do not");
    stage.open();
    let answered =
        |(_, message): &&(PeerId, Message)| matches!(message, Message::Response(_, Response::Headers(_)));
    let answers = stage.said.iter().filter(answered).count();
    assert!(answers > 0);
    assert_eq!(at_once + answers, usize::try_from(FLOOD).expect("few"));
}
