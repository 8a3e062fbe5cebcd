//! `GET /ofrep/v1/stream`: server-sent events that tell OFREP's web providers to evaluate again.
//!
//! What an event says is OFREP's (`sseEvent` in its OpenAPI file, ADR-0008). Its id is the document's version, so a client
//! that comes back with `Last-Event-ID` learns at once what it missed, from whichever origin it reaches. Events are not
//! queued: a slow client gets the newest one.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
};
use axum::http::header::{ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::sync::watch::Receiver;
use turquoise_core::Tokens;

use super::metrics::Held;
use super::published::{Published, Served};
use super::routes::Origin;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Makes nginx pass events on as they come.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A comment after so long without an event: proxies in between cut quiet connections, most after 60 s.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long after the proxies the clients learn of a change: they ask a proxy at once, and one that still has the old
/// document would leave them with it until the next change. Proxies that poll long take some ten milliseconds.
const HEAD_START: Duration = Duration::from_millis(250);

/// For how long after a change whoever comes without a last event is told of it: clients evaluate first and open the
/// stream then, and what changes between the two would be missed.
const RECENT: Duration = Duration::from_secs(10);

/// When clients shall come back after the connection broke.
const RETRY: Duration = Duration::from_secs(2);

/// What one client still has to be told.
struct Stream {
    served: Receiver<Served>,
    stopped: Receiver<bool>,
    /// The tokens by one of which it was opened; when others come, the client has to show one of those.
    tokens: Receiver<Arc<Tokens>>,
    /// Not yet begun.
    begins: bool,
    /// The version that the client knows of.
    known: Option<String>,
    _held: Held,
}

/// Opens a stream of events.
pub(super) async fn stream(State(origin): State<Arc<Origin>>, headers: HeaderMap) -> Response {
    let last = headers.get(LAST_EVENT_ID).map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let Some(held) = origin.metrics.event_streams.hold_below(origin.most_streams) else {
        let reason = "there are as many event streams as there may be\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], reason).into_response();
    };
    let mut tokens = origin.tokens.clone();
    tokens.mark_unchanged();
    let stream = Stream {
        served: origin.served.clone(),
        stopped: origin.stopped.clone(),
        tokens,
        begins: true,
        known: last,
        _held: held,
    };
    let events = unfold(stream, async |mut stream| {
        let event = stream.next().await?;
        Some((Ok::<_, Infallible>(event), stream))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    // `no-store`, because a stream that a cache replays tells nothing.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Whether an answer goes on for as long as the client listens.
pub(super) fn is_stream(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream")
}

/// Answers a browser that asks whether it may send `Authorization` or `Last-Event-ID`.
pub(super) async fn preflight() -> Response {
    let fields = [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, cache-control, last-event-id"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, fields).into_response()
}

/// Lets pages of the configured origin read every answer, refusals too.
pub(super) async fn share(
    State(origin): State<Arc<Origin>>,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.cors.clone());
    response
}

impl Stream {
    /// The next event, when there is one; none once the server ends.
    async fn next(&mut self) -> Option<Event> {
        if self.begins {
            self.begins = false;
            return Some(self.opening());
        }
        let known = self.known.as_deref();
        let is_news = |served: &Served| {
            served.document.as_ref().is_some_and(|document| Some(document.version.as_str()) != known)
        };
        let news = async {
            let document = self.served.wait_for(is_news).await.ok()?.document.clone()?;
            tokio::time::sleep_until((document.at + HEAD_START).into()).await;
            // One that came meanwhile is told of when its own time has come.
            Some(document)
        };
        let document = tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stopped| *stopped) => return None,
            // Nobody changes them where none are followed.
            Ok(()) = self.tokens.changed() => return None,
            document = news => document?,
        };
        self.known = Some(document.version.clone());
        Some(refetch(&document))
    }

    /// When to come back, and to who names no last event the id of what is served, unless that is so new that the client
    /// may have evaluated before: without data nothing is dispatched, but the client sends the id when it comes back, and
    /// so learns what changed in between.
    fn opening(&mut self) -> Event {
        let event = Event::default().retry(RETRY);
        if self.known.is_some() {
            return event;
        }
        let served = self.served.borrow();
        let settled = served.document.as_ref().filter(|document| document.at.elapsed() > RECENT);
        self.known = settled.map(|document| document.version.clone());
        match &self.known {
            Some(version) => event.id(version),
            None => event,
        }
    }
}

fn refetch(document: &Published) -> Event {
    let Published { version, since, .. } = document;
    let data = format!(r#"{{"type":"refetchEvaluation","etag":"{version}","lastModified":{since}}}"#);
    Event::default().event("message").id(version).data(data)
}
