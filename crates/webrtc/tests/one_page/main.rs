//! Two nodes and a relay in one page of a real browser: the relay is reached by memory, what is direct is WebRTC.
#![cfg(target_arch = "wasm32")]

mod connecting;
mod failures;
mod stranger;
mod stream_ends;
#[path = "../../examples/two_tabs/streams.rs"]
mod streams;

#[allow(dead_code, reason = "shared with the example, which uses all of it")]
#[path = "../../examples/two_tabs/tab.rs"]
mod tab;

use std::time::Duration;

use futures::{
    StreamExt,
    channel::oneshot,
    future::{Either, select},
};
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    core::{
        transport::{MemoryTransport, memory::MemoryTransport as Memory},
        upgrade::Version,
    },
    identity::Keypair,
    multiaddr::Protocol,
    noise, relay,
    swarm::Config as SwarmConfig,
    yamux,
};
use libp2p_webrtc_browser::Path;
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test_configure;

use tab::Tab;

wasm_bindgen_test_configure!(run_in_browser);

/// Starts a relay in this page; it ends when the guard is dropped.
fn start_relay() -> (Multiaddr, oneshot::Sender<()>) {
    let key = Keypair::generate_ed25519();
    let peer = key.public().to_peer_id();
    let transport = MemoryTransport::default()
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&key).expect("an Ed25519 key signs"))
        .multiplex(yamux::Config::default())
        .boxed();
    let config = relay::Config { max_circuits_per_peer: 64, ..relay::Config::default() };
    let mut swarm = Swarm::new(
        transport,
        relay::Behaviour::new(peer, config),
        peer,
        SwarmConfig::with_wasm_executor().with_idle_connection_timeout(Duration::from_mins(1)),
    );
    let address: Multiaddr = Protocol::Memory(rand_port(peer)).into();
    swarm.listen_on(address.clone()).expect("a free port");
    swarm.add_external_address(address.clone());
    let (guard, mut dropped) = oneshot::channel::<()>();
    spawn_local(async move {
        // Not `select!`, which takes a receiver whose sender is gone for one that has been polled to its end.
        while let Either::Left(_) = select(swarm.select_next_some(), &mut dropped).await {}
    });
    (address.with(Protocol::P2p(peer)), guard)
}

fn rand_port(peer: PeerId) -> u64 {
    let bytes = peer.to_bytes();
    u64::from_le_bytes(bytes[bytes.len() - 8..].try_into().expect("eight bytes")) | 1
}

async fn two_tabs() -> (Tab, Tab, Multiaddr, oneshot::Sender<()>) {
    let (relay, guard) = start_relay();
    let start = || Tab::start(Memory::default(), |config| config);
    let (a, b) = (start(), start());
    let address = b.reserve(&relay).await;
    (a, b, address, guard)
}

async fn connected() -> (Tab, Tab, oneshot::Sender<()>) {
    let (a, b, address, guard) = two_tabs().await;
    a.connect(&address).await.expect("a direct connection");
    only_direct(&a, &b).await;
    (a, b, guard)
}

/// Waits until two tabs have a direct connection to each other and nothing else. Whoever has dialled learns of it first:
/// for a moment the other one has only the circuit, or nothing at all.
async fn only_direct(a: &Tab, b: &Tab) {
    for (one, other) in [(a, b), (b, a)] {
        one.until("one direct connection", || one.paths(other.peer) == [Path::WebRtc]).await;
    }
}
