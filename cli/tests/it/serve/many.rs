//! Thousands who wait, and some who are too slow.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use rustix::process::{Resource, getrlimit, setrlimit};

use super::client::{Response, Server, ask};
use super::files::rename;
use super::{document, start};
use crate::run::{Folder, turquoise};

const WAITERS: usize = 2000;
const WAITING: &str = "turquoise_origin_long_polls";

/// Lets this process have as many connections as it may.
fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// A line of `/proc/PID/status`, in kibibytes.
fn memory(server: &Server, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn wait(server: &Server, etag: &str) -> TcpStream {
    ask(&server.address, "GET", "/document.json", &[("if-none-match", etag), ("prefer", "wait=60")])
}

#[test]
fn two_thousand_wait_and_all_are_answered() {
    raise_limit();
    let folder = Folder::new(&document("1"));
    // As a shell starts it where few files may be open.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 256 && exec \"$0\" \"$@\""]).arg(turquoise().get_program());
    let server = Server::spawn(command.args(["serve", "document.json"]), &folder);
    let etag = server.etag();
    let before = memory(&server, "VmRSS");
    let waiting: Vec<_> = (0..WAITERS).map(|_| wait(&server, &etag)).collect();
    server.until_metric(WAITING, WAITERS as u64);
    if let (Some(before), Some(after)) = (before, memory(&server, "VmRSS")) {
        let each = after.saturating_sub(before) / WAITERS as u64;
        println!("{WAITERS} waiters: {each} KiB each");
        assert!(each < 48, "{each} KiB each: {before} -> {after}");
    }
    let start = Instant::now();
    rename(&folder, &document("2"));
    for stream in waiting {
        let response = Response::read(stream);
        assert_eq!((response.status, response.body.as_str()), (200, document("2").as_str()));
    }
    println!("{WAITERS} waiters: all answered after {:?}", start.elapsed());
    server.until_metric(WAITING, 0);
}

#[test]
fn who_waits_shares_one_document() {
    const SIZE: usize = 4 << 20;
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let etag = server.etag();
    let waiting: Vec<_> = (0..40).map(|_| wait(&server, &etag)).collect();
    server.until_metric(WAITING, 40);
    let long = format!("{}{}", document("2"), " ".repeat(SIZE));
    rename(&folder, &long);
    // Everybody is being answered, and nobody has read anything yet.
    server.until_metric("turquoise_origin_requests_total{endpoint=\"document\",code=\"200\"}", 41);
    for stream in waiting {
        assert_eq!(Response::read(stream).bytes.len(), long.len());
    }
    if let Some(most) = memory(&server, "VmHWM") {
        println!("most memory: {most} KiB");
        assert!(most < 20 * SIZE as u64 / 1024, "{most} KiB");
    }
}

#[test]
fn who_goes_away_waits_no_longer() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let stream = wait(&server, &server.etag());
    server.until_metric(WAITING, 1);
    drop(stream);
    server.until_metric(WAITING, 0);
}

#[test]
fn a_slow_request_is_cut_off_and_a_long_wait_is_not() {
    let folder = Folder::new(&document("1"));
    let server = Server::start(&folder, &["--idle-timeout", "1"]);
    let waiting = wait(&server, &server.etag());
    let mut slow = TcpStream::connect(&server.address).unwrap();
    slow.set_read_timeout(Some(super::client::PATIENCE)).unwrap();
    slow.write_all(b"GET /document.json HTTP/1.1\r\nhost: x\r\nx-slow: ").unwrap();
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "cut off: {}", String::from_utf8_lossy(&answer));
    server.until_metric(WAITING, 1);
    rename(&folder, &document("2"));
    assert_eq!(Response::read(waiting).body, document("2"));
}

#[test]
fn a_request_that_is_too_large_is_refused() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let response = server.get("/document.json", &[("x-large", &"x".repeat(8_000))]);
    assert_eq!(response.status, 200);
    let response = server.get("/document.json", &[("x-large", &"x".repeat(16_384))]);
    assert_eq!(response.status, 431);
}
