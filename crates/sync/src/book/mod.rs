//! The peer book: who could be dialled, and who has been worth it.
//!
//! It has two shelves. *New* peers were only heard of; *tried* ones said a proper hello, and only they are told of to others
//! and written down. So hearsay, however much there is of it, never displaces a peer that was good, and among hearsay
//! the source that said most gives way first: what a relay or one peer makes up crowds out only what it said itself. Whom to
//! dial is drawn from both shelves, and from the new one by source first, so that many entries are no more likely than few.
//!
//! Names cost nothing, and nor does a hello. So a tried peer has a [`Standing`]: it was only *greeted*, or it stayed with us and was
//! of use, as a *guest* that came to us or as one of our own *choice*. Who is to be dialled or told of is drawn by standing first. Of
//! too many tried peers one that was only greeted goes, again of the source that has most. Who has proved itself makes way only for
//! another that has, and only once it did not answer [`MAX_MISSES`] times in a row: whatever is said to us by whomever, those
//! who were good and still answer stay.
//!
//! A peer that was slow or tiresome is *discouraged*: it is dialled when nobody else can be. One that lied is *shunned*:
//! it is not dialled at all for a while.
//!
//! Bounds: [`MAX_TRIED`] tried peers, of which [`MAX_GUESTS`] are guests and [`MAX_CHOSEN`] our choice, and [`MAX_NEW`] new ones, of at
//! most [`MAX_PEER_ADDRESSES`] addresses; one peer can tell us of at most [`MAX_TOLD_BY_ONE`] that nobody else told of;
//! [`MAX_DISLIKED`] are discouraged or shunned.

mod shelf;
mod standing;
#[cfg(test)]
mod tests;

pub use standing::{GoodPeer, MAX_CHOSEN, MAX_GUESTS, Standing};

use std::collections::BTreeMap;

use tabchain_primitives::Timestamp;

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
/// Who did not answer so often in a row may lose its place to another.
pub const MAX_MISSES: u32 = 3;

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

#[derive(Debug)]
struct Entry {
    addresses: Vec<PeerAddress>,
    source: Source,
    /// Set for those on the tried shelf.
    tried: Option<Tried>,
    failures: u32,
    /// How often in a row it did not answer, though others did.
    misses: u32,
    retry_at: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Tried {
    standing: Standing,
    last_good: Timestamp,
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
            self.peers.insert(id, Entry::new(addresses, source));
        }
    }

    /// Notes a peer that was good in an earlier life.
    pub fn remember(&mut self, id: PeerId, good: GoodPeer) {
        let GoodPeer { standing, last_good, mut addresses } = good;
        addresses.truncate(MAX_PEER_ADDRESSES);
        self.peers.insert(id, Entry::new(addresses, Source::Remembered));
        self.put_on_tried_shelf(&id, standing, last_good);
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
    /// and so are the standings of tried and the sources of new ones. Discouraged peers are picked when no other is due.
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
        let id =
            if from_tried { self.draw_by_standing(&tried, rng) } else { self.draw_by_source(&new, rng) }?;
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
        let id =
            if from_tried { self.draw_by_standing(&tried, rng) } else { self.draw_by_source(&new, rng) }?;
        Some((id, self.attempt(&id, now)))
    }

    /// Whoever could not be reached may be tried at once, however often that has failed: the fault may have been ours. What
    /// is thought of peers stays.
    pub fn hurry(&mut self, now: Timestamp) {
        for entry in self.peers.values_mut() {
            entry.retry_at = entry.retry_at.min(now);
            entry.misses = 0;
        }
    }

    /// When the next peer that is not `taken` may be dialled.
    pub fn next_retry(&self, taken: impl Fn(&PeerId) -> bool) -> Option<Timestamp> {
        self.dialable(taken).map(|(id, entry)| self.retry_at(id, entry)).min()
    }

    /// A peer has earned a standing: it said a proper hello, or was of use after it had stayed for long. Gives what to write down of
    /// it, if it can be dialled again and nothing is held against it.
    pub fn good(
        &mut self,
        id: PeerId,
        address: Option<&PeerAddress>,
        earned: Standing,
        now: Timestamp,
    ) -> Option<GoodPeer> {
        if self.regard(&id, now).is_some() {
            return None;
        }
        if let Some(address) = address {
            self.add(id, vec![address.clone()], Source::Remembered, now);
        }
        let entry = self.peers.get_mut(&id)?;
        entry.retry_at = now.saturating_add(FIRST_RETRY_MS);
        entry.misses = 0;
        self.put_on_tried_shelf(&id, earned, now);
        let entry = self.peers.get(&id)?;
        let Tried { standing, last_good } = entry.tried?;
        Some(GoodPeer { standing, last_good, addresses: entry.addresses.clone() })
    }

    /// A peer was dialled and did not answer, though others can be reached.
    pub fn missed(&mut self, id: &PeerId) {
        if let Some(entry) = self.peers.get_mut(id) {
            entry.misses = entry.misses.saturating_add(1);
        }
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
        if entry.tried.take().is_some() {
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

    /// Some peers worth telling others about: those that were good, drawn by standing, without `but`.
    pub fn tell(&self, rng: &mut Rng, most: usize, but: &PeerId) -> Vec<PeerRecord> {
        let tried = self.peers.iter().filter(|(_, entry)| entry.is_tried() && !entry.addresses.is_empty());
        let mut left: Vec<PeerId> = tried.map(|(id, _)| *id).filter(|id| id != but).collect();
        let mut told = Vec::new();
        while told.len() < most
            && let Some(id) = self.draw_by_standing(&left, rng)
        {
            left.retain(|other| *other != id);
            told.push(PeerRecord { id, addresses: self.peers[&id].addresses.clone() });
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

    /// Draws a standing, then one of those who have it.
    fn draw_by_standing(&self, tried: &[PeerId], rng: &mut Rng) -> Option<PeerId> {
        self.draw_by(Entry::standing, tried, rng)
    }

    /// Draws a source, then one of its peers.
    fn draw_by_source(&self, new: &[PeerId], rng: &mut Rng) -> Option<PeerId> {
        self.draw_by(|entry| entry.source, new, rng)
    }

    fn draw_by<K: Ord>(&self, key: impl Fn(&Entry) -> K, ids: &[PeerId], rng: &mut Rng) -> Option<PeerId> {
        let mut groups: BTreeMap<K, Vec<PeerId>> = BTreeMap::new();
        for id in ids {
            groups.entry(key(&self.peers[id])).or_default().push(*id);
        }
        draw(draw(groups.into_values().collect(), rng)?, rng)
    }

    /// Counts an attempt to dial; gives where.
    fn attempt(&mut self, id: &PeerId, now: Timestamp) -> Vec<PeerAddress> {
        let entry = self.peers.get_mut(id).expect("it was drawn from the book");
        entry.retry_at = now.saturating_add(entry.count_attempt());
        entry.addresses.clone()
    }

    /// Makes room on the new shelf for what `source` said; false when there is none for it.
    fn make_room(&mut self, source: Source) -> bool {
        let said = self.by_source(|entry| !entry.is_tried());
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

    /// How many of some entries each source told of.
    fn by_source(&self, which: impl Fn(&Entry) -> bool) -> BTreeMap<Source, usize> {
        let mut told: BTreeMap<Source, usize> = BTreeMap::new();
        for entry in self.peers.values().filter(|entry| which(entry)) {
            *told.entry(entry.source).or_default() += 1;
        }
        told
    }

    /// Drops the new peer of a source that failed most often, if that is at least so often.
    fn drop_least(&mut self, source: Source, failures: u32) -> bool {
        let of_source = self.peers.iter().filter(|(_, entry)| !entry.is_tried() && entry.source == source);
        let least = of_source.max_by_key(|(_, entry)| entry.failures);
        let least = least.filter(|(_, entry)| entry.failures >= failures).map(|(id, _)| *id);
        least.is_some_and(|id| self.peers.remove(&id).is_some())
    }
}

impl Entry {
    fn new(addresses: Vec<PeerAddress>, source: Source) -> Self {
        Self { addresses, source, tried: None, failures: 0, misses: 0, retry_at: Timestamp::ZERO }
    }

    fn is_tried(&self) -> bool {
        self.tried.is_some()
    }

    fn standing(&self) -> Option<Standing> {
        self.tried.map(|tried| tried.standing)
    }

    fn last_good(&self) -> Option<Timestamp> {
        self.tried.map(|tried| tried.last_good)
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
