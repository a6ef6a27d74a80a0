//! Connections: who comes, who goes, who is dialled, and who is sent away.
//!
//! Bounds: [`Limits::peers`](crate::Limits) connections, of which [`Limits::outbound`](crate::Limits) are opened by the node itself;
//! [`MAX_DIALS`] dials at once; a peer's remembered blocks up to [`MAX_KNOWN_BLOCKS`].

use tabchain_primitives::codec::Encode;
use tabchain_primitives::{BlockHash, Height, Timestamp};
use tabchain_records::Column;
use tabchain_sync::book::Source;
use tabchain_sync::message::MAX_PEERS_TOLD;
use tabchain_sync::score::{Fault, Score};
use tabchain_sync::{
    Hello, LinkMessage, Message, PROTOCOL_VERSION, PeerAddress, PeerId, PeerInfo, PeerRecord, RecentSet,
    TipClaim,
};

use crate::node::Node;
use crate::{Event, Output, PeerChange, PeerStatus, Reason};

const MAX_DIALS: usize = 4;
const MAX_KNOWN_BLOCKS: usize = 128;
const DIAL_PATIENCE_MS: u64 = 45_000;
/// A peer may say hello again, and is answered, at most so often.
const GREET_AGAIN_MS: u64 = 5_000;
const HELLO_PATIENCE_MS: u64 = 15_000;
/// A peer's new height is told to our own side at most so often.
const TELL_CHANGE_MS: u64 = 1_000;
/// Peers are told of at most so often to one peer.
const TELL_PEERS_EVERY_MS: u64 = 60_000;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) info: PeerInfo,
    pub(crate) since: Timestamp,
    pub(crate) hello: Option<Hello>,
    /// How far its clock is ahead of ours, in milliseconds.
    pub(crate) ahead: i64,
    score: Score,
    /// Blocks that it has told of, or been told of.
    pub(crate) knows: RecentSet<BlockHash>,
    asked_for_peers: bool,
    told_peers_at: Option<Timestamp>,
    /// The height that was told to our own side, and when.
    told_height: Height,
    told_at: Timestamp,
    pub(crate) told_transactions: bool,
    pub(crate) asked_for_transactions: bool,
}

impl Peer {
    fn new(info: PeerInfo, since: Timestamp) -> Self {
        Self {
            info,
            since,
            hello: None,
            ahead: 0,
            score: Score::default(),
            knows: RecentSet::new(MAX_KNOWN_BLOCKS),
            asked_for_peers: false,
            told_peers_at: None,
            told_height: Height::GENESIS,
            told_at: since,
            told_transactions: false,
            asked_for_transactions: false,
        }
    }

    /// Whether its height is another than was told.
    fn has_changed(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.tip.height != self.told_height)
    }
}

impl Node {
    pub(crate) fn peer_up(&mut self, id: PeerId, info: PeerInfo) {
        self.dialling.remove(&id);
        self.peer_gone(&id);
        if self.config.identity == Some(id) {
            return self.emit(Output::Disconnect(id, Reason::Itself));
        }
        if self.peers.len() >= self.config.limits.peers {
            return self.emit(Output::Disconnect(id, Reason::TooManyPeers));
        }
        self.peers.insert(id, Peer::new(info, self.now));
        self.greet(&id);
    }

    pub(crate) fn peer_down(&mut self, id: &PeerId) {
        self.dialling.remove(id);
        self.peer_gone(id);
    }

    pub(crate) fn discovered(&mut self, id: PeerId, addresses: Vec<PeerAddress>) {
        if self.config.identity == Some(id) {
            return;
        }
        self.book.add(id, addresses, Source::Found, self.now);
        // One that came to us is known to be good before it is known where it can be reached.
        if self.peers.get(&id).is_some_and(|peer| peer.hello.is_some()) {
            self.note_good(id, None);
        }
    }

    /// Remembers a peer that said a proper hello, and tells of it from now on, if it can be dialled.
    fn note_good(&mut self, id: PeerId, address: Option<&PeerAddress>) {
        if let Some(good) = self.book.good(id, address, self.now) {
            self.disk.put(Column::Peers, id.as_bytes(), good.to_bytes());
        }
    }

    pub(crate) fn hello(&mut self, id: PeerId, hello: Hello) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if peer.hello.is_some() {
            return self.hello_again(id, hello);
        }
        if hello.genesis != self.config.spec.genesis_hash() {
            self.book.discourage(&id, self.now);
            return self.disconnect(&id, Reason::WrongGenesis);
        }
        if hello.version != PROTOCOL_VERSION {
            self.book.discourage(&id, self.now);
            return self.disconnect(&id, Reason::WrongVersion);
        }
        peer.ahead = signed(hello.time.millis()).saturating_sub(signed(self.now.millis()));
        peer.knows.insert(hello.tip.hash);
        let claim = hello.tip;
        peer.hello = Some(hello);
        let outbound = peer.info.outbound;
        let address = peer.info.address.clone().filter(|_| outbound);
        self.headers.claimed(id, claim);
        self.bodies.joined(id);
        self.relay.joined(id);
        self.note_good(id, address.as_ref());
        if outbound {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.asked_for_peers = true;
            }
            self.say(&id, LinkMessage::GetPeers);
        }
        self.tell_peer(PeerChange::Up, &id);
    }

    /// The other side began its session anew, as happens when two connections are reduced to one: so do we.
    fn hello_again(&mut self, id: PeerId, hello: Hello) {
        let Some(peer) = self.peers.get(&id) else { return };
        if self.now.since(peer.since) < GREET_AGAIN_MS {
            return self.blame(&id, Fault::Noise);
        }
        let anew = Peer { score: peer.score, ..Peer::new(peer.info.clone(), self.now) };
        self.peer_gone(&id);
        self.peers.insert(id, anew);
        self.greet(&id);
        self.hello(id, hello);
    }

    fn greet(&mut self, id: &PeerId) {
        let hello = Hello {
            version: PROTOCOL_VERSION,
            genesis: self.config.spec.genesis_hash(),
            tip: self.own_claim(),
            time: self.now,
            agent: self.config.agent.clone(),
        };
        self.say(id, LinkMessage::Hello(hello));
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
            self.book.discourage(id, now);
            self.disconnect(id, Reason::Misbehaviour);
        }
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
            connected_at: peer.since,
            address: peer.info.address.clone(),
        })
    }

    /// Sends away whoever does not say hello, and gives up dials that lead nowhere.
    pub(crate) fn watch_peers(&mut self) {
        let now = self.now;
        self.dialling.retain(|_, deadline| *deadline > now);
        let silent = |peer: &Peer| peer.hello.is_none() && now.since(peer.since) >= HELLO_PATIENCE_MS;
        let silent: Vec<_> = self.peers.iter().filter(|(_, peer)| silent(peer)).map(|(id, _)| *id).collect();
        for id in silent {
            self.disconnect(&id, Reason::NoHello);
        }
    }

    /// Dials while there are too few connections of our own.
    pub(crate) fn dial(&mut self) {
        while self.wants_to_dial() {
            let (peers, dialling) = (&self.peers, &self.dialling);
            let taken = |id: &PeerId| peers.contains_key(id) || dialling.contains_key(id);
            let Some((id, addresses)) = self.book.pick(self.now, &mut self.rng, taken) else { return };
            self.dialling.insert(id, self.now.saturating_add(DIAL_PATIENCE_MS));
            self.emit(Output::Dial(id, addresses));
        }
    }

    pub(crate) fn next_peer_moment(&self) -> Option<Timestamp> {
        let hello = self.peers.values().filter(|peer| peer.hello.is_none()).map(|peer| peer.since).min();
        let hello = hello.map(|since| since.saturating_add(HELLO_PATIENCE_MS));
        let taken = |id: &PeerId| self.peers.contains_key(id) || self.dialling.contains_key(id);
        let retry = if self.wants_to_dial() { self.book.next_retry(taken) } else { None };
        let gives_up = self.dialling.values().min().copied();
        let changed = self.peers.values().filter(|peer| peer.has_changed()).map(|peer| peer.told_at).min();
        let changed = changed.map(|told_at| told_at.saturating_add(TELL_CHANGE_MS));
        [hello, retry, gives_up, changed].into_iter().flatten().min()
    }

    fn wants_to_dial(&self) -> bool {
        let outbound = self.peers.values().filter(|peer| peer.info.outbound).count();
        self.dialling.len() < MAX_DIALS
            && outbound + self.dialling.len() < self.config.limits.outbound
            && self.peers.len() + self.dialling.len() < self.config.limits.peers
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
        self.peers.remove(id);
        self.headers.left(id);
        self.bodies.left(id);
        self.relay.left(id);
        self.serving.retain(|_, serving| serving.peer != *id);
        for asked in self.requests.forget(id) {
            self.unanswered(id, asked);
        }
    }
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}
