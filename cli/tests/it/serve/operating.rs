//! What operators need: health, metrics, tokens, and an end in order.

use std::io::Write as _;
use std::net::TcpStream;

use super::client::{self, Response, Server};
use super::files::rename;
use super::{document, start};
use crate::run::Folder;

const REFUSED: &str = "turquoise_origin_document_refusals_total{reason=\"invalid\"}";
const GONE: &str = "turquoise_origin_document_refusals_total{reason=\"unreadable\"}";
const CURRENT: &str = "turquoise_origin_document_current";

#[test]
fn it_is_healthy_while_a_document_is_served() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    for path in ["/healthz", "/readyz"] {
        let response = server.get(path, &[]);
        assert_eq!(response.status, 200, "{path}");
        assert!(response.body.starts_with("ok: serving `document.json` (1 flag, 0 routes"), "{response:?}");
    }
    rename(&folder, "{");
    server.until_metric(REFUSED, 1);
    let response = server.get("/healthz", &[]);
    assert_eq!(response.status, 200, "the last good one is served");
    assert!(response.body.contains("does not compile; still serving the last good document"), "{response:?}");
    assert!(response.body.contains("document.json:1:1: error: $: not JSON"), "{response:?}");
    rename(&folder, &document("1"));
    server.until_metric(CURRENT, 1);
    assert!(!server.get("/healthz", &[]).body.contains("compile"));
}

#[test]
fn it_can_wait_for_the_first_document() {
    let folder = Folder::new("{");
    let server = Server::start(&folder, &["--wait"]);
    for path in ["/healthz", "/readyz", "/document.json"] {
        let response = server.get(path, &[("if-none-match", "\"x\""), ("prefer", "wait=30")]);
        assert_eq!(response.status, 503, "{path}");
        assert!(response.body.contains("there is no document yet"), "{response:?}");
    }
    let health = server.get("/healthz", &[]).body;
    assert!(health.contains("`document.json` does not compile; there is nothing to serve"), "{health}");
    assert_eq!((server.metric(REFUSED), server.metric(CURRENT)), (Some(1), Some(0)));
    let (_, mut events) = client::Events::open(&server, &[]);
    assert_eq!(events.block().as_deref(), Some("retry: 2000\n"));
    rename(&folder, &document("1"));
    assert!(events.block().unwrap().contains("refetchEvaluation"));
    assert_eq!(server.get("/healthz", &[]).status, 200);
    assert_eq!(server.get("/document.json", &[]).body, document("1"));
}

#[test]
fn metrics_tell_what_happened() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let page = server.get("/metrics", &[]);
    assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let etag = server.etag();
    server.get("/document.json", &[("if-none-match", &etag)]);
    server.get("/nothing", &[]);
    server.request("POST", "/document.json", &[("content-length", "0")]);
    for (endpoint, code) in
        [("document", 200), ("document", 304), ("document", 405), ("other", 404), ("metrics", 200)]
    {
        let sample = format!("turquoise_origin_requests_total{{endpoint=\"{endpoint}\",code=\"{code}\"}}");
        assert!(server.metric(&sample) >= Some(1), "{sample}");
    }
    let bytes = document("1").len() as u64;
    assert_eq!(server.metric("turquoise_origin_document_bytes{coding=\"identity\"}"), Some(bytes));
    let info = format!("turquoise_origin_document_info{{version={etag}}}");
    assert_eq!((server.metric(&info), server.metric(CURRENT)), (Some(1), Some(1)));
    rename(&folder, &document("2"));
    server.until_metric("turquoise_origin_document_changes_total", 1);
    rename(&folder, "{}");
    server.until_metric(REFUSED, 1);
    std::fs::remove_file(folder.path("document.json")).unwrap();
    server.until_metric(GONE, 1);
    assert_eq!((server.metric(REFUSED), server.metric(CURRENT)), (Some(1), Some(0)));
    rename(&folder, &document("3"));
    server.until_metric(CURRENT, 1);
    assert_eq!(server.metric("turquoise_origin_document_changes_total"), Some(2));
}

#[test]
fn metrics_keep_to_the_text_format() {
    let folder = Folder::new(&document("1"));
    let page = start(&folder).get("/metrics", &[]).body;
    let mut family = "";
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split_once(' ').expect("a text").0;
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!((name, kind == "counter"), (family, name.ends_with("_total")), "{line}");
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(sample.split('{').next(), Some(family), "{line}");
            assert!(value.parse::<u64>().is_ok(), "{line}");
        }
    }
    assert!(page.ends_with('\n') && page.lines().count() > 20, "{page}");
}

#[test]
fn tokens_guard_the_document_and_the_events() {
    let folder = Folder::new(&document("1"));
    folder.write("tokens", "  first-token\n\nsecond-token\r\n");
    let server = Server::start(&folder, &["--token-file", "tokens"]);
    for path in ["/document.json", "/ofrep/v1/stream"] {
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer first",
            "Bearer first-tokens",
            "Basic first-token",
            "first-token",
        ] {
            let response = server.get(path, &[("authorization", wrong)]);
            assert_eq!((response.status, response.body.as_str()), (401, ""), "{path} {wrong}");
            assert_eq!(response.header("www-authenticate"), Some("Bearer"));
            assert_eq!(response.header("etag"), None);
        }
        assert_eq!(server.get(path, &[]).status, 401);
    }
    for right in ["Bearer first-token", "bearer second-token"] {
        assert_eq!(server.get("/document.json", &[("authorization", right)]).status, 200, "{right}");
    }
    assert_eq!(server.get("/healthz", &[]).status, 200);
    assert_eq!(server.get("/metrics", &[]).status, 200);
    rename(&folder, r#"{ "flags": { "secret-launch": {} } }"#);
    server.until_metric(REFUSED, 1);
    server.until_stderr("secret-launch");
    let health = server.get("/healthz", &[]).body;
    assert!(health.contains("stderr says why") && !health.contains("secret-launch"), "{health}");
    folder.write("tokens", " \n");
    let serve = |file| folder.run(&["serve", "document.json", "--token-file", file]);
    serve("tokens").refused(1, &["`tokens` holds no token"]);
    serve("none").refused(1, &["`none`", "no such file"]);
    folder.write("tokens", "first-token\n# rotated on Monday\n");
    serve("tokens").refused(1, &["`tokens`, line 2: a token is printable ASCII without spaces"]);
}

#[test]
fn what_is_under_way_at_the_end_is_finished() {
    let folder = Folder::new(&document("1"));
    let mut server = start(&folder);
    let etag = server.etag();
    let headers = [("if-none-match", etag.as_str()), ("prefer", "wait=60")];
    let waiting: Vec<_> =
        (0..20).map(|_| client::ask(&server.address, "GET", "/document.json", &headers)).collect();
    server.until_metric("turquoise_origin_long_polls", 20);
    // A connection that stays open unused, and one that is in the middle of its request, hold nobody up for long.
    let _idle = TcpStream::connect(&server.address).unwrap();
    let mut half = TcpStream::connect(&server.address).unwrap();
    half.write_all(b"GET /document.json HTTP/1.1\r\nhost:").unwrap();
    assert_eq!(server.end("TERM"), Some(0));
    for stream in waiting {
        assert_eq!(Response::read(stream).status, 304);
    }
    assert!(TcpStream::connect(&server.address).is_err(), "nobody listens any more");
}
