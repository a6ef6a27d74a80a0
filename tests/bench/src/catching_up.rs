//! A node that is far behind: everything it does with blocks of every size on their way from a peer's answer to its rows,
//! but for the signatures, which are taken for checked, and the store, which takes what it is given.

use std::{collections::VecDeque, sync::Arc};

use tabchain_chain::{Chain, Undo};
use tabchain_consensus::{CheckedBlock, SignatureChecks, Verdict, VerifiedBlock};
use tabchain_node::{Config, Event, Input, Join, Message, Node, Output};
use tabchain_primitives::{Block, BlockHash, Decode, Timestamp};
use tabchain_records::Rows as StoredRows;
use tabchain_sync::LinkMessage;

use crate::{
    Scale,
    peer::Peer,
    rows::{Rows, Times, rate, rounds},
    world::{self, Mixed},
};

pub(crate) fn measure(scale: Scale) -> Rows {
    let accounts = scale.pick(100_000, 600);
    let Mixed { mut chain, gifts, blocks } = world::mixed(accounts, scale.pick(4_000, 60));
    let count: usize = blocks.iter().map(|block| block.transactions.len()).sum();
    let mut rows = Rows::default();
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    rows.add("transactions in a block, in the mean", count as f64 / blocks.len() as f64, "");
    rows.add_rate("transactions taken in by a node", whole_node(scale, &gifts, &blocks).per_second(count));
    stages(scale, &mut chain, &blocks, count, &mut rows);
    rows
}

/// The very node, fed by a peer.
fn whole_node(scale: Scale, gifts: &[Block], blocks: &[Block]) -> Times {
    let peer = Peer::new(gifts.iter().chain(blocks));
    let mut times = Times::default();
    for _ in 0..rounds(scale).min(8) {
        let mut tab = Tab::new(&peer);
        tab.take_in(gifts.len());
        times.take(|| tab.take_in(peer.blocks()));
    }
    times
}

/// The parts of it that a block goes through for itself.
fn stages(scale: Scale, chain: &mut Chain, blocks: &[Block], count: usize, rows: &mut Rows) {
    let bytes = world::encoded(blocks);
    let decode = || bytes.iter().map(|bytes| Block::from_bytes(bytes).expect("a block").transactions.len());
    rows.add_rate("of that: decoded", rate(scale, count, || decode().sum::<usize>()));

    let spec = Arc::clone(chain.spec());
    let checked = |block: &Block| CheckedBlock::check(&spec, block.clone()).expect("a good block");
    let check = rate(scale, count, || blocks.iter().map(|block| checked(block).ids().len()).sum::<usize>());
    rows.add_rate("of that: hashed and checked", check);

    let ready: Vec<CheckedBlock> = blocks.iter().map(checked).collect();
    let genesis = spec.genesis_hash();
    let digest =
        || ready.iter().map(|block| block.signatures(&genesis)).map(|SignatureChecks(all)| all.len());
    rows.add_rate("of that: digests to be signed", rate(scale, count, || digest().sum::<usize>()));

    let valid = |block: CheckedBlock| block.verified(Verdict::AllValid).expect("the verdict says so");
    let ready: Vec<VerifiedBlock> = ready.into_iter().map(valid).collect();
    let mut times = Times::default();
    for _ in 0..rounds(scale) {
        let undos: Vec<Undo> = times
            .take(|| ready.iter().map(|block| chain.connect(block).expect("it follows the tip")).collect());
        undos.iter().rev().for_each(|undo| chain.disconnect(undo).expect("it is the tip's"));
    }
    rows.add_rate("of that: connected", times.per_second(count));
}

/// A node, and what it is going to hear.
struct Tab<'a> {
    node: Node,
    peer: &'a Peer,
    /// So many blocks the peer says to have.
    shown: usize,
    now: Timestamp,
    wake: Option<Timestamp>,
    coming: VecDeque<Input>,
    tip: BlockHash,
}

impl<'a> Tab<'a> {
    fn new(peer: &'a Peer) -> Self {
        let mut config = Config::new(world::spec(), [5; 32]);
        config.limits.join = Join::Full;
        let tip = config.spec.genesis_hash();
        let (node, now) = (Node::open(config), peer.present());
        let mut tab = Self { node, peer, shown: 0, now, wake: None, coming: VecDeque::new(), tip };
        tab.carry_out();
        tab
    }

    /// Has the node fetch so many blocks.
    fn take_in(&mut self, blocks: usize) {
        let claim = self.peer.claim(blocks);
        if self.shown == 0 {
            self.coming.extend(self.peer.arrives(&world::spec(), blocks, self.now));
        } else {
            let news = Message::Link(LinkMessage::Tip(claim));
            self.coming.push_back(Input::Message(self.peer.id(), news));
        }
        self.shown = blocks;
        while self.tip != claim.hash {
            let input = self.coming.pop_front().unwrap_or_else(|| self.sleep());
            self.node.handle(self.now, input);
            self.carry_out();
        }
    }

    /// Nothing is going on: the time comes for which the node wanted to be woken.
    fn sleep(&mut self) -> Input {
        self.now = self.now.max(self.wake.take().expect("the node waits for nothing, and is not done"));
        Input::Tick
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.node.poll() {
            match output {
                Output::Commit(id, _) => self.coming.push_back(Input::Committed(id)),
                Output::Load(id, _) => self.coming.push_back(Input::Loaded(id, StoredRows::default())),
                Output::Verify(job, _) => self.coming.push_back(Input::Verified(job, Verdict::AllValid)),
                Output::Send(to, Message::Request(id, request)) => {
                    let answer = Message::Response(id, self.peer.answer(request, self.shown));
                    self.coming.push_back(Input::Message(to, answer));
                }
                Output::Event(Event::Head { hash, .. }) => self.tip = hash,
                Output::WakeAt(at) => self.wake = Some(at),
                _ => {}
            }
        }
    }
}
