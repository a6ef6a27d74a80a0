//! Swarms on the loopback, and relays for them.

// Each scenario is a crate of its own and uses what it needs; `pub` here means to the scenario.
#![allow(dead_code, unreachable_pub)]

mod relay;

use std::time::Duration;

use tabchain_net::{Net, NetCommand, NetConfig, NetEvent, NetHandle};
use tabchain_primitives::BlockHash;
use tabchain_sync::{ConnectionKind, PeerAddress, PeerId};
use zeroize::Zeroizing;

pub use relay::Relay;

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

    /// One that listens on the loopback and uses these relays.
    pub fn among(relays: &[&Relay], seed: u8) -> Self {
        let listen = vec!["/ip4/127.0.0.1/tcp/0".parse().expect("valid")];
        let config = NetConfig::new(Zeroizing::new([seed; 32]), BlockHash::ZERO).with_listen(listen);
        let relays: Vec<String> = relays.iter().map(|relay| relay.address.to_string()).collect();
        Self::run(config.with_relays(&relays).expect("they end in their ids"))
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
