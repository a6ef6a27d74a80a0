//! The README shows what compiles: its listing is here, between two marks.

#[cfg(target_arch = "wasm32")]
#[expect(dead_code, reason = "it is compiled, not run")]
async fn listing(
    key: libp2p::identity::Keypair,
    peer: libp2p::PeerId,
    relay_address: libp2p::Multiaddr,
    address_of_b: libp2p::Multiaddr,
) -> Result<(), Box<dyn std::error::Error>> {
    // README begins
    use futures::StreamExt;
    use libp2p::{
        Swarm, Transport,
        core::{muxing::StreamMuxerBox, upgrade::Version},
        multiaddr::Protocol,
        noise, relay,
        swarm::{NetworkBehaviour, SwarmEvent},
        websocket_websys, yamux,
    };
    use libp2p_webrtc_browser as webrtc;

    #[derive(NetworkBehaviour)]
    struct Behaviour {
        relay: relay::client::Behaviour,
        webrtc: webrtc::Behaviour,
        // ... and what the application does
    }

    let (circuits, relay) = relay::client::new(peer);
    let config = webrtc::Config::new(peer)
        .with_ice_servers(|| vec![webrtc::IceServer::open("stun:relay.example:3478")]);
    let (direct, webrtc) = webrtc::new(config);

    // `/webrtc` first: the relay's transport would take its addresses for circuits.
    let direct = direct.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let others = circuits
        .or_transport(websocket_websys::Transport::default())
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&key)?)
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let transport = direct.or_transport(others).map(|either, _| either.into_inner()).boxed();
    let behaviour = Behaviour { relay, webrtc };
    let mut swarm = Swarm::new(transport, behaviour, peer, libp2p::swarm::Config::with_wasm_executor());

    // Tab B waits for others; tab A needs only the second line.
    swarm.listen_on(relay_address.with(Protocol::P2pCircuit))?;
    swarm.listen_on(Protocol::WebRTC.into())?;

    // Tab A
    swarm.dial(address_of_b)?; // <relay>/p2p-circuit/webrtc/p2p/B

    // Both
    loop {
        let event = swarm.select_next_some().await;
        if let SwarmEvent::Behaviour(BehaviourEvent::Webrtc(webrtc::Event::Direct { circuits, .. })) = event {
            for circuit in circuits {
                swarm.close_connection(circuit);
            }
        }
    }
    // README ends
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn the_readme_shows_the_listing_that_compiles() {
    let between = |text: &'static str, begin, end| {
        let (_, rest) = text.split_once(begin).expect("a beginning");
        rest.split_once(end).expect("an end").0
    };
    let compiled = between(include_str!("readme.rs"), "// README begins\n", "    // README ends");
    let compiled: Vec<&str> =
        compiled.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    let shown: Vec<&str> = between(include_str!("../README.md"), "```rust,ignore\n", "```").lines().collect();
    assert_eq!(shown, compiled);
}
