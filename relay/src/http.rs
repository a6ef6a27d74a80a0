//! The HTTP side: the page, `/bootstrap.json`, `/healthz` and `/metrics`.
//!
//! Bounds: request bodies are never read, headers are hyper's (at most 100 and about 400 KiB), and connections are capped
//! by `Gate`.

mod gate;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::bootstrap::Facts;
use crate::config::Host;
use crate::metrics::{self, Answered, Metrics};
use crate::page::Asset;

pub(crate) use gate::Gate;

/// What the page may do: run its own scripts, wasm and workers, speak to relays over WebSocket, and nothing else. Style
/// attributes are inline styles too, and Svelte writes them into its templates.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    worker-src 'self' blob:; connect-src 'self' ws: wss:; img-src 'self' data: blob:; style-src 'self'; \
    style-src-attr 'unsafe-inline'; font-src 'self'; media-src 'self' blob:; manifest-src 'self'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Finds a file of the page by its URL path without the leading slash.
pub type Find = fn(&str) -> Option<Asset>;

#[derive(Clone)]
struct Site {
    facts: Arc<Facts>,
    metrics: Arc<Metrics>,
    page: Find,
}

/// Everything the relay answers over HTTP.
pub fn router(facts: Arc<Facts>, metrics: Arc<Metrics>, page: Find) -> Router {
    let site = Site { facts, metrics, page };
    Router::new()
        .route("/bootstrap.json", get(bootstrap))
        .route("/healthz", get(health))
        .route("/metrics", get(show_metrics))
        .fallback(page_file)
        .layer(middleware::from_fn_with_state(site.clone(), count))
        .layer(CompressionLayer::new())
        .layer(always("content-security-policy", CONTENT_SECURITY_POLICY))
        .layer(always("x-content-type-options", "nosniff"))
        .layer(always("referrer-policy", "no-referrer"))
        .with_state(site)
}

fn always(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(HeaderName::from_static(name), HeaderValue::from_static(value))
}

/// Pages of other origins may ask too: anyone may host the page, and join through this relay.
async fn bootstrap(State(site): State<Site>, headers: HeaderMap) -> Response {
    let requested = headers.get(header::HOST).and_then(|value| Host::from_header(value.to_str().ok()?).ok());
    let open = [
        (header::CACHE_CONTROL, NO_STORE),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    ];
    (open, Json(site.facts.bootstrap(requested.as_ref()))).into_response()
}

async fn health() -> Response {
    ([(header::CACHE_CONTROL, NO_STORE)], "ok\n").into_response()
}

async fn show_metrics(State(site): State<Site>) -> Response {
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    ([(header::CACHE_CONTROL, NO_STORE), (header::CONTENT_TYPE, kind)], site.metrics.encode()).into_response()
}

async fn page_file(State(site): State<Site>, uri: Uri, request: Request) -> Response {
    if !matches!(request.method().as_str(), "GET" | "HEAD") {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    let Some(asset) = (site.page)(uri.path().trim_start_matches('/')) else {
        return (StatusCode::NOT_FOUND, "there is nothing here\n").into_response();
    };
    let cache = [
        (header::CACHE_CONTROL, if asset.immutable { IMMUTABLE } else { REVALIDATE }),
        (header::ETAG, visible(&asset.etag)),
    ];
    let held =
        request.headers().get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    if held.flat_map(|list| list.split(',')).any(|tag| tag.trim().trim_start_matches("W/") == asset.etag) {
        return (StatusCode::NOT_MODIFIED, cache).into_response();
    }
    (cache, [(header::CONTENT_TYPE, visible(&asset.media_type))], Body::from(asset.bytes)).into_response()
}

fn visible(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("media types and hexadecimal tags are visible ASCII")
}

async fn count(State(site): State<Site>, request: Request, next: Next) -> Response {
    let route = match request.uri().path() {
        "/bootstrap.json" => "bootstrap",
        "/healthz" => "health",
        "/metrics" => "metrics",
        _ => "page",
    };
    let response = next.run(request).await;
    site.metrics.http.get_or_create(&Answered::new(route, response.status().as_u16())).inc();
    response
}
