//! `GET /document.json`: the document, to who does not have it yet.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::encoding::wants_gzip;
use super::prefer;
use super::published::{Published, Representation};
use super::routes::Origin;

/// Answers with the document or with 304, now or when there is something newer.
pub(super) async fn document(State(origin): State<Arc<Origin>>, headers: HeaderMap) -> Response {
    // Without a version that the client knows there is always something newer.
    let wait = prefer::wait(&headers).filter(|_| headers.contains_key(IF_NONE_MATCH));
    if let Some(wait) = wait {
        let (mut served, mut stopped) = (origin.served.clone(), origin.stopped.clone());
        let held = origin.metrics.long_polls.hold();
        tokio::select! {
            _ = served.wait_for(|served| served.document.as_ref().is_none_or(|document| known(&headers, document).is_none())) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = tokio::time::sleep(wait) => {}
        }
        drop(held);
    }
    let Some(document) = origin.served.borrow().document.clone() else {
        let reason = "there is no document yet\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], reason).into_response();
    };
    let gzip = document.gzip.as_ref().filter(|_| wants_gzip(&headers));
    let selected = gzip.unwrap_or(&document.identity);
    let (mut response, etag) = match known(&headers, &document) {
        // The tag of what the client has: that is what a cache may call fresh again.
        Some(Known::This(known)) => (StatusCode::NOT_MODIFIED.into_response(), &known.etag),
        Some(Known::Any) => (StatusCode::NOT_MODIFIED.into_response(), &selected.etag),
        None => {
            let json = HeaderValue::from_static("application/json");
            let mut response = ([(CONTENT_TYPE, json)], selected.body.clone()).into_response();
            if gzip.is_some() {
                response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            (response, &selected.etag)
        }
    };
    let fields = response.headers_mut();
    fields.insert(ETAG, etag.clone());
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    fields.insert(VARY, HeaderValue::from_static("accept-encoding"));
    // With 304 too: it says that the document is still the one, and a cache updates what it stored.
    fields.extend(origin.signer.fields(&document));
    if let Some(applied) = wait.and_then(|wait| format!("wait={}", wait.as_secs()).parse().ok()) {
        fields.insert(prefer::PREFERENCE_APPLIED, applied);
    }
    response
}

/// What a client has of a document.
enum Known<'a> {
    /// This coding of it.
    This(&'a Representation),
    /// `*`: whatever there is.
    Any,
}

/// What `If-None-Match` lists of the document, compared weakly (RFC 9110, section 13.1.2). Any coding will do: who has
/// one has the document.
fn known<'a>(headers: &HeaderMap, document: &'a Published) -> Option<Known<'a>> {
    let lists = headers.get_all(IF_NONE_MATCH).into_iter();
    // A foreign tag may hold a comma; its halves cannot equal one of ours, which has none.
    lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b',')).find_map(|tag| {
        let tag = tag.trim_ascii();
        if tag == b"*" {
            return Some(Known::Any);
        }
        let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
        document.representations().find(|coding| coding.etag.as_bytes() == tag).map(Known::This)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_etags_is_compared_weakly() {
        let text = format!("{{ \"flags\": {{}}{} }}", " ".repeat(500));
        let document = Published::new("x", text.into_bytes(), 10).unwrap();
        let tag = format!("{:032x}", 10);
        let matches = |lists: &[&str]| {
            let mut headers = HeaderMap::new();
            for list in lists {
                headers.append(IF_NONE_MATCH, list.replace("TAG", &tag).parse().unwrap());
            }
            known(&headers, &document).is_some()
        };
        for lists in [
            &["\"TAG\""][..],
            &["W/\"TAG\""],
            &["\"TAG-gzip\""],
            &["W/\"TAG-gzip\""],
            &["\"x,y\" ,\"TAG\""],
            &["\"x\"", "\"TAG\""],
            &["*"],
        ] {
            assert!(matches(lists), "{lists:?}");
        }
        for lists in [&[][..], &[""], &["TAG"], &["\"TAG-br\""], &["\"TAG\"x"], &["w/\"TAG\""]] {
            assert!(!matches(lists), "{lists:?}");
        }
    }
}
