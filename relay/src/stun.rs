//! A STUN server (RFC 8489) that does one thing: tell a browser which address its UDP packets come from.
//!
//! Only Binding requests are answered, with XOR-MAPPED-ADDRESS alone: 32 bytes to IPv4 and 44 to IPv6, for a request of at
//! least 20. Everything else is dropped, so that a forged sender gets next to nothing out of it: also requests with attributes
//! that must be understood, which the RFC would answer with error 420 and no browser sends to a server.
//!
//! Bounds: [`Limiter`] counts at most `max_sources` sources, and forgets all of them every second.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stun_types::attribute::{Attribute as _, XorMappedAddress};
use stun_types::message::{
    BINDING, Message, MessageClass, MessageWrite as _, MessageWriteExt as _, MessageWriteVec,
};
use tokio::net::UdpSocket;

use crate::metrics::{Metrics, Packet};

/// Larger packets are cut off and so dropped: a Binding request is 20 bytes and a few attributes.
const MAX_PACKET: usize = 576;

/// For how long the limiter counts before it begins anew.
const WINDOW: Duration = Duration::from_secs(1);

/// Answers packets on `socket` until the task is dropped.
pub async fn serve(socket: UdpSocket, mut limiter: Limiter, metrics: Arc<Metrics>) {
    let mut packet = [0; MAX_PACKET];
    loop {
        // Errors here are reports about earlier packets (a port that was closed meanwhile), not about the socket.
        let Ok((length, source)) = socket.recv_from(&mut packet).await else { continue };
        let outcome = match answer(&packet[..length], source) {
            None => Packet::IGNORED,
            Some(_) if !limiter.admits(source.ip(), Instant::now()) => Packet::LIMITED,
            Some(response) => {
                // UDP: an answer that can't be sent now is one the network lost.
                let _ = socket.try_send_to(&response, source);
                Packet::ANSWERED
            }
        };
        metrics.stun.get_or_create(&outcome).inc();
    }
}

/// The answer to `packet` from `source`, if it is a Binding request.
pub fn answer(packet: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    let request = Message::from_bytes(packet).ok()?;
    if !request.has_class(MessageClass::Request) || !request.has_method(BINDING) {
        return None;
    }
    if request.iter_attributes().any(|(_, attribute)| attribute.get_type().comprehension_required()) {
        return None;
    }
    let source = SocketAddr::new(source.ip().to_canonical(), source.port());
    let mut response = Message::builder_success(&request, MessageWriteVec::with_capacity(44));
    response
        .add_attribute(&XorMappedAddress::new(source, request.transaction_id()))
        .expect("the first attribute of a message always fits");
    Some(response.finish())
}

/// How many requests each source may make in a second.
///
/// An IPv6 source is its /64 network, which is what one household has.
#[derive(Debug)]
pub struct Limiter {
    per_source: NonZeroU32,
    max_sources: usize,
    since: Option<Instant>,
    counts: HashMap<IpAddr, u32>,
}

impl Limiter {
    /// Admits `per_source` requests a second from each of at most `max_sources` sources.
    pub fn new(per_source: NonZeroU32, max_sources: NonZeroU32) -> Self {
        let max_sources = usize::try_from(max_sources.get()).expect("a usize has at least 32 bits here");
        Self { per_source, max_sources, since: None, counts: HashMap::new() }
    }

    /// Whether one more request from `source` is within the limits, counting it if so.
    pub fn admits(&mut self, source: IpAddr, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) >= WINDOW) {
            self.since = Some(now);
            self.counts.clear();
        }
        let has_room = self.counts.len() < self.max_sources;
        match self.counts.get_mut(&network_of(source)) {
            Some(count) if *count >= self.per_source.get() => false,
            Some(count) => {
                *count += 1;
                true
            }
            None if has_room => {
                self.counts.insert(network_of(source), 1);
                true
            }
            None => false,
        }
    }
}

fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: [u8; 20] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

    #[test]
    fn a_binding_request_is_answered_with_the_xored_source() {
        let answer = answer(&REQUEST, "192.0.2.1:32853".parse().unwrap()).unwrap();
        // RFC 5769, section 2.2, has this address and port; its XOR form depends on the magic cookie alone.
        let head = [1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let mapped = [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        assert_eq!(answer, [&head[..], &mapped[..]].concat());
    }

    #[test]
    fn an_ipv6_answer_is_44_bytes_and_a_mapped_ipv4_source_is_told_as_ipv4() {
        assert_eq!(answer(&REQUEST, "[2001:db8::1]:1".parse().unwrap()).unwrap().len(), 44);
        assert_eq!(answer(&REQUEST, "[::ffff:192.0.2.1]:1".parse().unwrap()).unwrap().len(), 32);
    }

    #[test]
    fn everything_else_is_dropped() {
        let source = "192.0.2.1:1".parse().unwrap();
        let with = |index: usize, byte: u8| {
            let mut packet = REQUEST;
            packet[index] = byte;
            packet
        };
        let cases: [(&str, Vec<u8>); 8] = [
            ("nothing", vec![]),
            ("a byte short", REQUEST[..19].to_vec()),
            ("a success response", with(0, 1).to_vec()),
            ("an indication", with(1, 0x11).to_vec()),
            ("a TURN Allocate", with(1, 3).to_vec()),
            ("no magic cookie", with(4, 0).to_vec()),
            ("a length that lies", with(3, 4).to_vec()),
            ("an attribute that must be understood", [&with(3, 4)[..], &[0, 0x24, 0, 0]].concat()),
        ];
        for (name, packet) in cases {
            assert_eq!(answer(&packet, source), None, "{name}");
        }
    }

    #[test]
    fn an_attribute_that_may_be_ignored_is() {
        let mut request = REQUEST.to_vec();
        request[3] = 8;
        request.extend([0x80, 0x22, 0, 4, b't', b'e', b's', b't']);
        assert_eq!(answer(&request, "192.0.2.1:1".parse().unwrap()).unwrap().len(), 32);
    }

    proptest::proptest! {
        #[test]
        fn no_packet_breaks_it_or_gets_more_than_the_address(
            mut packet: Vec<u8>,
            starts_well: bool,
            source: std::net::SocketAddrV6,
        ) {
            if starts_well {
                let length = u16::try_from(packet.len()).unwrap();
                packet.splice(0..0, REQUEST);
                packet[2..4].copy_from_slice(&length.to_be_bytes());
            }
            let answer = answer(&packet, source.into());
            proptest::prop_assert!(answer.is_none_or(|answer| answer.len() <= 44));
        }
    }

    #[test]
    fn sources_are_limited_each_and_together() {
        let nonzero = |n| NonZeroU32::new(n).unwrap();
        let mut limiter = Limiter::new(nonzero(2), nonzero(2));
        let start = Instant::now();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(limiter.admits(ip("2001:db8::1"), start));
        assert!(limiter.admits(ip("2001:db8::2"), start), "second of the same /64");
        assert!(!limiter.admits(ip("2001:db8::3"), start), "third of the same /64");
        assert!(limiter.admits(ip("192.0.2.1"), start), "another source");
        assert!(!limiter.admits(ip("192.0.2.2"), start), "one source too many");
        assert!(limiter.admits(ip("192.0.2.2"), start + WINDOW), "a new second");
        assert_eq!(limiter.counts.len(), 1, "the old second is forgotten");
    }
}
