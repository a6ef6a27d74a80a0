//! A libp2p node in a tab: relay client, `/webrtc`, ping, and an echo service.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    io,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use futures::{
    AsyncReadExt, AsyncWriteExt, StreamExt,
    future::{Either, select, try_join_all},
};
use futures_timer::Delay;
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, Swarm, Transport,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    identity::Keypair,
    multiaddr::Protocol,
    noise, ping, relay,
    swarm::{Config as SwarmConfig, ConnectionId, NetworkBehaviour, SwarmEvent, dial_opts::DialOpts},
    yamux,
};
use libp2p_webrtc_browser::{self as webrtc, Path};
use sha2::{Digest, Sha256};
use wasm_bindgen_futures::spawn_local;

use crate::streams;

/// Sends back what it receives, until the other side has ended its half.
pub(crate) const ECHO: StreamProtocol = StreamProtocol::new("/echo/1");

/// Sends back what it receives, and after the other side has ended its half, the SHA-256 of it all.
const ECHO_SUM: StreamProtocol = StreamProtocol::new("/echo-sum/1");

/// Hears how many bytes will come, as eight bytes, lowest first, and says it again when they are there; any number of times.
const COUNT: StreamProtocol = StreamProtocol::new("/count/1");

/// How long a connection may go unused. A test does something else meanwhile for as long as its machine takes.
const IDLE: Duration = Duration::from_hours(1);

/// How long [`Tab::until`] waits: longer than a dial takes that fails in its last stage.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    relay: relay::client::Behaviour,
    /// Every tab may introduce others to each other, once they are connected to it.
    introducer: relay::Behaviour,
    webrtc: webrtc::Behaviour,
    ping: ping::Behaviour,
    streams: streams::Behaviour,
}

/// A running node. Clones are the same node.
#[derive(Clone)]
pub(crate) struct Tab {
    pub(crate) peer: PeerId,
    pub(crate) control: streams::Control,
    shared: Rc<Shared>,
}

struct Shared {
    swarm: RefCell<Option<Swarm<Behaviour>>>,
    waker: Cell<Option<Waker>>,
    /// Those who wait until something holds: woken at each event.
    waiting: RefCell<Vec<Waker>>,
    connections: RefCell<BTreeMap<ConnectionId, (PeerId, Path)>>,
    /// All that there ever were.
    established: RefCell<BTreeSet<ConnectionId>>,
    addresses: RefCell<Vec<Multiaddr>>,
    failures: RefCell<Vec<(ConnectionId, String)>>,
    pings: Cell<u32>,
    resets: Cell<u32>,
    duplicates: Cell<u32>,
    /// Streams to the one peer that bytes are poured to.
    pouring: RefCell<Vec<Stream>>,
}

/// The transports of a tab, in the order that matters: `/webrtc`, then circuits, then `base`, which reaches relays.
pub(crate) fn transport<T>(
    webrtc: webrtc::Transport,
    circuits: relay::client::Transport,
    base: T,
    key: &Keypair,
) -> Boxed<(PeerId, StreamMuxerBox)>
where
    T: Transport + Send + Unpin + 'static,
    T::Output: futures::AsyncRead + futures::AsyncWrite + Unpin + Send + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let direct = webrtc.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let others = circuits
        .or_transport(base)
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(key).expect("an Ed25519 key signs"))
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    direct.or_transport(others).map(|either, _| either.into_inner()).boxed()
}

impl Tab {
    /// Starts a node that reaches relays by `base`.
    pub(crate) fn start<T>(base: T, configure: impl FnOnce(webrtc::Config) -> webrtc::Config) -> Self
    where
        T: Transport + Send + Unpin + 'static,
        T::Output: futures::AsyncRead + futures::AsyncWrite + Unpin + Send + 'static,
        T::Error: Send + Sync + 'static,
        T::Dial: Send + 'static,
        T::ListenerUpgrade: Send + 'static,
    {
        let key = Keypair::generate_ed25519();
        let peer = key.public().to_peer_id();
        let (circuits, relay) = relay::client::new(peer);
        let (direct, webrtc) = webrtc::new(configure(webrtc::Config::new(peer)));
        let (streams, control) = streams::new();
        let mut swarm = Swarm::new(
            transport(direct, circuits, base, &key),
            Behaviour {
                relay,
                introducer: relay::Behaviour::new(peer, relay::Config::default()),
                webrtc,
                ping: ping::Behaviour::default(),
                streams,
            },
            peer,
            SwarmConfig::with_wasm_executor().with_idle_connection_timeout(IDLE),
        );
        swarm.listen_on(Protocol::WebRTC.into()).expect("the transport takes /webrtc");
        // What an introducer hands out: those who are connected to it need no more to find it.
        swarm.add_external_address(Protocol::WebRTC.into());
        let shared = Rc::new(Shared {
            swarm: RefCell::new(Some(swarm)),
            waker: Cell::default(),
            waiting: RefCell::default(),
            connections: RefCell::default(),
            established: RefCell::default(),
            addresses: RefCell::default(),
            failures: RefCell::default(),
            pings: Cell::new(0),
            resets: Cell::new(0),
            duplicates: Cell::new(0),
            pouring: RefCell::default(),
        });
        let tab = Self { peer, control, shared };
        spawn_local(tab.clone().run());
        spawn_local(tab.clone().serve_echo());
        spawn_local(tab.clone().serve_echo_sum());
        spawn_local(tab.clone().serve_count());
        tab
    }

    /// Reserves a place at the relay, and returns the address at which others dial this tab.
    pub(crate) async fn reserve(&self, relay: &Multiaddr) -> Multiaddr {
        self.with_swarm(|swarm| swarm.listen_on(relay.clone().with(Protocol::P2pCircuit)))
            .expect("a relay address");
        let found =
            || self.shared.addresses.borrow().iter().find(|a| Path::of_address(a) == Path::WebRtc).cloned();
        self.until("a reservation", || found().is_some()).await;
        found().expect("just seen")
    }

    /// Begins to dial.
    pub(crate) fn dial(&self, address: impl Into<DialOpts>) {
        self.with_swarm(|swarm| swarm.dial(address)).expect("a fresh dial");
    }

    /// Dials a `/webrtc` address and waits for what comes of that, though the peer may have dialled and be connected earlier:
    /// of two connections one is closed.
    pub(crate) async fn connect(&self, address: &Multiaddr) -> Result<(), String> {
        let Some(Protocol::P2p(peer)) = address.iter().last() else {
            return Err("no peer in the address".into());
        };
        let failures = self.failures().len();
        let opts = DialOpts::from(address.clone());
        let id = opts.connection_id();
        self.dial(opts);
        // The circuit's dial may fail first, and is only the cause.
        let failed = || self.shared.failures.borrow().iter().any(|(failed, _)| *failed == id);
        let succeeded = || self.shared.established.borrow().contains(&id);
        self.until("an outcome", || failed() || succeeded()).await;
        if self.paths(peer).contains(&Path::WebRtc) {
            Ok(())
        } else {
            Err(self.failures()[failures..].join("; "))
        }
    }

    /// The paths of all connections to a peer.
    pub(crate) fn paths(&self, peer: PeerId) -> Vec<Path> {
        self.shared.connections.borrow().values().filter(|(p, _)| *p == peer).map(|(_, path)| *path).collect()
    }

    /// Connection attempts that failed, as text.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.shared.failures.borrow().iter().map(|(_, text)| text.clone()).collect()
    }

    /// What its transport counts.
    pub(crate) fn metrics(&self) -> webrtc::Metrics {
        self.with_swarm(|swarm| swarm.behaviour().webrtc.metrics())
    }

    /// How many pings were answered.
    pub(crate) fn pings(&self) -> u32 {
        self.shared.pings.get()
    }

    /// How many echo streams the other side has reset.
    pub(crate) fn resets(&self) -> u32 {
        self.shared.resets.get()
    }

    /// How often two connections to a peer became one.
    pub(crate) fn duplicates(&self) -> u32 {
        self.shared.duplicates.get()
    }

    /// Closes every connection to a peer.
    pub(crate) fn disconnect(&self, peer: PeerId) {
        self.with_swarm(|swarm| swarm.disconnect_peer_id(peer)).ok();
    }

    /// Opens an echo stream.
    pub(crate) async fn open(&self, peer: PeerId) -> Stream {
        self.control.clone().open_stream(peer, ECHO).await.expect("the peer echoes")
    }

    /// Sends `size` bytes through the peer's echo and compares what comes back. `window` bytes are under way at most.
    pub(crate) async fn echo(&self, peer: PeerId, size: usize, window: usize) -> Result<(), String> {
        let (rest, _) = self.round_trip(peer, ECHO, size, window).await?;
        if rest.is_empty() { Ok(()) } else { Err(format!("{} bytes too many", rest.len())) }
    }

    /// The same, and compares the checksum of what the peer received with that of what was sent; returns it.
    pub(crate) async fn echo_sum(&self, peer: PeerId, size: usize, window: usize) -> Result<String, String> {
        let (theirs, ours) = self.round_trip(peer, ECHO_SUM, size, window).await?;
        let text = |sum: &[u8]| sum.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        if theirs == ours {
            Ok(text(&ours))
        } else {
            Err(format!("they received {}, sent was {}", text(&theirs), text(&ours)))
        }
    }

    /// Sends a pattern of `size` bytes, checks that it comes back, and returns what comes after, and the pattern's checksum.
    async fn round_trip(
        &self,
        peer: PeerId,
        protocol: StreamProtocol,
        size: usize,
        window: usize,
    ) -> Result<(Vec<u8>, Vec<u8>), String> {
        let stream = self.control.clone().open_stream(peer, protocol).await;
        let (mut reader, mut writer) = stream.map_err(|error| error.to_string())?.split();
        let (returned, mut rest, mut sum) = (Cell::new(0), Vec::new(), Sha256::new());
        let sending = async {
            let mut sent = 0;
            while sent < size {
                while sent - returned.get() >= window {
                    Delay::new(Duration::from_millis(1)).await;
                }
                let chunk: Vec<u8> = (sent..size.min(sent + 60_000)).map(byte_at).collect();
                sum.update(&chunk);
                writer.write_all(&chunk).await?;
                sent += chunk.len();
            }
            writer.close().await
        };
        let receiving = async {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let count = reader.read(&mut buffer).await?;
                if count == 0 {
                    return Ok(());
                }
                let start = returned.get();
                let (pattern, after) = buffer[..count].split_at(count.min(size - start));
                rest.extend_from_slice(after);
                let count = pattern.len();
                if pattern.iter().enumerate().any(|(index, byte)| *byte != byte_at(start + index)) {
                    return Err(std::io::Error::other(format!("other bytes came back near {start}")));
                }
                returned.set(start + count);
            }
        };
        futures::try_join!(sending, receiving).map_err(|error| error.to_string())?;
        if returned.get() == size {
            Ok((rest, sum.finalize().to_vec()))
        } else {
            Err(format!("{} of {size} bytes came back", returned.get()))
        }
    }

    /// Sends bytes on several streams at once, in equal parts, and waits until the peer says that all have come. The streams
    /// stay open for the next time.
    pub(crate) async fn pour(&self, peer: PeerId, size: usize, count: usize) -> Result<(), String> {
        let mut streams = self.shared.pouring.take();
        while streams.len() < count {
            let opened = self.control.clone().open_stream(peer, COUNT).await;
            streams.push(opened.map_err(|error| error.to_string())?);
        }
        let poured =
            try_join_all(streams.iter_mut().take(count).map(|stream| pour(stream, size / count))).await;
        self.shared.pouring.replace(streams);
        poured.map(drop).map_err(|error| error.to_string())
    }

    /// Waits until something holds; panics if it doesn't for long.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let held = poll_fn(|cx| {
            if holds() {
                return Poll::Ready(());
            }
            self.shared.waiting.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        });
        if let Either::Right(_) = select(held, Delay::new(PATIENCE)).await {
            panic!("waited in vain for {what}; failures: {:?}", self.failures());
        }
    }

    /// Ends the node and everything on it.
    pub(crate) fn stop(&self) {
        drop(self.shared.swarm.take());
        self.wake();
    }

    fn with_swarm<T>(&self, act: impl FnOnce(&mut Swarm<Behaviour>) -> T) -> T {
        let result = act(self.shared.swarm.borrow_mut().as_mut().expect("the node runs"));
        self.wake();
        result
    }

    fn wake(&self) {
        if let Some(waker) = self.shared.waker.take() {
            waker.wake();
        }
    }

    async fn run(self) {
        loop {
            let event = poll_fn(|cx| {
                self.shared.waker.set(Some(cx.waker().clone()));
                match self.shared.swarm.borrow_mut().as_mut() {
                    Some(swarm) => swarm.poll_next_unpin(cx),
                    None => Poll::Ready(None),
                }
            });
            let Some(event) = event.await else { return };
            self.on_event(event);
            let waiting = std::mem::take(&mut *self.shared.waiting.borrow_mut());
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    fn on_event(&self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.shared.connections.borrow_mut().insert(connection_id, (peer_id, Path::of(&endpoint)));
                self.shared.established.borrow_mut().insert(connection_id);
            }
            SwarmEvent::ConnectionClosed { connection_id, .. } => {
                self.shared.connections.borrow_mut().remove(&connection_id);
            }
            SwarmEvent::ExternalAddrConfirmed { address } => self.shared.addresses.borrow_mut().push(address),
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.shared.failures.borrow_mut().push((connection_id, in_full(&error)));
            }
            SwarmEvent::IncomingConnectionError { connection_id, error, .. } => {
                self.shared.failures.borrow_mut().push((connection_id, in_full(&error)));
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { result: Ok(_), .. })) => {
                self.shared.pings.set(self.shared.pings.get() + 1);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Webrtc(webrtc::Event::Direct {
                peer,
                connection,
                circuits,
            })) => {
                self.with_swarm(|swarm| swarm.behaviour_mut().streams.take(peer, connection));
                for circuit in circuits {
                    self.with_swarm(|swarm| swarm.close_connection(circuit));
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Webrtc(webrtc::Event::DuplicateClosed { .. })) => {
                self.shared.duplicates.set(self.shared.duplicates.get() + 1);
            }
            _ => {}
        }
    }

    async fn serve_echo(self) {
        let mut incoming = self.control.accept(ECHO);
        while let Some((_, stream)) = incoming.next().await {
            let shared = Rc::clone(&self.shared);
            spawn_local(async move {
                let (reader, mut writer) = stream.split();
                if futures::io::copy(reader, &mut writer).await.is_ok() {
                    writer.close().await.ok();
                } else {
                    shared.resets.set(shared.resets.get() + 1);
                }
            });
        }
    }

    async fn serve_echo_sum(self) {
        let mut incoming = self.control.accept(ECHO_SUM);
        while let Some((_, mut stream)) = incoming.next().await {
            spawn_local(async move {
                let (mut buffer, mut sum) = (vec![0; 64 * 1024], Sha256::new());
                while let Ok(count) = stream.read(&mut buffer).await {
                    if count == 0 {
                        stream.write_all(&sum.finalize()).await.ok();
                        stream.close().await.ok();
                        return;
                    }
                    sum.update(&buffer[..count]);
                    if stream.write_all(&buffer[..count]).await.is_err() {
                        return;
                    }
                }
            });
        }
    }

    async fn serve_count(self) {
        let mut incoming = self.control.accept(COUNT);
        while let Some((_, mut stream)) = incoming.next().await {
            spawn_local(async move {
                let (mut size, mut buffer) = ([0; 8], vec![0; 64 * 1024]);
                while stream.read_exact(&mut size).await.is_ok() {
                    let expected = u64::from_le_bytes(size);
                    let mut come = 0;
                    while come < expected {
                        match stream.read(&mut buffer).await {
                            Ok(count) if count > 0 => come += count as u64,
                            _ => return,
                        }
                    }
                    if stream.write_all(&size).await.is_err() {
                        return;
                    }
                }
            });
        }
    }
}

/// Sends bytes, and waits until they have come.
async fn pour(stream: &mut Stream, size: usize) -> io::Result<()> {
    let announced = (size as u64).to_le_bytes();
    stream.write_all(&announced).await?;
    let chunk = vec![7; 1 << 20];
    let mut left = size;
    while left > 0 {
        let count = left.min(chunk.len());
        stream.write_all(&chunk[..count]).await?;
        left -= count;
    }
    let mut arrived = [0; 8];
    stream.read_exact(&mut arrived).await?;
    if arrived == announced { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// An error with its causes: libp2p's outer errors say little by themselves.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn byte_at(index: usize) -> u8 {
    // A pattern without a short period, so that lost or doubled pieces show.
    (index ^ (index >> 8) ^ (index >> 16)).to_le_bytes()[0]
}
