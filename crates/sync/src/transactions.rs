//! Transaction relay: announced by id, asked for once, passed on to those who don't know it.
//!
//! Bounds: each peer's known ids up to [`MAX_KNOWN`] (the latest), ids waiting to be told to it up to [`MAX_QUEUED`], ids wanted
//! from the network up to [`MAX_WANTED`] of which [`MAX_WANTED_PER_PEER`] from one peer; refused ids up to [`MAX_REFUSED`].

use std::collections::{BTreeMap, BTreeSet};

use tabchain_primitives::TxId;

use crate::{PeerId, message::MAX_TRANSACTION_IDS, recent::RecentSet};

/// The most ids remembered as known to one peer.
pub const MAX_KNOWN: usize = 4_096;
/// The most ids waiting to be told to one peer.
pub const MAX_QUEUED: usize = 1_024;
/// The most transactions being fetched.
pub const MAX_WANTED: usize = 4_096;
/// The most transactions being fetched from one peer.
pub const MAX_WANTED_PER_PEER: usize = 512;
/// The most ids remembered as refused.
pub const MAX_REFUSED: usize = 4_096;

const MAX_OTHERS: usize = 3;

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
            queue: BTreeSet::new(),
            wanted: 0,
        });
    }

    /// A peer left. What it was asked for is given back by [`TransactionRelay::failed`].
    pub fn left(&mut self, peer: &PeerId) {
        self.lanes.remove(peer);
    }

    /// A peer announced transactions; gives those to ask it for. `have` tells which are known.
    pub fn announced(&mut self, peer: PeerId, ids: &[TxId], have: impl Fn(&TxId) -> bool) -> Vec<TxId> {
        let Some(lane) = self.lanes.get_mut(&peer) else { return Vec::new() };
        let mut ask = Vec::new();
        for &id in ids {
            lane.known.insert(id);
            lane.queue.remove(&id);
            if have(&id) || self.refused.contains(&id) {
                continue;
            }
            if let Some(wanted) = self.wanted.get_mut(&id) {
                if wanted.others.len() < MAX_OTHERS && wanted.from != peer && !wanted.others.contains(&peer) {
                    wanted.others.push(peer);
                }
            } else if self.wanted.len() < MAX_WANTED && lane.wanted < MAX_WANTED_PER_PEER {
                lane.wanted += 1;
                self.wanted.insert(id, Wanted { from: peer, others: Vec::new() });
                ask.push(id);
            }
        }
        ask
    }

    /// An answer came: whatever was asked for is wanted no more. What did not come may be had from others, as
    /// [`TransactionRelay::failed`] gives it.
    pub fn answered(
        &mut self,
        peer: &PeerId,
        asked: &[TxId],
        given: &BTreeSet<TxId>,
    ) -> BTreeMap<PeerId, Vec<TxId>> {
        let (came, missing): (Vec<TxId>, Vec<TxId>) = asked.iter().partition(|id| given.contains(*id));
        for id in came {
            self.done(&id);
        }
        self.failed(peer, &missing)
    }

    /// No answer came; gives whom to ask instead, and for what.
    pub fn failed(&mut self, peer: &PeerId, asked: &[TxId]) -> BTreeMap<PeerId, Vec<TxId>> {
        let mut instead: BTreeMap<PeerId, Vec<TxId>> = BTreeMap::new();
        for id in asked {
            if self.wanted.get(id).is_none_or(|wanted| wanted.from != *peer) {
                continue;
            }
            let others = self.done(id);
            let mut others = others.into_iter().filter(|other| self.lanes.contains_key(other));
            if let Some(other) = others.next() {
                let others = others.collect();
                self.wanted.insert(*id, Wanted { from: other, others });
                if let Some(lane) = self.lanes.get_mut(&other) {
                    lane.wanted += 1;
                }
                instead.entry(other).or_default().push(*id);
            }
        }
        instead
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

    #[test]
    fn an_id_is_asked_for_once_and_elsewhere_when_that_fails() {
        let mut relay = relay();
        assert_eq!(relay.announced(peer(1), &[id(1), id(2)], |_| false), [id(1), id(2)]);
        assert!(relay.announced(peer(2), &[id(1)], |_| false).is_empty());
        let instead = relay.answered(&peer(1), &[id(1), id(2)], &BTreeSet::from([id(2)]));
        assert_eq!(instead, BTreeMap::from([(peer(2), vec![id(1)])]));
        assert!(relay.failed(&peer(2), &[id(1)]).is_empty());
        assert_eq!(
            relay.announced(peer(1), &[id(1)], |_| false),
            [id(1)],
            "nobody is asked any more, so again"
        );
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
    fn a_flood_of_ids_stays_within_its_bounds() {
        let mut relay = relay();
        let flood: Vec<_> = (0..10_000u32)
            .map(|n| {
                let mut bytes = [0; 32];
                bytes[..4].copy_from_slice(&n.to_le_bytes());
                TxId::from_bytes(bytes)
            })
            .collect();
        assert_eq!(relay.announced(peer(1), &flood, |_| false).len(), MAX_WANTED_PER_PEER);
        assert_eq!(relay.announced(peer(2), &[id(9)], |_| false).len(), 1, "the other peer is not starved");
        relay.tell_one(&peer(2), flood.into_iter());
        assert_eq!(relay.lanes[&peer(2)].queue.len(), MAX_QUEUED);
    }
}
