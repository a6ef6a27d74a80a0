//! Finding others: relays are asked to tell of us, and who else is there (libp2p rendezvous 1.0.0).
//!
//! Written here and not taken from libp2p, whose client keeps what it is told, with a timer, for as long as the relay says
//! (any number of peers for any number of years), and panics when the relay answers with a question. This one keeps nothing:
//! what was found is handed on, and how long it holds there is the relay's business. It sends no cookie either: a relay then
//! goes on where it ended, and those who could not be reached the first time are told of again.
//!
//! Bounds: a relay is asked one thing of a kind at a time, and has [`PATIENCE`] to answer; of an answer are read
//! [`MAX_ANSWER`](tabchain_rendezvous::MAX_ANSWER) bytes and [`MAX_FOUND`] registrations, and taken those in our namespace
//! whose records their own peers have signed, one a peer. A registration is taken to hold between [`SHORTEST`] and [`LONGEST`],
//! whatever the relay says.

use std::collections::HashMap;
use std::hash::Hash;
use std::iter;
use std::time::Duration;

use libp2p::core::PeerRecord;
use libp2p::identity::{Keypair, SigningError};
use libp2p::request_response::{self, Message, OutboundFailure, OutboundRequestId, ProtocolSupport};
use libp2p::{Multiaddr, PeerId};
use tabchain_rendezvous::{
    Answer, Codec, Discover, MAX_FOUND, MAX_TTL, PROTOCOL, Refusal, Register, Request,
};

/// How long a relay has to answer, once the stream is open; that may take as long again.
const PATIENCE: Duration = Duration::from_secs(10);
/// One for each kind of question.
const MAX_STREAMS: usize = 2;
/// For how long a registration holds at least: a relay that names less would have us say the same again and again.
const SHORTEST: Duration = Duration::from_mins(2);
/// For how long it holds at most, and what is asked for.
const LONGEST: Duration = Duration::from_secs(MAX_TTL);

/// The libp2p side: answers come out of it as events.
pub(crate) type Behaviour = request_response::Behaviour<Codec>;
/// What comes out of it.
pub(crate) type Reply = request_response::Event<Request, Answer>;

/// What relays are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// To tell of us.
    Registration,
    /// Who else is there.
    Discovery,
}

/// What relays say.
#[derive(Debug)]
pub(crate) enum Event {
    /// It tells others of us, for so long.
    Registered { relay: PeerId, holds: Duration },
    /// It told of these.
    Discovered { relay: PeerId, records: Vec<PeerRecord> },
    /// It did not do what it was asked.
    Failed { relay: PeerId, question: Question, error: Error },
}

/// Why a relay's answer is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("refused: {0}")]
    Refused(Refusal),
    #[error("that is the answer to another question")]
    OtherQuestion,
    #[error(transparent)]
    NoAnswer(#[from] OutboundFailure),
}

/// Why a relay was not asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAsked {
    #[error("it is not connected")]
    NotConnected,
    #[error("it has not answered the last time yet")]
    Open,
}

/// A behaviour that asks and is never asked.
pub(crate) fn behaviour() -> Behaviour {
    let config = request_response::Config::default()
        .with_request_timeout(PATIENCE)
        .with_max_concurrent_streams(MAX_STREAMS);
    Behaviour::with_codec(Codec, iter::once((PROTOCOL, ProtocolSupport::Outbound)), config)
}

/// What is asked in one namespace, and what is still unanswered.
pub(crate) struct Rendezvous {
    key: Keypair,
    namespace: String,
    open: Open<OutboundRequestId>,
}

impl Rendezvous {
    /// For the node with this key.
    pub(crate) fn new(key: Keypair, namespace: String) -> Self {
        Self { key, namespace, open: Open::default() }
    }

    /// The request to tell of us at these addresses for as long as can be.
    pub(crate) fn registration(&self, addresses: Vec<Multiaddr>) -> Result<Request, SigningError> {
        let record = PeerRecord::new(&self.key, addresses)?.into_signed_envelope();
        Ok(Request::Register(Register {
            namespace: Some(self.namespace.clone()),
            record: Some(record.into_protobuf_encoding()),
            ttl: Some(LONGEST.as_secs()),
        }))
    }

    /// The request to tell who else is there.
    pub(crate) fn discovery(&self) -> Request {
        let limit = u64::try_from(MAX_FOUND).expect("a few dozen");
        Request::Discover(Discover {
            namespace: Some(self.namespace.clone()),
            limit: Some(limit),
            cookie: None,
        })
    }

    /// Asks a relay, unless it owes the answer to such a question.
    pub(crate) fn ask(
        &mut self,
        behaviour: &mut Behaviour,
        relay: PeerId,
        request: Request,
    ) -> Result<(), NotAsked> {
        // libp2p would dial it.
        if !behaviour.is_connected(&relay) {
            return Err(NotAsked::NotConnected);
        }
        let question = match request {
            Request::Discover(_) => Question::Discovery,
            Request::Register(_) | Request::Unregister(_) => Question::Registration,
        };
        if self.open.holds(relay, question) {
            return Err(NotAsked::Open);
        }
        self.open.begin(behaviour.send_request(&relay, request), relay, question);
        Ok(())
    }

    /// Reads what became of a question.
    pub(crate) fn on_reply(&mut self, reply: Reply) -> Option<Event> {
        match reply {
            Reply::Message { message: Message::Response { request_id, response }, .. } => {
                let (relay, question) = self.open.end(&request_id)?;
                Some(read(relay, question, response, &self.namespace))
            }
            Reply::OutboundFailure { request_id, error, .. } => {
                let (relay, question) = self.open.end(&request_id)?;
                Some(Event::Failed { relay, question, error: error.into() })
            }
            // Nobody can ask us: the protocol is not offered.
            Reply::Message { message: Message::Request { .. }, .. }
            | Reply::InboundFailure { .. }
            | Reply::ResponseSent { .. } => None,
        }
    }
}

/// The questions without an answer yet.
struct Open<Id>(HashMap<Id, (PeerId, Question)>);

impl<Id> Default for Open<Id> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<Id: Eq + Hash> Open<Id> {
    fn holds(&self, relay: PeerId, question: Question) -> bool {
        self.0.values().any(|open| *open == (relay, question))
    }

    fn begin(&mut self, id: Id, relay: PeerId, question: Question) {
        self.0.insert(id, (relay, question));
    }

    fn end(&mut self, id: &Id) -> Option<(PeerId, Question)> {
        self.0.remove(id)
    }
}

/// What an answer says, as far as it can be believed.
fn read(relay: PeerId, question: Question, answer: Answer, namespace: &str) -> Event {
    let error = match (question, answer) {
        (Question::Registration, Answer::Registered(Ok(ttl))) => {
            return Event::Registered { relay, holds: Duration::from_secs(ttl).clamp(SHORTEST, LONGEST) };
        }
        (Question::Discovery, Answer::Discovered(Ok(found))) => {
            return Event::Discovered { relay, records: records(&found.registrations, namespace) };
        }
        (Question::Registration, Answer::Registered(Err(refusal)))
        | (Question::Discovery, Answer::Discovered(Err(refusal))) => Error::Refused(refusal),
        _ => Error::OtherQuestion,
    };
    Event::Failed { relay, question, error }
}

/// The records in our namespace that their own peers have signed, the first of each peer.
fn records(told: &[Register], namespace: &str) -> Vec<PeerRecord> {
    let mut records: Vec<PeerRecord> = Vec::new();
    let told = told.iter().filter(|register| register.namespace.as_deref() == Some(namespace));
    for record in told.filter_map(|register| register.signed_record().ok()) {
        if records.iter().all(|known| known.peer_id() != record.peer_id()) {
            records.push(record);
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use tabchain_rendezvous::Found;

    use super::*;

    const SPACE: &str = "tabchain/1";

    fn register(key: &Keypair, namespace: &str) -> Register {
        let Ok(Request::Register(register)) =
            Rendezvous::new(key.clone(), namespace.to_owned()).registration(vec![])
        else {
            panic!("Ed25519 signs")
        };
        register
    }

    fn found(registrations: Vec<Register>) -> Answer {
        Answer::Discovered(Ok(Found { registrations, cookie: vec![] }))
    }

    #[test]
    fn a_relay_is_asked_one_thing_of_a_kind_at_a_time() {
        let (relay, other) = (PeerId::random(), PeerId::random());
        let mut open = Open::default();
        open.begin(1, relay, Question::Discovery);
        assert!(open.holds(relay, Question::Discovery));
        assert!(!open.holds(relay, Question::Registration) && !open.holds(other, Question::Discovery));
        assert_eq!(open.end(&1), Some((relay, Question::Discovery)));
        assert!(!open.holds(relay, Question::Discovery));
        assert_eq!(open.end(&1), None, "it was answered");
    }

    #[test]
    fn a_registration_holds_for_a_while_that_makes_sense() {
        let holds =
            |ttl| match read(PeerId::random(), Question::Registration, Answer::Registered(Ok(ttl)), SPACE) {
                Event::Registered { holds, .. } => holds.as_secs(),
                other => panic!("{other:?}"),
            };
        assert_eq!([0, 119, 180, 7_201, u64::MAX].map(holds), [120, 120, 180, 7_200, 7_200]);
    }

    #[test]
    fn of_what_a_relay_tells_is_taken_what_each_peer_says_of_itself_here_once() {
        let [one, two, three] = [(); 3].map(|()| Keypair::generate_ed25519());
        let mut forged = register(&three, SPACE);
        forged.record.as_mut().expect("it has one")[60] ^= 1;
        let told = vec![
            register(&one, SPACE),
            register(&one, SPACE),
            forged,
            register(&three, "tabchain/2"),
            Register { namespace: None, ..register(&three, SPACE) },
            Register { ttl: Some(u64::MAX), ..register(&two, SPACE) },
            Register::default(),
        ];
        let Event::Discovered { records, .. } =
            read(PeerId::random(), Question::Discovery, found(told), SPACE)
        else {
            panic!("an answer")
        };
        let peers: Vec<PeerId> = records.iter().map(PeerRecord::peer_id).collect();
        assert_eq!(peers, [one, two].map(|key| key.public().to_peer_id()));
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let failure = |question, answer| match read(PeerId::random(), question, answer, SPACE) {
            Event::Failed { error, .. } => error.to_string(),
            other => panic!("{other:?}"),
        };
        for (question, answer) in [
            (Question::Registration, found(vec![])),
            (Question::Discovery, Answer::Registered(Ok(60))),
            (Question::Discovery, Answer::Registered(Err(Refusal::Full))),
        ] {
            assert_eq!(failure(question, answer), "that is the answer to another question");
        }
        let refused = failure(Question::Discovery, Answer::Discovered(Err(Refusal::Namespace)));
        assert_eq!(refused, "refused: the namespace must be 1 to 255 bytes");
    }
}
