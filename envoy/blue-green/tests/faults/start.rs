//! An Envoy that starts while it cannot be told its rules.

use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use blue_green::document::Document;
use blue_green::scenario::{Addresses, Scenario};
use envoy_harness::envoy::Config;
use envoy_harness::http;
use envoy_harness::log::Mark;
use envoy_harness::origin::Origin;
use serde_json::Value;

use crate::endure::AFTER_FAILURES;
use crate::fixture::{Fixture, PATIENCE, STATUS, Start, TOKEN, WORKERS, quick, shop};
use crate::yaml;

const DOWN: &str = "503: also the proxy's word for a source that nobody can reach: is it running?";

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_source_goes_by_the_inlined_document() -> Result<()> {
    // Not what the proxy would do without any document.
    let green = |config: Config, _: &Path| {
        let release = "{ \"blue\": \"shop_blue\", \"green\": \"shop_green\" },\n";
        let indent = " ".repeat(36);
        config.replace(
            &format!("{release}{indent}\"defaultVariant\": \"blue\""),
            &format!("{release}{indent}\"defaultVariant\": \"green\""),
        )
    };
    let start = Start { config: &green, source: false, colour: "green", ..Start::default() };
    let mut fixture = Fixture::start(start).await?;
    fixture.has_no_source("inlined", DOWN).await?;
    comes_up(&mut fixture, "blue").await?;
    fixture.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_source_or_a_document_goes_by_the_proxys_routes() -> Result<()> {
    let bare = |config: Config, _: &Path| yaml::without_document(config);
    let mut fixture = Fixture::start(Start { config: &bare, source: false, ..Start::default() }).await?;
    fixture.has_no_source("none", DOWN).await?;
    comes_up(&mut fixture, "green").await?;
    fixture.finish().await
}

/// No load: nobody gets through until the source is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_start_lets_nobody_through_until_there_is_a_document() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let document = Document::create(directory.path())?;
    let mut origin = Origin::start(document.text()).await?;
    origin.stop().await;
    let addresses = Addresses { source: origin.address(), ..Addresses::free()? };
    let config = yaml::without_document(quick(addresses.config()?)?)?;
    let config = config.replace(r#""upstreamHeader":"#, r#""startup": "closed", "upstreamHeader":"#)?;
    let scenario = Scenario::start_with(shop(), addresses, WORKERS, config, &[]).await?;
    let shop = scenario.addresses.shop;
    let authorization = format!("Bearer {TOKEN}");
    // Each on a connection of its own, so that all workers are met.
    for _ in 0..8 * WORKERS {
        for path in ["/hello", "/api/special_feature", "/ofrep/v1/evaluate/flags"] {
            let reply = http::get(shop, path, &[]).await?;
            let closed = reply.status == 503 && reply.header("retry-after") == Some("1");
            ensure!(closed, "{path} is answered {} {}", reply.status, reply.text());
        }
        let page = http::get(shop, STATUS, &[("authorization", &authorization)]).await?;
        ensure!(page.status == 200 && page.text().contains(r#""inForce":"none""#), "{}", page.text());
    }
    origin.resume().await?;
    let deadline = Instant::now() + PATIENCE;
    while http::get(shop, "/hello", &[]).await?.status != 200 {
        ensure!(Instant::now() < deadline, "nobody gets through though the source is there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    origin.stop().await;
    for _ in 0..8 * WORKERS {
        let reply = http::get(shop, "/hello", &[]).await?;
        ensure!(reply.status == 200, "after the first document: {}", reply.status);
        let gated = http::get(shop, "/api/special_feature", &[]).await?;
        ensure!(gated.status == 404, "the gate answers {}", gated.status);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_cluster_is_named_and_asked_once_it_exists() -> Result<()> {
    let defined = RefCell::default();
    let unknown = |config: Config, directory: &Path| {
        let (config, cluster) = yaml::with_source_in(config, &directory.join("clusters.yaml"))?;
        defined.replace(cluster);
        Ok(config)
    };
    let start = Start { config: &unknown, arguments: &yaml::NODE, ..Start::default() };
    let mut fixture = Fixture::start(start).await?;
    let says = "the proxy has no cluster `turquoise_config`: define it, or correct `source.cluster`";
    fixture.has_no_source("inlined", says).await?;
    ensure!(fixture.origin.requests() == 0, "the source was reached");
    fixture.edit("green")?;
    let file = fixture.directory.path().join("clusters.yaml");
    let obeyed = fixture.obeyed("green", AFTER_FAILURES, async |origin, text| {
        origin.publish(text.to_owned());
        yaml::replace(&file, &defined.take())
    });
    obeyed.await.context("after the cluster was defined")?;
    fixture.finish().await
}

async fn comes_up(fixture: &mut Fixture, colour: &'static str) -> Result<()> {
    fixture.edit(colour)?;
    let obeyed = fixture.obeyed(colour, AFTER_FAILURES, async |origin, text| {
        origin.publish(text.to_owned());
        origin.resume().await
    });
    obeyed.await.context("after the source came up")?;
    fixture.told_the_end(Mark::default()).await
}

impl Fixture {
    /// Metrics, log and status page tell why nothing was ever fetched, and the log tells it once.
    async fn has_no_source(&self, in_force: &str, says: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        // Failures go on, and are not logged again.
        while self.count("turquoise_fetches_total", ("result", "failed")).await? < 3 {
            ensure!(Instant::now() < deadline, "turquoise_fetches_total{{result=\"failed\"}} does not rise");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let lines = self.lines(Mark::default());
        let said = lines.iter().filter(|line| line.contains(says)).count();
        ensure!(said == 1 && lines.len() == 1, "the module logged {lines:#?}");
        let status = self.status().await?;
        ensure!(status["inForce"] == in_force && status["ageSeconds"] == Value::Null, "{status:#}");
        let message = status["lastError"]["message"].as_str().unwrap_or_default();
        ensure!(status["lastError"]["stage"] == "fetch" && message.contains(says), "{status:#}");
        println!("without a source: {}", lines.join(" | "));
        Ok(())
    }
}
