//! A relay for tabs: WebSocket and circuit relay v2, nothing else. Prints the address to reach it at.
//!
//! It listens on this machine only.

#[cfg(not(target_arch = "wasm32"))]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::time::Duration;

    use futures::StreamExt;
    use libp2p::{
        Swarm, Transport,
        core::upgrade::Version,
        identity::Keypair,
        multiaddr::Protocol,
        noise, relay,
        swarm::{Config, SwarmEvent},
        tcp, websocket, yamux,
    };

    let key = Keypair::generate_ed25519();
    let peer = key.public().to_peer_id();
    let transport = websocket::Config::new(tcp::tokio::Transport::default())
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&key)?)
        .multiplex(yamux::Config::default())
        .boxed();
    // All tabs share one address here, which the relay would soon take for a flood.
    let config = relay::Config {
        reservation_rate_limiters: Vec::new(),
        circuit_src_rate_limiters: Vec::new(),
        max_circuits: 128,
        ..relay::Config::default()
    };
    let behaviour = relay::Behaviour::new(peer, config);
    let config = Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_mins(10));
    let mut swarm = Swarm::new(transport, behaviour, peer, config);
    swarm.listen_on("/ip4/127.0.0.1/tcp/0/ws".parse()?)?;
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            // A relay hands out only addresses that it knows to be reachable.
            swarm.add_external_address(address.clone());
            println!("{}", address.with(Protocol::P2p(peer)));
        }
    }
}

#[cfg(target_arch = "wasm32")]
fn main() {}
