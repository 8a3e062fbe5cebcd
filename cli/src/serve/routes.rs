//! What is where, and what every request passes through.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch::Receiver;
use turquoise_core::Tokens;

use super::metrics::{self, Metrics};
use super::published::Served;
use super::signer::Signer;
use super::token;
use super::{events, resource};

/// The path of the document.
pub(super) const DOCUMENT: &str = "/document.json";

const STREAM: &str = "/ofrep/v1/stream";
const HEALTH: &str = "/healthz";
const READY: &str = "/readyz";
const METRICS: &str = "/metrics";

/// What all requests share.
pub(super) struct Origin {
    pub(super) served: Receiver<Served>,
    /// Turns true when the server shall end.
    pub(super) stopped: Receiver<bool>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tokens: Receiver<Arc<Tokens>>,
    pub(super) signer: Arc<Signer>,
    /// How many event streams there may be.
    pub(super) most_streams: u64,
    /// Which pages may read the event stream.
    pub(super) cors: HeaderValue,
}

/// All resources. `get` answers HEAD too, and any other method with 405 and `Allow`.
pub(super) fn router(origin: Arc<Origin>) -> Router {
    let authorize = from_fn_with_state(Arc::clone(&origin), token::authorize);
    let share = from_fn_with_state(Arc::clone(&origin), events::share);
    let stream = get(events::stream).options(events::preflight).layer(authorize.clone()).layer(share);
    Router::new()
        .route(DOCUMENT, get(resource::document).layer(authorize))
        .route(STREAM, stream)
        .route(HEALTH, get(health))
        .route(READY, get(health))
        .route(METRICS, get(scrape))
        .fallback(async || {
            (StatusCode::NOT_FOUND, format!("there is nothing here; the document is at {DOCUMENT}\n"))
        })
        .layer(from_fn_with_state(Arc::clone(&origin), count))
        .with_state(origin)
}

async fn count(State(origin): State<Arc<Origin>>, request: Request, next: Next) -> Response {
    // A label for each path that somebody invents would be a leak.
    let endpoint = match request.uri().path() {
        DOCUMENT => "document",
        STREAM => "stream",
        HEALTH => "healthz",
        READY => "readyz",
        METRICS => "metrics",
        _ => "other",
    };
    let response = next.run(request).await;
    origin.metrics.count_request(endpoint, response.status().as_u16());
    response
}

/// Good while a document is served: an old one too, since restarting or leaving this origin would make nothing better.
async fn health(State(origin): State<Arc<Origin>>) -> Response {
    let Served { document, trouble } = &*origin.served.borrow();
    let (status, mut text) = match document {
        Some(document) => (StatusCode::OK, format!("ok: serving {}\n", document.summary)),
        None => (StatusCode::SERVICE_UNAVAILABLE, "there is no document yet\n".to_owned()),
    };
    // What is wrong names flags: who needs a token to read the document is not told here.
    match trouble {
        Some(_) if !origin.tokens.borrow().is_empty() => {
            text.push_str("the file is not what is served; the server's stderr says why\n");
        }
        Some(trouble) => text.push_str(&format!("{trouble}\n")),
        None => {}
    }
    (status, [(CACHE_CONTROL, "no-store")], text).into_response()
}

async fn scrape(State(origin): State<Arc<Origin>>) -> Response {
    let text = origin.metrics.render(&origin.served.borrow());
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}
