//! The peer book: who could be dialled, and who has been worth it.
//!
//! It has two shelves. *New* peers were only heard of; *tried* ones said a proper hello, and only they are told of to others
//! and written down. So hearsay, however much there is of it, never displaces a peer that was good, and among hearsay
//! the source that said most gives way first: what a relay or one peer makes up crowds out only what it said itself. Whom to
//! dial is drawn from both shelves, and from the new one by source first, so that many entries are no more likely than few.
//!
//! A peer that was slow or tiresome is *discouraged*: it is dialled when nobody else can be. One that lied is *shunned*:
//! it is not dialled at all for a while.
//!
//! Bounds: [`MAX_TRIED`] tried peers and [`MAX_NEW`] new ones of at most [`MAX_PEER_ADDRESSES`] addresses; one peer can tell us of at
//! most [`MAX_TOLD_BY_ONE`] that nobody else told of; [`MAX_DISLIKED`] are discouraged or shunned.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use tabchain_primitives::Timestamp;
use tabchain_primitives::codec::{Decode, DecodeError, Encode, Reader, write_list};

use crate::message::MAX_PEER_ADDRESSES;
use crate::{MAX_ADDRESS_BYTES, PeerAddress, PeerId, PeerRecord, Rng};

/// The most peers that have been good.
pub const MAX_TRIED: usize = 256;
/// The most peers only heard of.
pub const MAX_NEW: usize = 256;
/// The most peers in the book that one peer told of.
pub const MAX_TOLD_BY_ONE: usize = 64;
/// The most peers that are discouraged or shunned.
pub const MAX_DISLIKED: usize = 256;

const FIRST_RETRY_MS: u64 = 5_000;
const FOUND_RETRY_MS: u64 = 15_000;
/// A connection that holds so long was worth it.
const LASTING_MS: u64 = 60_000;
const LAST_RETRY_MS: u64 = 10 * 60 * 1000;
/// For so long a peer is discouraged or shunned.
const DISLIKE_MS: u64 = 10 * 60 * 1000;

/// Peers by id.
#[derive(Debug, Default)]
pub struct PeerBook {
    peers: BTreeMap<PeerId, Entry>,
    disliked: BTreeMap<PeerId, Dislike>,
    /// Tried peers that are no longer: what was written down of them is to be erased.
    forgotten: Vec<PeerId>,
}

/// Who said that a peer exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Our own side: a relay's rendezvous, an invite.
    Found,
    /// Our store, from an earlier life.
    Remembered,
    /// Another peer.
    Told(PeerId),
}

/// What is held against a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Regard {
    /// It may have been honest: slow, or a nuisance. It is dialled last.
    Discouraged,
    /// It said what no honest node says. It is not dialled.
    Shunned,
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
    /// Set for those on the tried shelf.
    last_good: Option<Timestamp>,
    failures: u32,
    retry_at: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Dislike {
    regard: Regard,
    until: Timestamp,
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
                entry.retry_at = entry.retry_at.min(now.saturating_add(FOUND_RETRY_MS));
            }
            return;
        }
        if self.make_room(source) {
            let retry_at = Timestamp::ZERO;
            self.peers.insert(id, Entry { addresses, source, last_good: None, failures: 0, retry_at });
        }
    }

    /// Notes a peer that was good in an earlier life.
    pub fn remember(&mut self, id: PeerId, good: GoodPeer) {
        let GoodPeer { last_good, mut addresses } = good;
        addresses.truncate(MAX_PEER_ADDRESSES);
        let (source, retry_at) = (Source::Remembered, Timestamp::ZERO);
        let entry = Entry { addresses, source, last_good: Some(last_good), failures: 0, retry_at };
        self.peers.insert(id, entry);
        self.keep_tried_within_bounds();
    }

    /// Whether nobody is in the book.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// How many peers are tried, and how many are new.
    pub fn shelves(&self) -> (usize, usize) {
        let tried = self.peers.values().filter(|entry| entry.is_tried()).count();
        (tried, self.peers.len() - tried)
    }

    /// Picks a peer to dial that is not `taken`, of those that are due, and counts the attempt. Tried and new peers are as likely,
    /// and so are the sources of new ones. Discouraged peers are picked when no other is due.
    pub fn pick(
        &mut self,
        now: Timestamp,
        rng: &mut Rng,
        taken: impl Fn(&PeerId) -> bool,
    ) -> Option<(PeerId, Vec<PeerAddress>)> {
        let due: Vec<PeerId> = self.due(now, taken).collect();
        let (liked, discouraged): (Vec<PeerId>, Vec<PeerId>) =
            due.into_iter().partition(|id| self.regard(id, now).is_none());
        let choice = if liked.is_empty() { discouraged } else { liked };
        let (tried, new): (Vec<PeerId>, Vec<PeerId>) =
            choice.into_iter().partition(|id| self.peers[id].is_tried());
        let from_tried = new.is_empty() || !tried.is_empty() && rng.below(2) == 0;
        let id = if from_tried { draw(tried, rng) } else { self.draw_by_source(new, rng) }?;
        Some((id, self.attempt(&id, now)))
    }

    /// Picks a peer that is due, to see whether it is there and what it knows: a new one, or one that was good before if there
    /// is none; with `tried_first` the other way round.
    pub fn pick_to_feel(
        &mut self,
        tried_first: bool,
        now: Timestamp,
        rng: &mut Rng,
        taken: impl Fn(&PeerId) -> bool,
    ) -> Option<(PeerId, Vec<PeerAddress>)> {
        let due: Vec<PeerId> = self.due(now, taken).collect();
        let (tried, new): (Vec<PeerId>, Vec<PeerId>) =
            due.into_iter().partition(|id| self.peers[id].is_tried());
        let from_tried = new.is_empty() || tried_first && !tried.is_empty();
        let id = if from_tried { draw(tried, rng) } else { self.draw_by_source(new, rng) }?;
        Some((id, self.attempt(&id, now)))
    }

    /// Whoever could not be reached may be tried at once, however often that has failed: the fault may have been ours. What
    /// is thought of peers stays.
    pub fn hurry(&mut self, now: Timestamp) {
        for entry in self.peers.values_mut() {
            entry.retry_at = entry.retry_at.min(now);
        }
    }

    /// When the next peer that is not `taken` may be dialled.
    pub fn next_retry(&self, taken: impl Fn(&PeerId) -> bool) -> Option<Timestamp> {
        self.dialable(taken).map(|(id, entry)| self.retry_at(id, entry)).min()
    }

    /// A peer said a proper hello. Gives what to write down of it, if it can be dialled again and nothing is held against it.
    pub fn good(&mut self, id: PeerId, address: Option<&PeerAddress>, now: Timestamp) -> Option<GoodPeer> {
        if self.regard(&id, now).is_some() {
            return None;
        }
        if let Some(address) = address {
            self.add(id, vec![address.clone()], Source::Remembered, now);
        }
        let entry = self.peers.get_mut(&id)?;
        entry.retry_at = now.saturating_add(FIRST_RETRY_MS);
        entry.last_good = Some(now);
        let good = GoodPeer { last_good: now, addresses: entry.addresses.clone() };
        self.keep_tried_within_bounds();
        Some(good)
    }

    /// A connection with a peer ended after so many milliseconds. Only one that lasted makes up for earlier failures: where all
    /// places are taken, those who are let go come back ever more rarely.
    pub fn parted(&mut self, id: &PeerId, lasted: u64, now: Timestamp) {
        let Some(entry) = self.peers.get_mut(id) else { return };
        if lasted >= LASTING_MS {
            entry.failures = 0;
        }
        let wait = entry.count_attempt();
        entry.retry_at = entry.retry_at.max(now.saturating_add(wait));
    }

    /// Holds something against a peer for a while, whether it is in the book or not. It counts as new from now on.
    pub fn dislike(&mut self, id: PeerId, regard: Regard, now: Timestamp) {
        let regard = self.regard(&id, now).map_or(regard, |before| before.max(regard));
        self.disliked.insert(id, Dislike { regard, until: now.saturating_add(DISLIKE_MS) });
        if self.disliked.len() > MAX_DISLIKED
            && let Some((&first, _)) = self.disliked.iter().min_by_key(|(_, dislike)| dislike.until)
        {
            self.disliked.remove(&first);
        }
        let Some(mut entry) = self.peers.remove(&id) else { return };
        if entry.last_good.take().is_some() {
            self.forgotten.push(id);
        }
        entry.retry_at = now.saturating_add(entry.count_attempt());
        if self.make_room(entry.source) {
            self.peers.insert(id, entry);
        }
    }

    /// What is held against a peer.
    pub fn regard(&self, id: &PeerId, now: Timestamp) -> Option<Regard> {
        self.disliked.get(id).filter(|dislike| dislike.until > now).map(|dislike| dislike.regard)
    }

    /// Takes the peers of which nothing is to be remembered any more.
    pub fn take_forgotten(&mut self) -> Vec<PeerId> {
        std::mem::take(&mut self.forgotten)
    }

    /// Some peers worth telling others about: those that were good, in random order, without `but`.
    pub fn tell(&self, rng: &mut Rng, most: usize, but: &PeerId) -> Vec<PeerRecord> {
        let mut good: Vec<_> = self
            .peers
            .iter()
            .filter(|(id, entry)| entry.is_tried() && !entry.addresses.is_empty() && *id != but)
            .collect();
        let mut told = Vec::new();
        while told.len() < most && !good.is_empty() {
            let (id, entry) = good.swap_remove(rng.below(good.len()));
            told.push(PeerRecord { id: *id, addresses: entry.addresses.clone() });
        }
        told
    }

    /// The most bytes a book can hold, whatever is said to it.
    pub const fn max_bytes() -> usize {
        let entry = size_of::<PeerId>() + size_of::<Entry>();
        let addresses = MAX_PEER_ADDRESSES * (size_of::<PeerAddress>() + MAX_ADDRESS_BYTES);
        let dislike = size_of::<PeerId>() + size_of::<Dislike>();
        (MAX_TRIED + MAX_NEW) * (entry + addresses) + MAX_DISLIKED * dislike
    }

    fn due(&self, now: Timestamp, taken: impl Fn(&PeerId) -> bool) -> impl Iterator<Item = PeerId> {
        let due = move |(id, entry): &(&PeerId, &Entry)| self.retry_at(id, entry) <= now;
        self.dialable(taken).filter(due).map(|(id, _)| *id)
    }

    fn dialable(&self, taken: impl Fn(&PeerId) -> bool) -> impl Iterator<Item = (&PeerId, &Entry)> {
        self.peers.iter().filter(move |(id, entry)| !entry.addresses.is_empty() && !taken(id))
    }

    /// When an entry may be dialled, what is held against it included.
    fn retry_at(&self, id: &PeerId, entry: &Entry) -> Timestamp {
        match self.disliked.get(id) {
            Some(Dislike { regard: Regard::Shunned, until }) => entry.retry_at.max(*until),
            _ => entry.retry_at,
        }
    }

    /// Draws a source, then one of its peers.
    fn draw_by_source(&self, new: Vec<PeerId>, rng: &mut Rng) -> Option<PeerId> {
        let mut by_source: BTreeMap<Source, Vec<PeerId>> = BTreeMap::new();
        for id in new {
            by_source.entry(self.peers[&id].source).or_default().push(id);
        }
        draw(draw(by_source.into_values().collect(), rng)?, rng)
    }

    /// Counts an attempt to dial; gives where.
    fn attempt(&mut self, id: &PeerId, now: Timestamp) -> Vec<PeerAddress> {
        let entry = self.peers.get_mut(id).expect("it was drawn from the book");
        entry.retry_at = now.saturating_add(entry.count_attempt());
        entry.addresses.clone()
    }

    /// Makes room on the new shelf for what `source` said; false when there is none for it.
    fn make_room(&mut self, source: Source) -> bool {
        let mut said: BTreeMap<Source, usize> = BTreeMap::new();
        for entry in self.peers.values().filter(|entry| !entry.is_tried()) {
            *said.entry(entry.source).or_default() += 1;
        }
        let own = said.get(&source).copied().unwrap_or_default();
        let is_full = said.values().sum::<usize>() >= MAX_NEW;
        let had_its_share = matches!(source, Source::Told(_)) && own >= MAX_TOLD_BY_ONE;
        if !is_full && !had_its_share {
            return true;
        }
        let largest = said.into_iter().max_by_key(|&(_, count)| count).filter(|&(_, count)| count > own + 1);
        match largest.filter(|_| !had_its_share) {
            Some((largest, _)) => self.drop_least(largest, 0),
            // Whoever said most already has to give up something of its own that has failed.
            None => self.drop_least(source, 1),
        }
    }

    /// Drops the new peer of a source that failed most often, if that is at least so often.
    fn drop_least(&mut self, source: Source, failures: u32) -> bool {
        let of_source = self.peers.iter().filter(|(_, entry)| !entry.is_tried() && entry.source == source);
        let least = of_source.max_by_key(|(_, entry)| entry.failures);
        let least = least.filter(|(_, entry)| entry.failures >= failures).map(|(id, _)| *id);
        least.is_some_and(|id| self.peers.remove(&id).is_some())
    }

    /// Forgets the tried peers that were good longest ago.
    fn keep_tried_within_bounds(&mut self) {
        while self.shelves().0 > MAX_TRIED {
            let tried = self.peers.iter().filter(|(_, entry)| entry.is_tried());
            let oldest = tried.min_by_key(|(_, entry)| (entry.last_good, Reverse(entry.failures)));
            let Some(id) = oldest.map(|(id, _)| *id) else { return };
            self.peers.remove(&id);
            self.forgotten.push(id);
        }
    }
}

impl Entry {
    fn is_tried(&self) -> bool {
        self.last_good.is_some()
    }

    /// Counts an attempt; gives how long to wait before the next.
    fn count_attempt(&mut self) -> u64 {
        let wait = FIRST_RETRY_MS.saturating_mul(1 << self.failures.min(10)).min(LAST_RETRY_MS);
        self.failures = self.failures.saturating_add(1);
        wait
    }
}

fn draw<T>(mut from: Vec<T>, rng: &mut Rng) -> Option<T> {
    if from.is_empty() { None } else { Some(from.swap_remove(rng.below(from.len()))) }
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

    fn good(last_good: u64) -> GoodPeer {
        GoodPeer { last_good: at(last_good), addresses: address() }
    }

    fn count(n: usize) -> u32 {
        u32::try_from(n).unwrap()
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
    fn one_peers_hearsay_fills_only_its_share() {
        let mut book = PeerBook::default();
        for n in 0..1_000 {
            book.add(peer(n), address(), Source::Told(peer(9_999)), at(0));
        }
        assert_eq!(book.shelves(), (0, MAX_TOLD_BY_ONE));
    }

    #[test]
    fn many_liars_crowd_out_each_other_and_not_what_was_found_or_tried() {
        let mut book = PeerBook::default();
        for n in 0..20 {
            book.add(peer(n), address(), Source::Found, at(0));
        }
        for n in 100..110 {
            book.remember(peer(n), good(1));
        }
        for liar in 0..50 {
            for n in 0..64 {
                book.add(peer(1_000 + 100 * liar + n), address(), Source::Told(peer(9_000 + liar)), at(0));
            }
        }
        assert_eq!(book.shelves(), (10, MAX_NEW));
        let there = |n: u32| book.peers.contains_key(&peer(n));
        assert!((100..110).all(there), "tried peers are out of reach");
        assert!((0..4).any(there), "what was found has its share, and no less than any liar");
        let said = |source| book.peers.values().filter(|entry| entry.source == source).count();
        assert!(said(Source::Found) + 1 >= said(Source::Told(peer(9_000))));
    }

    #[test]
    fn a_relay_that_floods_pushes_out_only_what_it_said_itself() {
        let mut book = PeerBook::default();
        for n in 0..10 {
            book.add(peer(n), address(), Source::Told(peer(500)), at(0));
        }
        for n in 1_000..9_000 {
            book.add(peer(n), address(), Source::Found, at(0));
        }
        assert_eq!(book.shelves(), (0, MAX_NEW));
        assert!((0..10).all(|n| book.peers.contains_key(&peer(n))));
        book.add(peer(77), address(), Source::Told(peer(501)), at(0));
        assert!(book.peers.contains_key(&peer(77)), "another source finds room");
    }

    #[test]
    fn the_many_that_one_source_tells_of_are_no_likelier_dialled_than_the_few_of_another() {
        let mut rng = Rng::new([1; 32]);
        let mut few = 0;
        for _ in 0..200 {
            let mut book = PeerBook::default();
            book.add(peer(1), address(), Source::Told(peer(500)), at(0));
            for n in 100..164 {
                book.add(peer(n), address(), Source::Told(peer(501)), at(0));
            }
            let (first, _) = book.pick(at(0), &mut rng, |_| false).unwrap();
            few += usize::from(first == peer(1));
        }
        assert!((70..130).contains(&few), "{few} of 200");
    }

    #[test]
    fn of_too_many_good_peers_the_one_good_longest_ago_is_forgotten() {
        let mut book = PeerBook::default();
        for n in 0..count(MAX_TRIED) {
            book.remember(peer(n), good(10 + u64::from(n)));
        }
        assert!(book.take_forgotten().is_empty());
        book.add(peer(7_000), address(), Source::Found, at(9_999));
        assert!(book.good(peer(7_000), None, at(9_999)).is_some());
        assert_eq!(book.take_forgotten(), [peer(0)]);
        assert_eq!(book.shelves().0, MAX_TRIED);
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
    fn after_sleep_all_may_be_dialled_at_once_but_who_lied() {
        let (mut book, mut rng) = (PeerBook::default(), Rng::new([0; 32]));
        book.add(peer(1), address(), Source::Found, at(0));
        book.add(peer(2), address(), Source::Found, at(0));
        book.dislike(peer(2), Regard::Shunned, at(0));
        let mut picks = |book: &mut PeerBook, now| book.pick(now, &mut rng, |_| false).map(|(id, _)| id);
        assert_eq!(picks(&mut book, at(0)), Some(peer(1)));
        assert_eq!(picks(&mut book, at(1)), None);
        book.hurry(at(1));
        assert_eq!(picks(&mut book, at(1)), Some(peer(1)));
        assert_eq!(picks(&mut book, at(1)), None);
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

    #[test]
    fn a_discouraged_peer_is_dialled_last_and_a_shunned_one_not_at_all() {
        let (mut book, mut rng) = (PeerBook::default(), Rng::new([0; 32]));
        for n in 1..=3 {
            book.add(peer(n), address(), Source::Found, at(0));
            book.good(peer(n), None, at(0));
        }
        book.dislike(peer(1), Regard::Discouraged, at(0));
        book.dislike(peer(2), Regard::Shunned, at(0));
        assert_eq!(book.take_forgotten(), [peer(1), peer(2)], "nothing good is remembered of them");
        let soon = at(60_000);
        let order: Vec<_> =
            std::iter::from_fn(|| book.pick(soon, &mut rng, |_| false)).map(|(id, _)| id).collect();
        assert_eq!(order, [peer(3), peer(1)]);
        assert_eq!(book.good(peer(2), None, soon), None, "a hello does not make it good again at once");
        assert_eq!(book.regard(&peer(2), soon), Some(Regard::Shunned));
        assert_eq!(book.regard(&peer(2), at(DISLIKE_MS)), None, "time does");
        assert!(book.pick(at(2 * DISLIKE_MS), &mut rng, |id| *id != peer(2)).is_some());
    }

    #[test]
    fn a_feeler_goes_to_a_new_peer_or_to_a_tried_one() {
        let (mut book, mut rng) = (PeerBook::default(), Rng::new([0; 32]));
        book.remember(peer(1), good(1));
        book.remember(peer(2), good(1));
        book.add(peer(3), address(), Source::Told(peer(1)), at(0));
        let mut now = at(0);
        let mut felt = |tried_first, taken: fn(&PeerId) -> bool| {
            now = now.saturating_add(LAST_RETRY_MS);
            book.pick_to_feel(tried_first, now, &mut rng, taken).map(|(id, _)| id)
        };
        assert_eq!(felt(false, |_| false), Some(peer(3)));
        assert!(felt(true, |_| false) < Some(peer(3)));
        assert_eq!(felt(false, |id| *id != peer(1)), Some(peer(1)), "no new one is left");
        assert_eq!(felt(true, |id| *id != peer(3)), Some(peer(3)), "no tried one is left");
    }

    #[test]
    fn who_is_let_go_again_and_again_comes_back_ever_more_rarely() {
        let mut book = PeerBook::default();
        book.add(peer(1), address(), Source::Found, at(0));
        let mut now = at(0);
        let mut wait_after = |lasted| {
            book.good(peer(1), None, now);
            book.parted(&peer(1), lasted, now);
            let next = book.next_retry(|_| false).unwrap();
            let wait = next.since(now);
            now = next;
            wait
        };
        let waits: Vec<_> = [100, 100, 100, 100].map(&mut wait_after).into();
        assert_eq!(waits, [5_000, 10_000, 20_000, 40_000]);
        assert_eq!(wait_after(LASTING_MS), 5_000, "one that lasted makes up for them");
    }

    #[test]
    fn any_number_of_liars_leaves_the_book_within_its_bounds() {
        let mut book = PeerBook::default();
        for n in 0..5_000 {
            book.dislike(peer(n), Regard::Shunned, at(u64::from(n)));
        }
        assert_eq!(book.disliked.len(), MAX_DISLIKED);
        assert!(book.regard(&peer(4_999), at(5_000)).is_some() && book.is_empty());
    }
}
