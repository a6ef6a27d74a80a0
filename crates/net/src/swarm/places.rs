//! Places: those that relays and other tabs keep for this node, and those that it keeps for its guests.

use libp2p::core::transport::ListenerId;
use libp2p::{Multiaddr, PeerId, relay};
use libp2p_webrtc_browser::Path;
use web_time::Instant;

use super::Net;
use crate::introducers::place_at;
use crate::message::NetEvent;

impl Net {
    /// Has one more of the tabs that this one is directly connected to keep a place for it, while there are too few.
    pub(super) fn ask_for_a_place(&mut self, now: Instant) {
        let direct =
            self.sessions.iter().filter(|(_, session)| session.path == Path::WebRtc).map(|(peer, _)| *peer);
        let Some(peer) = self.introducers.next(direct, now) else { return };
        match self.swarm.listen_on(place_at(peer)) {
            Ok(listener) => {
                self.introducers.on_asked(peer, listener);
                self.places.on_asked(listener, peer);
            }
            Err(error) => tracing::debug!(%peer, %error, "cannot listen at a peer"),
        }
    }

    /// A relay, or a tab, keeps a place for us, or keeps it longer.
    pub(super) fn on_place_kept(&mut self, keeper: PeerId, is_renewal: bool) -> Vec<NetEvent> {
        let now = Instant::now();
        if self.places.on_kept(&keeper, is_renewal, now) {
            return self.give_place_up(&keeper, now);
        }
        if !self.relays.on_reserved(&keeper) {
            return Vec::new();
        }
        // Whoever has just come waits for the first peers: asks who is there at once. It can be found itself only by
        // the address that comes with this place, which is known at the next tick: registers then, and asks again,
        // since others who came at this same moment had not registered either when asked first.
        self.discover(now);
        self.next_registration = now;
        self.next_discovery = now;
        self.relay_event(&keeper, true)
    }

    /// Where a place is kept for us, whoever keeps it is reached by this address too, it says.
    pub(super) fn on_place_address(&mut self, listener: ListenerId, address: Multiaddr) -> Vec<NetEvent> {
        match self.places.on_address(listener, address) {
            Some(keeper) => self.give_place_up(&keeper, Instant::now()),
            None => Vec::new(),
        }
    }

    pub(super) fn on_place_closed(&mut self, listener: ListenerId) -> Vec<NetEvent> {
        self.introducers.on_closed(listener, Instant::now());
        self.places.on_closed(listener).map_or_else(Vec::new, |keeper| self.lose_relay(&keeper))
    }

    /// Who keeps it asks too much of us for it. A tab is still good for all else.
    fn give_place_up(&mut self, keeper: &PeerId, now: Instant) -> Vec<NetEvent> {
        tracing::debug!(%keeper, "place given up");
        for listener in self.places.at(keeper) {
            self.swarm.remove_listener(listener);
        }
        if self.relays.address(keeper).is_none() {
            return Vec::new();
        }
        self.swarm.disconnect_peer_id(*keeper).ok();
        if self.relays.on_misbehaved(keeper, now) { self.relay_event(keeper, false) } else { Vec::new() }
    }

    /// A tab that keeps its place with us can be introduced to all others we are connected to.
    pub(super) fn on_guest(&mut self, event: &relay::Event) -> Option<NetEvent> {
        match event {
            relay::Event::ReservationReqAccepted { src_peer_id: guest, renewed: false } => {
                self.guests.insert(*guest);
                self.discovered(*guest, &[])
            }
            relay::Event::ReservationTimedOut { src_peer_id: guest }
            | relay::Event::ReservationClosed { src_peer_id: guest } => {
                self.guests.remove(guest);
                None
            }
            _ => None,
        }
    }
}
