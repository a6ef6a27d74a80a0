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
//! Bounds: requests and answers have those of `tabchain_rendezvous`; the number of registrations is capped in total and per
//! peer; a cookie is a number, and nothing is kept for it.

mod registry;

use std::iter;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::request_response::{self, ProtocolSupport};
use tabchain_rendezvous::{Answer, Codec, PROTOCOL, Request};

pub(crate) use registry::Registry;
use registry::{Query, Registration};

/// How long one request may take, and how many one connection may have under way.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_REQUESTS_UNDER_WAY: usize = 8;

/// The libp2p side: requests come out of it as events.
pub(crate) type Behaviour = request_response::Behaviour<Codec>;
/// What comes out of it.
pub(crate) type Event = request_response::Event<Request, Answer>;

/// What the rendezvous point did with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    Registered,
    RegistrationRefused,
    Unregistered,
    Discovered,
    DiscoveryRefused,
}

/// A behaviour that takes requests and makes none.
pub(crate) fn behaviour() -> Behaviour {
    let config = request_response::Config::default()
        .with_request_timeout(REQUEST_TIMEOUT)
        .with_max_concurrent_streams(MAX_REQUESTS_UNDER_WAY);
    Behaviour::with_codec(Codec, iter::once((PROTOCOL, ProtocolSupport::Inbound)), config)
}

/// Carries out what `peer` asks for, and gives the answer if the protocol has one for it.
pub(crate) fn serve(
    registry: &mut Registry,
    peer: PeerId,
    request: Request,
    now: Instant,
) -> (Served, Option<Answer>) {
    match request {
        Request::Register(wanted) => {
            let outcome =
                Registration::try_from(wanted).and_then(|wanted| registry.register(peer, wanted, now));
            let served = if outcome.is_ok() { Served::Registered } else { Served::RegistrationRefused };
            (served, Some(Answer::Registered(outcome)))
        }
        Request::Unregister(namespace) => {
            registry.unregister(peer, &namespace);
            (Served::Unregistered, None)
        }
        Request::Discover(wanted) => {
            let outcome = Query::try_from(wanted).map(|wanted| registry.discover(peer, &wanted, now));
            let served = if outcome.is_ok() { Served::Discovered } else { Served::DiscoveryRefused };
            (served, Some(Answer::Discovered(outcome)))
        }
    }
}
