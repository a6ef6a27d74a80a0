//! Statistics of live connections, from `getStats()`.

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::{Rc, Weak},
};

use js_sys::Array;
use libp2p_identity::PeerId;
use send_wrapper::SendWrapper;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::{js::get, peer::Peer};
use crate::ConnectionStats;

thread_local! {
    /// Live connections, newest last.
    static LIVE: RefCell<HashMap<PeerId, Vec<Weak<Peer>>>> = RefCell::default();
}

/// Remembers a connection for as long as it lives.
pub(super) fn register(peer: &Rc<Peer>) {
    LIVE.with_borrow_mut(|live| {
        live.retain(|_, peers| {
            peers.retain(|peer| peer.strong_count() > 0);
            !peers.is_empty()
        });
        live.entry(peer.id).or_default().push(Rc::downgrade(peer));
    });
}

/// The statistics of the newest connection to a peer.
pub(crate) fn stats(peer: PeerId) -> impl Future<Output = Option<ConnectionStats>> + Send {
    SendWrapper::new(async move {
        let peer = LIVE.with_borrow(|live| live.get(&peer)?.iter().rev().find_map(Weak::upgrade))?;
        let report = JsFuture::from(peer.raw.get_stats()).await.ok()?;
        Some(read(&report))
    })
}

/// How much was heard of the other side so far: answers to the checks that browsers make all the time, and bytes. `None`
/// where the browser doesn't count answers.
pub(super) async fn heard(peer: &Peer) -> Option<(u64, u64)> {
    let report = JsFuture::from(peer.raw.get_stats()).await.ok()?;
    let pairs = || entries(&report).into_values().filter(|entry| text(entry, "type") == "candidate-pair");
    let sum = |name| pairs().map(|pair| count(&pair, name)).sum();
    let heard = (sum("responsesReceived"), sum("bytesReceived"));
    (heard.0 > 0).then_some(heard)
}

/// The entries of a report, which is a map; `Array.from` makes pairs of id and entry.
fn entries(report: &JsValue) -> HashMap<String, JsValue> {
    Array::from(report)
        .iter()
        .map(|pair| Array::from(&pair))
        .filter_map(|pair| Some((pair.get(0).as_string()?, pair.get(1))))
        .collect()
}

fn read(report: &JsValue) -> ConnectionStats {
    let entries = entries(report);
    let of_kind = |kind: &str| entries.values().find(|entry| text(entry, "type") == kind).cloned();
    let entry = |id: &str| entries.get(id).cloned().unwrap_or(JsValue::UNDEFINED);

    let transport = of_kind("transport").unwrap_or(JsValue::UNDEFINED);
    let pair = match text(&transport, "selectedCandidatePairId") {
        // Some browsers mark the pair itself.
        id if id.is_empty() => entries.values().find(|entry| get(entry, "selected").is_truthy()).cloned(),
        id => entries.get(&id).cloned(),
    };
    let pair = pair.unwrap_or(JsValue::UNDEFINED);
    // The selected pair may change, so its own bytes are only those since then. Firefox counts nothing else.
    let bytes = if get(&transport, "bytesSent").is_undefined() { &pair } else { &transport };
    let local = entry(&text(&pair, "localCandidateId"));
    let remote = entry(&text(&pair, "remoteCandidateId"));
    let channels = of_kind("peer-connection").unwrap_or(JsValue::UNDEFINED);
    ConnectionStats {
        local_candidate_type: text(&local, "candidateType"),
        remote_candidate_type: text(&remote, "candidateType"),
        protocol: text(&local, "protocol"),
        bytes_sent: count(bytes, "bytesSent"),
        bytes_received: count(bytes, "bytesReceived"),
        round_trip_time: get(&pair, "currentRoundTripTime").as_f64(),
        channels_opened: count(&channels, "dataChannelsOpened"),
        channels_closed: count(&channels, "dataChannelsClosed"),
    }
}

fn text(entry: &JsValue, name: &str) -> String {
    get(entry, name).as_string().unwrap_or_default()
}

/// A counter. Browsers give them as doubles; they are whole and not negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
fn count(entry: &JsValue, name: &str) -> u64 {
    get(entry, name).as_f64().unwrap_or(0.0) as u64
}
