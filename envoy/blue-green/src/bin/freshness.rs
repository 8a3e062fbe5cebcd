//! Measures how long a change of the document takes to reach every worker of a real Envoy, under load.
//!
//! `freshness [CHANGES] [WORKERS]` prints two distributions over that many switches: until every VM had the document (by
//! the module's own counter, read every few milliseconds, so a little too long), and until the last request that still
//! obeyed the old one. The figures in benches/BENCHMARKS.md come from it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use blue_green::document::{Document, Edit};
use blue_green::judge;
use blue_green::scenario::{Addresses, Scenario, start_source};
use envoy_harness::load::{Plan, Record};

/// How long the load goes on after each change, so that a late old answer would be seen.
const DWELL: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise: usize| arguments.next().map_or(Ok(otherwise), |text| text.parse());
    let (changes, workers) = (number(200)?, number(4)?);

    let directory = tempfile::tempdir()?;
    let mut document = Document::create(directory.path())?;
    let addresses = Addresses::free()?;
    let _source = start_source(document.path(), addresses.source).await?;
    let mut scenario = Scenario::start(&shop()?, addresses, workers, addresses.config()?).await?;
    scenario.deploy_green().await?;
    scenario.steady().await?;
    let mut load = scenario
        .load(Plan {
            target: addresses.shop,
            path: judge::PATH.to_owned(),
            users: judge::users(200),
            connections: 32,
            rate: 2000,
            patience: Duration::from_secs(5),
            judge: judge::hello,
        })
        .await?;

    let (mut adopted, mut lag) = (Vec::new(), Vec::new());
    for change in 0..changes {
        let colour = if change % 2 == 0 { "green" } else { "blue" };
        let before = scenario.swaps().await?;
        let written = document.change(&[Edit::release(colour)])?.written;
        adopted.push(scenario.adopted(before).await? - written);
        tokio::time::sleep(DWELL).await;
        let old = |record: &Record| record.outcome.as_ref().is_ok_and(|seen| seen.colour != colour);
        let last_old =
            load.records(|record| record.ended > written && old(record)).iter().map(|r| r.ended).max();
        lag.push(last_old.map_or(Duration::ZERO, |ended| ended - written));
    }
    load.stop().await;
    let all = load.window(|_| true);
    println!("{changes} changes, {workers} workers, {} requests, {} failed", all.requests(), all.failed());
    report("every VM had the document", &mut adopted);
    report("last answer by the old one", &mut lag);
    ensure!(all.failed() == 0, "requests failed: {:?}", all.failures());
    Ok(())
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| times.get(((times.len() - 1) as f64 * share) as usize).copied().unwrap_or_default();
    println!("{what}: p50 {:.1?}, p99 {:.1?}, most {:.1?}", at(0.5), at(0.99), at(1.0));
}

/// The application is built beside this program.
fn shop() -> Result<PathBuf> {
    let here = std::env::current_exe().context("cannot tell where this program is")?;
    Ok(here.with_file_name("shop"))
}
