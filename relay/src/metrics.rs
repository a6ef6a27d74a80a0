//! What the relay counts, in the `OpenMetrics` text form.
//!
//! No label takes a value that a peer chooses, so the number of series is fixed.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every counter and gauge; the parts of the relay hold it behind one `Arc`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// libp2p connections that are open.
    pub connections: Gauge,
    /// libp2p connections turned away, most of them by a limit.
    pub connections_refused: Counter,
    /// Bytes of libp2p streams, by direction.
    pub transport: Family<Way, Counter>,
    /// Bytes that came in to be passed on through circuits, with the few of each circuit's handshake.
    pub circuit_bytes: Counter,
    /// Peers that hold a reservation.
    pub reservations: Gauge,
    /// Reservation requests, by what became of them.
    pub reservation_requests: Family<Answer, Counter>,
    /// Circuits that are open.
    pub circuits: Gauge,
    /// Circuit requests, by what became of them.
    pub circuit_requests: Family<Answer, Counter>,
    /// Rendezvous registrations that are held.
    pub registrations: Gauge,
    /// Rendezvous registration requests, by what became of them.
    pub registration_requests: Family<Answer, Counter>,
    /// Rendezvous discoveries, by what became of them.
    pub discoveries: Family<Answer, Counter>,
    /// STUN packets, by what became of them.
    pub stun: Family<Packet, Counter>,
    /// HTTP requests, by route and status.
    pub http: Family<Answered, Counter>,
}

/// The way bytes go, as the relay sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Way {
    direction: &'static str,
}

impl Way {
    /// From a peer to the relay.
    pub const IN: Self = Self { direction: "in" };
    /// From the relay to a peer.
    pub const OUT: Self = Self { direction: "out" };
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answer {
    outcome: &'static str,
}

impl Answer {
    /// It was granted.
    pub const ACCEPTED: Self = Self { outcome: "accepted" };
    /// It was turned down: a limit, a rule or nothing to give.
    pub const REFUSED: Self = Self { outcome: "refused" };
    /// It was granted, but could not be carried out.
    pub const FAILED: Self = Self { outcome: "failed" };
}

/// What became of a STUN packet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Packet {
    outcome: &'static str,
}

impl Packet {
    /// A Binding request, answered.
    pub const ANSWERED: Self = Self { outcome: "answered" };
    /// A source that asked too often, or one source too many: no answer.
    pub const LIMITED: Self = Self { outcome: "limited" };
    /// Not a Binding request: no answer.
    pub const IGNORED: Self = Self { outcome: "ignored" };
}

/// An HTTP request and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answered {
    route: &'static str,
    status: u16,
}

impl Answered {
    /// A request to one of a few `route`s, answered with `status`.
    pub fn new(route: &'static str, status: u16) -> Self {
        Self { route, status }
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("tabchain_relay"),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            transport: Family::default(),
            circuit_bytes: Counter::default(),
            reservations: Gauge::default(),
            reservation_requests: Family::default(),
            circuits: Gauge::default(),
            circuit_requests: Family::default(),
            registrations: Gauge::default(),
            registration_requests: Family::default(),
            discoveries: Family::default(),
            stun: Family::default(),
            http: Family::default(),
        };
        metrics.register();
        metrics.show_zeros();
        metrics
    }

    /// Everything, as `/metrics` shows it.
    pub fn encode(&self) -> String {
        let mut page = String::new();
        text::encode(&mut page, &self.registry).expect("writing into a string doesn't fail");
        page
    }

    /// Makes every series whose labels are known beforehand, so that a reader sees a zero and not nothing.
    fn show_zeros(&self) {
        for way in [Way::IN, Way::OUT] {
            drop(self.transport.get_or_create(&way));
        }
        for answer in [Answer::ACCEPTED, Answer::REFUSED, Answer::FAILED] {
            drop(self.reservation_requests.get_or_create(&answer));
            drop(self.circuit_requests.get_or_create(&answer));
        }
        for answer in [Answer::ACCEPTED, Answer::REFUSED] {
            drop(self.registration_requests.get_or_create(&answer));
            drop(self.discoveries.get_or_create(&answer));
        }
        for packet in [Packet::ANSWERED, Packet::LIMITED, Packet::IGNORED] {
            drop(self.stun.get_or_create(&packet));
        }
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("connections", "Open libp2p connections", self.connections.clone());
        registry.register(
            "connections_refused",
            "libp2p connections turned away or broken while shaking hands",
            self.connections_refused.clone(),
        );
        registry.register_with_unit(
            "transport",
            "Bytes of libp2p streams by direction",
            Unit::Bytes,
            self.transport.clone(),
        );
        registry.register_with_unit(
            "circuit",
            "Bytes that came in to be passed on through circuits, handshakes included",
            Unit::Bytes,
            self.circuit_bytes.clone(),
        );
        registry.register("reservations", "Peers that hold a reservation", self.reservations.clone());
        registry.register(
            "reservation_requests",
            "Reservation requests by outcome",
            self.reservation_requests.clone(),
        );
        registry.register("circuits", "Open circuits", self.circuits.clone());
        registry.register("circuit_requests", "Circuit requests by outcome", self.circuit_requests.clone());
        registry.register("registrations", "Held rendezvous registrations", self.registrations.clone());
        registry.register(
            "registration_requests",
            "Rendezvous registration requests by outcome",
            self.registration_requests.clone(),
        );
        registry.register("discoveries", "Rendezvous discoveries by outcome", self.discoveries.clone());
        registry.register("stun_packets", "STUN packets by outcome", self.stun.clone());
        registry.register("http_requests", "HTTP requests by route and status", self.http.clone());
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
