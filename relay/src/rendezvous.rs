//! The rendezvous point (libp2p rendezvous 1.0.0): tabs register here under their network's name, and find each other.
//!
//! Written here and not taken from libp2p, whose server keeps a registration until its time runs out, so that a closed tab
//! is offered for hours, keeps every renewed one beside the new, and remembers for each cookie all it has told.
//!
//! - A registration ends with its time, or with the last connection of its peer: who is gone is not offered.
//! - Renewing replaces, and is always possible, however full the relay is.
//! - Discovery without a cookie begins where the one before it ended, so that everyone is offered equally often. With a
//!   cookie it tells only what was registered since.
//!
//! Bounds: requests are at most 4 KiB and answers at most [`MAX_DISCOVERED`] registrations; the number of registrations is
//! capped in total and per peer; a cookie is a number, and nothing is kept for it.

mod registry;
mod wire;

use std::iter;
use std::time::{Duration, Instant};

use libp2p::request_response::{self, ProtocolSupport};
use libp2p::{PeerId, StreamProtocol};

pub(crate) use registry::Registry;
use registry::{Nonsense, Request};
pub(crate) use wire::{RendezvousCodec, Wire};

/// The most registrations in one answer.
pub(crate) const MAX_DISCOVERED: usize = 64;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/rendezvous/1.0.0");

/// How long one request may take, and how many one connection may have under way.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_REQUESTS_UNDER_WAY: usize = 8;

/// The libp2p side: requests come out of it as events.
pub(crate) type Behaviour = request_response::Behaviour<RendezvousCodec>;

/// What the rendezvous point did with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    Registered,
    RegistrationRefused,
    Unregistered,
    Discovered,
    DiscoveryRefused,
    /// A response, or nothing that the protocol knows.
    Nonsense,
}

/// A behaviour that takes requests and makes none.
pub(crate) fn behaviour() -> Behaviour {
    let config = request_response::Config::default()
        .with_request_timeout(REQUEST_TIMEOUT)
        .with_max_concurrent_streams(MAX_REQUESTS_UNDER_WAY);
    Behaviour::with_codec(RendezvousCodec, iter::once((PROTOCOL, ProtocolSupport::Inbound)), config)
}

/// Carries out what `peer` asks for, and gives the answer if the protocol has one for it.
pub(crate) fn serve(
    registry: &mut Registry,
    peer: PeerId,
    message: Wire,
    now: Instant,
) -> (Served, Option<Wire>) {
    match Request::try_from(message) {
        Ok(Request::Register(wanted)) => match wanted.and_then(|wanted| registry.register(peer, wanted, now))
        {
            Ok(ttl) => (Served::Registered, Some(Wire::registered(ttl))),
            Err(refusal) => (Served::RegistrationRefused, Some(Wire::not_registered(refusal))),
        },
        Ok(Request::Unregister(namespace)) => {
            registry.unregister(peer, &namespace);
            (Served::Unregistered, None)
        }
        Ok(Request::Discover(wanted)) => match wanted.map(|wanted| registry.discover(peer, &wanted, now)) {
            Ok((found, cookie)) => (Served::Discovered, Some(Wire::discovered(found, &cookie))),
            Err(refusal) => (Served::DiscoveryRefused, Some(Wire::not_discovered(refusal))),
        },
        Err(Nonsense) => (Served::Nonsense, None),
    }
}
