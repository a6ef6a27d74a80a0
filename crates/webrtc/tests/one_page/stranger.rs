//! A peer that is none of ours, and says what no honest one would.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, channel::mpsc};
use futures_timer::Delay;
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    core::{transport::MemoryTransport, upgrade::Version},
    identity::Keypair,
    multiaddr::Protocol,
    noise, relay,
    swarm::{Config as SwarmConfig, NetworkBehaviour, dial_opts::DialOpts},
    yamux,
};
use libp2p_webrtc_browser::{Path, SIGNALING_PROTOCOL};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::tab::Tab;

/// A peer at the relay that has the signalling protocol in its own hands, or doesn't have it at all.
pub(crate) struct Stranger {
    pub(crate) peer: PeerId,
    pub(crate) address: Multiaddr,
    pub(crate) control: libp2p_stream::Control,
}

#[derive(NetworkBehaviour)]
struct StrangerBehaviour {
    relay: relay::client::Behaviour,
    streams: libp2p_stream::Behaviour,
}

/// What a stranger says to an offer, and whether it keeps the stream open after.
pub(crate) type Answer = (Vec<u8>, bool);

impl Stranger {
    pub(crate) async fn start(relay: &Multiaddr) -> Self {
        let key = Keypair::generate_ed25519();
        let peer = key.public().to_peer_id();
        let (circuits, client) = relay::client::new(peer);
        let transport = circuits
            .or_transport(MemoryTransport::default())
            .upgrade(Version::V1)
            .authenticate(noise::Config::new(&key).expect("an Ed25519 key signs"))
            .multiplex(yamux::Config::default())
            .boxed();
        let streams = libp2p_stream::Behaviour::new();
        let control = streams.new_control();
        let config = SwarmConfig::with_wasm_executor().with_idle_connection_timeout(Duration::from_mins(1));
        let mut swarm = Swarm::new(transport, StrangerBehaviour { relay: client, streams }, peer, config);
        swarm.listen_on(relay.clone().with(Protocol::P2pCircuit)).expect("a relay address");
        while swarm.external_addresses().next().is_none() {
            swarm.select_next_some().await;
        }
        spawn_local(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        let address =
            relay.clone().with(Protocol::P2pCircuit).with(Protocol::WebRTC).with(Protocol::P2p(peer));
        Self { peer, address, control }
    }

    /// Lets a tab dial it by its circuit alone.
    pub(crate) async fn reached_by(&self, tab: &Tab) {
        let circuit = self.address.iter().filter(|part| *part != Protocol::WebRTC).collect();
        tab.dial(DialOpts::peer_id(self.peer).addresses(vec![circuit]).build());
        tab.until("a circuit", || tab.paths(self.peer) == [Path::Circuit]).await;
    }

    pub(crate) fn answer_with(&mut self, (bytes, keep): Answer) {
        let mut incoming = self.control.accept(SIGNALING_PROTOCOL).expect("accepted once");
        spawn_local(async move {
            while let Some((_, mut stream)) = incoming.next().await {
                let mut some = [0; 100];
                stream.read_exact(&mut some).await.expect("an offer");
                stream.write_all(&bytes).await.expect("open");
                stream.flush().await.expect("open");
                if keep {
                    spawn_local(async move {
                        Delay::new(Duration::from_mins(1)).await;
                        drop(stream);
                    });
                } else {
                    stream.close().await.expect("open");
                }
            }
        });
    }

    /// Answers offers as a browser does, but finds no candidates; says something more, and keeps the stream or lets it go.
    /// What is returned tells when an answer is out.
    pub(crate) fn answer_truly(&mut self, more: Vec<u8>, keep: bool) -> mpsc::Receiver<()> {
        let mut incoming = self.control.accept(SIGNALING_PROTOCOL).expect("accepted once");
        let (mut tell, answered) = mpsc::channel(1);
        spawn_local(async move {
            let mut kept = Vec::new();
            while let Some((_, mut stream)) = incoming.next().await {
                let answer = answer_to(&read_message(&mut stream).await).await;
                stream.write_all(&[message(1, &answer), more.clone()].concat()).await.expect("open");
                stream.flush().await.expect("open");
                if keep {
                    kept.push(stream);
                }
                tell.try_send(()).expect("the test takes it");
            }
        });
        answered
    }

    /// Takes offers and says nothing. What is returned tells when one has come.
    pub(crate) fn be_silent(&mut self) -> mpsc::Receiver<()> {
        let mut incoming = self.control.accept(SIGNALING_PROTOCOL).expect("accepted once");
        let (mut tell, offered) = mpsc::channel(1);
        spawn_local(async move {
            let mut kept = Vec::new();
            while let Some((_, mut stream)) = incoming.next().await {
                read_message(&mut stream).await;
                kept.push(stream);
                tell.try_send(()).expect("the test takes it");
            }
        });
        offered
    }
}

/// The text of the next signalling message.
async fn read_message(stream: &mut libp2p::Stream) -> String {
    async fn length(stream: &mut libp2p::Stream) -> usize {
        let (mut length, mut shift, mut byte) = (0, 0, [0x80]);
        while byte[0] & 0x80 != 0 {
            stream.read_exact(&mut byte).await.expect("a message");
            length |= usize::from(byte[0] & 0x7f) << shift;
            shift += 7;
        }
        length
    }
    length(stream).await;
    stream.read_exact(&mut [0; 3]).await.expect("its type");
    let mut text = vec![0; length(stream).await];
    stream.read_exact(&mut text).await.expect("its text");
    String::from_utf8(text).expect("text")
}

async fn answer_to(offer: &str) -> String {
    let browser = web_sys::RtcPeerConnection::new().expect("a browser");
    let description = web_sys::RtcSessionDescriptionInit::new(web_sys::RtcSdpType::Offer);
    description.set_sdp(offer);
    JsFuture::from(browser.set_remote_description(&description)).await.expect("an offer");
    let answer = JsFuture::from(browser.create_answer()).await.expect("an answer");
    js_sys::Reflect::get(&answer, &"sdp".into()).expect("an object").as_string().expect("text")
}

/// A signalling message, as the specification has it.
pub(crate) fn message(kind: u8, data: &str) -> Vec<u8> {
    let length = |n: usize| {
        let n = u8::try_from(n & 0x7f).expect("seven bits") | 0x80;
        move |rest: usize| [n, u8::try_from(rest).expect("short")]
    };
    let size = length(data.len())(data.len() >> 7);
    let body = [&[8, kind, 0x12], &size[..], data.as_bytes()].concat();
    [&length(body.len())(body.len() >> 7)[..], &body].concat()
}
