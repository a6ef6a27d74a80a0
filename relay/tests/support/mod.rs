//! A relay on free ports with its own data folder, and libp2p clients that speak to it as a tab would.

// Each scenario is a crate of its own and uses what it needs; `pub` here means to the scenario.
#![allow(dead_code, unreachable_pub, clippy::format_push_string)]

use std::time::Duration;

use futures::StreamExt as _;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::OrTransport;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{Config as SwarmConfig, NetworkBehaviour, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport as _, identify, noise, ping, relay, rendezvous, tcp, websocket, yamux,
};
use tabchain_relay::Relay;
use tabchain_relay::config::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// How long anything in a test may take before it counts as never.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A relay that serves this test alone.
pub struct TestRelay {
    pub relay: Relay,
    pub address: Multiaddr,
    data: tempfile::TempDir,
}

impl TestRelay {
    /// Starts one with these settings changed.
    pub async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = Config { data_dir: data.path().to_owned(), ..free_ports() };
        change(&mut config);
        let relay = Relay::start(config).await.unwrap();
        let address = relay.addresses().ws.parse().unwrap();
        Self { relay, address, data }
    }

    /// A GET request, as a browser sends it.
    pub async fn get(&self, path: &str) -> Response {
        self.get_with(path, &[]).await
    }

    /// A GET request with more headers.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        fetch(self.relay.addresses().http.strip_prefix("http://").unwrap(), path, headers).await
    }

    /// One series of `/metrics`, by its whole name with labels.
    pub async fn metric(&self, series: &str) -> u64 {
        let page = self.get("/metrics").await.body;
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in\n{page}")).parse().unwrap()
    }

    /// Waits until one series of `/metrics` has this value.
    pub async fn metric_becomes(&self, series: &str, value: u64) {
        let reached = async {
            while self.metric(series).await != value {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, reached).await.is_ok(), "{series} never became {value}");
    }
}

/// The defaults, on ports that the system picks.
pub fn free_ports() -> Config {
    Config { http_port: 0, ws_port: 0, stun_port: 0, ..Config::default() }
}

/// A GET request to `authority`, which is also its `Host` unless the headers say otherwise.
pub async fn fetch(authority: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request += &format!("Host: {authority}\r\n");
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += "\r\n";
    let mut stream = TcpStream::connect(authority).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    Response::parse(&answer)
}

/// An HTTP response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        Self {
            status,
            headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
            body: body.to_owned(),
        }
    }

    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// What a client does: the client's halves of what the relay offers.
#[derive(NetworkBehaviour)]
pub struct ClientBehaviour {
    pub relay: relay::client::Behaviour,
    pub rendezvous: rendezvous::client::Behaviour,
    pub identify: identify::Behaviour,
    pub ping: ping::Behaviour,
}

type Act = Box<dyn FnOnce(&mut Swarm<ClientBehaviour>) + Send>;

/// A libp2p client that runs by itself, told what to do by closures, and telling what happens by events.
pub struct Client {
    pub peer_id: PeerId,
    acts: mpsc::Sender<Act>,
    events: mpsc::Receiver<SwarmEvent<ClientBehaviourEvent>>,
    task: tokio::task::JoinHandle<()>,
}

impl Client {
    /// A client with a new identity.
    pub fn new() -> Self {
        let keypair = Keypair::generate_ed25519();
        let peer_id = keypair.public().to_peer_id();
        let mut swarm = client_swarm(&keypair);
        let (acts, mut to_do) = mpsc::channel::<Act>(16);
        let (tell, events) = mpsc::channel(10_000);
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    act = to_do.recv() => match act {
                        Some(act) => act(&mut swarm),
                        None => return,
                    },
                    event = swarm.select_next_some() => if tell.send(event).await.is_err() { return },
                }
            }
        });
        Self { peer_id, acts, events, task }
    }

    /// Does something with the swarm.
    pub async fn act(&self, act: impl FnOnce(&mut Swarm<ClientBehaviour>) + Send + 'static) {
        self.acts.send(Box::new(act)).await.expect("the client runs as long as its test");
    }

    /// Waits for an event that `pick` makes something of.
    pub async fn wait<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(SwarmEvent<ClientBehaviourEvent>) -> Option<T>,
    ) -> T {
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the client runs as long as its test");
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no {what} in time"))
    }

    /// Dials and waits for the connection.
    pub async fn connect(&mut self, address: &Multiaddr) {
        let target = address.clone();
        self.act(move |swarm| swarm.dial(target).unwrap()).await;
        self.wait("connection", |event| {
            matches!(event, SwarmEvent::ConnectionEstablished { .. }).then_some(())
        })
        .await;
    }

    /// Asks for a reservation and says how the relay answered: the addresses it is reachable by, or the reason.
    pub async fn reserve(&mut self, address: &Multiaddr) -> Result<Multiaddr, String> {
        let circuit = address.clone().with(libp2p::multiaddr::Protocol::P2pCircuit);
        self.act(move |swarm| {
            swarm.listen_on(circuit).unwrap();
        })
        .await;
        self.wait("answer to a reservation", |event| match event {
            SwarmEvent::NewListenAddr { address, .. } => Some(Ok(address)),
            SwarmEvent::ListenerClosed { reason: Err(error), .. } => Some(Err(chain(&error))),
            _ => None,
        })
        .await
    }

    /// Goes away without a word.
    pub async fn vanish(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// An error with its causes.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(current) = cause {
        text += &format!(": {current}");
        cause = current.source();
    }
    text
}

fn client_swarm(keypair: &Keypair) -> Swarm<ClientBehaviour> {
    let peer_id = keypair.public().to_peer_id();
    let (circuits, relay) = relay::client::new(peer_id);
    let websocket = websocket::Config::new(tcp::tokio::Transport::new(tcp::Config::default()));
    let transport = OrTransport::new(circuits, websocket)
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair).unwrap())
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed();
    let behaviour = ClientBehaviour {
        relay,
        rendezvous: rendezvous::client::Behaviour::new(keypair.clone()),
        identify: identify::Behaviour::new(identify::Config::new("/test/1".to_owned(), keypair.public())),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(Duration::from_millis(20))),
    };
    let config = SwarmConfig::with_tokio_executor().with_idle_connection_timeout(Duration::from_hours(1));
    Swarm::new(transport, behaviour, peer_id, config)
}
