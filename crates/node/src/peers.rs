//! Connections: who comes, who goes, and who is sent away.
//!
//! Bounds: [`Limits::peers`](crate::Limits) connections. [`Limits::outbound`](crate::Limits) of them are kept for those that the node opens itself,
//! and one for who is only felt for or looked for; a newcomer above the rest gets a place if another can be let go. A
//! peer's remembered blocks up to [`MAX_KNOWN_BLOCKS`].

use tabchain_primitives::codec::Encode;
use tabchain_primitives::{BlockHash, Height, Timestamp};
use tabchain_records::Column;
use tabchain_sync::allowance::Allowance;
use tabchain_sync::book::{Regard, Source, Standing};
use tabchain_sync::eviction::{Candidate, whom_to_let_go};
use tabchain_sync::message::MAX_PEERS_TOLD;
use tabchain_sync::score::{DISCOURAGED, Fault, Score};
use tabchain_sync::talk::{Hearing, Talk};
use tabchain_sync::{
    Hello, Keeps, LinkMessage, Message, PROTOCOL_VERSION, PeerAddress, PeerId, PeerInfo, PeerRecord,
    RecentSet, TipClaim,
};

use crate::node::Node;
use crate::{Event, Output, PeerChange, PeerStatus, Reason};

pub(crate) const MAX_KNOWN_BLOCKS: usize = 128;
const HELLO_PATIENCE_MS: u64 = 15_000;
/// A peer's new height is told to our own side at most so often.
const TELL_CHANGE_MS: u64 = 1_000;
/// Who has been with us for so long and is of use, is remembered for it; and again at most so often.
const STAYED_MS: u64 = 10 * 60 * 1000;
/// Peers are told of at most so often to one peer.
const TELL_PEERS_EVERY_MS: u64 = 60_000;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) info: PeerInfo,
    pub(crate) since: Timestamp,
    /// When it was last remembered for its use; since then it has stayed.
    remembered_at: Timestamp,
    /// The number of our session with it.
    session: u64,
    pub(crate) hello: Option<Hello>,
    /// How far its clock is ahead of ours, in milliseconds.
    pub(crate) ahead: i64,
    score: Score,
    /// What it may still ask of us.
    pub(crate) allowance: Allowance,
    /// What it may still say.
    pub(crate) talk: Talk,
    /// Which bodies it has.
    pub(crate) keeps: Keeps,
    /// Blocks that it has told of, or been told of.
    pub(crate) knows: RecentSet<BlockHash>,
    pub(crate) origin: Origin,
    pub(crate) merits: Merits,
    /// Whether it owes us an answer.
    pub(crate) asked_for_peers: bool,
    pub(crate) asked_peers_at: Option<Timestamp>,
    told_peers_at: Option<Timestamp>,
    /// The height that was told to our own side, and when.
    told_height: Height,
    told_at: Timestamp,
    pub(crate) told_transactions: bool,
    pub(crate) asked_for_transactions: bool,
}

/// How a connection came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The peer opened it, or somebody on our side who does not ask the node.
    Other,
    /// The node chose to dial.
    Chosen,
    /// The node dialled only to see whether the peer is there.
    Feeler,
}

/// What speaks for a peer when places are short.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Merits {
    /// Its quickest answer, in milliseconds.
    pub(crate) answers_in: Option<u64>,
    /// When it was last first with a block, or with headers that lead on.
    pub(crate) last_block: Option<Timestamp>,
    /// When it was last first with a transaction that was good.
    pub(crate) last_transaction: Option<Timestamp>,
}

impl Peer {
    fn new(info: PeerInfo, session: u64, since: Timestamp) -> Self {
        Self {
            info,
            since,
            remembered_at: since,
            session,
            hello: None,
            ahead: 0,
            score: Score::default(),
            allowance: Allowance::new(since),
            talk: Talk::new(since),
            keeps: Keeps::default(),
            knows: RecentSet::new(MAX_KNOWN_BLOCKS),
            origin: Origin::Other,
            merits: Merits::default(),
            asked_for_peers: false,
            asked_peers_at: None,
            told_peers_at: None,
            told_height: Height::GENESIS,
            told_at: since,
            told_transactions: false,
            asked_for_transactions: false,
        }
    }

    /// Where it can be dialled, if that is known because it was.
    fn dialled_at(&self) -> Option<PeerAddress> {
        self.info.address.clone().filter(|_| self.info.outbound)
    }

    /// Whether its height is another than was told.
    fn has_changed(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.tip.height != self.told_height)
    }
}

impl Node {
    pub(crate) fn peer_up(&mut self, id: PeerId, info: PeerInfo) {
        let dial = self.dialling.end(&id).filter(|_| info.outbound);
        let origin = dial.map_or(Origin::Other, |dial| dial.origin);
        self.peer_gone(&id);
        if self.config.identity == Some(id) {
            return self.emit(Output::Disconnect(id, Reason::Itself));
        }
        if !self.make_place(info.outbound) {
            return self.emit(Output::Disconnect(id, Reason::TooManyPeers));
        }
        let session = self.rng.draw();
        self.peers.insert(id, Peer { origin, ..Peer::new(info, session, self.now) });
        self.greet(&id);
    }

    /// Makes sure that there is a place, if need be by letting one go that came to us; false when there is none.
    fn make_place(&mut self, outbound: bool) -> bool {
        let limits = self.config.limits;
        let came = self.peers.values().filter(|peer| !peer.info.outbound).count();
        // The node's own choice of peers is not for others to fill up.
        let may_come = limits.peers.saturating_sub(limits.outbound + 1).max(1);
        if self.peers.len() < limits.peers && (outbound || came < may_come) {
            return true;
        }
        let inbound = self.peers.iter().filter(|(_, peer)| !peer.info.outbound);
        let candidates = inbound.map(|(id, peer)| self.candidate(id, peer)).collect();
        let Some(let_go) = whom_to_let_go(candidates, self.place_salt) else { return false };
        self.disconnect(&let_go, Reason::TooManyPeers);
        true
    }

    fn candidate(&self, id: &PeerId, peer: &Peer) -> Candidate {
        let regarded = self.book.regard(id, self.now).map(|_| DISCOURAGED);
        Candidate {
            peer: *id,
            since: peer.since,
            greeted: peer.hello.is_some(),
            discouraged: peer.score.discouraged(self.now).max(regarded),
            answers_in: peer.merits.answers_in,
            last_block: peer.merits.last_block,
            last_transaction: peer.merits.last_transaction,
            introducer: peer.info.introducer,
        }
    }

    pub(crate) fn peer_down(&mut self, id: &PeerId) {
        if self.dialling.end(id).is_some() {
            self.note_missed(id);
        }
        self.peer_gone(id);
    }

    /// A dial came to nothing. That says nothing of the peer when we reach nobody.
    pub(crate) fn note_missed(&mut self, id: &PeerId) {
        if self.greeted().next().is_some() {
            self.book.missed(id);
        }
    }

    pub(crate) fn discovered(&mut self, id: PeerId, addresses: Vec<PeerAddress>) {
        if self.config.identity == Some(id) {
            return;
        }
        self.book.add(id, addresses, Source::Found, self.now);
        // One that came to us is known to be good before it is known where it can be reached.
        if self.peers.get(&id).is_some_and(|peer| peer.hello.is_some()) {
            self.note_good(id, None, Standing::Greeted);
        }
    }

    /// A peer was of use: it was first with a block, or gave a body. If it has stayed with us for long, it is remembered for that.
    pub(crate) fn note_use(&mut self, id: &PeerId) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(id) else { return };
        if now.since(peer.remembered_at) < STAYED_MS {
            return;
        }
        let earned = if peer.origin == Origin::Chosen { Standing::Chosen } else { Standing::Guest };
        let address = peer.dialled_at();
        if self.note_good(*id, address.as_ref(), earned)
            && let Some(peer) = self.peers.get_mut(id)
        {
            peer.remembered_at = now;
        }
    }

    /// Remembers a peer that was good, and tells of it from now on, if it can be dialled; false if not.
    fn note_good(&mut self, id: PeerId, address: Option<&PeerAddress>, earned: Standing) -> bool {
        let good = self.book.good(id, address, earned, self.now);
        if let Some(good) = &good {
            self.disk.put(Column::Peers, id.as_bytes(), good.to_bytes());
        }
        self.erase_forgotten();
        good.is_some()
    }

    /// Holds something against a peer for a while.
    pub(crate) fn dislike(&mut self, id: PeerId, regard: Regard) {
        self.book.dislike(id, regard, self.now);
        self.erase_forgotten();
    }

    /// What the book no longer has goes from the disk too.
    pub(crate) fn erase_forgotten(&mut self) {
        for id in self.book.take_forgotten() {
            self.disk.delete(Column::Peers, id.as_bytes());
        }
    }

    pub(crate) fn hello(&mut self, id: PeerId, hello: Hello) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if let Some(said) = &peer.hello {
            let anew = said.session != hello.session;
            return match peer.talk.greeted_again(self.now) {
                Hearing::Heard if anew => self.begin_anew(id, hello),
                Hearing::Heard => self.peer_claims(id, hello.tip),
                Hearing::Ignored => {}
                Hearing::Noise => self.blame(&id, Fault::Noise),
            };
        }
        if hello.genesis != self.config.spec.genesis_hash() {
            self.dislike(id, Regard::Shunned);
            return self.disconnect(&id, Reason::WrongGenesis);
        }
        if hello.version != PROTOCOL_VERSION {
            self.dislike(id, Regard::Shunned);
            return self.disconnect(&id, Reason::WrongVersion);
        }
        let (origin, outbound, address) = (peer.origin, peer.info.outbound, peer.dialled_at());
        self.note_good(id, address.as_ref(), Standing::Greeted);
        let has_outbound = self.has_outbound();
        let tells_of_more = hello.tip.work > self.best_claim().work && !self.chain.contains(&hello.tip.hash);
        if origin == Origin::Feeler && has_outbound && !tells_of_more {
            return self.disconnect(&id, Reason::Felt);
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if origin == Origin::Feeler && !has_outbound {
            peer.origin = Origin::Chosen;
        }
        peer.ahead = signed(hello.time.millis()).saturating_sub(signed(self.clock.day().millis()));
        peer.knows.insert(hello.tip.hash);
        let claim = hello.tip;
        peer.keeps = hello.keeps;
        peer.hello = Some(hello);
        self.headers.claimed(id, claim);
        self.bodies.joined(id);
        self.joining.download.joined(id);
        self.relay.joined(id);
        if outbound {
            self.ask_peer_for_peers(&id);
        }
        self.tell_peer(PeerChange::Up, &id);
        // Blocks that were found since ours was said.
        self.tell_tip_to(&id, self.own_claim());
    }

    /// The other side began its session anew, as happens when two connections are reduced to one. It has forgotten what
    /// was said, so it is greeted again; ours goes on under its number, so that it need not greet us for that.
    fn begin_anew(&mut self, id: PeerId, hello: Hello) {
        let Some(peer) = self.peers.get(&id) else { return };
        let anew = Peer {
            score: peer.score,
            allowance: peer.allowance,
            talk: peer.talk,
            origin: peer.origin,
            merits: peer.merits,
            ..Peer::new(peer.info.clone(), peer.session, self.now)
        };
        self.peer_gone(&id);
        self.peers.insert(id, anew);
        self.greet(&id);
        self.hello(id, hello);
    }

    fn greet(&mut self, id: &PeerId) {
        let tip = self.own_claim();
        let Some(peer) = self.peers.get_mut(id) else { return };
        peer.knows.insert(tip.hash);
        let hello = Hello {
            version: PROTOCOL_VERSION,
            genesis: self.config.spec.genesis_hash(),
            session: peer.session,
            tip,
            keeps: self.keeps(),
            time: self.clock.day(),
            agent: self.config.agent.clone(),
        };
        self.say(id, LinkMessage::Hello(hello));
    }

    /// Our clock was put back by so many milliseconds, so everybody's is as much further ahead.
    pub(crate) fn peers_are_ahead(&mut self, back: u64) {
        for peer in self.peers.values_mut() {
            peer.ahead = peer.ahead.saturating_add(signed(back));
        }
    }

    /// A peer's tip moved.
    pub(crate) fn peer_claims(&mut self, id: PeerId, claim: TipClaim) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.knows.insert(claim.hash);
        self.headers.claimed(id, claim);
        self.bodies.moved(&id);
        if let Some(hello) = &mut peer.hello {
            hello.tip = claim;
        }
    }

    /// A peer has other bodies than it had.
    pub(crate) fn peer_keeps(&mut self, id: PeerId, keeps: Keeps) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.keeps = keeps;
            self.bodies.moved(&id);
        }
    }

    /// Tells new heights of peers, of each at most once in a while.
    pub(crate) fn tell_changed_peers(&mut self) {
        let now = self.now;
        let due = |peer: &Peer| peer.has_changed() && now.since(peer.told_at) >= TELL_CHANGE_MS;
        let due: Vec<_> = self.peers.iter().filter(|(_, peer)| due(peer)).map(|(id, _)| *id).collect();
        for id in due {
            self.tell_peer(PeerChange::Changed, &id);
        }
    }

    pub(crate) fn peers_asked(&mut self, id: PeerId) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if peer.told_peers_at.is_some_and(|at| now.since(at) < TELL_PEERS_EVERY_MS) {
            return self.blame(&id, Fault::Noise);
        }
        peer.told_peers_at = Some(now);
        let records = self.book.tell(&mut self.rng, MAX_PEERS_TOLD, &id);
        self.say(&id, LinkMessage::Peers(records));
    }

    pub(crate) fn peers_told(&mut self, id: PeerId, records: Vec<PeerRecord>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !std::mem::take(&mut peer.asked_for_peers) {
            return self.blame(&id, Fault::Noise);
        }
        for record in records {
            if self.config.identity != Some(record.id) {
                self.book.add(record.id, record.addresses, Source::Told(id), self.now);
            }
        }
    }

    /// Counts a fault; sends the peer away when it is one too many.
    pub(crate) fn blame(&mut self, id: &PeerId, fault: Fault) {
        let now = self.now;
        if self.peers.get_mut(id).is_some_and(|peer| peer.score.add(fault, now)) {
            let regard = if fault.may_be_honest() { Regard::Discouraged } else { Regard::Shunned };
            self.dislike(*id, regard);
            self.disconnect(id, Reason::Misbehaviour);
        }
    }

    /// A peer answered a small question after so long.
    pub(crate) fn note_answer(&mut self, id: &PeerId, millis: u64) {
        if let Some(peer) = self.peers.get_mut(id) {
            let quickest = peer.merits.answers_in.map_or(millis, |before| before.min(millis));
            peer.merits.answers_in = Some(quickest);
        }
    }

    /// A peer was first with a header that was good.
    pub(crate) fn note_first_with_block(&mut self, id: &PeerId) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.merits.last_block = Some(self.now);
        }
        self.note_use(id);
    }

    pub(crate) fn disconnect(&mut self, id: &PeerId, reason: Reason) {
        self.emit(Output::Disconnect(*id, reason));
        self.peer_gone(id);
    }

    pub(crate) fn say(&mut self, id: &PeerId, message: LinkMessage) {
        self.emit(Output::Send(*id, Message::Link(message)));
    }

    /// Peers that have said hello.
    pub(crate) fn greeted(&self) -> impl Iterator<Item = (&PeerId, &Peer)> {
        self.peers.iter().filter(|(_, peer)| peer.hello.is_some())
    }

    pub(crate) fn own_claim(&self) -> TipClaim {
        let tip = self.chain.tip();
        TipClaim { hash: tip.hash, height: tip.height, work: tip.work }
    }

    pub(crate) fn peer_status(&self, id: &PeerId) -> Option<PeerStatus> {
        let peer = self.peers.get(id)?;
        let hello = peer.hello.as_ref()?;
        Some(PeerStatus {
            id: *id,
            kind: peer.info.kind,
            outbound: peer.info.outbound,
            height: hello.tip.height,
            agent: hello.agent.clone(),
            connected_at: self.clock.day_at(peer.since),
            address: peer.info.address.clone(),
        })
    }

    /// Sends away whoever does not say hello.
    pub(crate) fn watch_peers(&mut self) {
        let now = self.now;
        let silent = |peer: &Peer| peer.hello.is_none() && now.since(peer.since) >= HELLO_PATIENCE_MS;
        let silent: Vec<_> = self.peers.iter().filter(|(_, peer)| silent(peer)).map(|(id, _)| *id).collect();
        for id in silent {
            self.disconnect(&id, Reason::NoHello);
        }
    }

    pub(crate) fn next_peer_moment(&self) -> Option<Timestamp> {
        let hello = self.peers.values().filter(|peer| peer.hello.is_none()).map(|peer| peer.since).min();
        let hello = hello.map(|since| since.saturating_add(HELLO_PATIENCE_MS));
        let changed = self.peers.values().filter(|peer| peer.has_changed()).map(|peer| peer.told_at).min();
        let changed = changed.map(|told_at| told_at.saturating_add(TELL_CHANGE_MS));
        [hello, changed].into_iter().flatten().min()
    }

    fn tell_peer(&mut self, change: PeerChange, id: &PeerId) {
        let Some(status) = self.peer_status(id) else { return };
        if let Some(peer) = self.peers.get_mut(id) {
            (peer.told_height, peer.told_at) = (status.height, self.now);
        }
        self.event(Event::Peer(change, status));
    }

    /// Forgets a connection and gives what was asked of it to others.
    fn peer_gone(&mut self, id: &PeerId) {
        if !self.peers.contains_key(id) {
            return;
        }
        self.tell_peer(PeerChange::Down, id);
        if let Some(peer) = self.peers.remove(id) {
            self.book.parted(id, self.now.since(peer.since), self.now);
        }
        self.header_peer_left(id);
        self.bodies.left(id);
        self.joining.download.left(id);
        self.relay.left(id);
        self.settle_held(id);
        self.serving.retain(|_, serving| serving.peer != *id);
        for asked in self.requests.forget(id) {
            self.unanswered(id, asked);
        }
    }
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}
