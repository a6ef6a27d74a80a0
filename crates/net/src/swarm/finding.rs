//! How nodes learn of each other: relays are told where this one is, and asked who else is there.

use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use libp2p_webrtc_browser::Path;
use tabchain_rendezvous::Request;
use tabchain_sync::PeerAddress;
use web_time::Instant;

use super::Net;
use crate::address::{from_libp2p, is_dialable};
use crate::introducers::guest_address;
use crate::message::{MAX_ADDRESSES, NetEvent};
use crate::rendezvous::{Error, Event, Question};

/// How often the relays are asked who else is there: often while few are known.
const DISCOVER_LONELY: Duration = Duration::from_secs(3);
const DISCOVER: Duration = Duration::from_secs(30);
/// With this many sessions a node is no longer lonely.
const COMPANY: usize = 4;
/// Registrations are renewed well before a relay forgets them.
const REGISTER: Duration = Duration::from_mins(15);
/// A relay that would not tell of us, or could not be asked to, is asked again after this.
const REGISTER_AGAIN: Duration = Duration::from_mins(1);

impl Net {
    /// Has the relays tell others where this node is.
    pub(super) fn register(&mut self, now: Instant) {
        self.next_registration = now + REGISTER;
        let addresses: Vec<Multiaddr> = self.reachable_at().take(MAX_ADDRESSES).collect();
        if addresses.is_empty() {
            return;
        }
        match self.rendezvous.registration(addresses) {
            Ok(request) if self.ask_relays(&request) => {}
            Ok(_) => self.next_registration = now + REGISTER_AGAIN,
            Err(error) => tracing::warn!(%error, "cannot sign where this node is"),
        }
    }

    /// Asks the relays who else is there.
    pub(super) fn discover(&mut self, now: Instant) {
        let lonely = self.sessions.len() < COMPANY;
        self.next_discovery = now + if lonely { DISCOVER_LONELY } else { DISCOVER };
        self.ask_relays(&self.rendezvous.discovery());
    }

    /// Whether all relays that keep a place for us could be asked.
    fn ask_relays(&mut self, request: &Request) -> bool {
        let mut all = true;
        for relay in self.relays.reserved() {
            let behaviour = &mut self.swarm.behaviour_mut().rendezvous;
            if let Err(error) = self.rendezvous.ask(behaviour, relay, request.clone()) {
                tracing::debug!(%relay, %error, "relay not asked");
                all = false;
            }
        }
        all
    }

    pub(super) fn on_rendezvous(&mut self, event: Event) -> Vec<NetEvent> {
        let now = Instant::now();
        match event {
            Event::Registered { relay, holds } => {
                tracing::debug!(%relay, ?holds, "registered");
                self.next_registration = self.next_registration.min(now + holds / 2);
                Vec::new()
            }
            Event::Discovered { relay, records } => {
                self.relays.on_heard(&relay);
                let found = records.iter();
                found.filter_map(|record| self.discovered(record.peer_id(), record.addresses())).collect()
            }
            Event::Failed { relay, question, error } => {
                tracing::debug!(%relay, ?question, %error, "relay did not do what it was asked");
                if question == Question::Registration {
                    self.next_registration = self.next_registration.min(now + REGISTER_AGAIN);
                }
                if matches!(error, Error::Refused(_)) {
                    self.relays.on_heard(&relay);
                }
                Vec::new()
            }
        }
    }

    /// Where this node is has changed: whoever drives it is told, and the relays are with the next tick.
    pub(super) fn on_moved(&mut self) -> NetEvent {
        self.next_registration = Instant::now();
        let addresses = self.reachable_at().filter_map(|address| PeerAddress::new(address.to_string()).ok());
        NetEvent::Listening(addresses.take(MAX_ADDRESSES).collect())
    }

    /// Where others can reach this node: by `/webrtc` through its relays, or at its own sockets.
    fn reachable_at(&self) -> impl Iterator<Item = Multiaddr> {
        let direct = self.swarm.external_addresses().filter(|address| is_dialable(address));
        let sockets = self.swarm.listeners().filter(|address| Path::of_address(address) == Path::Other);
        direct.chain(sockets).cloned()
    }

    /// A peer that can be dialled, with the addresses that this kind of node can use and those that we can offer others.
    pub(super) fn discovered(&self, peer: PeerId, addresses: &[Multiaddr]) -> Option<NetEvent> {
        let local = *self.swarm.local_peer_id();
        if peer == local {
            return None;
        }
        let dialable = addresses.iter().filter(|address| is_dialable(address)).cloned();
        let guest = self.guests.contains(&peer).then(|| guest_address(local, peer));
        let addresses: Vec<PeerAddress> = guest
            .into_iter()
            .chain(dialable)
            .filter_map(|address| PeerAddress::new(address.to_string()).ok())
            .take(MAX_ADDRESSES)
            .collect();
        (!addresses.is_empty()).then_some(NetEvent::Discovered(from_libp2p(&peer)?, addresses))
    }
}
