//! A thousand changes in a minute.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use blue_green::document::{Document, Edit};
use blue_green::scenario::{Addresses, Scenario, start_source};

use crate::fixture::{PATIENCE, WORKERS, plan, quick, shop};

const CHANGES: usize = 1000;
const PERIOD: Duration = Duration::from_millis(60);

/// How many of them have to come into force on their way. A source that is asked is free to skip what was replaced.
const SEEN: u64 = 250;

/// How much more memory Envoy may hold afterwards. A document kept by each VM for each change would be some 20 MB.
const MEMORY: u64 = 8 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_changes_in_a_minute() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut document = Document::create(directory.path())?;
    let addresses = Addresses::free()?;
    // The origin that users run, which watches a file.
    let _source = start_source(document.path(), addresses.source).await?;
    let mut scenario = Scenario::start(shop(), addresses, WORKERS, quick(addresses.config()?)?).await?;
    scenario.deploy_green().await?;
    scenario.steady().await?;
    let mut load = scenario.load(plan()).await?;

    // Counters, buffers and caches have found their size by then.
    changes(&mut document, 0..CHANGES / 10).await?;
    let (memory, updated, mark) =
        (scenario.envoy.resident_bytes()?, updated(&scenario).await?, scenario.envoy.log().mark());
    let began = Instant::now();
    changes(&mut document, CHANGES / 10..CHANGES).await?;
    let took = began.elapsed();
    tokio::time::sleep(PERIOD).await;
    let last = document.change(&[Edit::release("green"), Edit::version("last")])?.written;
    let obeyed = obeyed(&scenario, &load, last).await?;
    let seen = self::updated(&scenario).await? - updated;
    let grown = scenario.envoy.resident_bytes()?.saturating_sub(memory);
    load.stop().await;

    let all = load.window(|_| true);
    println!(
        "{} changes in {took:.1?}, {seen} came into force, the last one everywhere after {obeyed:.1?}; {} requests, \
         Envoy grew by {:.1} MB",
        CHANGES - CHANGES / 10,
        all.requests(),
        grown as f64 / 1e6
    );
    ensure!(all.failed() == 0, "of {} requests failed: {:?}", all.requests(), all.failures());
    ensure!(seen >= SEEN, "{seen} changes came into force");
    ensure!(grown <= MEMORY, "Envoy's memory grew by {grown} bytes");
    let lines = scenario.envoy.log().matching(mark, "wasm log");
    ensure!(lines.is_empty(), "good documents are nothing to log: {lines:#?}");
    scenario.no_vm_died().await
}

/// Every colour by turns, each under a newer version.
async fn changes(document: &mut Document, numbers: std::ops::Range<usize>) -> Result<()> {
    let mut ticks = tokio::time::interval(PERIOD);
    for number in numbers {
        ticks.tick().await;
        let colour = if number % 2 == 0 { "green" } else { "blue" };
        document.change(&[Edit::release(colour), Edit::version(&number.to_string())])?;
    }
    Ok(())
}

/// Waits until nobody has got anything but green for a second, on any worker, and returns when the last other answer
/// ended.
async fn obeyed(scenario: &Scenario, load: &envoy_harness::load::Load, last: Instant) -> Result<Duration> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let others = load.records(|record| {
            record.ended > last && record.outcome.as_ref().is_ok_and(|seen| seen.colour != "green")
        });
        let other = others.iter().map(|record| record.ended).max().unwrap_or(last);
        let settled = load.window(|record| record.started > other);
        if other.elapsed() > Duration::from_secs(1)
            && settled.requests() > 64
            && settled.share_of("green") == 1.0
        {
            return Ok(other - last);
        }
        ensure!(
            Instant::now() < deadline,
            "not all obey the last change; log:\n{}",
            scenario.envoy.log().tail(10)
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn updated(scenario: &Scenario) -> Result<u64> {
    Ok(scenario.envoy.metrics().await?.count("turquoise_fetches_total", &[("result", "updated")]))
}
