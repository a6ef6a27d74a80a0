//! What a swarm is started with.

use std::sync::Arc;

use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use libp2p_webrtc_browser::IceServer;
use tabchain_primitives::BlockHash;
use zeroize::Zeroizing;

use crate::NetError;
use crate::relays::{MAX_RELAYS, peer_of};

/// Asked for the STUN and TURN servers each time a direct connection is made.
pub type IceServers = Arc<dyn Fn() -> Vec<IceServer> + Send + Sync>;

/// What a swarm is started with.
pub struct NetConfig {
    pub(crate) key: Keypair,
    pub(crate) relays: Vec<Multiaddr>,
    pub(crate) listen: Vec<Multiaddr>,
    pub(crate) namespace: String,
    pub(crate) link: StreamProtocol,
    pub(crate) fetch: StreamProtocol,
    pub(crate) agent: String,
    pub(crate) ice_servers: IceServers,
}

impl NetConfig {
    /// A node of the chain with this genesis, known to others by the Ed25519 key made from `seed`.
    ///
    /// The protocol names and the rendezvous namespace carry the genesis hash, so that nodes of different chains never
    /// meet.
    pub fn new(mut seed: Zeroizing<[u8; 32]>, genesis: BlockHash) -> Self {
        let key = Keypair::ed25519_from_bytes(seed.as_mut_slice()).expect("any 32 bytes are an Ed25519 seed");
        let chain = &genesis.to_string()[..16];
        Self {
            key,
            relays: Vec::new(),
            listen: Vec::new(),
            namespace: format!("tabchain/{chain}"),
            link: protocol(chain, "link"),
            fetch: protocol(chain, "fetch"),
            agent: concat!("tabchain/", env!("CARGO_PKG_VERSION")).to_owned(),
            ice_servers: Arc::new(Vec::new),
        }
    }

    /// Uses these relays: multiaddresses that end in `/p2p/<relay id>`, at most 8.
    pub fn with_relays<S: AsRef<str>>(mut self, relays: &[S]) -> Result<Self, NetError> {
        if relays.len() > MAX_RELAYS {
            return Err(NetError::TooManyRelays(relays.len()));
        }
        self.relays = relays.iter().map(|relay| relay_address(relay.as_ref())).collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// Listens on these addresses (native nodes only; a tab is reached through its relays).
    #[must_use]
    pub fn with_listen(mut self, addresses: Vec<Multiaddr>) -> Self {
        self.listen = addresses;
        self
    }

    /// Asks `provider` for STUN and TURN servers at each connection. Without it there are none.
    #[must_use]
    pub fn with_ice_servers(mut self, provider: IceServers) -> Self {
        self.ice_servers = provider;
        self
    }

    /// The id by which others know this node.
    pub fn peer_id(&self) -> PeerId {
        self.key.public().to_peer_id()
    }
}

fn protocol(chain: &str, name: &str) -> StreamProtocol {
    StreamProtocol::try_from_owned(format!("/tabchain/{chain}/{name}/1")).expect("it begins with a slash")
}

fn relay_address(text: &str) -> Result<Multiaddr, NetError> {
    let invalid = || NetError::InvalidRelay(text.chars().take(200).collect());
    let address: Multiaddr = text.parse().map_err(|_| invalid())?;
    peer_of(&address).ok_or_else(invalid)?;
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relay_addresses_are_checked() {
        let config = || NetConfig::new(Zeroizing::new([1; 32]), BlockHash::ZERO);
        let good = "/ip4/127.0.0.1/tcp/8081/ws/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        assert!(config().with_relays(&[good]).is_ok());
        assert!(matches!(
            config().with_relays(&["/ip4/127.0.0.1/tcp/8081/ws"]),
            Err(NetError::InvalidRelay(_))
        ));
        assert!(matches!(config().with_relays(&["wss://example"]), Err(NetError::InvalidRelay(_))));
        assert!(matches!(config().with_relays(&[good; 9]), Err(NetError::TooManyRelays(9))));
    }
}
