//! What runs on the connections.

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{identify, ping, relay};
use libp2p_webrtc_browser as webrtc;

use crate::config::NetConfig;
use crate::{fetch, introducers, link, rendezvous};

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
    pub(crate) rendezvous: rendezvous::Behaviour,
    // Before the link: it is to serve a connection's requests before our hello says so.
    pub(crate) fetch: fetch::Behaviour,
    pub(crate) link: link::Behaviour,
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
            rendezvous: rendezvous::behaviour(),
            fetch: fetch::Behaviour::new(config.fetch.clone()),
            link: link::Behaviour::new(config.peer_id(), config.link.clone()),
        }
    }
}
