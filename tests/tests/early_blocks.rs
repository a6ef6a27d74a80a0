//! Rule B4 seen from a node: a block from ahead of its clock is held, the peer that sent it is as good as any, and the
//! block is taken in when its time has come, without being sent again.

use tabchain_chain::{
    Chain,
    testing::{Key, connect, mine_at, spec},
};
use tabchain_consensus::verify_each;
use tabchain_node::{Command, CommandId, Config, Input, Node, Output, Reason, Reply, Status};
use tabchain_primitives::{Block, Height, Timestamp};
use tabchain_sim::Disk;
use tabchain_sync::{CompactBlock, LinkMessage, Message, PeerId, Request, Response, TipClaim};
use tabchain_tests::one_node::{OneNode, at_genesis};

/// How long after the peers' first words the blocks may come in.
const TOO_EARLY_BY_MS: u64 = 5_000;

/// A node with its store and its peers; all of them answer at once.
struct Stage {
    node: Node,
    disk: Disk,
    now: Timestamp,
    /// When the node wants to be woken.
    wake: Option<Timestamp>,
    /// What is answered to whoever asks for headers.
    headers: Vec<Block>,
    headers_given: usize,
    sent_away: Vec<(PeerId, Reason)>,
    status: Option<Status>,
}

impl Stage {
    fn open() -> Self {
        let mut stage = Self {
            node: Node::open(Config::new(spec(), [7; 32])),
            disk: Disk::default(),
            now: spec().genesis_header().time().saturating_add(1_000),
            wake: None,
            headers: Vec::new(),
            headers_given: 0,
            sent_away: Vec::new(),
            status: None,
        };
        stage.drain();
        stage
    }

    /// A peer that stands at the genesis, like the node.
    fn peer(&mut self, name: &str) -> PeerId {
        let peer = PeerId::new(name.as_bytes()).expect("a short name");
        let genesis = spec().genesis_hash();
        self.meet(peer, genesis, at_genesis(genesis));
        peer
    }

    fn announce(&mut self, peer: PeerId, block: &Block, salt: u64) {
        self.say(peer, LinkMessage::Block(Box::new(CompactBlock::of(block, salt))));
    }

    /// How many times a peer may ask for what is given once, until it is one too many. Its score is nowhere to be read,
    /// but each point that it has makes this number smaller.
    fn patience(&mut self, peer: PeerId) -> usize {
        let noise = (0..1_000).find(|_| {
            self.say(peer, LinkMessage::GetTransactions);
            self.sent_away.contains(&(peer, Reason::Misbehaviour))
        });
        noise.expect("it has an end")
    }

    fn status(&mut self) -> Status {
        self.give(Input::Command(CommandId(1), Command::Status));
        self.status.take().expect("an answer at once")
    }

    /// Blocks on the genesis, each of another miner, that may come in so much later than now.
    fn early_blocks(&self, count: u64, too_early_by_ms: u64) -> Vec<Block> {
        let chain = Chain::new(spec());
        let time = self.now.saturating_add(spec().future_limit_ms() + too_early_by_ms);
        (0..count).map(|number| mine_at(&chain, Key::new(number).address(), &[], time)).collect()
    }
}

impl OneNode for Stage {
    fn node(&mut self) -> &mut Node {
        &mut self.node
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn done(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Load(id, query) => return Some(Input::Loaded(id, self.disk.load(&query))),
            Output::Commit(id, batch) => {
                self.disk.commit(batch).expect("it has room");
                return Some(Input::Committed(id));
            }
            Output::Verify(id, checks) => return Some(Input::Verified(id, verify_each(&checks))),
            Output::Send(peer, Message::Request(id, Request::Headers { .. })) => {
                self.headers_given += 1;
                let headers = self.headers.iter().map(|block| block.header).collect();
                return Some(Input::Message(peer, Message::Response(id, Response::Headers(headers))));
            }
            Output::Disconnect(peer, reason) => {
                self.sent_away.push((peer, reason));
                return Some(Input::PeerDown(peer));
            }
            Output::Reply(_, Ok(Reply::Status(status))) => self.status = Some(*status),
            Output::WakeAt(at) => self.wake = Some(at),
            _ => {}
        }
        None
    }
}

#[test]
fn a_peer_that_sends_early_blocks_a_thousand_times_keeps_its_place_and_its_score() {
    let mut stage = Stage::open();
    let (early, other) = (stage.peer("early"), stage.peer("other"));
    let blocks = stage.early_blocks(40, 10 * 60_000);
    for salt in 0..25 {
        for block in &blocks {
            stage.announce(early, block, salt);
            // As often as it is listened to.
            stage.now = stage.now.saturating_add(250);
        }
    }
    // The same as an answer: it claims to have one of them, is asked, and gives it.
    let work = blocks[0].header.target().expand().expect("a target").work();
    stage.headers = blocks[..1].to_vec();
    stage.say(early, LinkMessage::Tip(TipClaim { hash: blocks[0].hash(), height: Height::new(1), work }));
    assert!(stage.headers_given > 0, "the node asked for what was claimed");

    let status = stage.status();
    assert_eq!((status.height, status.best_height, status.peers), (Height::GENESIS, Height::GENESIS, 2));
    assert_eq!(stage.sent_away, []);
    let (patience, usual) = (stage.patience(early), stage.patience(other));
    assert_eq!(patience, usual, "not one point was counted");
    assert!(usual > 10, "or else this would show nothing: {usual}");
}

#[test]
fn an_early_block_is_adopted_at_the_very_moment_its_time_comes() {
    let mut stage = Stage::open();
    let early = stage.peer("early");
    let block = stage.early_blocks(1, TOO_EARLY_BY_MS).remove(0);
    for salt in 0..100 {
        stage.announce(early, &block, salt);
    }
    let at = stage.now.saturating_add(TOO_EARLY_BY_MS);
    stage.now = Timestamp::from_millis(at.millis() - 1);
    stage.give(Input::Tick);
    assert_eq!(stage.status().height, Height::GENESIS, "a millisecond too early");
    assert!(stage.wake.is_some_and(|wake| wake <= at), "and nobody but the clock has to remind it");
    stage.now = at;
    stage.give(Input::Tick);
    let status = stage.status();
    assert_eq!((status.tip, status.height, status.peers), (block.hash(), Height::new(1), 1));
    assert_eq!(stage.sent_away, []);
}

/// As many early blocks as a node holds, four each from a crowd of peers.
fn crowd_with(stage: &mut Stage, blocks: &[Block]) {
    for (number, blocks) in blocks.chunks(4).enumerate() {
        let peer = stage.peer(&format!("one of many {number}"));
        for block in blocks {
            stage.announce(peer, block, 1);
        }
    }
}

/// Lets the time come of a block that an honest peer announced, and sees that it is the tip then.
fn is_adopted_in_its_time(stage: &mut Stage, block: &Block) {
    let right = stage.peer("right");
    stage.announce(right, block, 1);
    assert_ne!(stage.status().tip, block.hash());
    stage.now = stage.now.saturating_add(TOO_EARLY_BY_MS);
    stage.give(Input::Tick);
    assert_eq!(stage.status().tip, block.hash());
    assert_eq!(stage.sent_away, []);
}

#[test]
fn blocks_of_the_far_future_leave_room_for_one_whose_time_is_near() {
    let mut stage = Stage::open();
    let far = stage.early_blocks(32, 10 * 365 * 24 * 3_600_000);
    crowd_with(&mut stage, &far);
    let near = stage.early_blocks(33, TOO_EARLY_BY_MS).remove(32);
    is_adopted_in_its_time(&mut stage, &near);
}

#[test]
fn early_blocks_that_lead_nowhere_take_no_room() {
    let mut stage = Stage::open();
    // The chain goes on, and work upon its beginning is cheap by now.
    let mut chain = Chain::new(spec());
    let friend = stage.peer("friend");
    for number in 0..3 {
        let block = mine_at(&chain, Key::new(number).address(), &[], stage.now);
        connect(&mut chain, &block);
        stage.announce(friend, &block, 1);
        stage.now = stage.now.saturating_add(1_000);
    }
    assert_eq!(stage.status().tip, chain.tip().hash);
    let cheap = stage.early_blocks(32, TOO_EARLY_BY_MS - 1);
    crowd_with(&mut stage, &cheap);
    let time = stage.now.saturating_add(spec().future_limit_ms() + TOO_EARLY_BY_MS);
    let good = mine_at(&chain, Key::new(7).address(), &[], time);
    is_adopted_in_its_time(&mut stage, &good);
}
