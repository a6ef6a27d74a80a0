//! Circuit relays at which nodes find each other, or are lied to.

use std::collections::HashMap;
use std::io;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, Message, ProtocolSupport};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{
    Multiaddr, StreamProtocol, Swarm, Transport as _, core::upgrade::Version, noise, ping, relay, rendezvous,
    swarm, tcp, yamux,
};
use tabchain_rendezvous::{Codec, PROTOCOL, Request};
use tabchain_sync::{PeerAddress, PeerId};

/// A circuit relay.
pub struct Relay {
    pub address: Multiaddr,
    events: async_channel::Receiver<relay::Event>,
    asked: async_channel::Receiver<Request>,
    places: async_channel::Receiver<()>,
}

/// What a relay that lies writes for an answer; without anything it lets whoever asked wait.
type Lie = Box<dyn FnMut(&Request) -> Option<Vec<u8>> + Send>;

/// What a relay that pretends to keep places says when it is asked for one.
type Place = Box<dyn FnMut() -> Vec<u8> + Send>;

/// What a relay is made of.
#[derive(Default)]
struct Parts {
    limits: Option<relay::Config>,
    standard: Option<rendezvous::server::Behaviour>,
    lie: Option<Lie>,
    place: Option<Place>,
}

#[derive(NetworkBehaviour)]
struct RelayBehaviour {
    relay: Toggle<relay::Behaviour>,
    ping: ping::Behaviour,
    standard: Toggle<rendezvous::server::Behaviour>,
    liar: Toggle<request_response::Behaviour<Raw>>,
    pretender: Toggle<request_response::Behaviour<Hop>>,
}

impl Relay {
    /// One with these limits, where nobody can register.
    pub async fn start(limits: relay::Config) -> Self {
        Self::run(Parts { limits: Some(limits), ..Parts::default() }).await
    }

    /// One with libp2p's own rendezvous.
    pub async fn standard() -> Self {
        let standard = rendezvous::server::Behaviour::new(rendezvous::server::Config::default());
        let limits = Some(relay::Config::default());
        Self::run(Parts { limits, standard: Some(standard), ..Parts::default() }).await
    }

    /// One that answers whatever it likes to whoever looks for others.
    pub async fn liar(lie: impl FnMut(&Request) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let limits = Some(relay::Config::default());
        Self::run(Parts { limits, lie: Some(Box::new(lie)), ..Parts::default() }).await
    }

    /// One that answers whatever it likes to whoever asks for a place.
    pub async fn pretender(place: impl FnMut() -> Vec<u8> + Send + 'static) -> Self {
        Self::run(Parts { place: Some(Box::new(place)), ..Parts::default() }).await
    }

    async fn run(parts: Parts) -> Self {
        let Parts { limits, standard, mut lie, mut place } = parts;
        let key = Keypair::generate_ed25519();
        let id = key.public().to_peer_id();
        let transport = tcp::tokio::Transport::default()
            .upgrade(Version::V1Lazy)
            .authenticate(noise::Config::new(&key).expect("a good key"))
            .multiplex(yamux::Config::default())
            .boxed();
        let liar = lie.is_some().then(|| {
            let protocols = [(PROTOCOL, ProtocolSupport::Inbound)];
            request_response::Behaviour::with_codec(Raw, protocols, request_response::Config::default())
        });
        let pretender = place.is_some().then(|| {
            let protocols = [(relay::HOP_PROTOCOL_NAME, ProtocolSupport::Inbound)];
            request_response::Behaviour::with_codec(Hop, protocols, request_response::Config::default())
        });
        let behaviour = RelayBehaviour {
            relay: limits.map(|limits| relay::Behaviour::new(id, limits)).into(),
            ping: ping::Behaviour::default(),
            standard: standard.into(),
            liar: liar.into(),
            pretender: pretender.into(),
        };
        let mut swarm = Swarm::new(transport, behaviour, id, swarm::Config::with_tokio_executor());
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().expect("valid")).expect("the loopback");
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        swarm.add_external_address(address.clone());
        let (tell, events) = async_channel::bounded(1_000);
        let (tell_asked, asked) = async_channel::bounded(1_000);
        let (tell_places, places) = async_channel::bounded(1_000);
        tokio::spawn(async move {
            let mut unanswered = HashMap::new();
            loop {
                match swarm.select_next_some().await {
                    SwarmEvent::Behaviour(RelayBehaviourEvent::Relay(event)) => {
                        tell.try_send(event).ok();
                    }
                    SwarmEvent::Behaviour(RelayBehaviourEvent::Liar(request_response::Event::Message {
                        message: Message::Request { request_id, request, channel },
                        ..
                    })) => {
                        match lie.as_mut().and_then(|lie| lie(&request)) {
                            Some(bytes) => {
                                let liar = swarm.behaviour_mut().liar.as_mut().expect("it was asked");
                                liar.send_response(channel, bytes).ok();
                            }
                            None => drop(unanswered.insert(request_id, channel)),
                        }
                        tell_asked.try_send(request).ok();
                    }
                    SwarmEvent::Behaviour(RelayBehaviourEvent::Pretender(
                        request_response::Event::Message {
                            message: Message::Request { channel, .. }, ..
                        },
                    )) => {
                        let bytes = place.as_mut().expect("it was asked")();
                        let pretender = swarm.behaviour_mut().pretender.as_mut().expect("it was asked");
                        pretender.send_response(channel, bytes).ok();
                        tell_places.try_send(()).ok();
                    }
                    _ => {}
                }
            }
        });
        Self { address: address.with_p2p(id).expect("it has no id yet"), events, asked, places }
    }

    /// The address by which a peer with a place here is dialled.
    pub fn address_of(&self, peer: &PeerId) -> PeerAddress {
        let peer = libp2p::PeerId::from_bytes(peer.as_bytes()).expect("libp2p made it");
        PeerAddress::new(format!("{}/p2p-circuit/webrtc/p2p/{peer}", self.address)).expect("it fits")
    }

    /// How many circuits it has opened and closed up to now.
    pub fn circuits(&self) -> (usize, usize) {
        let (mut opened, mut closed) = (0, 0);
        while let Ok(event) = self.events.try_recv() {
            match event {
                relay::Event::CircuitReqAccepted { .. } => opened += 1,
                relay::Event::CircuitClosed { .. } => closed += 1,
                _ => {}
            }
        }
        (opened, closed)
    }

    /// What this liar was asked since the last time.
    pub fn asked(&self) -> Vec<Request> {
        std::iter::from_fn(|| self.asked.try_recv().ok()).collect()
    }

    /// How often this pretender was asked for a place since the last time.
    pub fn asked_for_a_place(&self) -> usize {
        std::iter::from_fn(|| self.places.try_recv().ok()).count()
    }
}

/// Takes any question for one for a place, and writes answers of any bytes.
#[derive(Clone)]
struct Hop;

impl request_response::Codec for Hop {
    type Protocol = StreamProtocol;
    type Request = ();
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<()>
    where
        T: AsyncRead + Unpin + Send,
    {
        io.read_exact(&mut [0]).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, _: &mut T, (): ()) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }
}

/// Reads questions as they are, and writes answers of any bytes.
#[derive(Clone)]
struct Raw;

impl request_response::Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Request;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, protocol: &StreamProtocol, io: &mut T) -> io::Result<Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        Codec.read_request(protocol, io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, _: &mut T, _: Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }
}
