//! Clients that want more than their share: connections, time, descriptors.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use super::client::{Events, PATIENCE, Response, Server, ask, until};
use super::files::rename;
use super::{document, start};
use crate::run::{Folder, turquoise};

const CLOSED: &str = "turquoise_origin_connections_closed_total";
const CONNECTIONS: &str = "turquoise_origin_connections";

fn closed(server: &Server, reason: &str) -> Option<u64> {
    server.metric(&format!("{CLOSED}{{reason=\"{reason}\"}}"))
}

/// A server that may have so many file descriptors.
fn with_descriptors(folder: &Folder, number: usize, arguments: &[&str]) -> Server {
    let mut command = Command::new("sh");
    let limit = format!("ulimit -n {number} && exec \"$0\" \"$@\"");
    command
        .args(["-c", &limit])
        .arg(turquoise().get_program())
        .args(["serve", "document.json"])
        .args(arguments);
    Server::spawn(&mut command, folder)
}

fn silent(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Whether the other end has closed the connection, after whatever it sent.
fn is_closed(mut stream: TcpStream) -> bool {
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn silent_connections_do_not_stop_a_rollout() {
    let folder = Folder::new(&document("1"));
    let server = with_descriptors(&folder, 64, &[]);
    assert_eq!(server.metric("turquoise_origin_connections_max"), Some(32));
    let waiting = ask(
        &server.address,
        "GET",
        "/document.json",
        &[("if-none-match", server.etag().as_str()), ("prefer", "wait=60")],
    );
    server.until_metric("turquoise_origin_long_polls", 1);
    let silent: Vec<_> = (0..200).map(|_| silent(&server)).collect();
    rename(&folder, &document("2"));
    assert_eq!(Response::read(waiting).body, document("2"), "who waited is told");
    server.until_served(&document("2"));
    rename(&folder, &document("3"));
    server.until_served(&document("3"));
    assert!(server.metric(CONNECTIONS).unwrap() <= 32);
    assert!(closed(&server, "evicted").unwrap() >= 168, "{:?}", closed(&server, "evicted"));
    assert!(!server.stderr().contains("error"), "{}", server.stderr());
    drop(silent);
}

#[test]
fn where_everybody_waits_nobody_is_thrown_out_for_one_more_of_the_same_client() {
    let folder = Folder::new(&document("1"));
    let server = Server::start(&folder, &["--max-connections", "5"]);
    let etag = server.etag();
    let wait =
        || ask(&server.address, "GET", "/document.json", &[("if-none-match", &etag), ("prefer", "wait=60")]);
    let mut waiting: Vec<_> = (0..4).map(|_| wait()).collect();
    server.until_metric("turquoise_origin_long_polls", 4);
    waiting.push(wait());
    std::thread::sleep(Duration::from_millis(300));
    // All places are taken, and a newcomer is turned away.
    let refused = until_refused(&server);
    rename(&folder, &document("2"));
    for stream in waiting {
        assert_eq!(Response::read(stream).body, document("2"));
    }
    assert!(refused);
    assert!(closed(&server, "refused").unwrap() >= 1);
}

/// Asks until the answer is a closed connection.
fn until_refused(server: &Server) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let mut stream = silent(server);
        let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let mut answer = Vec::new();
        if asked.is_err() || stream.read_to_end(&mut answer).is_err() || answer.is_empty() {
            return true;
        }
    }
    false
}

#[test]
fn more_connections_than_descriptors_cannot_be_asked_for() {
    let folder = Folder::new(&document("1"));
    let server = with_descriptors(&folder, 64, &["--max-connections", "1000"]);
    server
        .until_stderr("--max-connections 1000: 32 at most, since this process may have 64 file descriptors");
    let server = with_descriptors(&folder, 64, &["--max-connections", "5"]);
    assert_eq!(server.metric("turquoise_origin_connections_max"), Some(5));
    folder
        .run(&["serve", "document.json", "--max-connections", "0"])
        .refused(2, &["`0` is not a whole number"]);
}

#[test]
fn the_head_of_a_request_has_to_come_soon() {
    let folder = Folder::new(&document("1"));
    let server = Server::start(&folder, &["--head-timeout", "1"]);
    let start = Instant::now();
    let (silent_from_the_start, mut dripping) = (silent(&server), silent(&server));
    dripping.set_nodelay(true).unwrap();
    let mut used = silent(&server);
    used.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(used.read(&mut [0; 4096]).unwrap().min(1), 1);
    // A byte again and again is not enough.
    for byte in b"GET /document.json HTTP/1.1\r\nhost: x\r\n" {
        if dripping.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(is_closed(dripping) && is_closed(silent_from_the_start));
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    assert_eq!(closed(&server, "slow_head"), Some(2));
    // One that has asked before may be idle for longer.
    used.write_all(b"GET /document.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    assert_eq!(Response::read(used).body, document("1"));
}

#[test]
fn a_body_that_never_comes_holds_nothing() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let mut slow = silent(&server);
    slow.write_all(b"GET /document.json HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n").unwrap();
    // It is answered, and closed without waiting for the rest.
    let start = Instant::now();
    assert_eq!(Response::read(slow).body, document("1"));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn who_does_not_take_an_answer_is_cut_off() {
    let folder = Folder::new(&format!("{}{}", document("1"), " ".repeat(16 << 20)));
    let server = start(&folder);
    let mut greedy = silent(&server);
    greedy.write_all(b"GET /document.json HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    until(|| closed(&server, "slow_reader") == Some(1), || format!("{:?}", closed(&server, "slow_reader")));
    let mut taken = Vec::new();
    let _ = greedy.read_to_end(&mut taken);
    assert!(taken.len() < 16 << 20, "{}", taken.len());
}

#[test]
fn event_streams_are_bounded() {
    let folder = Folder::new(&document("1"));
    let server = Server::start(&folder, &["--max-streams", "2"]);
    let open: Vec<_> = (0..2).map(|_| Events::open(&server, &[])).collect();
    let refused = server.get("/ofrep/v1/stream", &[]);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert_eq!(server.get("/document.json", &[]).status, 200);
    drop(open);
    server.until_metric("turquoise_origin_event_streams", 0);
    assert!(Events::open(&server, &[]).0.starts_with("HTTP/1.0 200"));
}
