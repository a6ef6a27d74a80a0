//! Transaction relay: announced by id, asked for once, passed on to those who don't know it.
//!
//! What a peer announces waits at that peer until it can be asked for; only so much is asked of one peer at a time. An id is
//! asked of one peer; the others that announced it are asked when that one fails. It is wanted of that peer until its signature has
//! been checked: so what one peer gives is checked in small parts, and what it forged is still to be had from others.
//!
//! Bounds, for each peer: known ids up to [`MAX_KNOWN`] (the latest), ids waiting to be asked for up to [`MAX_HEARD`] (the latest), ids
//! waiting to be told to it up to [`MAX_QUEUED`], ids asked of it or given by it and not checked yet up to [`MAX_WANTED_PER_PEER`]: no peer's flood takes anything from
//! what may be asked of another. Refused ids up to [`MAX_REFUSED`].

use std::collections::{BTreeMap, BTreeSet};

use tabchain_primitives::TxId;

use crate::{PeerId, message::MAX_TRANSACTION_IDS, recent::RecentSet};

/// The most ids remembered as known to one peer.
pub const MAX_KNOWN: usize = 4_096;
/// The most ids that a peer announced and that were not asked for yet.
pub const MAX_HEARD: usize = 1_024;
/// The most ids waiting to be told to one peer.
pub const MAX_QUEUED: usize = 1_024;
/// The most transactions being fetched from one peer, and being checked.
pub const MAX_WANTED_PER_PEER: usize = 256;
/// The most ids remembered as refused.
pub const MAX_REFUSED: usize = 4_096;

const MAX_OTHERS: usize = 3;
/// A remembered id stands in a set and in a queue.
const REMEMBERED_ID: usize = 2 * size_of::<TxId>();
const WANTED_ID: usize = size_of::<TxId>() + size_of::<Wanted>() + MAX_OTHERS * size_of::<PeerId>();

/// What each peer knows, and what is wanted from whom.
#[derive(Debug)]
pub struct TransactionRelay {
    lanes: BTreeMap<PeerId, Lane>,
    wanted: BTreeMap<TxId, Wanted>,
    refused: RecentSet<TxId>,
}

#[derive(Debug)]
struct Lane {
    known: RecentSet<TxId>,
    heard: RecentSet<TxId>,
    queue: BTreeSet<TxId>,
    wanted: usize,
}

#[derive(Debug)]
struct Wanted {
    from: PeerId,
    others: Vec<PeerId>,
}

impl Default for TransactionRelay {
    fn default() -> Self {
        Self { lanes: BTreeMap::new(), wanted: BTreeMap::new(), refused: RecentSet::new(MAX_REFUSED) }
    }
}

impl TransactionRelay {
    /// A peer to relay with joined.
    pub fn joined(&mut self, peer: PeerId) {
        self.lanes.entry(peer).or_insert_with(|| Lane {
            known: RecentSet::new(MAX_KNOWN),
            heard: RecentSet::new(MAX_HEARD),
            queue: BTreeSet::new(),
            wanted: 0,
        });
    }

    /// A peer left. What was wanted of it may be had from others.
    pub fn left(&mut self, peer: &PeerId) {
        let of_it = self.wanted.iter().filter(|(_, wanted)| wanted.from == *peer);
        let ids: Vec<TxId> = of_it.map(|(id, _)| *id).collect();
        self.failed(peer, &ids);
        self.lanes.remove(peer);
    }

    /// A peer announced transactions. `have` tells which need not be asked for.
    pub fn announced(&mut self, peer: PeerId, ids: &[TxId], have: impl Fn(&TxId) -> bool) {
        let Some(lane) = self.lanes.get_mut(&peer) else { return };
        for &id in ids {
            lane.known.insert(id);
            lane.queue.remove(&id);
            if !have(&id) && !self.refused.contains(&id) {
                lane.heard.insert(id);
            }
        }
    }

    /// What to ask now, and whom, at most one question each. `may_ask` tells whether a peer has room for one.
    pub fn questions(
        &mut self,
        may_ask: impl Fn(&PeerId) -> bool,
        have: impl Fn(&TxId) -> bool,
    ) -> Vec<(PeerId, Vec<TxId>)> {
        let mut questions = Vec::new();
        for (peer, lane) in &mut self.lanes {
            if lane.heard.is_empty() || !may_ask(peer) {
                continue;
            }
            let mut ids = Vec::new();
            while ids.len() < MAX_TRANSACTION_IDS && lane.wanted < MAX_WANTED_PER_PEER {
                let Some(id) = lane.heard.pop_oldest() else { break };
                if have(&id) || self.refused.contains(&id) {
                    continue;
                }
                if let Some(wanted) = self.wanted.get_mut(&id) {
                    wanted.also_at(*peer);
                    continue;
                }
                self.wanted.insert(id, Wanted { from: *peer, others: Vec::new() });
                lane.wanted += 1;
                ids.push(id);
            }
            if !ids.is_empty() {
                questions.push((*peer, ids));
            }
        }
        questions
    }

    /// A transaction was given and is good: it is wanted no more.
    pub fn took(&mut self, id: &TxId) {
        self.done(id);
    }

    /// The peer did not give these, or not as they should be: whoever else announced them will be asked.
    pub fn failed(&mut self, peer: &PeerId, asked: &[TxId]) {
        for id in asked {
            if self.wanted.get(id).is_none_or(|wanted| wanted.from != *peer) {
                continue;
            }
            for other in self.done(id) {
                if let Some(lane) = self.lanes.get_mut(&other) {
                    lane.heard.insert(*id);
                }
            }
        }
    }

    /// Whether the peer announced this transaction or was told of it, as far as that is remembered.
    pub fn knows(&self, peer: &PeerId, id: &TxId) -> bool {
        self.lanes.get(peer).is_some_and(|lane| lane.known.contains(id))
    }

    /// How many bytes are held, about.
    pub fn bytes(&self) -> usize {
        let ids = |lane: &Lane| lane.known.len() + lane.heard.len() + lane.queue.len();
        let remembered = self.lanes.values().map(ids).sum::<usize>() + self.refused.len();
        remembered * REMEMBERED_ID + self.wanted.len() * WANTED_ID
    }

    /// The most bytes that the relay can hold for so many peers, whatever they say.
    pub const fn max_bytes(peers: usize) -> usize {
        let remembered = peers * (MAX_KNOWN + MAX_HEARD + MAX_QUEUED) + MAX_REFUSED;
        remembered * REMEMBERED_ID + peers * MAX_WANTED_PER_PEER * WANTED_ID
    }

    /// A transaction is not to be had or passed on, whoever sends it.
    pub fn refuse(&mut self, id: TxId) {
        self.refused.insert(id);
    }

    /// Forgets all refusals, because the state they rested on has changed.
    pub fn reconsider(&mut self) {
        self.refused = RecentSet::new(MAX_REFUSED);
    }

    /// Queues a transaction for every peer that is not known to have it. A queue that is full takes no more.
    pub fn tell(&mut self, id: TxId) {
        for lane in self.lanes.values_mut() {
            if !lane.known.contains(&id) && lane.queue.len() < MAX_QUEUED {
                lane.queue.insert(id);
            }
        }
    }

    /// Queues transactions for one peer.
    pub fn tell_one(&mut self, peer: &PeerId, ids: impl Iterator<Item = TxId>) {
        if let Some(lane) = self.lanes.get_mut(peer) {
            let room = MAX_QUEUED.saturating_sub(lane.queue.len());
            let known = &lane.known;
            lane.queue.extend(ids.filter(|id| !known.contains(id)).take(room));
        }
    }

    /// Whether anything is queued.
    pub fn has_news(&self) -> bool {
        self.lanes.values().any(|lane| !lane.queue.is_empty())
    }

    /// Takes an announcement for each peer that has something queued.
    pub fn news(&mut self) -> Vec<(PeerId, Vec<TxId>)> {
        let mut news = Vec::new();
        for (peer, lane) in &mut self.lanes {
            let mut ids = Vec::new();
            while ids.len() < MAX_TRANSACTION_IDS {
                let Some(id) = lane.queue.pop_first() else { break };
                lane.known.insert(id);
                ids.push(id);
            }
            if !ids.is_empty() {
                news.push((*peer, ids));
            }
        }
        news
    }

    fn done(&mut self, id: &TxId) -> Vec<PeerId> {
        let Some(wanted) = self.wanted.remove(id) else { return Vec::new() };
        if let Some(lane) = self.lanes.get_mut(&wanted.from) {
            lane.wanted -= 1;
        }
        wanted.others
    }
}

impl Wanted {
    /// Another peer has it too.
    fn also_at(&mut self, peer: PeerId) {
        if self.others.len() < MAX_OTHERS && self.from != peer && !self.others.contains(&peer) {
            self.others.push(peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::new(&[n]).unwrap()
    }

    fn id(n: u8) -> TxId {
        TxId::from_bytes([n; 32])
    }

    fn relay() -> TransactionRelay {
        let mut relay = TransactionRelay::default();
        relay.joined(peer(1));
        relay.joined(peer(2));
        relay
    }

    /// What is asked of whom, when everybody may be asked and nothing is here.
    fn asked(relay: &mut TransactionRelay) -> Vec<(PeerId, Vec<TxId>)> {
        relay.questions(|_| true, |_| false)
    }

    fn flood(from: u32, count: u32) -> Vec<TxId> {
        let id = |n: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&n.to_le_bytes());
            TxId::from_bytes(bytes)
        };
        (from..from + count).map(id).collect()
    }

    #[test]
    fn an_id_is_asked_for_once_and_elsewhere_when_that_fails() {
        let mut relay = relay();
        relay.announced(peer(1), &[id(1), id(2)], |_| false);
        assert_eq!(asked(&mut relay), [(peer(1), vec![id(1), id(2)])]);
        relay.announced(peer(2), &[id(1)], |_| false);
        assert!(asked(&mut relay).is_empty());
        relay.took(&id(2));
        relay.failed(&peer(1), &[id(1)]);
        assert_eq!(asked(&mut relay), [(peer(2), vec![id(1)])]);
        relay.failed(&peer(2), &[id(1)]);
        assert!(asked(&mut relay).is_empty(), "nobody else has it");
        relay.announced(peer(1), &[id(1)], |_| false);
        assert_eq!(asked(&mut relay), [(peer(1), vec![id(1)])], "nobody is asked any more, so again");
    }

    #[test]
    fn what_was_wanted_of_a_peer_that_left_is_asked_of_others_even_if_it_comes_back() {
        let mut relay = relay();
        relay.announced(peer(1), &[id(1), id(2)], |_| false);
        assert_eq!(asked(&mut relay).len(), 1);
        relay.announced(peer(2), &[id(1)], |_| false);
        assert!(asked(&mut relay).is_empty());
        relay.left(&peer(1));
        assert_eq!(asked(&mut relay), [(peer(2), vec![id(1)])]);
        relay.joined(peer(1));
        // What was on its way in its first life comes to nothing now.
        relay.failed(&peer(1), &[id(1), id(2)]);
        relay.took(&id(1));
        assert!(asked(&mut relay).is_empty());
        relay.announced(peer(1), &flood(0, 600), |_| false);
        assert_eq!(asked(&mut relay)[0].1.len(), MAX_WANTED_PER_PEER);
    }

    #[test]
    fn what_cannot_be_asked_for_now_waits() {
        let mut relay = relay();
        relay.announced(peer(1), &flood(0, 600), |_| false);
        assert!(relay.questions(|_| false, |_| false).is_empty());
        let mut got = Vec::new();
        for _ in 0..3 {
            let (_, ids) = asked(&mut relay).remove(0);
            assert!(asked(&mut relay).is_empty(), "one question is as much as may be wanted of one peer");
            for id in &ids {
                relay.took(id);
            }
            got.extend(ids);
        }
        assert_eq!(got, flood(0, 600));
    }

    #[test]
    fn what_came_by_another_way_meanwhile_is_not_asked_for() {
        let mut relay = relay();
        relay.announced(peer(1), &[id(1), id(2), id(3)], |_| false);
        relay.refuse(id(2));
        assert_eq!(relay.questions(|_| true, |known| *known == id(1)), [(peer(1), vec![id(3)])]);
    }

    #[test]
    fn what_a_peer_told_is_not_told_back() {
        let mut relay = relay();
        relay.announced(peer(1), &[id(1)], |_| false);
        relay.tell(id(1));
        assert_eq!(relay.news(), [(peer(2), vec![id(1)])]);
        relay.tell(id(1));
        assert!(relay.news().is_empty());
    }

    #[test]
    fn a_flood_of_ids_stays_within_its_bounds_and_starves_nobody() {
        let mut relay = TransactionRelay::default();
        for n in 1..=32 {
            relay.joined(peer(n));
        }
        for n in 1..32 {
            relay.announced(peer(n), &flood(u32::from(n) * 100_000, 10_000), |_| false);
        }
        relay.announced(peer(32), &[id(9)], |_| false);
        let questions = asked(&mut relay);
        assert!(questions.iter().all(|(_, ids)| ids.len() <= MAX_WANTED_PER_PEER));
        assert_eq!(questions.last(), Some(&(peer(32), vec![id(9)])), "the honest peer is asked");
        assert!(relay.lanes.values().all(|lane| lane.heard.len() <= MAX_HEARD));
        relay.tell_one(&peer(32), flood(0, 10_000).into_iter());
        assert_eq!(relay.lanes[&peer(32)].queue.len(), MAX_QUEUED);
    }
}
