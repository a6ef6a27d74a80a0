//! Who is registered, and the rules for it. No I/O and no clock: the time is an argument.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::core::{PeerRecord, SignedEnvelope};
use thiserror::Error;

use super::MAX_DISCOVERED;
use super::wire::{Discover, Kind, Register, Wire};

/// The longest namespace, in bytes, that the specification allows.
const MAX_NAMESPACE: usize = 255;

/// The shortest registration, in seconds: renewing more often than every half of this would be noise.
const MIN_TTL: u64 = 30;

/// The longest registration, in seconds, and what is meant when none is asked for.
const MAX_TTL: u64 = 2 * 60 * 60;

/// Why something is refused; each has its status in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error("the namespace must be 1 to 255 bytes")]
    Namespace,
    #[error("no valid signed peer record")]
    Record,
    #[error("the time must be between 30 seconds and two hours")]
    Ttl,
    #[error("not a cookie of this namespace")]
    Cookie,
    #[error("the record is another peer's")]
    NotYours,
    #[error("no room for another registration")]
    Full,
}

/// Not a request at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nonsense;

/// A request with its form checked.
pub(super) enum Request {
    Register(Result<Registration, Refusal>),
    Unregister(String),
    Discover(Result<Query, Refusal>),
}

/// A registration that a peer asks for.
pub(super) struct Registration {
    namespace: String,
    owner: PeerId,
    /// The signed envelope, as it is handed on.
    record: Vec<u8>,
    /// Seconds.
    ttl: u64,
}

/// What a peer wants to know.
pub(super) struct Query {
    namespace: Option<String>,
    since: Option<Cookie>,
    limit: usize,
}

/// One registration, as discovery tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) namespace: String,
    pub(super) record: Vec<u8>,
    /// The seconds that are left of it.
    pub(super) ttl: u64,
}

/// How far a peer has been told: up to a registration's number, in one namespace or (empty) in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cookie {
    told: u64,
    namespace: String,
}

impl Cookie {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        [&self.told.to_be_bytes()[..], self.namespace.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (told, namespace) = bytes.split_first_chunk()?;
        Some(Self { told: u64::from_be_bytes(*told), namespace: String::from_utf8(namespace.to_vec()).ok()? })
    }
}

impl TryFrom<Wire> for Request {
    type Error = Nonsense;

    fn try_from(message: Wire) -> Result<Self, Nonsense> {
        match message.kind.map(Kind::try_from) {
            Some(Ok(Kind::Register)) => Ok(Self::Register(message.register.ok_or(Nonsense)?.try_into())),
            Some(Ok(Kind::Discover)) => Ok(Self::Discover(message.discover.ok_or(Nonsense)?.try_into())),
            Some(Ok(Kind::Unregister)) => {
                Ok(Self::Unregister(message.unregister.and_then(|wanted| wanted.namespace).ok_or(Nonsense)?))
            }
            _ => Err(Nonsense),
        }
    }
}

impl TryFrom<Register> for Registration {
    type Error = Refusal;

    fn try_from(wanted: Register) -> Result<Self, Refusal> {
        let namespace = wanted.namespace.filter(|name| (1..=MAX_NAMESPACE).contains(&name.len()));
        let namespace = namespace.ok_or(Refusal::Namespace)?;
        let ttl = wanted.ttl.unwrap_or(MAX_TTL);
        if !(MIN_TTL..=MAX_TTL).contains(&ttl) {
            return Err(Refusal::Ttl);
        }
        // A record that clients can't read would spoil the whole answer it is handed on in.
        let record = wanted.signed_peer_record.ok_or(Refusal::Record)?;
        let envelope = SignedEnvelope::from_protobuf_encoding(&record).map_err(|_| Refusal::Record)?;
        let owner = PeerRecord::from_signed_envelope(envelope).map_err(|_| Refusal::Record)?.peer_id();
        Ok(Self { namespace, owner, record, ttl })
    }
}

impl TryFrom<Discover> for Query {
    type Error = Refusal;

    fn try_from(wanted: Discover) -> Result<Self, Refusal> {
        let namespace = wanted.namespace.filter(|name| !name.is_empty());
        let since = wanted.cookie.filter(|bytes| !bytes.is_empty()).map(|bytes| Cookie::from_bytes(&bytes));
        let since = match since {
            None => None,
            Some(Some(cookie)) if cookie.namespace == namespace.as_deref().unwrap_or("") => Some(cookie),
            Some(_) => return Err(Refusal::Cookie),
        };
        let limit = wanted.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        Ok(Self { namespace, since, limit: limit.min(MAX_DISCOVERED) })
    }
}

/// All registrations.
///
/// Bound: `max_total` entries of at most one request's size, and an index of the same length.
#[derive(Debug)]
pub(crate) struct Registry {
    max_total: usize,
    max_per_peer: usize,
    /// In the order in which discovery goes round; removing one puts the last into its place.
    entries: Vec<Entry>,
    places: HashMap<PeerId, Vec<usize>>,
    /// The number of the newest registration.
    newest: u64,
    /// Where the next discovery without a cookie begins.
    cursor: usize,
}

#[derive(Debug)]
struct Entry {
    peer: PeerId,
    namespace: String,
    record: Vec<u8>,
    expires: Instant,
    number: u64,
}

impl Registry {
    /// Empty, for at most so many registrations.
    pub(crate) fn new(max_total: NonZeroU32, max_per_peer: NonZeroU32) -> Self {
        let size =
            |limit: NonZeroU32| usize::try_from(limit.get()).expect("a usize has at least 32 bits here");
        Self {
            max_total: size(max_total),
            max_per_peer: size(max_per_peer),
            entries: Vec::new(),
            places: HashMap::new(),
            newest: 0,
            cursor: 0,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds or renews a registration of `peer`, and gives the seconds it holds.
    pub(super) fn register(
        &mut self,
        peer: PeerId,
        wanted: Registration,
        now: Instant,
    ) -> Result<u64, Refusal> {
        let Registration { namespace, owner, record, ttl } = wanted;
        if owner != peer {
            return Err(Refusal::NotYours);
        }
        let number = self.newest + 1;
        let entry = Entry { peer, namespace, record, expires: now + Duration::from_secs(ttl), number };
        if let Some(place) = self.place_of(peer, &entry.namespace) {
            self.entries[place] = entry;
        } else {
            if self.entries.len() >= self.max_total {
                self.expire(now);
            }
            let held = self.places.get(&peer).map_or(0, Vec::len);
            if self.entries.len() >= self.max_total || held >= self.max_per_peer {
                return Err(Refusal::Full);
            }
            self.places.entry(peer).or_default().push(self.entries.len());
            self.entries.push(entry);
        }
        self.newest = number;
        Ok(ttl)
    }

    /// Takes back the registration of `peer` in `namespace`, if there is one.
    pub(super) fn unregister(&mut self, peer: PeerId, namespace: &str) {
        if let Some(place) = self.place_of(peer, namespace) {
            self.remove(place);
        }
    }

    /// Forgets a peer that is gone.
    pub(crate) fn forget(&mut self, peer: PeerId) {
        while let Some(&place) = self.places.get(&peer).and_then(|places| places.last()) {
            self.remove(place);
        }
    }

    /// Forgets what has run out of time.
    pub(crate) fn expire(&mut self, now: Instant) {
        for place in (0..self.entries.len()).rev() {
            if self.entries[place].expires <= now {
                self.remove(place);
            }
        }
    }

    /// Others than `asker` that match the query, and how far it has now been told.
    pub(super) fn discover(&mut self, asker: PeerId, query: &Query, now: Instant) -> (Vec<Found>, Cookie) {
        let matches = |entry: &Entry| {
            let named = query.namespace.as_ref().is_none_or(|name| *name == entry.namespace);
            named && entry.peer != asker && entry.expires > now
        };
        let total = self.entries.len();
        let mut chosen: Vec<&Entry>;
        let mut told = self.newest;
        if let Some(since) = &query.since {
            chosen =
                self.entries.iter().filter(|entry| matches(entry) && entry.number > since.told).collect();
            chosen.sort_unstable_by_key(|entry| entry.number);
            if chosen.len() > query.limit {
                chosen.truncate(query.limit);
                told = chosen.last().map_or(since.told, |entry| entry.number);
            }
        } else {
            let (before, after) = self.entries.split_at(self.cursor.min(total));
            let around = after.iter().chain(before).enumerate().filter(|(_, entry)| matches(entry));
            let (steps, found): (Vec<usize>, Vec<&Entry>) = around.take(query.limit).unzip();
            if let Some(last) = steps.last() {
                self.cursor = (self.cursor.min(total) + last + 1) % total;
            }
            chosen = found;
        }
        let found = chosen.into_iter().map(|entry| Found {
            namespace: entry.namespace.clone(),
            record: entry.record.clone(),
            ttl: entry.expires.duration_since(now).as_secs(),
        });
        (found.collect(), Cookie { told, namespace: query.namespace.clone().unwrap_or_default() })
    }

    fn place_of(&self, peer: PeerId, namespace: &str) -> Option<usize> {
        let places = self.places.get(&peer)?;
        places.iter().copied().find(|place| self.entries[*place].namespace == namespace)
    }

    fn remove(&mut self, place: usize) {
        let removed = self.entries.swap_remove(place);
        let places = self.places.get_mut(&removed.peer).expect("every entry is in its peer's places");
        places.retain(|known| *known != place);
        if places.is_empty() {
            self.places.remove(&removed.peer);
        }
        if let Some(moved) = self.entries.get(place) {
            let places = self.places.get_mut(&moved.peer).expect("every entry is in its peer's places");
            let old = places.iter_mut().find(|known| **known == self.entries.len());
            *old.expect("the last entry's place was known") = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: &str = "tabchain/dev";

    fn registry(total: u32, per_peer: u32) -> Registry {
        Registry::new(NonZeroU32::new(total).unwrap(), NonZeroU32::new(per_peer).unwrap())
    }

    /// A registration whose record is a label: signatures are checked before the registry.
    fn wanted(owner: PeerId, namespace: &str, label: u8) -> Registration {
        Registration { namespace: namespace.to_owned(), owner, record: vec![label], ttl: 60 }
    }

    fn query(limit: usize, since: Option<Cookie>) -> Query {
        Query { namespace: Some(SPACE.to_owned()), since, limit }
    }

    fn labels(found: &[Found]) -> Vec<u8> {
        found.iter().map(|found| found.record[0]).collect()
    }

    fn filled(count: u8, now: Instant) -> (Registry, Vec<PeerId>) {
        let mut registry = registry(100, 2);
        let peers: Vec<PeerId> = (0..count).map(|_| PeerId::random()).collect();
        for (label, peer) in (0..).zip(&peers) {
            registry.register(*peer, wanted(*peer, SPACE, label), now).unwrap();
        }
        (registry, peers)
    }

    #[test]
    fn discovery_goes_round_so_that_all_are_offered_equally() {
        let now = Instant::now();
        let (mut registry, peers) = filled(5, now);
        let asker = PeerId::random();
        let mut ask = |asker| labels(&registry.discover(asker, &query(3, None), now).0);
        assert_eq!([ask(asker), ask(asker)], [vec![0, 1, 2], vec![3, 4, 0]]);
        assert_eq!(ask(peers[1]), [2, 3, 4], "nobody is offered themselves");
    }

    #[test]
    fn a_cookie_gives_what_is_new_in_order_and_nothing_twice() {
        let now = Instant::now();
        let (mut registry, peers) = filled(2, now);
        let asker = PeerId::random();
        let (found, cookie) = registry.discover(asker, &query(10, None), now);
        assert_eq!(found.len(), 2);
        for label in 2..5 {
            let peer = PeerId::random();
            registry.register(peer, wanted(peer, SPACE, label), now).unwrap();
        }
        registry.register(peers[0], wanted(peers[0], SPACE, 9), now).unwrap();
        let (found, cookie) = registry.discover(asker, &query(2, Some(cookie)), now);
        assert_eq!(labels(&found), [2, 3]);
        let (found, cookie) = registry.discover(asker, &query(2, Some(cookie)), now);
        assert_eq!(labels(&found), [4, 9], "a renewed registration is new");
        assert!(registry.discover(asker, &query(2, Some(cookie)), now).0.is_empty());
    }

    #[test]
    fn the_caps_hold_and_renewing_needs_no_room() {
        let now = Instant::now();
        let mut registry = registry(3, 2);
        let [alice, bob, carol] = [(); 3].map(|()| PeerId::random());
        let mut register = |peer, space, at| registry.register(peer, wanted(peer, space, 0), at);
        assert_eq!(register(alice, "a", now), Ok(60));
        assert_eq!(register(alice, "b", now), Ok(60));
        assert_eq!(register(alice, "c", now), Err(Refusal::Full), "two a peer");
        assert_eq!(register(bob, "a", now), Ok(60));
        assert_eq!(register(carol, "a", now), Err(Refusal::Full), "three in all");
        assert_eq!(register(bob, "a", now), Ok(60), "renewing");
        assert_eq!(register(carol, "a", now + Duration::from_mins(1)), Ok(60), "time made room");
    }

    #[test]
    fn another_peers_record_is_refused() {
        let (thief, owner) = (PeerId::random(), PeerId::random());
        let stolen = wanted(owner, SPACE, 0);
        assert_eq!(registry(3, 2).register(thief, stolen, Instant::now()), Err(Refusal::NotYours));
    }

    #[test]
    fn the_index_follows_every_removal() {
        let now = Instant::now();
        let (mut registry, peers) = filled(6, now);
        registry.unregister(peers[0], SPACE);
        registry.unregister(peers[0], SPACE);
        registry.forget(peers[5]);
        registry.forget(peers[2]);
        assert_eq!(registry.len(), 3);
        for peer in [1, 3, 4] {
            let place = registry.place_of(peers[peer], SPACE).unwrap();
            assert_eq!(registry.entries[place].peer, peers[peer]);
        }
        registry.expire(now + Duration::from_mins(1));
        assert_eq!((registry.len(), registry.places.len()), (0, 0));
        assert!(
            registry.discover(peers[0], &query(9, None), now).0.is_empty(),
            "an empty registry has no cursor to turn"
        );
    }

    #[test]
    fn requests_out_of_form_are_refused_for_what_is_wrong() {
        let discover = |namespace: &str, cookie: &[u8]| {
            let wanted = Discover {
                namespace: Some(namespace.into()),
                cookie: Some(cookie.into()),
                limit: Some(u64::MAX),
            };
            Query::try_from(wanted).map(|query| query.limit)
        };
        let cookie = Cookie { told: 7, namespace: SPACE.to_owned() }.to_bytes();
        assert_eq!(discover(SPACE, &cookie), Ok(MAX_DISCOVERED));
        assert_eq!(discover(SPACE, &[]), Ok(MAX_DISCOVERED));
        assert_eq!(discover("another", &cookie), Err(Refusal::Cookie));
        assert_eq!(discover(SPACE, &cookie[..7]), Err(Refusal::Cookie));
        let register = |namespace: usize, ttl, record: &[u8]| {
            let namespace = Some("n".repeat(namespace));
            let wanted = Register { namespace, ttl, signed_peer_record: Some(record.into()) };
            Registration::try_from(wanted).err()
        };
        assert_eq!(register(0, None, b""), Some(Refusal::Namespace));
        assert_eq!(register(256, None, b""), Some(Refusal::Namespace));
        assert_eq!(register(255, Some(29), b""), Some(Refusal::Ttl));
        assert_eq!(register(255, Some(7_201), b""), Some(Refusal::Ttl));
        assert_eq!(register(255, Some(30), b"no record"), Some(Refusal::Record));
        assert!(Request::try_from(Wire::registered(60)).is_err(), "a response is no request");
    }
}
