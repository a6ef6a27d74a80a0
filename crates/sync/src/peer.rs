//! Who a peer is and how it is connected. The core never looks inside an id or an address: the network layer made
//! them and gets them back.
//!
//! Bounds: an id has at most [`MAX_PEER_ID_BYTES`], an address at most [`MAX_ADDRESS_BYTES`].

use std::fmt;

use tabchain_primitives::codec::{Decode, DecodeError, Encode, Reader, write_bytes};

/// The longest peer id, in bytes.
pub const MAX_PEER_ID_BYTES: usize = 64;

/// The longest address, in bytes of its text.
pub const MAX_ADDRESS_BYTES: usize = 512;

/// A peer's identity as the transport proves it (the bytes of a libp2p peer id). Opaque and cheap to copy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    length: u8,
    bytes: [u8; MAX_PEER_ID_BYTES],
}

/// Where a peer can be reached: the text of a multiaddress. Opaque to the core.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddress(String);

/// What kind of path carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionKind {
    /// WebRTC between two browsers.
    Direct,
    /// Through a relay's circuit, because a direct path failed or is not there yet.
    Relayed,
    /// A socket to a native node: TCP, WebSocket, or webrtc-direct.
    Native,
}

/// What is known of a connection when it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// The path that carries it.
    pub kind: ConnectionKind,
    /// Whether we dialled.
    pub outbound: bool,
    /// The address it was dialled at, or came from, if there is one worth keeping.
    pub address: Option<PeerAddress>,
    /// Who carried the signalling for it, if anybody did: a relay, or another peer. All peers behind a relay share its network
    /// address, so this is what tells apart where peers come from.
    pub introducer: Option<PeerId>,
}

/// An id or an address that does not fit its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The id is empty or too long.
    #[error("peer id of {0} bytes is not between 1 and {max}", max = MAX_PEER_ID_BYTES)]
    IdLength(usize),
    /// The address is empty or too long.
    #[error("peer address of {0} bytes is not between 1 and {max}", max = MAX_ADDRESS_BYTES)]
    AddressLength(usize),
}

impl PeerId {
    /// Takes the bytes of an id.
    pub fn new(id: &[u8]) -> Result<Self, PeerError> {
        if id.is_empty() || id.len() > MAX_PEER_ID_BYTES {
            return Err(PeerError::IdLength(id.len()));
        }
        let mut bytes = [0; MAX_PEER_ID_BYTES];
        bytes[..id.len()].copy_from_slice(id);
        let length = u8::try_from(id.len()).expect("at most 64");
        Ok(Self { length, bytes })
    }

    /// The bytes it was made from.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerId(")?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

impl PeerAddress {
    /// Takes the text of an address.
    pub fn new(address: impl Into<String>) -> Result<Self, PeerError> {
        let address = address.into();
        if address.is_empty() || address.len() > MAX_ADDRESS_BYTES {
            return Err(PeerError::AddressLength(address.len()));
        }
        Ok(Self(address))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Encode for PeerId {
    fn encode(&self, out: &mut Vec<u8>) {
        write_bytes(out, self.as_bytes());
    }
}

impl Decode for PeerId {
    const MIN_BYTES: usize = 2;

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = r.bytes(1..=MAX_PEER_ID_BYTES)?;
        Ok(Self::new(bytes).expect("the reader checked the length"))
    }
}

impl Encode for PeerAddress {
    fn encode(&self, out: &mut Vec<u8>) {
        write_bytes(out, self.0.as_bytes());
    }
}

impl Decode for PeerAddress {
    const MIN_BYTES: usize = 2;

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let text = r.text(1..=MAX_ADDRESS_BYTES)?;
        Ok(Self(text.to_owned()))
    }
}

impl Encode for ConnectionKind {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Direct => 0,
            Self::Relayed => 1,
            Self::Native => 2,
        });
    }
}

impl Decode for ConnectionKind {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match r.u8()? {
            0 => Ok(Self::Direct),
            1 => Ok(Self::Relayed),
            2 => Ok(Self::Native),
            kind => Err(DecodeError::UnknownKind { of: "connection", kind }),
        }
    }
}

impl Encode for PeerInfo {
    fn encode(&self, out: &mut Vec<u8>) {
        self.kind.encode(out);
        let has_address = u8::from(self.address.is_some()) << 1;
        let has_introducer = u8::from(self.introducer.is_some()) << 2;
        out.push(u8::from(self.outbound) | has_address | has_introducer);
        if let Some(address) = &self.address {
            address.encode(out);
        }
        if let Some(introducer) = &self.introducer {
            introducer.encode(out);
        }
    }
}

impl Decode for PeerInfo {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = ConnectionKind::decode(r)?;
        let flags = r.u8()?;
        if flags > 7 {
            return Err(DecodeError::UnknownKind { of: "peer information", kind: flags });
        }
        let address = (flags & 2 != 0).then(|| PeerAddress::decode(r)).transpose()?;
        let introducer = (flags & 4 != 0).then(|| PeerId::decode(r)).transpose()?;
        Ok(Self { kind, outbound: flags & 1 != 0, address, introducer })
    }
}
