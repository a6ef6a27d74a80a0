//! The peer book: who could be dialled, and who has been worth it.
//!
//! Bounds: at most [`MAX_PEERS`] peers of at most [`MAX_PEER_ADDRESSES`] addresses; one peer can tell us of at most
//! [`MAX_TOLD_BY_ONE`] that nobody else told of. When the book is full, the least promising entry makes room, and one that
//! has been good is never pushed out by hearsay.

use std::collections::BTreeMap;

use tabchain_primitives::Timestamp;
use tabchain_primitives::codec::{Decode, DecodeError, Encode, Reader, write_list};

use crate::message::MAX_PEER_ADDRESSES;
use crate::{PeerAddress, PeerId, PeerRecord, Rng};

/// The most peers in the book.
pub const MAX_PEERS: usize = 512;
/// The most peers in the book that one peer told of.
pub const MAX_TOLD_BY_ONE: usize = 64;

const FIRST_RETRY_MS: u64 = 5_000;
const FOUND_RETRY_MS: u64 = 15_000;
const LAST_RETRY_MS: u64 = 10 * 60 * 1000;

/// Peers by id.
#[derive(Debug, Default)]
pub struct PeerBook {
    peers: BTreeMap<PeerId, Entry>,
}

/// Who said that a peer exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Our own side: a relay's rendezvous, an invite.
    Found,
    /// Our store, from an earlier life.
    Remembered,
    /// Another peer.
    Told(PeerId),
}

/// What is written down of a good peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodPeer {
    /// When it last said hello.
    pub last_good: Timestamp,
    /// Where it was reached.
    pub addresses: Vec<PeerAddress>,
}

#[derive(Debug)]
struct Entry {
    addresses: Vec<PeerAddress>,
    source: Source,
    last_good: Option<Timestamp>,
    failures: u32,
    retry_at: Timestamp,
    /// It turned out to be of no use: being found again does not change that.
    discouraged: bool,
}

impl PeerBook {
    /// Notes a peer that could be dialled. If our own side found it, it is around: its addresses are refreshed, and it is
    /// dialled again soon, however often that has failed.
    pub fn add(&mut self, id: PeerId, mut addresses: Vec<PeerAddress>, source: Source, now: Timestamp) {
        addresses.truncate(MAX_PEER_ADDRESSES);
        if let Some(entry) = self.peers.get_mut(&id) {
            if source == Source::Found {
                entry.addresses = addresses;
                entry.source = source;
                if !entry.discouraged {
                    entry.retry_at = entry.retry_at.min(now.saturating_add(FOUND_RETRY_MS));
                }
            }
            return;
        }
        if let Source::Told(_) = source
            && self.peers.values().filter(|entry| entry.source == source).count() >= MAX_TOLD_BY_ONE
        {
            return;
        }
        if self.peers.len() < MAX_PEERS || self.make_room(source) {
            self.peers.insert(
                id,
                Entry {
                    addresses,
                    source,
                    last_good: None,
                    failures: 0,
                    retry_at: Timestamp::ZERO,
                    discouraged: false,
                },
            );
        }
    }

    /// Notes a peer that was good in an earlier life.
    pub fn remember(&mut self, id: PeerId, good: GoodPeer) {
        self.add(id, good.addresses, Source::Remembered, Timestamp::ZERO);
        if let Some(entry) = self.peers.get_mut(&id) {
            entry.last_good = Some(good.last_good);
        }
    }

    /// Whether somebody could be dialled now or later.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Picks a peer to dial that is not `taken`, any of those that are due, and counts the attempt.
    pub fn pick(
        &mut self,
        now: Timestamp,
        rng: &mut Rng,
        taken: impl Fn(&PeerId) -> bool,
    ) -> Option<(PeerId, Vec<PeerAddress>)> {
        let due =
            |id: &PeerId, entry: &Entry| entry.retry_at <= now && !entry.addresses.is_empty() && !taken(id);
        let mut candidates: Vec<_> = self.peers.iter_mut().filter(|(id, entry)| due(id, entry)).collect();
        if candidates.is_empty() {
            return None;
        }
        let (id, entry) = candidates.swap_remove(rng.below(candidates.len()));
        let wait = FIRST_RETRY_MS.saturating_mul(1 << entry.failures.min(10)).min(LAST_RETRY_MS);
        entry.failures += 1;
        entry.discouraged = false;
        entry.retry_at = now.saturating_add(wait);
        Some((*id, entry.addresses.clone()))
    }

    /// When the next peer that is not `taken` may be dialled.
    pub fn next_retry(&self, taken: impl Fn(&PeerId) -> bool) -> Option<Timestamp> {
        let open = self.peers.iter().filter(|(id, entry)| !entry.addresses.is_empty() && !taken(id));
        open.map(|(_, entry)| entry.retry_at).min()
    }

    /// A peer said a proper hello. Gives what to write down of it, if it can be dialled again.
    pub fn good(&mut self, id: PeerId, address: Option<&PeerAddress>, now: Timestamp) -> Option<GoodPeer> {
        if let Some(address) = address {
            self.add(id, vec![address.clone()], Source::Remembered, now);
        }
        let entry = self.peers.get_mut(&id)?;
        entry.failures = 0;
        entry.retry_at = now.saturating_add(FIRST_RETRY_MS);
        entry.last_good = Some(now);
        Some(GoodPeer { last_good: now, addresses: entry.addresses.clone() })
    }

    /// A peer turned out to be of no use; it is not dialled again for long.
    pub fn discourage(&mut self, id: &PeerId, now: Timestamp) {
        if let Some(entry) = self.peers.get_mut(id) {
            entry.last_good = None;
            entry.failures = 10;
            entry.discouraged = true;
            entry.retry_at = now.saturating_add(LAST_RETRY_MS);
        }
    }

    /// Some peers worth telling others about: those that were good, in random order, without `but`.
    pub fn tell(&self, rng: &mut Rng, most: usize, but: &PeerId) -> Vec<PeerRecord> {
        let mut good: Vec<_> = self
            .peers
            .iter()
            .filter(|(id, entry)| entry.last_good.is_some() && !entry.addresses.is_empty() && *id != but)
            .collect();
        let mut told = Vec::new();
        while told.len() < most && !good.is_empty() {
            let (id, entry) = good.swap_remove(rng.below(good.len()));
            told.push(PeerRecord { id: *id, addresses: entry.addresses.clone() });
        }
        told
    }

    /// Makes room for an entry from `source`; false when everything in the book is worth more.
    fn make_room(&mut self, source: Source) -> bool {
        let worth = |entry: &Entry| (entry.last_good, std::cmp::Reverse(entry.failures));
        let least =
            self.peers.iter().min_by_key(|(_, entry)| worth(entry)).map(|(id, entry)| (*id, worth(entry)));
        let hearsay = matches!(source, Source::Told(_));
        match least {
            Some((_, (Some(_), _))) if hearsay => false,
            Some((id, _)) => self.peers.remove(&id).is_some(),
            None => false,
        }
    }
}

impl Encode for GoodPeer {
    fn encode(&self, out: &mut Vec<u8>) {
        self.last_good.encode(out);
        write_list(out, &self.addresses);
    }
}

impl Decode for GoodPeer {
    const MIN_BYTES: usize = 9;

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { last_good: Timestamp::decode(r)?, addresses: r.list(0..=MAX_PEER_ADDRESSES)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u32) -> PeerId {
        PeerId::new(&n.to_be_bytes()).unwrap()
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn address() -> Vec<PeerAddress> {
        vec![PeerAddress::new("/here").unwrap()]
    }

    #[test]
    fn a_peer_that_does_not_answer_is_dialled_ever_more_rarely() {
        let (mut book, mut rng) = (PeerBook::default(), Rng::new([0; 32]));
        book.add(peer(1), address(), Source::Found, at(0));
        let mut waits = Vec::new();
        let mut now = at(0);
        for _ in 0..3 {
            assert!(book.pick(now, &mut rng, |_| false).is_some());
            assert!(book.pick(now, &mut rng, |_| false).is_none());
            let next = book.next_retry(|_| false).unwrap();
            waits.push(next.since(now));
            now = next;
        }
        assert_eq!(waits, [5_000, 10_000, 20_000]);
    }

    #[test]
    fn hearsay_fills_only_its_share_and_never_pushes_out_a_good_peer() {
        let mut book = PeerBook::default();
        for n in 0..1_000 {
            book.add(peer(n), address(), Source::Told(peer(9_999)), at(0));
        }
        assert_eq!(book.peers.len(), MAX_TOLD_BY_ONE);
        let mut book = PeerBook::default();
        for n in 0..u32::try_from(MAX_PEERS).unwrap() {
            book.remember(peer(n), GoodPeer { last_good: at(1), addresses: address() });
        }
        book.add(peer(7_000), address(), Source::Told(peer(1)), at(0));
        assert!(!book.peers.contains_key(&peer(7_000)));
        book.add(peer(7_000), address(), Source::Found, at(0));
        assert!(book.peers.contains_key(&peer(7_000)));
        assert_eq!(book.peers.len(), MAX_PEERS);
    }

    #[test]
    fn only_good_peers_are_told_and_never_a_peer_about_itself() {
        let (mut book, mut rng) = (PeerBook::default(), Rng::new([0; 32]));
        for n in 0..4 {
            book.add(peer(n), address(), Source::Found, at(0));
        }
        book.good(peer(1), None, at(5));
        book.good(peer(2), None, at(5));
        let told: Vec<_> = book.tell(&mut rng, 10, &peer(2)).into_iter().map(|record| record.id).collect();
        assert_eq!(told, [peer(1)]);
    }

    #[test]
    fn a_peer_that_is_found_again_is_dialled_soon() {
        let (mut book, mut rng) = (PeerBook::default(), Rng::new([0; 32]));
        book.add(peer(1), address(), Source::Found, at(0));
        let mut now = at(0);
        for _ in 0..8 {
            assert!(book.pick(now, &mut rng, |_| false).is_some());
            now = book.next_retry(|_| false).unwrap();
        }
        assert!(book.pick(now, &mut rng, |_| false).is_some());
        assert!(book.next_retry(|_| false).unwrap().since(now) > FOUND_RETRY_MS);
        book.add(peer(1), address(), Source::Found, now);
        assert_eq!(book.next_retry(|_| false), Some(now.saturating_add(FOUND_RETRY_MS)));
    }
}
