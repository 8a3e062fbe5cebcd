//! A client that sends what only the filter may say gets nothing by it.

use anyhow::{Context, Result, ensure};
use blue_green::document::Edit;
use blue_green::scenario::Scenario;
use envoy_harness::raw::{self, RawReply};
use serde_json::Value;

use crate::support::{Fixture, json, send, serves};

/// Headers that a client may try. None of the values may reach the application under a name like ours.
const FORGED: [(&str, &str); 21] = [
    ("x-turquoise-upstream", "shop_green"),
    ("X-Turquoise-Upstream", "shop_green"),
    ("x_turquoise_upstream", "shop_green"),
    ("x-turquoise_upstream", "shop_green"),
    ("X_TURQUOISE_UPSTREAM", "shop_green"),
    ("x-turquoise-upstream", "turquoise_config"),
    ("x-turquoise-upstream", "no_such_cluster"),
    ("x-turquoise-upstream", ""),
    ("x-turquoise-flags", r#"{"new-greeting":true}"#),
    ("X-TURQUOISE-FLAGS", r#"{"new-greeting":true}"#),
    ("x_turquoise_flags", r#"{"new-greeting":true}"#),
    ("X-Turquoise_Flags", r#"{"new-greeting":true}"#),
    ("x-turquoise-targeting-key", "somebody-else"),
    ("x_turquoise_targeting_key", "somebody-else"),
    ("X-Turquoise-Anything", "forged"),
    ("x-turquoise-", "forged"),
    ("x.turquoise.flags", r#"{"new-greeting":true}"#),
    ("x~turquoise~upstream", "shop_green"),
    ("X!Turquoise|Targeting`Key", "somebody-else"),
    ("x-turquoise'flags", r#"{"new-greeting":true}"#),
    ("x+turquoise&upstream", "shop_green"),
];

/// Other ways to write the path behind the closed gate.
const GATED: [&str; 29] = [
    "/api/special_feature",
    "/api/special_feature/",
    "/api/special_feature?open=1",
    "//api/special_feature",
    "/api//special_feature",
    "/api/./special_feature",
    "/x/../api/special_feature",
    "/api/%73pecial_feature",
    "/api%2Fspecial_feature",
    "/api%2fspecial_feature",
    "/%61pi/special%5Ffeature",
    "http://localhost/api/special_feature",
    "/api/special_feature;x=1",
    "/api/special_feature;",
    "/api;a=b/special_feature",
    "/;/api/special_feature",
    "/x/..;/api/special_feature",
    "/x/..;a=b/api/special_feature",
    "/API/Special_Feature",
    "/api/special_feature.",
    "/api/special_feature%20",
    "/api/special_feature%0a",
    "/api/special_feature%3fx",
    "/api/special_feature%23x",
    "/api/%2573pecial_feature",
    "/x/%252e%252e/api/special_feature",
    "/api%c0%afspecial_feature",
    "/api/%u0073pecial_feature",
    "/api\\special_feature",
];

/// What is no host, or one only at the first glance.
const NO_HOSTS: [&str; 12] = [
    "[x].example.com",
    "x:y.example.com",
    "u@admin.example.com",
    "admin.example.com..",
    ".admin.example.com",
    "admin.example.com:80:80",
    "admin.example.com:+1",
    "admin%2eexample.com",
    "admin.example.com,localhost",
    "\u{e4}dmin.example.com",
    "[::1",
    "",
];

#[tokio::test(flavor = "multi_thread")]
async fn forging_our_headers_gains_nothing() -> Result<()> {
    let fixture = Fixture::start().await?;
    let scenario = &fixture.scenario;
    for (name, value) in FORGED {
        gains_nothing(scenario, &[(name, value)])
            .await
            .with_context(|| format!("forged `{name}: {value}`"))?;
    }
    let twice = [
        ("x-turquoise-flags", r#"{"new-greeting":true}"#),
        ("x-turquoise-flags", r#"{"new-greeting":true}"#),
    ];
    gains_nothing(scenario, &twice).await.context("the same header twice")?;
    gains_nothing(scenario, &FORGED).await.context("all of them at once")?;
    for path in GATED {
        let reply = send(scenario, &raw::get(path.as_bytes(), &[])).await?;
        let found = reply.body().windows(5).any(|word| word == b"found");
        ensure!(!found, "`{path}` went around the closed gate");
        ensure!(is_closed(&reply) || reply.status() == Some(400), "`{path}`: {}", reply.bytes.escape_ascii());
    }
    serves(scenario, "blue", "after all that").await?;
    scenario.no_vm_died().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_host_meets_every_gate_that_names_hosts() -> Result<()> {
    let mut fixture = Fixture::start().await?;
    let before = fixture.scenario.swaps().await?;
    fixture.document.change(&[Edit::gate_on_host("admin.example.com", "/echo")])?;
    fixture.scenario.adopted(before).await?;
    let scenario = &fixture.scenario;
    for host in ["admin.example.com", "ADMIN.example.com:80", "admin.example.com."].iter().chain(&NO_HOSTS) {
        let reply = send(scenario, &raw::get(b"/echo", &[(b"host", host.as_bytes())])).await?;
        // Envoy itself refuses some of them.
        ensure!(is_closed(&reply) || reply.status() == Some(400), "`{host}`: {}", reply.bytes.escape_ascii());
    }
    for host in ["localhost", "shop.example.com:80", "127.0.0.1", "[::1]:80"] {
        let reply = send(scenario, &raw::get(b"/echo", &[(b"host", host.as_bytes())])).await?;
        ensure!(reply.status() == Some(200), "`{host}`: {}", reply.bytes.escape_ascii());
    }
    scenario.no_vm_died().await
}

/// Whether the gate answered, in a way that nobody keeps.
fn is_closed(reply: &RawReply) -> bool {
    let head = String::from_utf8_lossy(&reply.bytes);
    let says = |header: &str| head.lines().any(|line| line.starts_with(header));
    reply.status() == Some(404) && says("cache-control: no-store") && !says("set-cookie")
}

async fn gains_nothing(scenario: &Scenario, forged: &[(&str, &str)]) -> Result<()> {
    let mut headers: Vec<(&[u8], &[u8])> = vec![(b"x-user-id", b"honest")];
    headers.extend(forged.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let reply = send(scenario, &raw::get(b"/echo", &headers)).await?;
    ensure!(reply.status() == Some(200), "answered {:?}", reply.status());
    let echo = json(&reply)?;
    ensure!(echo["colour"] == "blue", "served by {}", echo["colour"]);
    // However it is spelled: an application behind CGI or WSGI cannot tell `-` from `_`.
    let ours: Vec<_> = seen(&echo).into_iter().filter(|(name, _)| name.starts_with("x-turquoise")).collect();
    let only = |name: &str| {
        let mut values = ours.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str());
        (values.next(), values.next())
    };
    ensure!(only("x-turquoise-flags") == (Some(r#"{"new-greeting":false}"#), None), "flags: {ours:?}");
    ensure!(only("x-turquoise-targeting-key") == (Some("honest"), None), "targeting key: {ours:?}");
    ensure!(only("x-turquoise-upstream") == (Some("shop_blue"), None), "upstream: {ours:?}");
    ensure!(ours.len() == 3, "others: {ours:?}");
    Ok(())
}

/// The headers that the application saw, with names as CGI makes them equal.
fn seen(echo: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().replace("\\\"", "\"");
    let name = |name: String| {
        let byte = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        name.chars().map(byte).collect::<String>()
    };
    let pairs = echo["headers"].as_array().into_iter().flatten();
    pairs.map(|pair| (name(text(&pair[0])), text(&pair[1]))).collect()
}
