//! `GET /ofrep/v1/stream`: OFREP's events.

use serde_json::{Value, json};

use super::client::{Events, Server};
use super::files::rename;
use super::{document, start};
use crate::run::Folder;

/// The version of what is served, as events name it.
fn version(server: &Server) -> String {
    server.etag().trim_matches('"').to_owned()
}

/// The id and the data of an event.
fn parse(block: &str) -> (String, Value) {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    assert_eq!(field("event"), Some("message"), "{block}");
    (field("id").unwrap().to_owned(), serde_json::from_str(field("data").unwrap()).unwrap())
}

#[test]
fn a_change_is_an_event() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let (head, mut events) = Events::open(&server, &[]);
    assert!(head.starts_with("HTTP/1.0 200") && head.contains("content-type: text/event-stream\n"), "{head}");
    assert!(head.contains("access-control-allow-origin: *\n"), "{head}");
    // No data, so nothing is dispatched; but who comes back names the id.
    assert_eq!(events.block(), Some(format!("retry: 2000\nid: {}\n", version(&server))));
    for number in 2..5 {
        rename(&folder, &document(&number.to_string()));
        let (id, data) = parse(&events.block().unwrap());
        let now = server.metric("turquoise_origin_document_last_change_timestamp_seconds").unwrap();
        assert_eq!(data, json!({ "type": "refetchEvaluation", "etag": id, "lastModified": now }));
        assert_eq!(id, version(&server));
        assert!(now > 1_790_000_000, "{now}");
    }
    assert_eq!(server.metric("turquoise_origin_event_streams"), Some(1));
    drop(events);
    server.until_metric("turquoise_origin_event_streams", 0);
}

#[test]
fn who_missed_something_is_told_at_once() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let current = version(&server);
    let (_, mut events) = Events::open(&server, &[("last-event-id", "0123")]);
    assert_eq!(events.block().as_deref(), Some("retry: 2000\n"));
    assert_eq!(parse(&events.block().unwrap()).0, current);
    // Who missed nothing is told of the next change first.
    let (_, mut events) = Events::open(&server, &[("last-event-id", &current)]);
    assert_eq!(events.block().as_deref(), Some("retry: 2000\n"));
    rename(&folder, &document("2"));
    server.until_served(&document("2"));
    assert_eq!(parse(&events.block().unwrap()).0, version(&server));
}

#[test]
fn a_quiet_stream_has_heartbeats() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let (_, mut events) = Events::open(&server, &[]);
    events.block();
    // Takes the 15 seconds that it takes.
    assert_eq!(events.block().as_deref(), Some(":\n"));
}

#[test]
fn pages_of_the_configured_origin_may_read_them() {
    let folder = Folder::new(&document("1"));
    folder.write("tokens", "secret\n");
    let server =
        Server::start(&folder, &["--cors-origin", "https://shop.example.com", "--token-file", "tokens"]);
    let allowed = Some("https://shop.example.com");
    let preflight =
        server.request("OPTIONS", "/ofrep/v1/stream", &[("access-control-request-method", "GET")]);
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, allowed));
    let headers = preflight.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("authorization") && headers.contains("last-event-id"), "{headers}");
    let refused = server.get("/ofrep/v1/stream", &[]);
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, allowed));
    let (head, _) = Events::open(&server, &[("authorization", "Bearer secret")]);
    assert!(head.contains("access-control-allow-origin: https://shop.example.com\n"), "{head}");
    for wrong in ["shop.example.com", "https://", "https://a.example/b", "a b://c", "https://a, https://b"] {
        folder.run(&["serve", "document.json", "--cors-origin", wrong]).refused(2, &[&format!("`{wrong}`")]);
    }
}

#[test]
fn streams_end_with_the_server() {
    let folder = Folder::new(&document("1"));
    let mut server = start(&folder);
    let (_, mut events) = Events::open(&server, &[]);
    events.block();
    assert_eq!(server.end("TERM"), Some(0));
    assert_eq!(events.block(), None);
}
