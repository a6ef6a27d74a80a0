//! Who is registered, and the rules for it. No I/O and no clock: the time is an argument.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use tabchain_rendezvous::{
    Discover, Found, MAX_ANSWER, MAX_FOUND, MAX_NAMESPACE, MAX_TTL, MIN_TTL, Refusal, Register,
};

/// What an answer takes beside its registrations, in bytes: its status, and the longest cookie.
const AROUND_ALL: usize = 512;
/// What a registration takes in an answer beside its namespace and its record.
const AROUND_ONE: usize = 32;

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

impl TryFrom<Register> for Registration {
    type Error = Refusal;

    fn try_from(wanted: Register) -> Result<Self, Refusal> {
        let namespace = wanted.namespace.as_ref().filter(|name| (1..=MAX_NAMESPACE).contains(&name.len()));
        let namespace = namespace.ok_or(Refusal::Namespace)?.clone();
        let ttl = wanted.ttl.unwrap_or(MAX_TTL);
        if !(MIN_TTL..=MAX_TTL).contains(&ttl) {
            return Err(Refusal::Ttl);
        }
        // A record that clients can't read would only take up room.
        let owner = wanted.signed_record()?.peer_id();
        Ok(Self { namespace, owner, record: wanted.record.ok_or(Refusal::Record)?, ttl })
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
        Ok(Self { namespace, since, limit: limit.min(MAX_FOUND) })
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

/// What is left of an answer.
struct Room {
    registrations: usize,
    bytes: usize,
}

impl Room {
    fn new(registrations: usize) -> Self {
        Self { registrations, bytes: MAX_ANSWER - AROUND_ALL }
    }

    /// Whether one more fits, which takes up its room.
    fn takes(&mut self, entry: &Entry) -> bool {
        let bytes = entry.namespace.len() + entry.record.len() + AROUND_ONE;
        if self.registrations == 0 || self.bytes < bytes {
            return false;
        }
        self.registrations -= 1;
        self.bytes -= bytes;
        true
    }
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

    /// Others than `asker` that match the query, as many as an answer has room for, with a cookie for what is new then.
    pub(super) fn discover(&mut self, asker: PeerId, query: &Query, now: Instant) -> Found {
        let matches = |entry: &Entry| {
            let named = query.namespace.as_ref().is_none_or(|name| *name == entry.namespace);
            named && entry.peer != asker && entry.expires > now
        };
        let mut room = Room::new(query.limit);
        let total = self.entries.len();
        let mut chosen: Vec<&Entry>;
        let mut told = self.newest;
        if let Some(since) = &query.since {
            chosen =
                self.entries.iter().filter(|entry| matches(entry) && entry.number > since.told).collect();
            chosen.sort_unstable_by_key(|entry| entry.number);
            let fitting = chosen.iter().take_while(|entry| room.takes(entry)).count();
            if chosen.len() > fitting {
                chosen.truncate(fitting);
                told = chosen.last().map_or(since.told, |entry| entry.number);
            }
        } else {
            let (before, after) = self.entries.split_at(self.cursor.min(total));
            let around = after.iter().chain(before).enumerate().filter(|(_, entry)| matches(entry));
            let (steps, found): (Vec<usize>, Vec<&Entry>) =
                around.take_while(|(_, entry)| room.takes(entry)).unzip();
            if let Some(last) = steps.last() {
                self.cursor = (self.cursor.min(total) + last + 1) % total;
            }
            chosen = found;
        }
        let registrations = chosen.into_iter().map(|entry| Register {
            namespace: Some(entry.namespace.clone()),
            record: Some(entry.record.clone()),
            ttl: Some(entry.expires.duration_since(now).as_secs()),
        });
        let cookie = Cookie { told, namespace: query.namespace.clone().unwrap_or_default() };
        Found { registrations: registrations.collect(), cookie: cookie.to_bytes() }
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
    use futures::executor::block_on;
    use futures::io::Cursor;
    use libp2p::request_response::Codec as _;
    use tabchain_rendezvous::{Answer, Codec, MAX_REQUEST, PROTOCOL};

    use super::*;

    const SPACE: &str = "tabchain/dev";

    fn registry(total: u32, per_peer: u32) -> Registry {
        Registry::new(NonZeroU32::new(total).unwrap(), NonZeroU32::new(per_peer).unwrap())
    }

    /// A registration whose record is a label: signatures are checked before the registry.
    fn wanted(owner: PeerId, namespace: &str, label: u8) -> Registration {
        Registration { namespace: namespace.to_owned(), owner, record: vec![label], ttl: 60 }
    }

    fn query(limit: usize, cookie: Option<Vec<u8>>) -> Query {
        let since = cookie.map(|bytes| Cookie::from_bytes(&bytes).expect("one of ours"));
        Query { namespace: Some(SPACE.to_owned()), since, limit }
    }

    fn labels(found: &Found) -> Vec<u8> {
        found.registrations.iter().map(|found| found.record.as_ref().expect("it has one")[0]).collect()
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
        let mut ask = |asker| labels(&registry.discover(asker, &query(3, None), now));
        assert_eq!([ask(asker), ask(asker)], [vec![0, 1, 2], vec![3, 4, 0]]);
        assert_eq!(ask(peers[1]), [2, 3, 4], "nobody is offered themselves");
    }

    #[test]
    fn a_cookie_gives_what_is_new_in_order_and_nothing_twice() {
        let now = Instant::now();
        let (mut registry, peers) = filled(2, now);
        let asker = PeerId::random();
        let first = registry.discover(asker, &query(10, None), now);
        assert_eq!(first.registrations.len(), 2);
        for label in 2..5 {
            let peer = PeerId::random();
            registry.register(peer, wanted(peer, SPACE, label), now).unwrap();
        }
        registry.register(peers[0], wanted(peers[0], SPACE, 9), now).unwrap();
        let second = registry.discover(asker, &query(2, Some(first.cookie)), now);
        assert_eq!(labels(&second), [2, 3]);
        let third = registry.discover(asker, &query(2, Some(second.cookie)), now);
        assert_eq!(labels(&third), [4, 9], "a renewed registration is new");
        assert_eq!(registry.discover(asker, &query(2, Some(third.cookie)), now).registrations, []);
    }

    /// Whoever registers much can't make answers too large to be read: then nobody would be found.
    #[test]
    fn an_answer_holds_what_can_be_read_and_the_rest_comes_with_the_next() {
        let now = Instant::now();
        let mut registry = registry(100, 1);
        let [namespace, record] = ["n".repeat(MAX_NAMESPACE), "r".repeat(MAX_REQUEST - MAX_NAMESPACE - 16)];
        for label in 0..40 {
            let owner = PeerId::random();
            let record = [&[label], record.as_bytes()].concat();
            let large = Registration { namespace: namespace.clone(), owner, record, ttl: MAX_TTL };
            registry.register(owner, large, now).unwrap();
        }
        let asker = PeerId::random();
        let ask = |registry: &mut Registry, since: Option<Vec<u8>>| {
            let since = since.map(|bytes| Cookie::from_bytes(&bytes).expect("one of ours"));
            registry.discover(asker, &Query { namespace: Some(namespace.clone()), since, limit: 64 }, now)
        };
        let turns = [(); 3].map(|()| ask(&mut registry, None));
        for found in &turns {
            let mut wire = Cursor::new(Vec::new());
            let answer = Answer::Discovered(Ok(found.clone()));
            block_on(Codec.write_response(&PROTOCOL, &mut wire, answer.clone())).unwrap();
            wire.set_position(0);
            assert_eq!(block_on(Codec.read_response(&PROTOCOL, &mut wire)).unwrap(), answer);
        }
        let told: Vec<u8> = turns.iter().flat_map(labels).collect();
        assert_eq!(told, (0..40).chain(0..5).collect::<Vec<_>>(), "fifteen at a time");

        let start = Cookie { told: 0, namespace: namespace.clone() }.to_bytes();
        let first = ask(&mut registry, Some(start));
        let second = ask(&mut registry, Some(first.cookie.clone()));
        assert_eq!([labels(&first), labels(&second)].concat(), (0..30).collect::<Vec<_>>());
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
        let found = registry.discover(peers[0], &query(9, None), now);
        assert_eq!(found.registrations, [], "an empty registry has no cursor to turn");
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
        assert_eq!(discover(SPACE, &cookie), Ok(MAX_FOUND));
        assert_eq!(discover(SPACE, &[]), Ok(MAX_FOUND));
        assert_eq!(discover("another", &cookie), Err(Refusal::Cookie));
        assert_eq!(discover(SPACE, &cookie[..7]), Err(Refusal::Cookie));
        let register = |namespace: usize, ttl, record: &[u8]| {
            let namespace = Some("n".repeat(namespace));
            let wanted = Register { namespace, ttl, record: Some(record.into()) };
            Registration::try_from(wanted).err()
        };
        assert_eq!(register(0, None, b""), Some(Refusal::Namespace));
        assert_eq!(register(256, None, b""), Some(Refusal::Namespace));
        assert_eq!(register(255, Some(29), b""), Some(Refusal::Ttl));
        assert_eq!(register(255, Some(7_201), b""), Some(Refusal::Ttl));
        assert_eq!(register(255, Some(30), b"no record"), Some(Refusal::Record));
    }
}
