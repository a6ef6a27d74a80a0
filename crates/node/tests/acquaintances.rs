//! What a node writes down of its peers: who stayed and was of use has earned more than who said hello.

mod support;

use std::collections::BTreeMap;

use tabchain_chain::Chain;
use tabchain_chain::testing::{Key, extend, spec};
use tabchain_consensus::Verdict;
use tabchain_node::{Config, Input, Message, Node, Output, PeerAddress, PeerId};
use tabchain_primitives::{Decode, Timestamp};
use tabchain_records::{Change, Column, Rows};
use tabchain_sync::book::{GoodPeer, Standing};
use tabchain_sync::{CompactBlock, LinkMessage};

use support::{direct, hello, peer};

const MINUTE: u64 = 60_000;

/// A node, what it has on disk of its peers, and the chain that it follows.
struct Stage {
    node: Node,
    now: Timestamp,
    chain: Chain,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    dialled: Vec<PeerId>,
}

impl Stage {
    fn open() -> Self {
        let (node, chain) = (Node::open(Config::new(spec(), [5; 32])), Chain::new(spec()));
        let now = spec().genesis_header().time().saturating_add(MINUTE);
        let mut stage = Self { node, now, chain, rows: BTreeMap::new(), dialled: Vec::new() };
        stage.give(Input::Tick);
        stage
    }

    fn give(&mut self, input: Input) {
        self.node.handle(self.now, input);
        while let Some(output) = self.node.poll() {
            match output {
                Output::Load(id, _) => self.node.handle(self.now, Input::Loaded(id, Rows::default())),
                Output::Commit(id, batch) => {
                    batch.changes().iter().for_each(|change| self.note(change));
                    self.node.handle(self.now, Input::Committed(id));
                }
                Output::Verify(id, _) => self.node.handle(self.now, Input::Verified(id, Verdict::AllValid)),
                Output::Dial(peer, _) => self.dialled.push(peer),
                _ => {}
            }
        }
    }

    fn note(&mut self, change: &Change) {
        match change {
            Change::Put { column: Column::Peers, key, value } => {
                self.rows.insert(key.clone(), value.clone());
            }
            Change::Delete { column: Column::Peers, key } => {
                self.rows.remove(key);
            }
            _ => {}
        }
    }

    fn pass(&mut self, millis: u64) {
        for _ in 0..millis / 5_000 {
            self.now = self.now.saturating_add(5_000);
            self.give(Input::Tick);
        }
    }

    /// A relay names a peer, and where it is.
    fn find(&mut self, peer: PeerId) {
        let address = PeerAddress::new("/here").expect("a short address");
        self.give(Input::Discovered(peer, vec![address]));
    }

    fn meet(&mut self, peer: PeerId, outbound: bool) {
        self.give(Input::PeerUp(peer, direct(outbound)));
        let hello = hello(spec().genesis_hash(), 1, self.now);
        self.give(Input::Message(peer, Message::Link(hello)));
    }

    /// A peer is first with the next block.
    fn bring_block(&mut self, peer: PeerId) {
        let (block, _) = extend(&mut self.chain, Key::new(3).address(), &[]);
        let block = LinkMessage::Block(Box::new(CompactBlock::of(&block, 1)));
        self.give(Input::Message(peer, Message::Link(block)));
        self.pass(10_000);
    }

    /// What is written down of a peer.
    fn standing(&self, peer: PeerId) -> Option<Standing> {
        let row = self.rows.get(peer.as_bytes())?;
        Some(GoodPeer::from_bytes(row).expect("the node wrote it").standing)
    }
}

#[test]
fn a_peer_rises_by_a_block_after_ten_minutes_and_by_neither_alone() {
    for (outbound, earned) in [(false, Standing::Guest), (true, Standing::Chosen)] {
        let mut stage = Stage::open();
        let (useful, quiet) = (peer("useful"), peer("quiet"));
        for peer in [useful, quiet] {
            if outbound {
                stage.find(peer);
                assert_eq!(stage.dialled.pop(), Some(peer), "it is the node's own choice");
            }
            stage.meet(peer, outbound);
            stage.find(peer);
        }
        stage.pass(5 * MINUTE);
        stage.bring_block(useful);
        assert_eq!(stage.standing(useful), Some(Standing::Greeted), "it has not stayed for long");
        stage.pass(6 * MINUTE);
        assert_eq!(stage.standing(useful), Some(Standing::Greeted), "nobody was of use since");
        stage.bring_block(useful);
        assert_eq!(stage.standing(useful), Some(earned));
        assert_eq!(stage.standing(quiet), Some(Standing::Greeted));
    }
}

#[test]
fn a_guest_whose_address_is_learned_late_rises_with_its_next_block() {
    let mut stage = Stage::open();
    let guest = peer("guest");
    stage.meet(guest, false);
    stage.pass(11 * MINUTE);
    stage.bring_block(guest);
    assert_eq!(stage.standing(guest), None, "nobody knows where it can be dialled");
    stage.find(guest);
    stage.bring_block(guest);
    assert_eq!(stage.standing(guest), Some(Standing::Guest));
}

#[test]
fn who_had_risen_is_forgotten_when_it_lies() {
    let mut stage = Stage::open();
    let guest = peer("guest");
    stage.meet(guest, false);
    stage.find(guest);
    stage.pass(11 * MINUTE);
    stage.bring_block(guest);
    assert_eq!(stage.standing(guest), Some(Standing::Guest));
    let (block, _) = extend(&mut stage.chain, Key::new(4).address(), &[]);
    let mut lie = CompactBlock::of(&block, 1);
    let target = lie.header.target().expand().expect("the chain computed it");
    while target.is_met_by(&lie.header.hash()) {
        lie.header = lie.header.with_nonce(lie.header.nonce().wrapping_add(1));
    }
    stage.give(Input::Message(guest, Message::Link(LinkMessage::Block(Box::new(lie)))));
    stage.pass(10_000);
    assert_eq!(stage.standing(guest), None);
}
