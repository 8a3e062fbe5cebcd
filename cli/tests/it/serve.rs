//! `turquoise serve`: the origin of a document.

mod client;
mod coding;
mod events;
mod files;
mod limits;
mod many;
mod operating;
mod secrets;
mod torn;

use std::time::{Duration, Instant};

use crate::run::Folder;
use client::Server;
use files::rename;

/// A document that says which one it is.
fn document(version: &str) -> String {
    format!(
        r#"{{ "metadata": {{ "version": "{version}" }}, "flags": {{ "a": {{ "state": "ENABLED", "variants": {{ "on": true }}, "defaultVariant": "on" }} }} }}"#
    )
}

fn start(folder: &Folder) -> Server {
    Server::start(folder, &[])
}

#[test]
fn a_document_is_served_with_its_etag() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let response = server.get("/document.json", &[]);
    assert_eq!((response.status, response.body.as_str()), (200, document("1").as_str()));
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-cache"));
    let etag = response.header("etag").unwrap();
    assert!(etag.len() == 34 && etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    let again = start(&folder);
    assert_eq!(again.get("/document.json?x", &[]).header("etag"), Some(etag), "the same after a restart");
    let head = server.request("HEAD", "/document.json", &[]);
    assert_eq!((head.status, head.body.as_str(), head.header("etag")), (200, "", Some(etag)));
    assert_eq!(head.header("content-length"), response.header("content-length"));
}

#[test]
fn a_known_document_is_not_sent_again() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let etag = server.etag();
    for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
        for method in ["GET", "HEAD"] {
            let response = server.request(method, "/document.json", &[("If-None-Match", &known)]);
            assert_eq!((response.status, response.body.as_str()), (304, ""), "{method} {known}");
            assert_eq!(response.header("etag"), Some(etag.as_str()));
        }
    }
    assert_eq!(server.get("/document.json", &[("if-none-match", "\"x\"")]).status, 200);
}

#[test]
fn nothing_else_is_there() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    for path in ["/", "/document", "/document.json/", "/document.json/x", "/../document.json"] {
        assert_eq!(server.get(path, &[]).status, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let response = server.request(method, "/document.json", &[("content-length", "0")]);
        assert_eq!(response.status, 405, "{method}");
        assert!(
            response.header("allow").is_some_and(|allow| allow.contains("GET") && allow.contains("HEAD"))
        );
    }
}

#[test]
fn waiting_ends_with_a_change() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let etag = server.etag();
    let wait = |etag: String| {
        let address = server.address.clone();
        std::thread::spawn(move || {
            let headers = [("If-None-Match", etag.as_str()), ("Prefer", "wait=30")];
            client::request(&address, "GET", "/document.json", &headers)
        })
    };
    let waiting: Vec<_> = (0..20).map(|_| wait(etag.clone())).collect();
    std::thread::sleep(Duration::from_millis(300));
    assert!(waiting.iter().all(|thread| !thread.is_finished()), "they wait");
    rename(&folder, &document("2"));
    for thread in waiting {
        let response = thread.join().unwrap();
        assert_eq!((response.status, response.body.as_str()), (200, document("2").as_str()));
        assert_eq!(response.header("preference-applied"), Some("wait=30"));
        assert_ne!(response.header("etag"), Some(etag.as_str()));
    }
    // What was known is old already: no wait.
    let start = Instant::now();
    let response = server.get("/document.json", &[("if-none-match", &etag), ("prefer", "wait=30")]);
    assert_eq!(response.status, 200);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn waiting_ends_with_its_time() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let etag = server.etag();
    let start = Instant::now();
    let response = server.get("/document.json", &[("if-none-match", &etag), ("prefer", "wait=1")]);
    assert_eq!((response.status, response.header("preference-applied")), (304, Some("wait=1")));
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    let start = Instant::now();
    let response = server.get("/document.json", &[("prefer", "wait=30")]);
    assert_eq!((response.status, response.header("preference-applied")), (200, None), "nothing is known");
    let response = server.get("/document.json", &[("if-none-match", &etag), ("prefer", "wait=soon")]);
    assert_eq!((response.status, response.header("preference-applied")), (304, None));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn signals_end_it_in_order() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::new(&document("1"));
        let mut server = start(&folder);
        let etag = server.etag();
        let address = server.address.clone();
        let waiting = std::thread::spawn(move || {
            let headers = [("if-none-match", etag.as_str()), ("prefer", "wait=60")];
            client::request(&address, "GET", "/document.json", &headers)
        });
        std::thread::sleep(Duration::from_millis(200));
        let start = Instant::now();
        assert_eq!(server.end(signal), Some(0), "{signal}");
        assert!(start.elapsed() < Duration::from_secs(10), "{signal}: {:?}", start.elapsed());
        assert_eq!(waiting.join().unwrap().status, 304, "who waits is answered: {signal}");
    }
}

#[test]
fn it_does_not_start_with_what_it_cannot_serve() {
    let folder = Folder::new("{}");
    let serve = |file: &str, address: &str| folder.run(&["serve", file, "--listen", address]);
    let broken = ["document.json:1:1: error: $: `flags` is missing", "`document.json` does not compile"];
    serve("document.json", "127.0.0.1:0").refused(1, &broken);
    serve("none.json", "127.0.0.1:0").refused(1, &["`none.json`", "no such file"]);
    serve(".", "127.0.0.1:0").refused(1, &["`.`", "not a file"]);
    serve("document.json", "8099").refused(2, &["`8099`", "127.0.0.1:8099"]);
    folder.write("document.json", &document("1"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    serve("document.json", &address).refused(1, &["cannot listen", &address]);
}
