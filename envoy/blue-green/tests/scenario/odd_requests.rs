//! Requests that no browser sends. What is well-formed is served; what is not may be refused, and nothing comes of it.

use anyhow::{Context, Result, ensure};
use blue_green::scenario::Scenario;
use envoy_harness::raw;

use crate::support::{Fixture, json, send, serves};

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_do_no_harm() -> Result<()> {
    let fixture = Fixture::start().await?;
    let scenario = &fixture.scenario;
    for (what, request) in well_formed() {
        is_served(scenario, &request).await.context(what)?;
    }
    for (what, request) in others() {
        // Any answer will do, none included.
        send(scenario, &request).await.context(what)?;
        serves(scenario, "blue", what).await?;
    }
    scenario.no_vm_died().await
}

async fn is_served(scenario: &Scenario, request: &[u8]) -> Result<()> {
    let reply = send(scenario, request).await?;
    let start = reply.bytes.get(..reply.bytes.len().min(300)).unwrap_or_default();
    ensure!(reply.status() == Some(200), "answered: {}", start.escape_ascii());
    if !request.starts_with(b"GET http://") {
        ensure!(json(&reply)?["colour"] == "blue", "not served by the blue shop: {}", start.escape_ascii());
    }
    Ok(())
}

fn well_formed() -> Vec<(&'static str, Vec<u8>)> {
    let odd = b"caf\xe9 \xff\xfe\x80";
    let cookie = [b"a=".as_slice(), &vec![b'x'; 60 * 1024]].concat();
    let many_cookies = (0..3000).map(|number| format!("c{number}=0123456789")).collect::<Vec<_>>().join("; ");
    let names: Vec<_> = (0..200).map(|number| format!("x-header-{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_bytes(), b"value".as_slice())).collect();
    let long_path = format!("/hello?q={}", "x".repeat(8000));
    vec![
        ("a user id that is not UTF-8", raw::get(b"/hello", &[(b"x-user-id", odd)])),
        ("a cookie that is not UTF-8", raw::get(b"/hello", &[(b"cookie", b"uid=\xff\xfe; b=\xc3\x28")])),
        ("a cookie name that is not UTF-8", raw::get(b"/hello", &[(b"cookie", b"\xff\xfe=1; uid=7")])),
        ("a mapped attribute that is not UTF-8", raw::get(b"/hello", &[(b"x-tester", odd)])),
        ("another header that is not UTF-8", raw::get(b"/hello", &[(b"x-odd", odd)])),
        ("one cookie of 60 KB", raw::get(b"/hello", &[(b"cookie", &cookie)])),
        ("60 KB of cookies", raw::get(b"/hello", &[(b"cookie", many_cookies.as_bytes())])),
        ("200 headers", raw::get(b"/hello", &many)),
        ("an empty user id", raw::get(b"/hello", &[(b"x-user-id", b"")])),
        ("an empty cookie", raw::get(b"/hello", &[(b"cookie", b"")])),
        ("cookies that are no pairs", raw::get(b"/hello", &[(b"cookie", b";; =; uid; =uid; uid==;")])),
        ("a user id of 32 KB", raw::get(b"/hello", &[(b"x-user-id", &[b'u'; 32 * 1024])])),
        ("two user ids", raw::get(b"/hello", &[(b"x-user-id", b"one"), (b"x-user-id", b"two")])),
        ("a path of 8 KB", raw::get(long_path.as_bytes(), &[])),
        ("an empty path", raw::get(b"http://localhost", &[])),
        ("an absolute path", raw::get(b"http://localhost/hello", &[])),
        ("no user at all", raw::get(b"/hello", &[])),
    ]
}

fn others() -> Vec<(&'static str, Vec<u8>)> {
    let plain = |line: &[u8]| [line, b"\r\nhost: localhost\r\nconnection: close\r\n\r\n"].concat();
    let names: Vec<_> = (0..400).map(|number| format!("x-header-{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_bytes(), b"value".as_slice())).collect();
    vec![
        // Well-formed, but Envoy takes `?q=1` for the path, which no route matches.
        ("a query and an empty path", raw::get(b"http://localhost?q=1", &[])),
        ("no path", plain(b"GET  HTTP/1.1")),
        ("no path and no space", plain(b"GET HTTP/1.1")),
        ("only a query", plain(b"GET ?q=1 HTTP/1.1")),
        ("a relative path", plain(b"GET hello HTTP/1.1")),
        ("a query that is not UTF-8", plain(b"GET /hello?q=\xc3\x28 HTTP/1.1")),
        ("a path that is not UTF-8", plain(b"GET /\xff\xfe HTTP/1.1")),
        ("the server itself", plain(b"OPTIONS * HTTP/1.1")),
        ("a tunnel", plain(b"CONNECT localhost:443 HTTP/1.1")),
        ("an empty method", plain(b" / HTTP/1.1")),
        ("an unknown method", plain(b"SHOP /hello HTTP/1.1")),
        ("an empty host", b"GET /hello HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n".to_vec()),
        ("no host", b"GET /hello HTTP/1.1\r\nconnection: close\r\n\r\n".to_vec()),
        ("HTTP/1.0", b"GET /hello HTTP/1.0\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"GET /hello\r\n\r\n".to_vec()),
        ("a NUL in a value", raw::get(b"/hello", &[(b"x-user-id", b"a\0b")])),
        ("400 headers", raw::get(b"/hello", &many)),
        ("200 KB of cookies", raw::get(b"/hello", &[(b"cookie", &vec![b'x'; 200 * 1024])])),
        ("a broken escape in the path", plain(b"GET /%zz HTTP/1.1")),
        ("a path above the root", plain(b"GET /../../etc/passwd HTTP/1.1")),
    ]
}
