//! What crosses between the swarm and whoever drives it: commands in, events out.
//!
//! In a browser the swarm runs on the window and the node in a worker, so both have a byte form (`docs/protocol.md` does
//! not name it: it never leaves the tab).

use tabchain_primitives::codec::{
    Decode, DecodeError, Encode, Reader, write_bytes, write_list, write_varint,
};
use tabchain_sync::{PeerAddress, PeerId, PeerInfo};

use crate::fetch::MAX_RESPONSE;

/// The most addresses of one peer that are handed over at once.
pub const MAX_ADDRESSES: usize = 8;

/// Asks the swarm to do something. Nothing is answered directly: what comes of it are [`NetEvent`]s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetCommand {
    /// Connects to a peer. Comes to [`NetEvent::Up`] or [`NetEvent::DialFailed`].
    Dial(PeerId, Vec<PeerAddress>),
    /// Ends all connections with a peer.
    Disconnect(PeerId),
    /// Sends a frame on the link: at most 64 KiB.
    Link(PeerId, Vec<u8>),
    /// Sends a request: at most 64 KiB. The number comes back with the answer.
    Request(PeerId, u64, Vec<u8>),
    /// Answers the peer's request of this number: at most 5 MiB.
    Respond(PeerId, u64, Vec<u8>),
    /// Leaves the peer's request of this number without an answer.
    Refuse(PeerId, u64),
    /// Uses these relays, at most 8, in place of those before. Sessions stay; a relay that is kept keeps our place.
    UseRelays(Vec<PeerAddress>),
    /// The machine woke up, or is in another network: what failed before may succeed now. Says [`NetEvent::Woke`].
    Wake,
    /// Ends all connections and the swarm.
    Shutdown,
}

/// Says what happened in the swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetEvent {
    /// A session with a peer has begun. There is at most one a peer; a new one begins after [`NetEvent::Down`], and at
    /// once where a direct connection takes the place of a circuit.
    Up(PeerId, PeerInfo),
    /// The session is over, and with it every request in flight.
    Down(PeerId),
    /// The peer could not be reached.
    DialFailed(PeerId),
    /// A frame came in on the link.
    Link(PeerId, Vec<u8>),
    /// The peer asks something. The number is for [`NetCommand::Respond`].
    Request(PeerId, u64, Vec<u8>),
    /// The answer to a request of ours.
    Response(PeerId, u64, Vec<u8>),
    /// There will be no answer to a request of ours.
    RequestFailed(PeerId, u64),
    /// A relay told of a peer.
    Discovered(PeerId, Vec<PeerAddress>),
    /// Where others can reach this node now.
    Listening(Vec<PeerAddress>),
    /// A relay came or went.
    Relay {
        /// Its address, as it was configured.
        address: PeerAddress,
        /// Whether it keeps a place for us.
        connected: bool,
    },
    /// The machine was asleep, or is in another network: peers that could not be reached may be now.
    Woke,
}

impl Encode for NetCommand {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Dial(peer, addresses) => {
                tagged(out, 0, peer);
                write_addresses(out, addresses);
            }
            Self::Disconnect(peer) => tagged(out, 1, peer),
            Self::Link(peer, frame) => {
                tagged(out, 2, peer);
                write_bytes(out, frame);
            }
            Self::Request(peer, id, body) => numbered(out, 3, peer, *id, body),
            Self::Respond(peer, id, body) => numbered(out, 4, peer, *id, body),
            Self::Refuse(peer, id) => {
                tagged(out, 5, peer);
                write_varint(out, *id);
            }
            Self::Shutdown => out.push(6),
            Self::UseRelays(addresses) => {
                out.push(7);
                write_addresses(out, addresses);
            }
            Self::Wake => out.push(8),
        }
    }
}

impl Decode for NetCommand {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match r.u8()? {
            0 => Self::Dial(PeerId::decode(r)?, read_addresses(r)?),
            1 => Self::Disconnect(PeerId::decode(r)?),
            2 => Self::Link(PeerId::decode(r)?, read_bytes(r)?),
            3 => Self::Request(PeerId::decode(r)?, r.varint()?, read_bytes(r)?),
            4 => Self::Respond(PeerId::decode(r)?, r.varint()?, read_bytes(r)?),
            5 => Self::Refuse(PeerId::decode(r)?, r.varint()?),
            6 => Self::Shutdown,
            7 => Self::UseRelays(read_addresses(r)?),
            8 => Self::Wake,
            kind => return Err(DecodeError::UnknownKind { of: "network command", kind }),
        })
    }
}

impl Encode for NetEvent {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Up(peer, info) => {
                tagged(out, 0, peer);
                info.encode(out);
            }
            Self::Down(peer) => tagged(out, 1, peer),
            Self::DialFailed(peer) => tagged(out, 2, peer),
            Self::Link(peer, frame) => {
                tagged(out, 3, peer);
                write_bytes(out, frame);
            }
            Self::Request(peer, id, body) => numbered(out, 4, peer, *id, body),
            Self::Response(peer, id, body) => numbered(out, 5, peer, *id, body),
            Self::RequestFailed(peer, id) => {
                tagged(out, 6, peer);
                write_varint(out, *id);
            }
            Self::Discovered(peer, addresses) => {
                tagged(out, 7, peer);
                write_addresses(out, addresses);
            }
            Self::Listening(addresses) => {
                out.push(8);
                write_addresses(out, addresses);
            }
            Self::Relay { address, connected } => {
                out.push(9);
                address.encode(out);
                out.push(u8::from(*connected));
            }
            Self::Woke => out.push(10),
        }
    }
}

impl Decode for NetEvent {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match r.u8()? {
            0 => Self::Up(PeerId::decode(r)?, PeerInfo::decode(r)?),
            1 => Self::Down(PeerId::decode(r)?),
            2 => Self::DialFailed(PeerId::decode(r)?),
            3 => Self::Link(PeerId::decode(r)?, read_bytes(r)?),
            4 => Self::Request(PeerId::decode(r)?, r.varint()?, read_bytes(r)?),
            5 => Self::Response(PeerId::decode(r)?, r.varint()?, read_bytes(r)?),
            6 => Self::RequestFailed(PeerId::decode(r)?, r.varint()?),
            7 => Self::Discovered(PeerId::decode(r)?, read_addresses(r)?),
            8 => Self::Listening(read_addresses(r)?),
            9 => Self::Relay { address: PeerAddress::decode(r)?, connected: read_flag(r)? },
            10 => Self::Woke,
            kind => return Err(DecodeError::UnknownKind { of: "network event", kind }),
        })
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8, peer: &PeerId) {
    out.push(tag);
    peer.encode(out);
}

fn numbered(out: &mut Vec<u8>, tag: u8, peer: &PeerId, id: u64, body: &[u8]) {
    tagged(out, tag, peer);
    write_varint(out, id);
    write_bytes(out, body);
}

fn read_bytes(r: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    r.bytes(0..=MAX_RESPONSE).map(<[u8]>::to_vec)
}

fn write_addresses(out: &mut Vec<u8>, addresses: &[PeerAddress]) {
    write_list(out, &addresses[..addresses.len().min(MAX_ADDRESSES)]);
}

fn read_addresses(r: &mut Reader<'_>) -> Result<Vec<PeerAddress>, DecodeError> {
    r.list(0..=MAX_ADDRESSES)
}

fn read_flag(r: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match r.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        kind => Err(DecodeError::UnknownKind { of: "flag", kind }),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use tabchain_sync::ConnectionKind;

    use super::*;

    fn round_trip<T: Encode + Decode + PartialEq + Debug>(values: &[T]) {
        for value in values {
            let bytes = value.to_bytes();
            assert_eq!(T::from_bytes(&bytes).as_ref(), Ok(value));
            assert!(T::from_bytes(&bytes[..bytes.len() - 1]).is_err(), "cut short: {value:?}");
        }
    }

    fn peer() -> PeerId {
        PeerId::new(&[9; 38]).expect("a short id")
    }

    fn addresses() -> Vec<PeerAddress> {
        vec![PeerAddress::new("/webrtc").expect("short"), PeerAddress::new("/ip4/127.0.0.1").expect("short")]
    }

    #[test]
    fn commands_come_back_as_they_went() {
        round_trip(&[
            NetCommand::Dial(peer(), addresses()),
            NetCommand::Disconnect(peer()),
            NetCommand::Link(peer(), vec![1, 2]),
            NetCommand::Request(peer(), 300, vec![3]),
            NetCommand::Respond(peer(), u64::MAX, vec![]),
            NetCommand::Refuse(peer(), 9),
            NetCommand::Shutdown,
            NetCommand::UseRelays(addresses()),
            NetCommand::Wake,
        ]);
    }

    #[test]
    fn events_come_back_as_they_went() {
        let address = addresses().pop();
        round_trip(&[
            NetEvent::Up(
                peer(),
                PeerInfo { kind: ConnectionKind::Direct, outbound: true, address, introducer: Some(peer()) },
            ),
            NetEvent::Down(peer()),
            NetEvent::DialFailed(peer()),
            NetEvent::Link(peer(), vec![5]),
            NetEvent::Request(peer(), 1, vec![6]),
            NetEvent::Response(peer(), 2, vec![7]),
            NetEvent::RequestFailed(peer(), 3),
            NetEvent::Discovered(peer(), addresses()),
            NetEvent::Listening(vec![]),
            NetEvent::Relay { address: addresses().remove(0), connected: true },
            NetEvent::Woke,
        ]);
    }

    #[test]
    fn at_most_so_many_addresses_cross() {
        let many = vec![PeerAddress::new("/webrtc").expect("short"); MAX_ADDRESSES + 5];
        let decoded =
            NetEvent::from_bytes(&NetEvent::Listening(many).to_bytes()).expect("bounded by the writer");
        assert_eq!(
            decoded,
            NetEvent::Listening(vec![PeerAddress::new("/webrtc").expect("short"); MAX_ADDRESSES])
        );
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod properties {
    use std::fmt::Debug;

    use proptest::{collection::vec, option, prelude::*};
    use tabchain_sync::{ConnectionKind, MAX_PEER_ID_BYTES};

    use super::*;

    fn a_peer() -> impl Strategy<Value = PeerId> {
        vec(any::<u8>(), 1..=MAX_PEER_ID_BYTES).prop_map(|id| PeerId::new(&id).expect("within the bounds"))
    }

    fn an_address() -> impl Strategy<Value = PeerAddress> {
        "[ -~é]{1,100}".prop_map(|text| PeerAddress::new(text).expect("within the bounds"))
    }

    fn addresses() -> impl Strategy<Value = Vec<PeerAddress>> {
        vec(an_address(), 0..=MAX_ADDRESSES)
    }

    fn a_body() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![9 => vec(any::<u8>(), 0..300), 1 => Just(vec![7; MAX_RESPONSE])]
    }

    fn info() -> impl Strategy<Value = PeerInfo> {
        let kind = prop_oneof![
            Just(ConnectionKind::Direct),
            Just(ConnectionKind::Relayed),
            Just(ConnectionKind::Native)
        ];
        (kind, any::<bool>(), option::of(an_address()), option::of(a_peer())).prop_map(
            |(kind, outbound, address, introducer)| PeerInfo { kind, outbound, address, introducer },
        )
    }

    fn a_command() -> impl Strategy<Value = NetCommand> {
        prop_oneof![
            (a_peer(), addresses()).prop_map(|(peer, addresses)| NetCommand::Dial(peer, addresses)),
            a_peer().prop_map(NetCommand::Disconnect),
            (a_peer(), a_body()).prop_map(|(peer, frame)| NetCommand::Link(peer, frame)),
            (a_peer(), any::<u64>(), a_body())
                .prop_map(|(peer, id, body)| NetCommand::Request(peer, id, body)),
            (a_peer(), any::<u64>(), a_body())
                .prop_map(|(peer, id, body)| NetCommand::Respond(peer, id, body)),
            (a_peer(), any::<u64>()).prop_map(|(peer, id)| NetCommand::Refuse(peer, id)),
            addresses().prop_map(NetCommand::UseRelays),
            Just(NetCommand::Wake),
            Just(NetCommand::Shutdown),
        ]
    }

    fn an_event() -> impl Strategy<Value = NetEvent> {
        prop_oneof![
            (a_peer(), info()).prop_map(|(peer, info)| NetEvent::Up(peer, info)),
            a_peer().prop_map(NetEvent::Down),
            a_peer().prop_map(NetEvent::DialFailed),
            (a_peer(), a_body()).prop_map(|(peer, frame)| NetEvent::Link(peer, frame)),
            (a_peer(), any::<u64>(), a_body()).prop_map(|(peer, id, body)| NetEvent::Request(peer, id, body)),
            (a_peer(), any::<u64>(), a_body())
                .prop_map(|(peer, id, body)| NetEvent::Response(peer, id, body)),
            (a_peer(), any::<u64>()).prop_map(|(peer, id)| NetEvent::RequestFailed(peer, id)),
            (a_peer(), addresses()).prop_map(|(peer, addresses)| NetEvent::Discovered(peer, addresses)),
            addresses().prop_map(NetEvent::Listening),
            (an_address(), any::<bool>())
                .prop_map(|(address, connected)| NetEvent::Relay { address, connected }),
            Just(NetEvent::Woke),
        ]
    }

    /// What bytes mean, if anything, means these bytes.
    fn look<T: Encode + Decode + PartialEq + Debug>(bytes: &[u8]) {
        if let Ok(value) = T::from_bytes(bytes) {
            assert_eq!(value.to_bytes(), bytes, "{value:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        /// The other end of a pipe takes for granted that it can read everything: whatever peers had put into it.
        #[test]
        fn whatever_keeps_the_bounds_crosses(command in a_command(), event in an_event()) {
            prop_assert_eq!(NetCommand::from_bytes(&command.to_bytes()), Ok(command));
            prop_assert_eq!(NetEvent::from_bytes(&event.to_bytes()), Ok(event));
        }

        #[test]
        fn any_bytes_are_a_value_in_its_only_form_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
            look::<NetCommand>(&bytes);
            look::<NetEvent>(&bytes);
        }

        #[test]
        fn changed_values_are_too(event in an_event(), command in a_command(), at in any::<prop::sample::Index>(), byte: u8) {
            for mut bytes in [event.to_bytes(), command.to_bytes()] {
                let at = at.index(bytes.len().min(400));
                bytes[at] = byte;
                look::<NetCommand>(&bytes);
                look::<NetEvent>(&bytes);
            }
        }
    }
}
