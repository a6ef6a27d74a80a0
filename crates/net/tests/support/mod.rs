//! Swarms on the loopback, and a relay for them.

// Each scenario is a crate of its own and uses what it needs; `pub` here means to the scenario.
#![allow(dead_code, unreachable_pub)]

use std::time::Duration;

use futures::StreamExt as _;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{
    Multiaddr, Swarm, Transport as _, core::upgrade::Version, noise, ping, relay, swarm, tcp, yamux,
};
use tabchain_net::{Net, NetCommand, NetConfig, NetEvent, NetHandle};
use tabchain_primitives::BlockHash;
use tabchain_sync::{ConnectionKind, PeerAddress, PeerId};
use zeroize::Zeroizing;

/// A swarm with a node's place beside it, which the test takes.
pub struct Peer {
    pub id: PeerId,
    pub handle: NetHandle,
}

impl Peer {
    /// One that listens on the loopback.
    pub fn start(seed: u8, genesis: BlockHash) -> Self {
        let listen = vec!["/ip4/127.0.0.1/tcp/0".parse().expect("valid")];
        Self::run(NetConfig::new(Zeroizing::new([seed; 32]), genesis).with_listen(listen))
    }

    /// One that listens nowhere, but has a place at a relay.
    pub async fn at(relay: &Relay, seed: u8) -> Self {
        let config = NetConfig::new(Zeroizing::new([seed; 32]), BlockHash::ZERO);
        let peer = Self::run(config.with_relays(&[relay.address.to_string()]).expect("it ends in its id"));
        peer.next(|event| matches!(event, NetEvent::Relay { connected: true, .. }).then_some(())).await;
        peer
    }

    fn run(config: NetConfig) -> Self {
        let id = PeerId::new(&config.peer_id().to_bytes()).expect("an id fits");
        let (net, handle) = Net::new(config).expect("the loopback can be listened on");
        tokio::spawn(net.run());
        Self { id, handle }
    }

    pub async fn tell(&self, command: NetCommand) {
        self.handle.commands.send(command).await.expect("the swarm runs");
    }

    /// Waits for the event that `wanted` accepts, skipping others.
    pub async fn next<T>(&self, wanted: impl Fn(NetEvent) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.handle.events.recv().await.expect("the swarm runs");
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), search).await.expect("the event comes")
    }

    pub async fn address(&self) -> PeerAddress {
        self.next(|event| match event {
            NetEvent::Listening(addresses) => addresses.into_iter().next(),
            _ => None,
        })
        .await
    }

    pub async fn up(&self) -> (PeerId, ConnectionKind, bool) {
        self.next(|event| match event {
            NetEvent::Up(peer, info) => Some((peer, info.kind, info.outbound)),
            _ => None,
        })
        .await
    }
}

/// A circuit relay.
pub struct Relay {
    pub address: Multiaddr,
    events: async_channel::Receiver<relay::Event>,
}

#[derive(NetworkBehaviour)]
struct RelayBehaviour {
    relay: relay::Behaviour,
    ping: ping::Behaviour,
}

impl Relay {
    /// One with these limits.
    pub async fn start(limits: relay::Config) -> Self {
        let key = Keypair::generate_ed25519();
        let id = key.public().to_peer_id();
        let transport = tcp::tokio::Transport::default()
            .upgrade(Version::V1Lazy)
            .authenticate(noise::Config::new(&key).expect("a good key"))
            .multiplex(yamux::Config::default())
            .boxed();
        let behaviour =
            RelayBehaviour { relay: relay::Behaviour::new(id, limits), ping: ping::Behaviour::default() };
        let mut swarm = Swarm::new(transport, behaviour, id, swarm::Config::with_tokio_executor());
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().expect("valid")).expect("the loopback");
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        swarm.add_external_address(address.clone());
        let (tell, events) = async_channel::bounded(1_000);
        tokio::spawn(async move {
            loop {
                if let SwarmEvent::Behaviour(RelayBehaviourEvent::Relay(event)) =
                    swarm.select_next_some().await
                {
                    tell.try_send(event).ok();
                }
            }
        });
        Self { address: address.with_p2p(id).expect("it has no id yet"), events }
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
}
