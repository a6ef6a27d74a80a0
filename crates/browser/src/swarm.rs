//! The swarm on its window.

use std::sync::{Arc, Mutex, PoisonError};

use async_channel::Sender;
use serde::{Deserialize, Serialize};
use tabchain_consensus::ChainSpec;
use tabchain_net::{ConnectionStats, Counts, IceServer, Net, NetCommand, NetConfig, path_stats};
use tabchain_node::{PeerAddress, PeerId};
use tsify::Tsify;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessagePort;
use zeroize::Zeroizing;

use crate::error::{EdgeError, to_js};
use crate::pipe::Pipe;

/// What a swarm is started with.
#[derive(Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SwarmOptions {
    /// The chain: `dev` or `test`.
    pub network: String,
    /// The seed of its identity: 32 bytes.
    #[tsify(type = "Uint8Array")]
    pub identity: Seed,
}

/// A seed, erased when it is dropped.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Seed(#[serde(with = "serde_bytes")] [u8; 32]);

/// A STUN or TURN server, in the form that `RTCPeerConnection` takes.
#[derive(Clone, Deserialize, Tsify)]
pub(crate) struct Server {
    /// Its URLs.
    pub urls: Vec<String>,
    /// The user name, for TURN.
    pub username: Option<String>,
    /// The password, for TURN.
    pub credential: Option<String>,
}

/// What the browser says about the direct connection with a peer.
#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Path {
    local_candidate: String,
    remote_candidate: String,
    protocol: String,
    #[tsify(type = "number")]
    bytes_sent: f64,
    #[tsify(type = "number")]
    bytes_received: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip_time: Option<f64>,
}

/// What became of attempts to connect, since the swarm was started.
#[derive(Serialize, Tsify)]
pub(crate) struct ConnectionCounts {
    attempts: u32,
    direct: u32,
    relayed: u32,
    failures: DirectFailures,
}

/// Why direct connections were not made.
#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DirectFailures {
    unreachable: u32,
    unanswered: u32,
    no_path: u32,
    blocked: u32,
}

/// A running swarm.
#[wasm_bindgen]
pub struct Swarm {
    peer_id: String,
    commands: Sender<NetCommand>,
    counts: Counts,
    ice_servers: Arc<Mutex<Vec<IceServer>>>,
    _pipe: Pipe,
}

#[wasm_bindgen]
impl Swarm {
    /// Starts a swarm; `port` leads to the node. Without relays it waits until it is given some.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "SwarmOptions")] options: JsValue,
        port: MessagePort,
    ) -> Result<Swarm, JsValue> {
        Ok(Self::start(options, port)?)
    }

    /// The id by which others know it.
    #[wasm_bindgen(getter, js_name = peerId)]
    pub fn peer_id(&self) -> String {
        self.peer_id.clone()
    }

    /// Uses these relays from now on: multiaddresses that end in `/p2p/` and an id. Connections to peers stay.
    #[wasm_bindgen(js_name = useRelays)]
    pub async fn use_relays(&self, relays: Vec<String>) -> Result<(), JsValue> {
        let relays = relays.into_iter().filter_map(|relay| PeerAddress::new(relay).ok()).collect();
        let commands = self.commands.clone();
        // A swarm that is gone uses no relays.
        commands.send(NetCommand::UseRelays(relays)).await.ok();
        Ok(())
    }

    /// Uses these servers for the next direct connections.
    #[wasm_bindgen(js_name = useIceServers)]
    pub fn use_ice_servers(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Server[]")] servers: JsValue,
    ) -> Result<(), JsValue> {
        let servers: Vec<Server> = serde_wasm_bindgen::from_value(servers).map_err(EdgeError::from)?;
        let servers = servers.into_iter().map(IceServer::from).collect();
        *self.ice_servers.lock().unwrap_or_else(PoisonError::into_inner) = servers;
        Ok(())
    }

    /// Reads `RTCPeerConnection.getStats` of the direct connection with a peer; undefined where there is none.
    #[wasm_bindgen(unchecked_return_type = "Path | undefined")]
    pub async fn path(&self, peer: String) -> JsValue {
        let peer =
            peer.parse().ok().and_then(|peer: libp2p_identity::PeerId| PeerId::new(&peer.to_bytes()).ok());
        let stats = match peer {
            Some(peer) => path_stats(&peer).await,
            None => None,
        };
        stats.map_or(JsValue::UNDEFINED, |stats| to_js(&Path::from(stats)))
    }

    /// What became of attempts to connect.
    #[wasm_bindgen(unchecked_return_type = "ConnectionCounts")]
    pub fn counts(&self) -> JsValue {
        to_js(&ConnectionCounts::from(self.counts.get()))
    }

    /// The machine woke up, or is in another network: what failed before is tried at once.
    pub fn wake(&self) {
        // A full queue has enough to wake up with.
        self.commands.try_send(NetCommand::Wake).ok();
    }

    /// Ends all connections and the swarm.
    pub async fn close(&self) {
        let commands = self.commands.clone();
        commands.send(NetCommand::Shutdown).await.ok();
    }

    fn start(options: JsValue, port: MessagePort) -> Result<Self, EdgeError> {
        let options: SwarmOptions = serde_wasm_bindgen::from_value(options)?;
        let spec = ChainSpec::by_name(&options.network).ok_or(EdgeError::UnknownNetwork(options.network))?;
        let ice_servers = Arc::<Mutex<Vec<IceServer>>>::default();
        let servers = Arc::clone(&ice_servers);
        let config = NetConfig::new(Zeroizing::new(options.identity.0), spec.genesis_hash())
            .with_ice_servers(Arc::new(move || {
                servers.lock().unwrap_or_else(PoisonError::into_inner).clone()
            }));
        let peer_id = config.peer_id().to_base58();
        let (net, handle) = Net::new(config)?;
        spawn_local(net.run());
        let pipe = Pipe::join(port, handle.commands.clone(), handle.events);
        let (commands, counts) = (handle.commands, handle.counts);
        Ok(Self { peer_id, commands, counts, ice_servers, _pipe: pipe })
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl From<Server> for IceServer {
    fn from(server: Server) -> Self {
        Self { urls: server.urls, username: server.username, credential: server.credential }
    }
}

impl From<tabchain_net::ConnectionCounts> for ConnectionCounts {
    fn from(counts: tabchain_net::ConnectionCounts) -> Self {
        let tabchain_net::DirectFailures { unreachable, unanswered, no_path, blocked } = counts.failures;
        Self {
            attempts: counts.attempts,
            direct: counts.direct,
            relayed: counts.relayed,
            failures: DirectFailures { unreachable, unanswered, no_path, blocked },
        }
    }
}

impl From<ConnectionStats> for Path {
    #[expect(clippy::cast_precision_loss, reason = "a count of bytes to look at")]
    fn from(stats: ConnectionStats) -> Self {
        Self {
            local_candidate: stats.local_candidate_type,
            remote_candidate: stats.remote_candidate_type,
            protocol: stats.protocol,
            bytes_sent: stats.bytes_sent as f64,
            bytes_received: stats.bytes_received as f64,
            round_trip_time: stats.round_trip_time,
        }
    }
}
