//! What a tab must know to join, as `/bootstrap.json` tells it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libp2p::PeerId;
use libp2p::multiaddr::Protocol;
use serde::Serialize;

use crate::config::{Announce, Config, Host};
use crate::swarm::announced_address;

/// The body of `/bootstrap.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bootstrap {
    /// The chain: `dev` or `test`.
    pub network: String,
    /// Multiaddresses of relays, each ending in `/p2p/<peer id>`.
    pub relays: Vec<String>,
    /// Servers for ICE, in the form that `RTCPeerConnection` takes.
    pub ice_servers: Vec<IceServer>,
    /// The rendezvous namespace in which this network's tabs meet.
    pub rendezvous: String,
}

/// One entry of an `RTCConfiguration`'s `iceServers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IceServer {
    /// Its URLs.
    pub urls: Vec<String>,
}

/// All that [`Bootstrap`] is made from, fixed once the relay listens.
#[derive(Debug, Clone)]
pub struct Facts {
    config: Config,
    peer_id: PeerId,
    ws_port: u16,
    stun_port: u16,
}

impl Facts {
    /// The facts of a relay that listens on these ports.
    pub fn new(config: Config, peer_id: PeerId, ws_port: u16, stun_port: u16) -> Self {
        Self { config, peer_id, ws_port, stun_port }
    }

    /// What to tell a browser that asked for `requested`, the host in its URL.
    pub fn bootstrap(&self, requested: Option<&Host>) -> Bootstrap {
        let host = self.host_for(requested);
        Bootstrap {
            network: self.config.network.to_string(),
            relays: vec![self.relay_address(&host)],
            ice_servers: vec![IceServer { urls: vec![format!("stun:{}", host.with_port(self.stun_port))] }],
            rendezvous: self.config.network.rendezvous_namespace(),
        }
    }

    /// The host that browsers are told when they name none.
    pub fn default_host(&self) -> Host {
        match (&self.config.announce, self.config.listen) {
            (Announce::Host(host), _) => host.clone(),
            (Announce::Auto, IpAddr::V4(address)) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            (Announce::Auto, IpAddr::V6(address)) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            (Announce::Auto, address) => Host::Ip(address),
        }
    }

    /// Where browsers on `host` dial libp2p.
    pub fn relay_address(&self, host: &Host) -> String {
        announced_address(&self.config, host, self.ws_port).with(Protocol::P2p(self.peer_id)).to_string()
    }

    fn host_for(&self, requested: Option<&Host>) -> Host {
        match (&self.config.announce, requested) {
            // `localhost` may resolve to the address family that is not listened on.
            (Announce::Auto, Some(Host::Name(name))) if name == "localhost" => self.default_host(),
            (Announce::Auto, Some(host)) => host.clone(),
            _ => self.default_host(),
        }
    }
}
