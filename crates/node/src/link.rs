//! What peers say on the link, and what is said to them: new blocks, tips, transactions.
//!
//! A block is passed on once it is connected, so whatever this node announces it can also give.

use tabchain_chain::{InsertError, Inserted};
use tabchain_consensus::VerifiedBlock;
use tabchain_primitives::{BlockHash, Header, Target, Timestamp, TxId};
use tabchain_sync::compact::Reconstruction;
use tabchain_sync::message::MAX_NAMED_TRANSACTIONS;
use tabchain_sync::score::Fault;
use tabchain_sync::talk::Hearing;
use tabchain_sync::{CompactBlock, Failure, LinkMessage, Message, PeerId, TipClaim};

use crate::Output;
use crate::adopt::Source;
use crate::node::Node;

/// So many new blocks at most are announced one by one; of more, only the tip is told.
const MAX_ANNOUNCED: usize = 3;
/// While catching up, the tip is told at most so often.
const TELL_TIP_EVERY_MS: u64 = 2_000;
/// Transactions are gathered for so long before they are announced.
const GATHER_MS: u64 = 100;

/// When things were last told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    tip_at: Timestamp,
    /// The tip has moved since, and nobody was told.
    owes_tip: bool,
    transactions_at: Timestamp,
}

impl Node {
    pub(crate) fn message(&mut self, peer: PeerId, message: Message) {
        let Some(known) = self.peers.get(&peer) else { return };
        let greeted = known.hello.is_some();
        match message {
            Message::Link(LinkMessage::Hello(hello)) => self.hello(peer, hello),
            // Said in a session that the other side thinks is still the old one: its hello will come.
            Message::Request(id, _) if !greeted => {
                self.emit(Output::Send(peer, Message::RequestFailed(id, Failure::Busy)));
            }
            _ if !greeted => {}
            Message::Link(message) => self.link(peer, message),
            Message::Request(id, request) => self.request(peer, id, request),
            Message::Response(id, response) => self.response(peer, id, response),
            Message::RequestFailed(id, failure) => self.request_failed(peer, id, failure),
        }
    }

    fn link(&mut self, peer: PeerId, message: LinkMessage) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        match known.talk.hear(&message, self.now) {
            Hearing::Heard => self.heard(peer, message),
            Hearing::Ignored => {}
            Hearing::Noise => self.blame(&peer, Fault::Noise),
        }
    }

    fn heard(&mut self, peer: PeerId, message: LinkMessage) {
        match message {
            // A hello is taken care of before it gets here.
            LinkMessage::Hello(_) => {}
            LinkMessage::Block(block) => self.block_announced(peer, *block),
            LinkMessage::Tip(claim) => self.peer_claims(peer, claim),
            LinkMessage::Transactions(ids) => self.transactions_announced(peer, &ids),
            LinkMessage::GetTransactions => self.transactions_asked(peer),
            LinkMessage::GetPeers => self.peers_asked(peer),
            LinkMessage::Peers(records) => self.peers_told(peer, records),
            LinkMessage::Keeps(keeps) => self.peer_keeps(peer, keeps),
        }
    }

    /// Tries blocks again whose time has come.
    pub(crate) fn retry_early_blocks(&mut self) {
        while let Some((peer, block)) = self.early.due(self.clock.day()) {
            self.block_announced(peer, block);
        }
    }

    fn block_announced(&mut self, peer: PeerId, block: CompactBlock) {
        let hash = block.header.hash();
        let inserted = self.insert_header(block.header, &hash);
        if matches!(inserted, Ok(Inserted::New)) {
            self.note_first_with_block(&peer);
        }
        match inserted {
            Ok(Inserted::New | Inserted::Known) => {
                self.note_block_of(peer, hash);
                self.rebuild_block(peer, block, hash);
            }
            Err(InsertError::UnknownParent(_)) => {
                self.headers.announced(peer, hash, block.header.height());
            }
            Err(InsertError::TooEarly { at }) => {
                if self.would_be_better(&block.header) {
                    self.early.hold(at, hash, peer, block);
                }
            }
            Err(InsertError::LowWork) => {}
            Err(InsertError::KnownInvalid(_) | InsertError::Rule(_)) => self.blame(&peer, Fault::Dishonest),
        }
    }

    /// Whether a block with this header has more work below and in it than the tip. On a chain that has grown, blocks that lead
    /// nowhere are cheap.
    fn would_be_better(&self, header: &Header) -> bool {
        let parent = self.chain.entry(&header.parent());
        let own = header.target().expand().map(Target::work);
        parent.zip(own.ok()).is_some_and(|(parent, own)| parent.work + own > self.chain.tip().work)
    }

    /// A peer has this block. One that was held for a while may be older than what it has told of since.
    fn note_block_of(&mut self, peer: PeerId, hash: BlockHash) {
        let Some(entry) = self.chain.entry(&hash) else { return };
        if self.headers.is_more(&peer, entry.work)
            || self.headers.claim(&peer).is_some_and(|claim| claim.0 == hash)
        {
            self.peer_claims(peer, TipClaim { hash, height: entry.height, work: entry.work });
        } else if let Some(known) = self.peers.get_mut(&peer) {
            known.knows.insert(hash);
        }
    }

    /// Puts an announced block together from the memory pool, if it is better than the tip and not on its way already.
    fn rebuild_block(&mut self, peer: PeerId, block: CompactBlock, hash: BlockHash) {
        let better = self.chain.entry(&hash).is_some_and(|entry| entry.work > self.chain.tip().work);
        let on_its_way = self.chain.has_body(&hash) || self.is_verifying(&hash);
        if !better || on_its_way || !self.peers.contains_key(&peer) || !self.disk.has_room() {
            return;
        }
        if !self.bodies.reserve(hash) {
            return;
        }
        let ids: Vec<TxId> = self.mempool.ids().copied().collect();
        let get = |id: &TxId| self.mempool.get(id).cloned();
        let Ok(rebuilt) = Reconstruction::begin(block, &hash, ids.iter(), get) else {
            self.bodies.release(&hash);
            return self.blame(&peer, Fault::Dishonest);
        };
        if !rebuilt.missing().is_empty() {
            if !self.ask_for_block_transactions(peer, hash, rebuilt) {
                self.bodies.release(&hash);
            }
            return;
        }
        self.bodies.release(&hash);
        if let Some(block) = rebuilt.finish() {
            self.accept_block(block, hash, Source::Rebuilt(peer));
        }
    }

    /// Tells every peer of blocks that joined the active chain.
    pub(crate) fn announce(&mut self, adopted: &[BlockHash]) {
        let tip = self.own_claim();
        if self.is_catching_up() {
            self.told.owes_tip = true;
            return self.tell_owed_tip();
        }
        let blocks: Option<Vec<_>> = adopted.iter().map(|hash| self.blocks.block(hash)).collect();
        let nameable = |block: &&VerifiedBlock| block.ids().len() <= MAX_NAMED_TRANSACTIONS;
        let few =
            |blocks: &Vec<_>| (1..=MAX_ANNOUNCED).contains(&blocks.len()) && blocks.iter().all(nameable);
        let Some(blocks) = blocks.filter(few) else {
            return self.tell_tip(tip);
        };
        let salt = self.rng.draw();
        let mut frames = Vec::new();
        for block in blocks {
            let (ids, hash) = (block.ids(), block.hash());
            let compact = CompactBlock::with_ids(block.block(), ids, salt);
            for (peer, known) in self.peers.iter_mut().filter(|(_, known)| known.hello.is_some()) {
                if known.knows.insert(hash) {
                    // Whoever neither told of a transaction nor was told of it, most likely lacks it.
                    let lacks = |id: &TxId| !self.relay.knows(peer, id);
                    frames.push((*peer, compact.for_receiver(block.block(), ids, lacks)));
                }
            }
        }
        for (peer, block) in frames {
            self.say(&peer, LinkMessage::Block(Box::new(block)));
        }
    }

    /// Tells where our tip is, if that was put off and is due.
    pub(crate) fn tell_owed_tip(&mut self) {
        if self.told.owes_tip && self.now.since(self.told.tip_at) >= TELL_TIP_EVERY_MS {
            self.tell_tip(self.own_claim());
        }
    }

    /// Tells the peers that don't know it where our tip is.
    pub(crate) fn tell_tip(&mut self, tip: TipClaim) {
        (self.told.tip_at, self.told.owes_tip) = (self.now, false);
        let peers: Vec<PeerId> = self.greeted().map(|(id, _)| *id).collect();
        for peer in peers {
            self.tell_tip_to(&peer, tip);
        }
    }

    /// Tells a peer where our tip is, if it does not know.
    pub(crate) fn tell_tip_to(&mut self, peer: &PeerId, tip: TipClaim) {
        if self.peers.get_mut(peer).is_some_and(|peer| peer.knows.insert(tip.hash)) {
            self.say(peer, LinkMessage::Tip(tip));
        }
    }

    fn transactions_announced(&mut self, peer: PeerId, ids: &[TxId]) {
        // Far from the tip nothing could be said about them; they are asked for once it is reached.
        if self.is_catching_up() {
            return;
        }
        let mempool = &self.mempool;
        self.relay.announced(peer, ids, |id| mempool.contains(id));
    }

    fn transactions_asked(&mut self, peer: PeerId) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        if std::mem::replace(&mut known.told_transactions, true) {
            return self.blame(&peer, Fault::Noise);
        }
        let ids: Vec<TxId> = self.mempool.ids().copied().collect();
        self.relay.tell_one(&peer, ids.into_iter());
    }

    /// Announces gathered transactions.
    pub(crate) fn tell_transactions(&mut self) {
        if self.now.since(self.told.transactions_at) < GATHER_MS {
            return;
        }
        let news = self.relay.news();
        if !news.is_empty() {
            self.told.transactions_at = self.now;
        }
        for (peer, ids) in news {
            self.say(&peer, LinkMessage::Transactions(ids));
        }
    }

    pub(crate) fn next_relay_moment(&self) -> Option<Timestamp> {
        let transactions = self.relay.has_news().then(|| self.told.transactions_at.saturating_add(GATHER_MS));
        let tip = self.told.owes_tip.then(|| self.told.tip_at.saturating_add(TELL_TIP_EVERY_MS));
        [transactions, tip].into_iter().flatten().min()
    }
}
