//! A wrong plugin configuration: Envoy refuses it and names the key.

use anyhow::{Context, Result, ensure};
use blue_green::scenario::Addresses;
use envoy_harness::envoy::{Envoy, Setup};
use envoy_harness::log::Mark;

use crate::support::WORKERS;

/// What is replaced in `envoy.yaml`, by what, and what the log has to name.
const WRONG: [(&str, &str, &[&str]); 5] = [
    (r#""upstreamHeader":"#, r#""upstreamHeadr":"#, &["upstreamHeadr", "upstreamHeader"]),
    (r#""interval":"#, r#""intervall":"#, &["intervall", "interval"]),
    (r#"{ "cookie": "uid" }"#, r#"{ "cookies": "uid" }"#, &["cookies", "cookie"]),
    (r#""interval": "200ms""#, r#""interval": "soon""#, &["interval", "soon"]),
    (
        r#""variants": { "blue": "shop_blue""#,
        r#""variants": { "blue": "shop_blu""#,
        &["`shop_blu`", "`shop_blue`", "$.routes[0].flag"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn envoy_refuses_a_wrong_configuration_by_name() -> Result<()> {
    for (from, to, named) in WRONG {
        is_refused(from, to, named).await.with_context(|| format!("with `{to}`"))?;
    }
    Ok(())
}

async fn is_refused(from: &str, to: &str, named: &[&str]) -> Result<()> {
    let addresses = Addresses::free()?;
    let config = addresses.config()?.replace(from, to)?;
    let setup = Setup {
        config,
        admin: addresses.admin,
        listeners: vec![addresses.shop],
        workers: WORKERS,
        arguments: Vec::new(),
    };
    let (status, log) = Envoy::refused(&setup).await?;
    ensure!(!status.success(), "Envoy ended with {status}");
    let lines = log.matching(Mark::default(), "wasm log");
    let says = |word: &&str| lines.iter().any(|line| line.contains(*word));
    ensure!(named.iter().all(says), "no log line names {named:?}:\n{}", log.tail(10));
    Ok(())
}
