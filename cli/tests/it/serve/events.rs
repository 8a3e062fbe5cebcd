//! `GET /ofrep/v1/stream`: OFREP's events.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Events, Server};
use super::files::rename;
use super::{document, start};
use crate::run::Folder;

/// How much earlier than clients the proxies learn of a change.
const HEAD_START: Duration = Duration::from_millis(250);

/// For how long a change is told to those who come after it.
const RECENT: Duration = Duration::from_secs(10);

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
    assert_eq!(events.block().as_deref(), Some("retry: 2000\n"));
    let (id, _) = parse(&events.block().unwrap());
    assert_eq!(id, version(&server), "it is new, and the client may have evaluated before");
    for number in 2..5 {
        let changed = Instant::now();
        rename(&folder, &document(&number.to_string()));
        let (id, data) = parse(&events.block().unwrap());
        assert!(changed.elapsed() >= HEAD_START, "{:?}", changed.elapsed());
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
    std::thread::sleep(2 * HEAD_START);
    rename(&folder, &document("2"));
    assert_ne!(parse(&events.block().unwrap()).0, current);
}

#[test]
fn of_changes_that_follow_one_another_each_has_its_time() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let (_, mut events) = Events::open(&server, &[("last-event-id", &version(&server))]);
    events.block();
    rename(&folder, &document("2"));
    server.until_served(&document("2"));
    let second = version(&server);
    std::thread::sleep(HEAD_START / 2);
    let changed = Instant::now();
    rename(&folder, &document("3"));
    server.until_served(&document("3"));
    let third = version(&server);
    assert_eq!(parse(&events.block().unwrap()).0, second);
    assert_eq!(parse(&events.block().unwrap()).0, third);
    assert!(changed.elapsed() >= HEAD_START, "{:?}", changed.elapsed());
}

#[test]
fn a_quiet_stream_has_heartbeats() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    std::thread::sleep(RECENT);
    let (_, mut events) = Events::open(&server, &[]);
    // No data, so nothing is dispatched; but who comes back names the id.
    assert_eq!(events.block(), Some(format!("retry: 2000\nid: {}\n", version(&server))));
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
