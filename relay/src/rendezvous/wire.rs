//! The protocol's messages: length-prefixed protobuf, as the libp2p specification gives them.

use std::io;

use asynchronous_codec::{FramedRead, FramedWrite};
use futures::{AsyncRead, AsyncWrite, SinkExt as _, StreamExt as _};
use libp2p::StreamProtocol;
use libp2p::request_response;

use super::registry::{Cookie, Found, Refusal};

/// The largest request: a signed record with a few addresses is some hundred bytes.
const MAX_REQUEST: usize = 4 * 1024;

/// The largest response: as many of the largest requests as one answer holds.
const MAX_RESPONSE: usize = super::MAX_DISCOVERED * MAX_REQUEST;

/// One message of the protocol, request or response.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Wire {
    #[prost(enumeration = "Kind", optional, tag = "1")]
    pub(super) kind: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) register: Option<Register>,
    #[prost(message, optional, tag = "3")]
    pub(super) register_response: Option<RegisterResponse>,
    #[prost(message, optional, tag = "4")]
    pub(super) unregister: Option<Unregister>,
    #[prost(message, optional, tag = "5")]
    pub(super) discover: Option<Discover>,
    #[prost(message, optional, tag = "6")]
    pub(super) discover_response: Option<DiscoverResponse>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Kind {
    Register = 0,
    RegisterResponse = 1,
    Unregister = 2,
    Discover = 3,
    DiscoverResponse = 4,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum Status {
    Ok = 0,
    InvalidNamespace = 100,
    InvalidSignedPeerRecord = 101,
    InvalidTtl = 102,
    InvalidCookie = 103,
    NotAuthorized = 200,
    Unavailable = 400,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Register {
    #[prost(string, optional, tag = "1")]
    pub(super) namespace: Option<String>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) signed_peer_record: Option<Vec<u8>>,
    /// Seconds.
    #[prost(uint64, optional, tag = "3")]
    pub(super) ttl: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RegisterResponse {
    #[prost(enumeration = "Status", optional, tag = "1")]
    status: Option<i32>,
    #[prost(string, optional, tag = "2")]
    status_text: Option<String>,
    #[prost(uint64, optional, tag = "3")]
    ttl: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Unregister {
    #[prost(string, optional, tag = "1")]
    pub(super) namespace: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Discover {
    #[prost(string, optional, tag = "1")]
    pub(super) namespace: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    pub(super) limit: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(super) cookie: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct DiscoverResponse {
    #[prost(message, repeated, tag = "1")]
    registrations: Vec<Register>,
    #[prost(bytes = "vec", optional, tag = "2")]
    cookie: Option<Vec<u8>>,
    #[prost(enumeration = "Status", optional, tag = "3")]
    status: Option<i32>,
    #[prost(string, optional, tag = "4")]
    status_text: Option<String>,
}

impl Wire {
    pub(super) fn registered(ttl: u64) -> Self {
        Self::register_response(RegisterResponse {
            status: Some(Status::Ok.into()),
            ttl: Some(ttl),
            ..RegisterResponse::default()
        })
    }

    pub(super) fn not_registered(refusal: Refusal) -> Self {
        Self::register_response(RegisterResponse {
            status: Some(Status::from(refusal).into()),
            status_text: Some(refusal.to_string()),
            ttl: None,
        })
    }

    pub(super) fn discovered(found: Vec<Found>, cookie: &Cookie) -> Self {
        let registrations = found.into_iter().map(|found| Register {
            namespace: Some(found.namespace),
            signed_peer_record: Some(found.record),
            ttl: Some(found.ttl),
        });
        Self::discover_response(DiscoverResponse {
            registrations: registrations.collect(),
            cookie: Some(cookie.to_bytes()),
            status: Some(Status::Ok.into()),
            status_text: None,
        })
    }

    pub(super) fn not_discovered(refusal: Refusal) -> Self {
        Self::discover_response(DiscoverResponse {
            status: Some(Status::from(refusal).into()),
            status_text: Some(refusal.to_string()),
            ..DiscoverResponse::default()
        })
    }

    fn register_response(response: RegisterResponse) -> Self {
        Self {
            kind: Some(Kind::RegisterResponse.into()),
            register_response: Some(response),
            ..Self::default()
        }
    }

    fn discover_response(response: DiscoverResponse) -> Self {
        Self {
            kind: Some(Kind::DiscoverResponse.into()),
            discover_response: Some(response),
            ..Self::default()
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Namespace => Self::InvalidNamespace,
            Refusal::Record => Self::InvalidSignedPeerRecord,
            Refusal::Ttl => Self::InvalidTtl,
            Refusal::Cookie => Self::InvalidCookie,
            Refusal::NotYours => Self::NotAuthorized,
            Refusal::Full => Self::Unavailable,
        }
    }
}

/// Reads and writes [`Wire`] messages, one each way on a stream.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RendezvousCodec;

impl request_response::Codec for RendezvousCodec {
    type Protocol = StreamProtocol;
    type Request = Wire;
    type Response = Wire;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Wire>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, MAX_REQUEST).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Wire>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, MAX_RESPONSE).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, message: Wire) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, message).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, message: Wire) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, message).await
    }
}

async fn read<T: AsyncRead + Unpin + Send>(io: &mut T, limit: usize) -> io::Result<Wire> {
    let mut frames = FramedRead::new(io, prost_codec::Codec::<Wire>::new(limit));
    Ok(frames.next().await.ok_or(io::ErrorKind::UnexpectedEof)??)
}

async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, message: Wire) -> io::Result<()> {
    let mut frames = FramedWrite::new(io, prost_codec::Codec::<Wire>::new(MAX_RESPONSE));
    Ok(frames.send(message).await?)
}
