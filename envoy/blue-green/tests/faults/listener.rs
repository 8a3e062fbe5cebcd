//! Updates of the listener under load: the plugin configuration before drains beside the one that came.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use envoy_harness::envoy::Config;
use envoy_harness::http;

use crate::endure::AFTER_REFUSALS;
use crate::fixture::{Fixture, PATIENCE, STATUS, Start};
use crate::yaml;

/// How long a configuration drains here (Envoy's default is ten minutes), in seconds.
const DRAIN: &str = "3";

/// How many listeners drain, and how many filter chains of listeners that stay.
const DRAINING: &str = "listener_manager.total_.*_draining";

/// As many updates follow each other while those before still drain.
const UPDATES: usize = 6;

/// So many requests at a time come on new connections.
const STRANGERS: usize = 4;

/// The listener, as the file says.
struct Listener {
    file: PathBuf,
    text: String,
}

impl Listener {
    /// Updates it, with its status page at another path, by which it is told apart.
    fn update(&self, path: &str, from: &str, to: &str) -> Result<()> {
        ensure!(self.text.contains(from), "the listener has no `{from}`");
        let text = self.text.replace(STATUS, path).replace(from, to);
        yaml::replace(&self.file, &text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_is_updated_in_mid_flight() -> Result<()> {
    let config =
        |config: Config, directory: &Path| yaml::with_listener_in(config, &directory.join("listener.yaml"));
    let arguments = [yaml::NODE.as_slice(), &["--drain-time-s", DRAIN]].concat();
    let start = Start { config: &config, arguments: &arguments, ..Start::default() };
    let mut fixture = Fixture::start(start).await?;
    let file = fixture.directory.path().join("listener.yaml");
    let listener = Listener { text: std::fs::read_to_string(&file)?, file };
    fixture.release("green", AFTER_REFUSALS).await?;

    keeps_what_was_fetched(&mut fixture, &listener).await?;
    keeps_it_under_another_token(&mut fixture, &listener).await?;
    both_obey(&mut fixture, &listener).await?;
    is_refused_by_name(&mut fixture, &listener).await?;
    fixture.drained().await?;
    fixture.release("green", AFTER_REFUSALS).await.context("after all updates")?;
    fixture.finish().await
}

/// The new configuration goes by what was fetched, not by its inlined document, from its first request on: the load
/// keeps its connections, so there are strangers as well.
async fn keeps_what_was_fetched(fixture: &mut Fixture, listener: &Listener) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let strangers =
        [(); STRANGERS].map(|()| tokio::spawn(stranger(fixture.scenario.addresses.shop, Arc::clone(&stop))));
    updates(fixture, listener).await?;
    stop.store(true, Ordering::Relaxed);
    let mut served = 0;
    for stranger in strangers {
        served += stranger.await??;
    }
    println!("{served} requests on connections of their own");
    Ok(())
}

/// Requests one after another, each on a connection of its own, which is what meets a configuration first.
async fn stranger(shop: SocketAddr, stop: Arc<AtomicBool>) -> Result<usize> {
    let mut served = 0;
    while !stop.load(Ordering::Relaxed) {
        let reply = http::get(shop, "/hello", &[("x-user-id", "a stranger")]).await?;
        let right = reply.status == 200 && reply.text().contains(r#""colour":"green""#);
        ensure!(right, "a new connection is answered {} {}", reply.status, reply.text());
        served += 1;
    }
    Ok(served)
}

async fn updates(fixture: &mut Fixture, listener: &Listener) -> Result<()> {
    for number in 0..UPDATES {
        let path = format!("/status-{number}");
        let inlined = format!(r#""version": "inlined-{number}""#);
        listener.update(&path, r#""version": "1""#, &inlined)?;
        let status = fixture.appears(&path).await?;
        ensure!(
            status["inForce"] == "fetched" && status["version"] == "release-1",
            "update {number}: another document is in force: {status:#}"
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Ok(())
}

/// Credentials are no part of a source: the load goes on as it was, though the inlined document says otherwise.
async fn keeps_it_under_another_token(fixture: &mut Fixture, listener: &Listener) -> Result<()> {
    let token = r#""headers": { "authorization": "Bearer new" }, "interval":"#;
    listener.update("/status-token", r#""interval":"#, token)?;
    let status = fixture.appears("/status-token").await?;
    let kept = status["inForce"] == "fetched" && status["version"] == "release-1";
    ensure!(kept, "another document is in force: {status:#}");
    Ok(())
}

/// A document that comes while one configuration drains reaches the connections of both.
async fn both_obey(fixture: &mut Fixture, listener: &Listener) -> Result<()> {
    listener.update("/status-both", r#""version": "1""#, r#""version": "inlined-both""#)?;
    fixture.appears("/status-both").await?;
    fixture.edit("blue")?;
    fixture.changes();
    fixture.origin.publish(fixture.document.text());
    let published = Instant::now();
    tokio::time::sleep(AFTER_REFUSALS).await;
    let obeyed = published + AFTER_REFUSALS / 2;
    // By then the connections of those that drained are closed as well.
    fixture.settles("blue", obeyed);
    let status = fixture.status_at("/status-both").await?;
    ensure!(status["version"] == "release-2", "the new configuration has another document: {status:#}");
    let late = fixture.load.window(|record| record.started > obeyed);
    ensure!(late.requests() > 0 && late.share_of("blue") == 1.0, "not all obey: {:?}", late.colours());
    Ok(())
}

/// A wrong update changes nothing, and the log names the key.
async fn is_refused_by_name(fixture: &mut Fixture, listener: &Listener) -> Result<()> {
    let mark = fixture.scenario.envoy.log().mark();
    listener.update("/status-wrong", r#""interval":"#, r#""intervall":"#)?;
    let line = fixture.scenario.envoy.log().wait_for(mark, "`intervall`", PATIENCE).await?;
    println!("a wrong update: {line}");
    let rejected = fixture.scenario.envoy.stats("lds.update_rejected").await?;
    ensure!(rejected.values().sum::<u64>() == 1, "not rejected: {rejected:?}");
    fixture.some_requests(Instant::now()).await?;
    listener.update(STATUS, r#""version": "1""#, r#""version": "corrected""#)?;
    fixture.appears(STATUS).await.map(drop)
}

impl Fixture {
    /// Waits until no configuration drains any more: those adopt documents as well, and who counts could not tell.
    async fn drained(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let draining = self.scenario.envoy.stats(DRAINING).await?;
            ensure!(draining.len() == 2, "Envoy does not say what drains: {draining:?}");
            if draining.values().sum::<u64>() == 0 {
                break;
            }
            ensure!(Instant::now() < deadline, "a listener drains for longer than {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.scenario.steady().await
    }

    /// Waits for the configuration whose status page is at this path. An unknown path is answered by the shop: 404.
    async fn appears(&self, path: &str) -> Result<serde_json::Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.status_at(path).await {
                Ok(status) => return Ok(status),
                Err(error) if Instant::now() > deadline => {
                    bail!(
                        "no configuration with {path}: {error}; log:\n{}",
                        self.scenario.envoy.log().tail(10)
                    )
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}
