//! From a signalling stream to a connected peer.
//!
//! The dialer offers, the listener answers, both send candidates as their browsers find them. When its browser says
//! that the peers are connected, each side ends the signalling stream; when it fails, each side resets it by letting it
//! go. A signalling stream that ends early is no failure by itself: what was exchanged may be enough.

use std::{cell::Cell, future::pending, pin::pin, rc::Rc, time::Duration};

use futures::{
    AsyncReadExt,
    future::{Either, select},
    io::{ReadHalf, WriteHalf},
};
use futures_timer::Delay;
use js_sys::JSON;
use libp2p_identity::PeerId;
use libp2p_swarm::Stream;
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{RtcIceCandidateInit, RtcSdpType, RtcSessionDescriptionInit};

use super::{
    connection::Connection,
    js::{get, refused},
    peer::{Peer, Progress},
};
use crate::{
    Config, Error, SignalingError, Stage, WireError,
    handler::{Circuit, Line},
    metrics::Counters,
    transport::{staged, within},
    wire::signaling::{Message, Receiver, Sender},
};

/// Candidates that we take from a peer.
const MAX_CANDIDATES: u32 = 64;

/// Connects to the peer at the other end of a signalling stream that we opened.
pub(crate) fn dial(
    line: Line,
    peer: PeerId,
    config: &Config,
    counters: &Counters,
) -> impl Future<Output = Result<Connection, Error>> + Send + use<> {
    SendWrapper::new(Box::pin(negotiate(line, peer, config.clone(), counters.clone(), Role::Dialer)))
}

/// Lets the peer at the other end of a signalling stream connect, which it opened.
pub(crate) fn accept(
    line: Line,
    peer: PeerId,
    config: &Config,
    counters: &Counters,
) -> impl Future<Output = Result<Connection, Error>> + Send + use<> {
    SendWrapper::new(Box::pin(negotiate(line, peer, config.clone(), counters.clone(), Role::Listener)))
}

#[derive(Debug, Clone, Copy)]
enum Role {
    Dialer,
    Listener,
}

/// Both ways of a signalling stream.
struct Signaling {
    sender: Sender<WriteHalf<Stream>>,
    receiver: Receiver<ReadHalf<Stream>>,
}

async fn negotiate(
    Line { stream, circuit }: Line,
    id: PeerId,
    config: Config,
    counters: Counters,
    role: Role,
) -> Result<Connection, Error> {
    let peer = Peer::new(id, &config, counters)?;
    let (reader, writer) = stream.split();
    let mut signaling = Signaling { sender: Sender::new(writer), receiver: Receiver::new(reader) };
    let stage = Cell::new(Stage::Description);
    let steps = async {
        staged(Stage::Description, async {
            match role {
                Role::Dialer => signaling.offer(&peer).await,
                Role::Listener => signaling.answer(&peer).await,
            }
        })
        .await?;
        stage.set(Stage::Connectivity);
        staged(Stage::Connectivity, signaling.connect(&peer)).await
    };
    let result = within(config.dial_timeout, steps, Stage::Connectivity).await;
    peer.explain(stage.get());
    if let Err(error) = result.unwrap_or_else(|_| Err(Error::Timeout(stage.get()))) {
        return Err(cause(error, &circuit).await);
    }
    spawn_local(signaling.end(config));
    Ok(Connection::new(peer))
}

impl Signaling {
    async fn offer(&mut self, peer: &Rc<Peer>) -> Result<(), Error> {
        peer.open_init()?;
        let offer = JsFuture::from(peer.raw.create_offer()).await.map_err(refused("make an offer"))?;
        self.sender.send(&Message::Offer(sdp_of(&offer))).await?;
        set_local(peer, &offer).await?;
        match self.receiver.next().await? {
            Some(Message::Answer(sdp)) => set_remote(peer, RtcSdpType::Answer, &sdp).await?,
            Some(_) => return Err(SignalingError::Unexpected { expected: "an answer" }.into()),
            None => return Err(SignalingError::Ended.into()),
        }
        Ok(())
    }

    async fn answer(&mut self, peer: &Rc<Peer>) -> Result<(), Error> {
        match self.receiver.next().await? {
            Some(Message::Offer(sdp)) => set_remote(peer, RtcSdpType::Offer, &sdp).await?,
            Some(_) => return Err(SignalingError::Unexpected { expected: "an offer" }.into()),
            None => return Err(SignalingError::Ended.into()),
        }
        let answer = JsFuture::from(peer.raw.create_answer()).await.map_err(refused("make an answer"))?;
        self.sender.send(&Message::Answer(sdp_of(&answer))).await?;
        set_local(peer, &answer).await
    }

    /// Exchanges candidates until the browser has found a path. A broken stream only means that no more of them pass.
    async fn connect(&mut self, peer: &Rc<Peer>) -> Result<(), Error> {
        let mut hears = true;
        loop {
            let receiver = &mut self.receiver;
            let message = async move { if hears { receiver.next().await } else { pending().await } };
            let step = match select(pin!(peer.progress()), pin!(message)).await {
                Either::Left((progress, _)) => Either::Left(progress),
                Either::Right((message, _)) => Either::Right(message),
            };
            match step {
                Either::Left(Progress::Connected) => return Ok(()),
                Either::Left(Progress::Failed) => return Err(Error::ConnectivityFailed),
                Either::Left(Progress::Candidate(json)) => {
                    tracing::trace!(candidate = json, "ours");
                    if let Err(error) = self.sender.send(&Message::Candidate(json)).await {
                        tracing::trace!(%error, "a candidate was not sent");
                    }
                }
                Either::Right(Ok(Some(Message::Candidate(json)))) => {
                    tracing::trace!(candidate = json, "theirs");
                    peer.taken.set(peer.taken.get() + 1);
                    if peer.taken.get() > MAX_CANDIDATES {
                        return Err(SignalingError::TooManyCandidates.into());
                    }
                    add_candidate(peer, &json).await?;
                }
                Either::Right(Ok(Some(_))) => {
                    return Err(SignalingError::Unexpected { expected: "a candidate" }.into());
                }
                Either::Right(Ok(None) | Err(SignalingError::Io(_))) => hears = false,
                Either::Right(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Ends signalling in order: says so, and hears the other side out.
    async fn end(mut self, config: Config) {
        let ending = async {
            self.sender.close().await?;
            while self.receiver.next().await?.is_some() {}
            Ok::<_, SignalingError>(())
        };
        match within(config.dial_timeout, ending, Stage::Signaling).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::trace!(%error, "signalling did not end in order"),
            Err(error) => tracing::trace!(%error, "signalling did not end in time"),
        }
    }
}

/// What lies behind a failure. A circuit that is gone explains why the other side fell silent and why no path was found;
/// while it is there, the failure is its own cause, whatever the other side did when it gave up as well.
async fn cause(error: Error, circuit: &Circuit) -> Error {
    // A stream ends a moment before its connection does: in the same turn of the browser's event loop.
    Delay::new(Duration::ZERO).await;
    let follows = matches!(
        error,
        Error::Timeout(_)
            | Error::ConnectivityFailed
            | Error::Signaling(
                SignalingError::Ended | SignalingError::Io(_) | SignalingError::Wire(WireError::Truncated)
            )
    );
    if follows && circuit.is_gone() { Error::CircuitClosed } else { error }
}

async fn set_local(peer: &Peer, description: &JsValue) -> Result<(), Error> {
    let set = peer.raw.set_local_description(description.unchecked_ref());
    JsFuture::from(set).await.map(drop).map_err(refused("take its own description"))
}

async fn set_remote(peer: &Peer, kind: RtcSdpType, sdp: &str) -> Result<(), Error> {
    let description = RtcSessionDescriptionInit::new(kind);
    description.set_sdp(sdp);
    let set = peer.raw.set_remote_description(&description);
    JsFuture::from(set).await.map(drop).map_err(refused("take the peer's description"))
}

/// Hands a candidate to the browser. One that the browser doesn't like is left out: others may do.
async fn add_candidate(peer: &Peer, json: &str) -> Result<(), Error> {
    if json.is_empty() {
        return Ok(());
    }
    let candidate = JSON::parse(json).map_err(|_| SignalingError::BadCandidate)?;
    if candidate.is_null() || get(&candidate, "candidate") == "" {
        return Ok(());
    }
    if !candidate.is_object() {
        return Err(SignalingError::BadCandidate.into());
    }
    let candidate: RtcIceCandidateInit = candidate.unchecked_into();
    let added =
        JsFuture::from(peer.raw.add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&candidate))).await;
    if let Err(error) = added.map_err(refused("take a candidate")) {
        tracing::debug!(%error, "leaving a candidate out");
    }
    Ok(())
}

fn sdp_of(description: &JsValue) -> String {
    get(description, "sdp").as_string().unwrap_or_default()
}
