//! A flood from every peer at once: whatever they say, what the node holds for them stays within its bounds, and it says so.

mod support;

use std::sync::Arc;

use tabchain_chain::testing::{Key, mine_at, spec};
use tabchain_chain::{Chain, testing::transfer};
use tabchain_node::{Config, Holdings, Input, Message, Node, Output, PeerAddress, PeerId};
use tabchain_primitives::{Height, Timestamp, TxId};
use tabchain_sync::{CompactBlock, LinkMessage, PeerRecord, Request, RequestId, Response, TipClaim};

use support::{direct, hello, settle};

const PEERS: u8 = 32;

/// A node whose store answers and whose signature checks never come to an end, which is the worst for what it holds.
struct Stage {
    node: Node,
    now: Timestamp,
    /// Requests that the node has made.
    asked: Vec<(PeerId, RequestId, Request)>,
    sent_away: usize,
    most: Holdings,
}

impl Stage {
    fn open() -> Self {
        let config = Config::new(spec(), [9; 32]);
        let most = Holdings::most(&config);
        let now = spec().genesis_header().time().saturating_add(60_000);
        let mut stage = Self { node: Node::open(config), now, asked: Vec::new(), sent_away: 0, most };
        stage.settle();
        stage
    }

    fn give(&mut self, input: Input) {
        self.node.handle(self.now, input);
        self.settle();
        let held = self.node.holdings();
        assert!(held.is_within(&self.most), "{held:?} of {:?}", self.most);
    }

    fn settle(&mut self) {
        let Self { node, now, asked, sent_away, .. } = self;
        settle(node, *now, |output| {
            match output {
                Output::Send(peer, Message::Request(id, request)) => asked.push((peer, id, request)),
                Output::Disconnect(..) => *sent_away += 1,
                _ => {}
            }
            None
        });
    }

    fn say(&mut self, peer: PeerId, words: LinkMessage) {
        self.give(Input::Message(peer, Message::Link(words)));
    }

    fn meet(&mut self, peer: PeerId, outbound: bool) {
        self.give(Input::PeerUp(peer, direct(outbound)));
        self.greet(peer, 1);
    }

    /// A peer says hello, in a session with this number.
    fn greet(&mut self, peer: PeerId, session: u64) {
        let hello = hello(spec().genesis_hash(), session, self.now);
        self.say(peer, hello);
    }
}

fn peer(number: u8) -> PeerId {
    support::peer([b'p', number])
}

fn id(number: u32) -> TxId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    TxId::from_bytes(bytes)
}

#[test]
fn the_bounds_together_are_what_a_tab_can_spare() {
    let most = Holdings::most(&Config::new(Arc::clone(&spec()), [0; 32]));
    assert!(most.total() < 256 * 1024 * 1024, "{} MiB: {most:?}", most.total() >> 20);
}

#[test]
fn a_flood_from_every_peer_at_once_stays_within_the_bounds() {
    let mut stage = Stage::open();
    for number in 0..PEERS {
        stage.meet(peer(number), number < 8);
    }
    // What each may say once: where 16 peers are with the longest addresses there can be, and that it wants to know more.
    for number in 0..PEERS {
        let address = PeerAddress::new("x".repeat(512)).expect("as long as may be");
        let record =
            |n: u8| PeerRecord { id: support::peer([number, n]), addresses: vec![address.clone(); 4] };
        stage.say(peer(number), LinkMessage::Peers((0..16).map(record).collect()));
        stage.say(peer(number), LinkMessage::GetTransactions);
    }
    // And what it may say again and again: more ids than can wait, and more questions than are answered.
    let mut next = 0;
    for _ in 0..9 {
        for number in 0..PEERS {
            let ids: Vec<_> = (next..next + 256).map(id).collect();
            next += 256;
            stage.say(peer(number), LinkMessage::Transactions(ids));
            for request in 0..8 {
                let genesis = spec().genesis_hash();
                let bodies = Message::Request(RequestId(request), Request::Bodies(vec![genesis; 64]));
                stage.give(Input::Message(peer(number), bodies));
            }
        }
    }
    assert_eq!(stage.sent_away, PEERS as usize - 8 - 23, "all who got a place are there to the end");
    let held = stage.node.holdings();
    assert!(held.notes > stage.most.notes / 3, "and have filled much: {held:?} of {:?}", stage.most);
}

#[test]
fn who_says_hello_without_end_loses_its_place() {
    for anew in [0, 1] {
        let mut stage = Stage::open();
        stage.meet(peer(0), false);
        for second in 0..120 {
            for number in 0..100 {
                stage.greet(peer(0), 1 + anew * (100 * second + number));
            }
            stage.now = stage.now.saturating_add(1_000);
        }
        assert_eq!(stage.sent_away, 1, "whether it begins anew each time ({anew}) or not");
    }
}

#[test]
fn early_blocks_from_everybody_stay_within_the_bounds() {
    let mut stage = Stage::open();
    let chain = Chain::new(spec());
    let early = stage.now.saturating_add(spec().future_limit_ms() + 60_000);
    for number in 0..PEERS {
        stage.meet(peer(number), number < 8);
    }
    for number in 0..PEERS {
        for miner in 0..8 {
            let miner = Key::new(100 + 8 * u64::from(number) + miner).address();
            let block = mine_at(&chain, miner, &[], early);
            let mut compact = CompactBlock::of(&block, 1);
            // As much as a frame holds, of what the header does not count.
            compact.short_ids = vec![tabchain_sync::ShortId([7; 6]); 8_192];
            stage.say(peer(number), LinkMessage::Block(Box::new(compact)));
        }
    }
    let held = stage.node.holdings();
    assert!(held.early > 1024 * 1024, "as many as are held: {held:?}");
}

#[test]
fn transactions_wait_for_their_signatures_only_so_many_at_a_time() {
    let mut stage = Stage::open();
    for number in 0..8 {
        stage.meet(peer(number), true);
    }
    // Good payments, as many as there can be, and checks that never end.
    let payments: Vec<_> = (0..8u64)
        .flat_map(|from| (0..64).map(move |nonce| (from, nonce)))
        .map(|(from, nonce)| transfer(&spec(), &Key::new(from), nonce, Key::new(9).address(), 1, 10_000))
        .collect();
    for (number, payments) in (0..8).zip(payments.chunks(64)) {
        let ids = payments.iter().map(tabchain_primitives::Transaction::id).collect();
        stage.say(peer(number), LinkMessage::Transactions(ids));
    }
    let asked = std::mem::take(&mut stage.asked);
    let mut given = 0;
    for (peer, id, request) in asked {
        let Request::Transactions(ids) = request else { continue };
        let wanted = payments.iter().filter(|payment| ids.contains(&payment.id())).cloned().collect();
        given += ids.len();
        let response = Message::Response(id, Response::Transactions(wanted));
        stage.give(Input::Message(peer, response));
    }
    assert_eq!(given, payments.len(), "all were asked for");
    assert!(stage.node.holdings().relayed > 0, "and wait");
}

#[test]
fn what_was_due_while_the_tab_slept_is_held_against_nobody() {
    let mut stage = Stage::open();
    for number in 0..8 {
        stage.meet(peer(number), true);
        let claim = TipClaim {
            hash: tabchain_primitives::BlockHash::from_bytes([number; 32]),
            height: Height::new(9),
            work: spec().pow_limit().work(),
        };
        stage.say(peer(number), LinkMessage::Tip(claim));
        stage.say(peer(number), LinkMessage::Transactions((0..100).map(id).collect()));
    }
    assert!(stage.asked.len() >= 4, "much is open");
    let mut sent_away = 0;
    stage.now = stage.now.saturating_add(8 * 60 * 60 * 1000);
    stage.node.handle(stage.now, Input::Tick);
    while let Some(output) = stage.node.poll() {
        sent_away += usize::from(matches!(output, Output::Disconnect(..)));
    }
    assert_eq!(sent_away, 0);
}
