//! Relays' lists of who is there: how nodes find each other, and through whom they signal. A list may be closed, be
//! crowded with names, or lie.

use tabchain_node::{Input, PeerAddress, PeerId};

use crate::events::What;
use crate::place::Place;
use crate::sim::Sim;

/// So many are told of at once.
const TOLD: usize = 16;
/// A node looks again so often, about.
const LOOK_EVERY_MS: u64 = 60_000;

/// Names a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rendezvous(usize);

/// A list of who is there.
#[derive(Debug, Default)]
pub(crate) struct List {
    closed: bool,
    members: Vec<Place>,
    /// If not empty, only these are told of.
    accomplices: Vec<Place>,
    /// So many are told of besides, each time others, who do not exist.
    nobodies: usize,
}

impl Sim {
    /// Opens a list with places on it.
    pub fn gather(&mut self, places: &[Place]) -> Rendezvous {
        self.lists.push(List::default());
        let list = Rendezvous(self.lists.len() - 1);
        self.register(list, places);
        list
    }

    /// Puts more places on a list. Whenever they are open, they look there for others.
    pub fn register(&mut self, list: Rendezvous, places: &[Place]) {
        for &place in places {
            self.lists[list.0].members.push(place);
            self.places[place.0].lists.push(list);
            self.look_soon(place);
        }
    }

    /// Closes a list: it tells nothing and nobody signals through it.
    pub fn close_rendezvous(&mut self, list: Rendezvous) {
        self.lists[list.0].closed = true;
    }

    /// Makes a list tell of nobody but these.
    pub fn bribe_rendezvous(&mut self, list: Rendezvous, accomplices: &[Place]) {
        self.lists[list.0].accomplices = accomplices.to_vec();
    }

    /// Makes a list tell, besides those who are there, of so many each time who do not exist.
    pub fn crowd_rendezvous(&mut self, list: Rendezvous, nobodies: usize) {
        self.lists[list.0].nobodies = nobodies;
    }

    /// A place that has just opened will look at its lists in a moment.
    pub(crate) fn look_soon(&mut self, place: Place) {
        if !self.places[place.0].lists.is_empty() {
            let soon = 100 + self.rng.below(900) as u64;
            self.schedule(self.now.saturating_add(soon), place, What::Look);
        }
    }

    /// A place looks who is there.
    pub(crate) fn look(&mut self, place: Place) {
        let lists = self.places[place.0].lists.clone();
        for list in lists {
            for _ in 0..self.lists[list.0].nobodies {
                let (id, address) = nobody(self.rng.draw());
                self.input(place, Input::Discovered(id, vec![address]));
            }
            for about in self.listed(list, place) {
                let id = self.places[about.0].id;
                self.input(place, Input::Discovered(id, vec![about.address()]));
            }
        }
        let later = LOOK_EVERY_MS / 2 + self.rng.below(usize::try_from(LOOK_EVERY_MS).unwrap_or(1)) as u64;
        self.schedule(self.now.saturating_add(later), place, What::Look);
    }

    /// Whether two places can exchange an offer and an answer: through a list that both are on, or through somebody that both
    /// are connected to. A world without lists doesn't ask.
    pub(crate) fn can_signal(&self, a: Place, b: Place) -> bool {
        if self.lists.is_empty() {
            return true;
        }
        let (ours, theirs) = (&self.places[a.0].lists, &self.places[b.0].lists);
        let listed = ours.iter().any(|list| theirs.contains(list) && !self.lists[list.0].closed);
        listed || {
            let near = self.network.neighbours(a);
            near.iter().any(|&between| self.network.connection(between, b).is_some())
        }
    }

    fn listed(&mut self, list: Rendezvous, to: Place) -> Vec<Place> {
        let list = &self.lists[list.0];
        if list.closed {
            return Vec::new();
        }
        let known = if list.accomplices.is_empty() { &list.members } else { &list.accomplices };
        let mut told = Vec::new();
        // Of a long list most draws hit somebody who is there; of a short one, some are told of twice.
        for _ in 0..2 * TOLD.min(known.len()) {
            let about = known[self.rng.below(known.len())];
            let there = self.places[about.0].node.is_some() && self.network.reach(about, to);
            if told.len() < TOLD && about != to && there && !told.contains(&about) {
                told.push(about);
            }
        }
        told
    }
}

/// Somebody who does not exist, and where.
fn nobody(number: u64) -> (PeerId, PeerAddress) {
    let id = PeerId::new(format!("nobody-{number:x}").as_bytes()).expect("a short name");
    (id, PeerAddress::new(format!("/nowhere/{number:x}")).expect("a short text"))
}
