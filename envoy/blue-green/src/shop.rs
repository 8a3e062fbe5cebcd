//! The web application: one code base, run as two versions with two colours.
//!
//! It knows nothing of routing. It learns its flags from one request header, and who asks from another.

use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName};
use axum::response::Html;
use axum::routing::{any, get};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The header with all exposed flags, as one JSON object.
const FLAGS: &str = "x-turquoise-flags";
/// The header that says who asks.
const TARGETING_KEY: &str = "x-turquoise-targeting-key";

/// One running version.
#[derive(Clone, Debug)]
pub struct Shop {
    /// Its version, as `v2`.
    pub version: String,
    /// The colour of its page, as CSS names it.
    pub colour: String,
}

type Json = ([(HeaderName, &'static str); 1], Bytes);

/// The application's pages.
pub fn router(shop: Shop) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/hello", get(hello))
        .route("/api/special_feature", get(special_feature))
        .route("/echo", any(echo))
        .with_state(shop)
}

/// Serves until `shutdown`, then lets the requests under way finish.
pub async fn serve(listener: TcpListener, shop: Shop, shutdown: impl Future<Output = ()>) -> Result<()> {
    let service = TowerToHyperService::new(router(shop));
    // More than the proxy lets through, which adds some of its own.
    let mut http = http1::Builder::new();
    http.max_headers(512);
    let open = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                // A client that goes away in the middle of a request is nobody's error.
                tokio::spawn(open.watch(http.serve_connection(TokioIo::new(stream), service.clone())));
            }
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(Duration::from_secs(5), open.shutdown()).await;
    Ok(())
}

/// The page reloads itself every second: who switches in a terminal sees it in the browser.
async fn page(State(shop): State<Shop>, headers: HeaderMap) -> Html<String> {
    let Shop { version, colour } = &shop;
    let greeting = greeting(&headers);
    Html(format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="1">
<title>shop {version}</title>
<style>
  body {{ background: {colour}; color: white; font: 2rem/1.5 system-ui, sans-serif; text-align: center; padding-top: 20vh }}
  small {{ opacity: 0.8 }}
</style>
<h1>{greeting}</h1>
<p>Served by the shop, {version} ({colour})</p>
<p><small>This page reloads every second.</small></p>
</html>
"#
    ))
}

async fn hello(State(shop): State<Shop>, headers: HeaderMap) -> Json {
    let user = headers.get(TARGETING_KEY).map(|value| value.as_bytes().escape_ascii().to_string());
    json(&json!({
        "version": shop.version,
        "colour": shop.colour,
        "greeting": greeting(&headers),
        "newGreeting": is_on(&headers, "new-greeting"),
        "user": user,
    }))
}

async fn special_feature(State(shop): State<Shop>) -> Json {
    json(&json!({ "version": shop.version, "colour": shop.colour, "special": "you have found it" }))
}

/// What the application was sent, byte for byte except that what is not ASCII is escaped.
async fn echo(State(shop): State<Shop>, request: Request) -> Json {
    let header = |(name, value): (&HeaderName, &axum::http::HeaderValue)| {
        json!([name.as_str(), value.as_bytes().escape_ascii().to_string()])
    };
    json(&json!({
        "version": shop.version,
        "colour": shop.colour,
        "method": request.method().as_str(),
        "target": request.uri().to_string(),
        "headers": request.headers().iter().map(header).collect::<Vec<_>>(),
    }))
}

fn greeting(headers: &HeaderMap) -> &'static str {
    if is_on(headers, "new-greeting") { "Good to see you!" } else { "Hello." }
}

/// An absent header, or one that does not say `true`, means off: the application works without a proxy too.
fn is_on(headers: &HeaderMap, flag: &str) -> bool {
    let flags = headers.get(FLAGS).and_then(|value| serde_json::from_slice::<Value>(value.as_bytes()).ok());
    flags.is_some_and(|flags| flags.get(flag) == Some(&Value::Bool(true)))
}

fn json(value: &Value) -> Json {
    ([(CONTENT_TYPE, "application/json")], format!("{value}\n").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(FLAGS), value.parse().unwrap())])
    }

    #[test]
    fn a_feature_is_on_only_when_the_header_says_so() {
        assert!(is_on(&flags(r#"{"theme":"dark","new-greeting":true}"#), "new-greeting"));
        for value in
            [r#"{"new-greeting":false}"#, r#"{"new-greeting":"true"}"#, "{}", "[]", "new-greeting", ""]
        {
            assert!(!is_on(&flags(value), "new-greeting"), "{value}");
        }
        assert!(!is_on(&HeaderMap::new(), "new-greeting"));
    }
}
