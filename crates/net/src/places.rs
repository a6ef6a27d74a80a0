//! The places that relays, and tabs that introduce, keep for us: how much they may make of it.
//!
//! libp2p remembers every address that whoever keeps a place names with it, and asks again when the time is nearly over that it
//! was given, however short that is. One that names new addresses all the time, for no time at all, would have us ask as fast
//! as it answers, and fill our memory. Here is said when it is too much: then the place is given up. Pure: time comes in.
//!
//! Bounds: a place has at most [`MAX_ADDRESSES`] addresses, those of one more message aside, and is not renewed within
//! [`SOONEST`]. There is a place for each relay that is used and each introducer, and for none that is given up.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use libp2p::core::transport::ListenerId;
use libp2p::{Multiaddr, PeerId};
use web_time::Instant;

/// How many addresses a place may have: those of a relay's interfaces and names.
const MAX_ADDRESSES: usize = 32;
/// A place that is to be renewed sooner is none.
const SOONEST: Duration = Duration::from_secs(5);

struct Place {
    keeper: PeerId,
    addresses: HashSet<Multiaddr>,
    renewed: Option<Instant>,
}

/// The places that were asked for, by who listens there.
#[derive(Default)]
pub(crate) struct Places(HashMap<ListenerId, Place>);

impl Places {
    /// Somebody is asked to keep a place, for this listener.
    pub(crate) fn on_asked(&mut self, listener: ListenerId, keeper: PeerId) {
        self.0.insert(listener, Place { keeper, addresses: HashSet::new(), renewed: None });
    }

    /// A listener is reached by one more address. Returns who named it if these are too many.
    pub(crate) fn on_address(&mut self, listener: ListenerId, address: Multiaddr) -> Option<PeerId> {
        let place = self.0.get_mut(&listener)?;
        if place.addresses.contains(&address) {
            return None;
        }
        if place.addresses.len() == MAX_ADDRESSES {
            return Some(place.keeper);
        }
        place.addresses.insert(address);
        None
    }

    /// A place is kept, or kept longer. Returns whether that was said too soon after the last time.
    pub(crate) fn on_kept(&mut self, keeper: &PeerId, is_renewal: bool, now: Instant) -> bool {
        let mut too_soon = false;
        for place in self.0.values_mut().filter(|place| place.keeper == *keeper) {
            let last = place.renewed.replace(now);
            too_soon |= last.is_some_and(|last| is_renewal && now.saturating_duration_since(last) < SOONEST);
        }
        too_soon
    }

    /// The listeners at somebody who keeps places.
    pub(crate) fn at(&self, keeper: &PeerId) -> Vec<ListenerId> {
        let at = self.0.iter().filter(|(_, place)| place.keeper == *keeper);
        at.map(|(listener, _)| *listener).collect()
    }

    /// A listener closed. Returns who kept the place, if there was one.
    pub(crate) fn on_closed(&mut self, listener: ListenerId) -> Option<PeerId> {
        let place = self.0.remove(&listener)?;
        place.renewed.map(|_| place.keeper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> (Places, ListenerId, PeerId) {
        let (mut places, listener, keeper) = (Places::default(), ListenerId::next(), PeerId::random());
        places.on_asked(listener, keeper);
        (places, listener, keeper)
    }

    #[test]
    fn a_place_has_so_many_addresses_and_may_say_them_again() {
        let (mut places, listener, keeper) = asked();
        let address = |port| format!("/ip4/127.0.0.1/tcp/{port}").parse::<Multiaddr>().expect("valid");
        for _ in 0..3 {
            for port in 1..=32 {
                assert_eq!(places.on_address(listener, address(port)), None);
            }
        }
        assert_eq!(places.on_address(listener, address(33)), Some(keeper));
        assert_eq!(places.on_address(ListenerId::next(), address(33)), None, "a socket of ours");
    }

    #[test]
    fn a_place_is_not_renewed_too_soon_but_may_be_found_anew() {
        let (mut places, listener, keeper) = asked();
        let now = Instant::now();
        assert!(!places.on_kept(&keeper, false, now));
        assert!(!places.on_kept(&keeper, true, now + SOONEST));
        assert!(places.on_kept(&keeper, true, now + SOONEST.mul_f64(1.99)));
        assert!(!places.on_kept(&PeerId::random(), true, now));
        assert_eq!(places.at(&keeper), [listener]);

        assert_eq!(places.on_closed(listener), Some(keeper));
        assert_eq!(places.on_closed(listener), None);
        places.on_asked(listener, keeper);
        assert!(!places.on_kept(&keeper, false, now), "the connection is another");
        let refused = ListenerId::next();
        places.on_asked(refused, keeper);
        assert_eq!(places.on_closed(refused), None, "it never was kept");
    }
}
