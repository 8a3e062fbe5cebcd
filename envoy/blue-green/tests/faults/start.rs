//! An Envoy that starts while it cannot be told its rules.

use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use envoy_harness::envoy::Config;
use envoy_harness::log::Mark;
use serde_json::Value;

use crate::endure::AFTER_FAILURES;
use crate::fixture::{Fixture, PATIENCE, Start};
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
