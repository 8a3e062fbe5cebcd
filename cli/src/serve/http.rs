//! The HTTP side: one resource, and who may wait for it.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch::Receiver;

use super::prefer;
use super::watch::Published;

/// The path of the document.
pub(super) const PATH: &str = "/document.json";

#[derive(Clone)]
struct Origin {
    published: Receiver<Arc<Published>>,
    /// Turns true when the server shall end.
    stopped: Receiver<bool>,
}

/// Serves until `stopped` turns true and all requests are answered.
pub(super) async fn serve(
    listener: TcpListener,
    published: Receiver<Arc<Published>>,
    stopped: Receiver<bool>,
) -> io::Result<()> {
    let mut end = stopped.clone();
    // `get` answers HEAD too, and any other method with 405 and `Allow`.
    let router = Router::new()
        .route(PATH, get(document))
        .fallback(async || {
            (StatusCode::NOT_FOUND, format!("there is nothing here; the document is at {PATH}\n"))
        })
        .with_state(Origin { published, stopped });
    // Answers are small and somebody waits for them.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            let _ = end.wait_for(|stopped| *stopped).await;
        })
        .await
}

async fn document(State(mut origin): State<Origin>, headers: HeaderMap) -> Response {
    // Without a version that the client knows there is always something newer.
    let wait = prefer::wait(&headers).filter(|_| headers.contains_key(IF_NONE_MATCH));
    if let Some(wait) = wait {
        tokio::select! {
            _ = origin.published.wait_for(|document| !knows(&headers, &document.etag)) => {}
            _ = origin.stopped.wait_for(|stopped| *stopped) => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    let document = Arc::clone(&origin.published.borrow());
    let mut response = if knows(&headers, &document.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let json = HeaderValue::from_static("application/json");
        ([(CONTENT_TYPE, json)], document.body.clone()).into_response()
    };
    let fields = response.headers_mut();
    fields.insert(ETAG, document.etag.clone());
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(applied) = wait.and_then(|wait| format!("wait={}", wait.as_secs()).parse().ok()) {
        fields.insert(prefer::PREFERENCE_APPLIED, applied);
    }
    response
}

/// Whether `If-None-Match` lists `etag`, compared weakly (RFC 9110, section 13.1.2).
fn knows(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).into_iter();
    // A foreign tag may hold a comma; its halves cannot equal one of ours, which has none.
    lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b',')).any(|tag| {
        let tag = tag.trim_ascii();
        tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_etags_is_compared_weakly() {
        let etag = HeaderValue::from_static("\"0a\"");
        let known = |lists: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for list in lists {
                headers.append(IF_NONE_MATCH, HeaderValue::from_static(list));
            }
            knows(&headers, &etag)
        };
        for lists in [&["\"0a\""][..], &["W/\"0a\""], &["\"x,y\" ,\"0a\""], &["\"x\"", "\"0a\""], &["*"]] {
            assert!(known(lists), "{lists:?}");
        }
        for lists in [&[][..], &[""], &["0a"], &["\"0A\""], &["\"0a\"x"], &["w/\"0a\""]] {
            assert!(!known(lists), "{lists:?}");
        }
    }
}
