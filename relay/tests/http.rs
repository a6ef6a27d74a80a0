//! What a browser gets over HTTP.

mod support;

use std::net::IpAddr;
use std::sync::Arc;

use support::{TestRelay, fetch};
use tabchain_relay::bootstrap::Facts;
use tabchain_relay::config::{Announce, Config, Host};
use tabchain_relay::metrics::Metrics;
use tabchain_relay::{http, page::Asset};
use tokio::net::TcpListener;

#[tokio::test]
async fn bootstrap_tells_a_tab_what_it_needs() {
    let relay = TestRelay::start(|_| ()).await;
    let answer = relay.get("/bootstrap.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("cache-control"), "no-store");
    let facts: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let expected = serde_json::json!({
        "network": "dev",
        "relays": [relay.relay.addresses().ws],
        "iceServers": [{ "urls": [format!("stun:{}", relay.relay.addresses().stun)] }],
        "rendezvous": "tabchain/dev",
    });
    assert_eq!(facts, expected);
}

#[tokio::test]
async fn bootstrap_names_the_host_that_the_browser_used_unless_one_is_announced() {
    let auto = TestRelay::start(|config| config.listen = IpAddr::from([0, 0, 0, 0])).await;
    let cases = [
        ("192.0.2.7:8080", "/ip4/192.0.2.7/tcp/"),
        ("[2001:db8::1]:8080", "/ip6/2001:db8::1/tcp/"),
        ("relay.example:8080", "/dns/relay.example/tcp/"),
        ("localhost:8080", "/ip4/127.0.0.1/tcp/"),
        ("not a host", "/ip4/127.0.0.1/tcp/"),
    ];
    for (host, expected) in cases {
        let answer = auto.get_with("/bootstrap.json", &[("Host", host)]).await;
        assert!(answer.body.contains(&format!(r#""relays":["{expected}"#)), "{host}: {}", answer.body);
    }
    let proxied = TestRelay::start(|config| {
        config.announce = Announce::Host(Host::Name("relay.example".to_owned()));
        config.behind_proxy = true;
    })
    .await;
    assert_eq!(proxied.relay.addresses().http, "https://relay.example");
    assert!(proxied.relay.addresses().ws.starts_with("/dns/relay.example/tcp/443/tls/ws/p2p/"));
}

#[tokio::test]
async fn the_page_comes_with_a_policy_and_is_not_sent_twice() {
    let relay = TestRelay::start(|_| ()).await;
    let page = relay.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), "no-cache");
    let policy = page.header("content-security-policy");
    let directives: Vec<&str> = policy.split("; ").collect();
    assert!(directives.contains(&"script-src 'self' 'wasm-unsafe-eval'"), "{policy}");
    assert!(directives.contains(&"connect-src 'self' ws: wss:"), "{policy}");
    assert!(directives.contains(&"worker-src 'self' blob:"), "{policy}");
    assert!(!policy.contains("'unsafe-eval'") && !policy.contains('*'), "{policy}");

    let again = relay.get_with("/index.html", &[("If-None-Match", page.header("etag"))]).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(relay.get("/no-such-thing").await.status, 404);
    assert_eq!(relay.get("/../Cargo.toml").await.status, 404);
    assert_eq!(relay.get("/..%2fpackage.json").await.status, 404);
}

#[tokio::test]
async fn wasm_comes_as_wasm_and_its_hashed_name_is_cached_for_good() {
    const FILE: &str = "assets/tabchain-1a2b3c.wasm";
    let find = |path: &str| (path == FILE).then(|| Asset::new(FILE, vec![0; 100_000].into(), &[7; 32]));
    let facts = Facts::new(Config::default(), libp2p::PeerId::random(), 1, 2);
    let router = http::router(Arc::new(facts), Arc::new(Metrics::new()), find);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async { axum::serve(listener, router).await });

    let plain = fetch(&authority, &format!("/{FILE}"), &[]).await;
    assert_eq!((plain.status, plain.header("content-type")), (200, "application/wasm"));
    assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!((plain.header("content-encoding"), plain.body.len()), ("", 100_000));
    for encoding in ["br", "gzip"] {
        let packed = fetch(&authority, &format!("/{FILE}"), &[("Accept-Encoding", encoding)]).await;
        assert_eq!((packed.header("content-encoding"), packed.header("vary")), (encoding, "accept-encoding"));
        assert!(packed.body.len() < 5_000, "{encoding}: {} bytes", packed.body.len());
    }
    server.abort();
}

#[tokio::test]
async fn health_and_metrics_are_there_and_counters_move() {
    let relay = TestRelay::start(|_| ()).await;
    let health = relay.get("/healthz").await;
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    let metrics = relay.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    assert!(metrics.body.ends_with("# EOF\n"));
    let seen = r#"tabchain_relay_http_requests_total{route="health",status="200"}"#;
    assert_eq!(relay.metric(seen).await, 1);
    relay.get("/healthz").await;
    assert_eq!(relay.metric(seen).await, 2);

    let bytes = r#"tabchain_relay_transport_bytes_total{direction="in"}"#;
    assert_eq!(relay.metric(bytes).await, 0);
    let mut client = support::Client::new();
    client.connect(&relay.address).await;
    relay.metric_becomes("tabchain_relay_connections", 1).await;
    client
        .wait("identify", |event| {
            matches!(event, libp2p::swarm::SwarmEvent::Behaviour(support::ClientBehaviourEvent::Identify(_)))
                .then_some(())
        })
        .await;
    assert!(relay.metric(bytes).await > 0);
}
