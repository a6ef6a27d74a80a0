//! What runs on the connections.

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{identify, ping, relay, rendezvous};
use libp2p_webrtc_browser as webrtc;

use crate::config::NetConfig;
use crate::direct_only::DirectOnly;
use crate::{fetch, introducers, link};

const MAX_CONNECTIONS: u32 = 96;
const MAX_PENDING: u32 = 32;
/// A circuit, a direct connection, and the same again while both sides dial.
const MAX_CONNECTIONS_PER_PEER: u32 = 4;

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    limits: connection_limits::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    circuits: relay::client::Behaviour,
    introducer: relay::Behaviour,
    pub(crate) webrtc: webrtc::Behaviour,
    pub(crate) rendezvous: rendezvous::client::Behaviour,
    ledger: DirectOnly<Ledger>,
}

/// The protocols of the ledger.
#[derive(NetworkBehaviour)]
pub(crate) struct Ledger {
    pub(crate) link: link::Behaviour,
    pub(crate) fetch: fetch::Behaviour,
}

impl Behaviour {
    pub(crate) fn new(
        config: &NetConfig,
        circuits: relay::client::Behaviour,
        webrtc: webrtc::Behaviour,
    ) -> Self {
        let limits = ConnectionLimits::default()
            .with_max_established(Some(MAX_CONNECTIONS))
            .with_max_established_per_peer(Some(MAX_CONNECTIONS_PER_PEER))
            .with_max_pending_incoming(Some(MAX_PENDING))
            .with_max_pending_outgoing(Some(MAX_PENDING));
        let identify = identify::Config::new("/tabchain/1".to_owned(), config.key.public())
            .with_agent_version(config.agent.clone())
            .with_hide_listen_addrs(true);
        Self {
            limits: connection_limits::Behaviour::new(limits),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::default(),
            circuits,
            introducer: introducers::behaviour(config.peer_id()),
            webrtc,
            rendezvous: rendezvous::client::Behaviour::new(config.key.clone()),
            ledger: DirectOnly::new(Ledger {
                link: link::Behaviour::new(config.link.clone()),
                fetch: fetch::behaviour(config.fetch.clone()),
            }),
        }
    }

    pub(crate) fn link(&mut self) -> &mut link::Behaviour {
        &mut self.ledger.inner_mut().link
    }

    pub(crate) fn fetch(&mut self) -> &mut fetch::Behaviour {
        &mut self.ledger.inner_mut().fetch
    }
}
