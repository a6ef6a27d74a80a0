//! What is asked and answered.

use libp2p::core::{PeerRecord, SignedEnvelope};
use thiserror::Error;

use crate::MAX_REQUEST;

/// What a node asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// To be offered to others.
    Register(Register),
    /// Not to be offered any more in this namespace.
    Unregister(String),
    /// Who else is there.
    Discover(Discover),
}

/// What a relay answers. To [`Request::Unregister`] it says nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The seconds for which the node is offered.
    Registered(Result<u64, Refusal>),
    /// Who else is there.
    Discovered(Result<Found, Refusal>),
}

/// A registration, as it is asked for and as it is told of. Nothing in it is checked yet.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Register {
    /// Where those meet who look for each other.
    #[prost(string, optional, tag = "1")]
    pub namespace: Option<String>,
    /// The signed envelope of the node's record.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub record: Option<Vec<u8>>,
    /// The seconds for which it is to hold, or holds still.
    #[prost(uint64, optional, tag = "3")]
    pub ttl: Option<u64>,
}

/// A question for others.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Discover {
    /// Where to look; everywhere without it.
    #[prost(string, optional, tag = "1")]
    pub namespace: Option<String>,
    /// How many are wanted at most.
    #[prost(uint64, optional, tag = "2")]
    pub limit: Option<u64>,
    /// What the relay gave with an earlier answer, to be told only what is new.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub cookie: Option<Vec<u8>>,
}

/// The answer to [`Request::Discover`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// At most [`MAX_FOUND`](crate::MAX_FOUND).
    pub registrations: Vec<Register>,
    /// For [`Discover::cookie`].
    pub cookie: Vec<u8>,
}

/// Why something is refused; each has its status in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Status 100.
    #[error("the namespace must be 1 to 255 bytes")]
    Namespace,
    /// Status 101.
    #[error("no valid signed peer record")]
    Record,
    /// Status 102.
    #[error("the time must be between 30 seconds and two hours")]
    Ttl,
    /// Status 103.
    #[error("not a cookie of this namespace")]
    Cookie,
    /// Status 200.
    #[error("the record is another peer's")]
    NotYours,
    /// Status 300.
    #[error("something went wrong there")]
    Internal,
    /// Status 400.
    #[error("no room for another registration")]
    Full,
}

impl Register {
    /// The record, if it is signed by the key of the peer that it is about, and all its addresses are some.
    pub fn signed_record(&self) -> Result<PeerRecord, Refusal> {
        let record = self.record.as_deref().filter(|record| record.len() <= MAX_REQUEST);
        let envelope = SignedEnvelope::from_protobuf_encoding(record.ok_or(Refusal::Record)?);
        let envelope = envelope.map_err(|_| Refusal::Record)?;
        PeerRecord::from_signed_envelope(envelope).map_err(|_| Refusal::Record)
    }
}

#[cfg(test)]
mod tests {
    use libp2p::identity::Keypair;
    use libp2p::{Multiaddr, PeerId};
    use prost::Message as _;

    use super::*;

    /// A peer's record, as the specification has it.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Record {
        #[prost(bytes = "vec", tag = "1")]
        peer: Vec<u8>,
        #[prost(uint64, tag = "2")]
        sequence: u64,
        #[prost(message, repeated, tag = "3")]
        addresses: Vec<Address>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Address {
        #[prost(bytes = "vec", tag = "1")]
        address: Vec<u8>,
    }

    fn address() -> Multiaddr {
        "/ip4/192.0.2.1/tcp/1".parse().expect("valid")
    }

    fn register(envelope: SignedEnvelope) -> Register {
        Register { record: Some(envelope.into_protobuf_encoding()), ..Register::default() }
    }

    /// What `key` signs of `peer`.
    fn signed(key: &Keypair, peer: PeerId, address: Vec<u8>) -> Register {
        let record = Record { peer: peer.to_bytes(), sequence: 1, addresses: vec![Address { address }] };
        let (domain, kind) = ("libp2p-routing-state".to_owned(), b"/libp2p/routing-state-record".to_vec());
        register(SignedEnvelope::new(key, domain, kind, record.encode_to_vec()).expect("Ed25519 signs"))
    }

    #[test]
    fn a_record_is_believed_only_of_whoever_signed_it() {
        let (key, other) = (Keypair::generate_ed25519(), PeerId::random());
        let own = key.public().to_peer_id();
        let record = signed(&key, own, address().to_vec()).signed_record().expect("signed by its peer");
        assert_eq!((record.peer_id(), record.addresses()), (own, &[address()][..]));
        assert_eq!(signed(&key, other, address().to_vec()).signed_record(), Err(Refusal::Record));
    }

    #[test]
    fn a_record_that_is_changed_cut_short_or_absent_is_none() {
        let key = Keypair::generate_ed25519();
        let record = PeerRecord::new(&key, vec![address()]).expect("Ed25519 signs").into_signed_envelope();
        let whole = register(record);
        assert!(whole.signed_record().is_ok());
        let bytes = whole.record.expect("just put there");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = Register { record: Some(changed), ..Register::default() };
            assert_eq!(changed.signed_record(), Err(Refusal::Record), "byte {at}");
            let short = Register { record: Some(bytes[..at].to_vec()), ..Register::default() };
            assert_eq!(short.signed_record(), Err(Refusal::Record), "{at} bytes");
        }
        assert_eq!(Register::default().signed_record(), Err(Refusal::Record));
    }

    #[test]
    fn a_record_with_an_address_that_is_none_or_larger_than_a_request_is_none() {
        let key = Keypair::generate_ed25519();
        let own = key.public().to_peer_id();
        assert_eq!(signed(&key, own, vec![0xff; 3]).signed_record(), Err(Refusal::Record));
        let many = vec![address(); 400];
        let record = PeerRecord::new(&key, many).expect("Ed25519 signs").into_signed_envelope();
        assert_eq!(register(record).signed_record(), Err(Refusal::Record));
    }
}
