//! What the groups share: a started scenario with both versions, and requests to it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use blue_green::document::Document;
use blue_green::judge;
use blue_green::scenario::{Addresses, Scenario, start_source};
use envoy_harness::http;
use envoy_harness::load::Plan;
use envoy_harness::process::Process;
use envoy_harness::raw::{self, RawReply};
use serde_json::Value;
use tempfile::TempDir;

/// How many threads Envoy serves with.
pub(crate) const WORKERS: usize = 2;
/// For whatever should happen at once, on a machine that may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The scenario with the origin that users run, and the file that it watches.
pub(crate) struct Fixture {
    pub(crate) scenario: Scenario,
    pub(crate) document: Document,
    _source: Process,
    _directory: TempDir,
}

impl Fixture {
    pub(crate) async fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let document = Document::create(directory.path())?;
        let addresses = Addresses::free()?;
        let source = start_source(document.path(), addresses.source).await?;
        let scenario = start(addresses).await?;
        Ok(Self { scenario, document, _source: source, _directory: directory })
    }
}

/// Both versions and Envoy, which fetches from `addresses.source`, where the caller serves a document.
pub(crate) async fn start(addresses: Addresses) -> Result<Scenario> {
    let config = addresses.config()?.replace(r#""interval": "200ms""#, r#""interval": "50ms""#)?;
    // A source that hangs is given up after this and the timeout.
    let config = config.replace(r#""longPoll": "30s""#, r#""longPoll": "1s""#)?;
    let mut scenario = Scenario::start(shop(), addresses, WORKERS, config).await?;
    scenario.deploy_green().await?;
    scenario.steady().await?;
    Ok(scenario)
}

/// The application's binary.
pub(crate) fn shop() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_shop"))
}

/// Load by `users` users, to be started by the scenario.
pub(crate) fn load(users: usize, rate: u32) -> Plan {
    Plan {
        target: ([127, 0, 0, 1], 0).into(),
        path: judge::PATH.to_owned(),
        users: judge::users(users),
        connections: 16,
        rate,
        patience: Duration::from_secs(5),
        judge: judge::hello,
    }
}

/// A request as bytes, through Envoy.
pub(crate) async fn send(scenario: &Scenario, request: &[u8]) -> Result<RawReply> {
    raw::send(scenario.addresses.shop, request, PATIENCE).await
}

/// The answer of `/hello` or `/echo` in a raw reply.
pub(crate) fn json(reply: &RawReply) -> Result<Value> {
    let text = || format!("no JSON in: {}", reply.bytes.escape_ascii());
    serde_json::from_slice(reply.body()).with_context(text)
}

/// An ordinary request, which has to be served by `colour`, on enough new connections to reach every worker.
pub(crate) async fn serves(scenario: &Scenario, colour: &str, context: &str) -> Result<()> {
    for _ in 0..8 {
        let reply = http::get(scenario.addresses.shop, "/hello", &[("x-user-id", "anybody")]).await?;
        let body = reply.text();
        let right = format!(r#""colour":"{colour}""#);
        ensure!(reply.status == 200 && body.contains(&right), "{context}: then {} {body}", reply.status);
    }
    Ok(())
}
