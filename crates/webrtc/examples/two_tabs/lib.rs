//! Two tabs that talk directly: the wasm part, with a small surface for the page.
//!
//! See `tests/two_tabs` for the page, the relay and the script that run it.
#![cfg(target_arch = "wasm32")]

mod streams;
mod tab;

use std::{cell::Cell, time::Duration};

use futures::{
    AsyncReadExt, AsyncWriteExt,
    future::{join_all, try_join_all},
};
use js_sys::Array;
use libp2p::{Multiaddr, PeerId, websocket_websys};
use libp2p_webrtc_browser as webrtc;
use wasm_bindgen::prelude::*;

/// How long the end of a stream may go unheard: the last of a thousand is late on a slow machine.
const LINGER: Duration = Duration::from_mins(1);

/// A node in this tab.
#[wasm_bindgen]
pub struct Node {
    tab: tab::Tab,
}

#[wasm_bindgen]
impl Node {
    /// Starts a node. `stun` is the URL of a STUN server, if one is needed.
    #[wasm_bindgen(constructor)]
    pub fn new(stun: Option<String>) -> Self {
        let servers: Vec<_> = stun.into_iter().map(webrtc::IceServer::open).collect();
        let base = websocket_websys::Transport::default();
        let tab = tab::Tab::start(base, |config| {
            config.with_ice_servers(move || servers.clone()).with_linger(LINGER)
        });
        Self { tab }
    }

    /// Who this is.
    #[wasm_bindgen(getter)]
    pub fn peer(&self) -> String {
        self.tab.peer.to_string()
    }

    /// Reserves a place at the relay; returns the address for others to connect to.
    pub async fn reserve(&self, relay: &str) -> Result<String, JsError> {
        let relay: Multiaddr = relay.parse()?;
        Ok(self.tab.reserve(&relay).await.to_string())
    }

    /// Connects directly to the tab at an address.
    pub async fn connect(&self, address: &str) -> Result<(), JsError> {
        let address: Multiaddr = address.parse()?;
        self.tab.connect(&address).await.map_err(|error| JsError::new(&error))
    }

    /// The paths of the connections to a peer.
    pub fn paths(&self, peer: &str) -> Result<Array, JsError> {
        let peer: PeerId = peer.parse()?;
        Ok(self.tab.paths(peer).iter().map(|path| JsValue::from(format!("{path:?}"))).collect())
    }

    /// How many pings were answered.
    pub fn pings(&self) -> u32 {
        self.tab.pings()
    }

    /// How many echo streams the other side has reset.
    pub fn resets(&self) -> u32 {
        self.tab.resets()
    }

    /// How often two connections to a peer became one.
    pub fn duplicates(&self) -> u32 {
        self.tab.duplicates()
    }

    /// Closes every connection to a peer.
    pub fn disconnect(&self, peer: &str) -> Result<(), JsError> {
        self.tab.disconnect(peer.parse()?);
        Ok(())
    }

    /// Begins an echo and gives it up.
    pub async fn reset(&self, peer: &str) -> Result<(), JsError> {
        let mut stream = self.tab.open(peer.parse()?).await;
        stream.write_all(b"unfinished").await?;
        stream.read_exact(&mut [0; 10]).await?;
        Ok(())
    }

    /// Sends bytes on several streams at once, in equal parts; ends when the peer has them all. The streams stay open.
    pub async fn pour(&self, peer: &str, size: usize, streams: usize) -> Result<(), JsError> {
        self.tab.pour(peer.parse()?, size, streams).await.map_err(|error| JsError::new(&error))
    }

    /// Sends bytes to the peer and compares what comes back.
    pub async fn echo(&self, peer: &str, size: usize) -> Result<(), JsError> {
        self.tab.echo(peer.parse()?, size, 1 << 20).await.map_err(|error| JsError::new(&error))
    }

    /// The same, and compares the SHA-256 of what the peer received with that of what was sent; returns it.
    pub async fn echo_sum(&self, peer: &str, size: usize) -> Result<String, JsError> {
        self.tab.echo_sum(peer.parse()?, size, 1 << 20).await.map_err(|error| JsError::new(&error))
    }

    /// Echoes on many streams at once; returns how many, or why some failed.
    pub async fn echo_parallel(&self, peer: &str, streams: usize, size: usize) -> Result<usize, JsError> {
        let peer: PeerId = peer.parse()?;
        let results = join_all((0..streams).map(|_| self.tab.echo(peer, size, 1 << 20))).await;
        let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
        match failures.first() {
            None => Ok(streams),
            Some(first) => Err(JsError::new(&format!("{} of {streams} failed: {first}", failures.len()))),
        }
    }

    /// Echoes on many streams, each lane one after another; returns how many, or why one failed.
    pub async fn echo_in_lanes(
        &self,
        peer: &str,
        lanes: usize,
        streams: usize,
        size: usize,
    ) -> Result<usize, JsError> {
        let peer: PeerId = peer.parse()?;
        let (left, done) = (Cell::new(streams), Cell::new(0));
        let lane = || async {
            while left.get() > 0 {
                left.set(left.get() - 1);
                self.tab.echo(peer, size, 1 << 20).await?;
                done.set(done.get() + 1);
            }
            Ok::<_, String>(())
        };
        try_join_all((0..lanes).map(|_| lane())).await.map_err(|error| JsError::new(&error))?;
        Ok(done.get())
    }

    /// Ends our half of a stream and reads what the peer still sends.
    pub async fn half_close(&self, peer: &str, text: &str) -> Result<String, JsError> {
        let mut stream = self.tab.open(peer.parse()?).await;
        stream.write_all(text.as_bytes()).await?;
        stream.close().await?;
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await?;
        Ok(rest)
    }

    /// What the browser says about the direct connection to a peer, as JSON.
    pub async fn stats(&self, peer: &str) -> Result<Option<String>, JsError> {
        let stats = webrtc::stats(peer.parse()?).await;
        Ok(stats.map(|stats| {
            let webrtc::ConnectionStats { local_candidate_type: local, remote_candidate_type: remote, .. } = &stats;
            format!(
                r#"{{"local":"{local}","remote":"{remote}","sent":{},"received":{},"opened":{},"closed":{}}}"#,
                stats.bytes_sent, stats.bytes_received, stats.channels_opened, stats.channels_closed,
            )
        }))
    }

    /// What its transport counts, as JSON: failures by reason, streams, bytes.
    pub fn metrics(&self) -> String {
        let webrtc::Metrics { outbound, inbound, ended, streams_opened, streams_accepted, .. } =
            self.tab.metrics();
        let webrtc::Metrics { streams_closed, streams_reset, streams_begun_anew, .. } = self.tab.metrics();
        let webrtc::Metrics { bytes_received, bytes_sent, .. } = self.tab.metrics();
        let failed = |attempts: webrtc::Attempts| {
            let each =
                attempts.failed.into_iter().map(|(reason, count)| format!(r#""{}":{count}"#, reason.name()));
            let each = each.collect::<Vec<_>>().join(",");
            format!(
                r#"{{"started":{},"connected":{},"failed":{{{each}}}}}"#,
                attempts.started, attempts.connected
            )
        };
        let ended = ended
            .into_iter()
            .map(|(cause, count)| format!(r#""{cause:?}":{count}"#))
            .collect::<Vec<_>>()
            .join(",");
        format!(
            r#"{{"outbound":{},"inbound":{},"ended":{{{ended}}},"opened":{streams_opened},"accepted":{streams_accepted},"closed":{streams_closed},"reset":{streams_reset},"anew":{streams_begun_anew},"sent":{bytes_sent},"received":{bytes_received}}}"#,
            failed(outbound),
            failed(inbound),
        )
    }

    /// Ends the node.
    pub fn stop(&self) {
        self.tab.stop();
    }
}
