//! The messages as protobuf, as the libp2p specification gives them.

use crate::MAX_FOUND;
use crate::message::{Answer, Discover, Found, Refusal, Register, Request};

/// One message of the protocol, request or response.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Wire {
    #[prost(enumeration = "Kind", optional, tag = "1")]
    kind: Option<i32>,
    #[prost(message, optional, tag = "2")]
    register: Option<Register>,
    #[prost(message, optional, tag = "3")]
    register_response: Option<RegisterResponse>,
    #[prost(message, optional, tag = "4")]
    unregister: Option<Unregister>,
    #[prost(message, optional, tag = "5")]
    discover: Option<Discover>,
    #[prost(message, optional, tag = "6")]
    discover_response: Option<DiscoverResponse>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum Kind {
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
    InternalError = 300,
    Unavailable = 400,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RegisterResponse {
    #[prost(enumeration = "Status", optional, tag = "1")]
    status: Option<i32>,
    #[prost(string, optional, tag = "2")]
    status_text: Option<String>,
    #[prost(uint64, optional, tag = "3")]
    ttl: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Unregister {
    #[prost(string, optional, tag = "1")]
    namespace: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct DiscoverResponse {
    #[prost(message, repeated, tag = "1")]
    registrations: Vec<Register>,
    #[prost(bytes = "vec", optional, tag = "2")]
    cookie: Option<Vec<u8>>,
    #[prost(enumeration = "Status", optional, tag = "3")]
    status: Option<i32>,
    #[prost(string, optional, tag = "4")]
    status_text: Option<String>,
}

/// A message that is not what belongs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Nonsense {
    #[error("the message is no request")]
    Request,
    #[error("the message is no answer")]
    Answer,
    #[error("the answer has no status that the protocol knows")]
    Status,
    #[error("the answer says that a registration holds, and not for how long")]
    Ttl,
}

impl From<Request> for Wire {
    fn from(request: Request) -> Self {
        match request {
            Request::Register(register) => {
                Self { kind: Some(Kind::Register.into()), register: Some(register), ..Self::default() }
            }
            Request::Unregister(namespace) => Self {
                kind: Some(Kind::Unregister.into()),
                unregister: Some(Unregister { namespace: Some(namespace) }),
                ..Self::default()
            },
            Request::Discover(discover) => {
                Self { kind: Some(Kind::Discover.into()), discover: Some(discover), ..Self::default() }
            }
        }
    }
}

impl TryFrom<Wire> for Request {
    type Error = Nonsense;

    fn try_from(message: Wire) -> Result<Self, Nonsense> {
        let request = match message.kind.map(Kind::try_from) {
            Some(Ok(Kind::Register)) => message.register.map(Self::Register),
            Some(Ok(Kind::Discover)) => message.discover.map(Self::Discover),
            Some(Ok(Kind::Unregister)) => {
                message.unregister.and_then(|wanted| wanted.namespace).map(Self::Unregister)
            }
            _ => None,
        };
        request.ok_or(Nonsense::Request)
    }
}

impl From<Answer> for Wire {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Registered(outcome) => {
                let (status, status_text) = told(outcome.as_ref().err());
                Self {
                    kind: Some(Kind::RegisterResponse.into()),
                    register_response: Some(RegisterResponse { status, status_text, ttl: outcome.ok() }),
                    ..Self::default()
                }
            }
            Answer::Discovered(outcome) => {
                let (status, status_text) = told(outcome.as_ref().err());
                let cookie = outcome.as_ref().ok().map(|found| found.cookie.clone());
                let registrations = outcome.map(|found| found.registrations).unwrap_or_default();
                let response = DiscoverResponse { registrations, cookie, status, status_text };
                Self {
                    kind: Some(Kind::DiscoverResponse.into()),
                    discover_response: Some(response),
                    ..Self::default()
                }
            }
        }
    }
}

impl TryFrom<Wire> for Answer {
    type Error = Nonsense;

    fn try_from(message: Wire) -> Result<Self, Nonsense> {
        match message.kind.map(Kind::try_from) {
            Some(Ok(Kind::RegisterResponse)) => {
                let response = message.register_response.ok_or(Nonsense::Answer)?;
                Ok(Self::Registered(match refusal(response.status)? {
                    Some(refusal) => Err(refusal),
                    None => Ok(response.ttl.ok_or(Nonsense::Ttl)?),
                }))
            }
            Some(Ok(Kind::DiscoverResponse)) => {
                let mut response = message.discover_response.ok_or(Nonsense::Answer)?;
                response.registrations.truncate(MAX_FOUND);
                response.registrations.shrink_to_fit();
                let found = Found {
                    registrations: response.registrations,
                    cookie: response.cookie.unwrap_or_default(),
                };
                Ok(Self::Discovered(refusal(response.status)?.map_or(Ok(found), Err)))
            }
            _ => Err(Nonsense::Answer),
        }
    }
}

/// A status and its words.
fn told(refusal: Option<&Refusal>) -> (Option<i32>, Option<String>) {
    let status = refusal.map_or(Status::Ok, |refusal| Status::from(*refusal));
    (Some(status.into()), refusal.map(ToString::to_string))
}

/// What a status refuses, if it does.
fn refusal(status: Option<i32>) -> Result<Option<Refusal>, Nonsense> {
    let status = status.and_then(|status| Status::try_from(status).ok()).ok_or(Nonsense::Status)?;
    Ok(match status {
        Status::Ok => None,
        Status::InvalidNamespace => Some(Refusal::Namespace),
        Status::InvalidSignedPeerRecord => Some(Refusal::Record),
        Status::InvalidTtl => Some(Refusal::Ttl),
        Status::InvalidCookie => Some(Refusal::Cookie),
        Status::NotAuthorized => Some(Refusal::NotYours),
        Status::InternalError => Some(Refusal::Internal),
        Status::Unavailable => Some(Refusal::Full),
    })
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Namespace => Self::InvalidNamespace,
            Refusal::Record => Self::InvalidSignedPeerRecord,
            Refusal::Ttl => Self::InvalidTtl,
            Refusal::Cookie => Self::InvalidCookie,
            Refusal::NotYours => Self::NotAuthorized,
            Refusal::Internal => Self::InternalError,
            Refusal::Full => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    const REFUSALS: [Refusal; 7] = [
        Refusal::Namespace,
        Refusal::Record,
        Refusal::Ttl,
        Refusal::Cookie,
        Refusal::NotYours,
        Refusal::Internal,
        Refusal::Full,
    ];

    fn register(label: u8) -> Register {
        Register { namespace: Some("tabs".to_owned()), record: Some(vec![label; 3]), ttl: Some(60) }
    }

    fn over_the_wire(message: &Wire) -> Wire {
        Wire::decode(message.encode_to_vec().as_slice()).expect("just encoded")
    }

    #[test]
    fn requests_come_back_as_they_went() {
        let discover = Discover { namespace: None, limit: Some(9), cookie: Some(vec![1]) };
        for request in [
            Request::Register(register(1)),
            Request::Unregister("tabs".to_owned()),
            Request::Discover(discover),
        ] {
            let wire = over_the_wire(&request.clone().into());
            assert_eq!(Answer::try_from(wire.clone()), Err(Nonsense::Answer));
            assert_eq!(Request::try_from(wire), Ok(request));
        }
    }

    #[test]
    fn answers_come_back_as_they_went() {
        let found = Found { registrations: vec![register(1), register(2)], cookie: vec![7] };
        let refused = REFUSALS
            .into_iter()
            .flat_map(|refusal| [Answer::Registered(Err(refusal)), Answer::Discovered(Err(refusal))]);
        let given = [Answer::Registered(Ok(u64::MAX)), Answer::Discovered(Ok(found))];
        for answer in refused.chain(given) {
            let wire = over_the_wire(&answer.clone().into());
            assert_eq!(Request::try_from(wire.clone()), Err(Nonsense::Request));
            assert_eq!(Answer::try_from(wire), Ok(answer));
        }
    }

    /// The bytes of a short answer, so that nobody turns fields or numbers around.
    #[test]
    fn an_answer_is_these_bytes() {
        let found = Found { registrations: vec![register(9)], cookie: vec![7] };
        let wire = Wire::from(Answer::Discovered(Ok(found)));
        let registration = [0x0a, 4, b't', b'a', b'b', b's', 0x12, 3, 9, 9, 9, 0x18, 60];
        let response = [&[0x0a, 13][..], &registration, &[0x12, 1, 7, 0x18, 0]].concat();
        assert_eq!(wire.encode_to_vec(), [&[0x08, 4, 0x32, 20][..], &response].concat());
        let refused = Wire::from(Answer::Registered(Err(Refusal::Ttl)));
        assert_eq!(refused.encode_to_vec()[..6], [0x08, 1, 0x1a, 53, 0x08, 102]);
    }

    #[test]
    fn of_too_many_registrations_the_first_are_read() {
        let registrations = (0..100).map(register).collect();
        let wire = Wire::from(Answer::Discovered(Ok(Found { registrations, cookie: vec![] })));
        let Ok(Answer::Discovered(Ok(found))) = Answer::try_from(wire) else { panic!("an answer") };
        assert_eq!(found.registrations, (0..64).map(register).collect::<Vec<_>>());
    }

    #[test]
    fn an_answer_without_what_it_needs_is_none() {
        let response = |status, ttl| Wire {
            kind: Some(Kind::RegisterResponse.into()),
            register_response: Some(RegisterResponse { status, ttl, status_text: None }),
            ..Wire::default()
        };
        assert_eq!(Answer::try_from(response(None, Some(60))), Err(Nonsense::Status));
        assert_eq!(Answer::try_from(response(Some(1), Some(60))), Err(Nonsense::Status));
        assert_eq!(Answer::try_from(response(Some(0), None)), Err(Nonsense::Ttl));
        assert_eq!(Answer::try_from(response(Some(0), Some(0))), Ok(Answer::Registered(Ok(0))));
        let other = Wire { kind: Some(Kind::DiscoverResponse.into()), ..response(Some(0), Some(60)) };
        assert_eq!(Answer::try_from(other), Err(Nonsense::Answer));
        assert_eq!(Answer::try_from(Wire::default()), Err(Nonsense::Answer));
    }
}
