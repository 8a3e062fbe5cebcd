//! A client that sends what only the filter may say gets nothing by it.

use anyhow::{Context, Result, ensure};
use blue_green::scenario::Scenario;
use envoy_harness::raw;
use serde_json::Value;

use crate::support::{Fixture, json, send, serves};

/// Headers that a client may try. None of the values may reach the application under a name like ours.
const FORGED: [(&str, &str); 16] = [
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
];

/// Other ways to write the path behind the closed gate.
const GATED: [&str; 12] = [
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
        ensure!(reply.status() != Some(200), "`{path}` was served");
    }
    serves(scenario, "blue", "after all that").await?;
    scenario.no_vm_died().await
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
    let pairs = echo["headers"].as_array().into_iter().flatten();
    pairs.map(|pair| (text(&pair[0]).to_ascii_lowercase().replace('_', "-"), text(&pair[1]))).collect()
}
