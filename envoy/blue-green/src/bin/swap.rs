//! Measures what swapping a large document costs the requests under way, in a real Envoy.
//!
//! `swap [FLAGS] [ROUTES] [SWAPS] [WORKERS]` runs an even load and alternates between spans in which the document
//! changes and spans in which it does not, so that both meet the same noise. It prints the latencies of both, the time
//! until every VM obeyed, and Envoy's memory. The figures in benches/BENCHMARKS.md come from it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use blue_green::document::{Document, Edit};
use blue_green::judge;
use blue_green::scenario::{Addresses, Scenario, start_source};
use envoy_harness::load::{Plan, Record};

/// How long a span is at least; one with a swap ends when every VM has obeyed.
const SPAN: Duration = Duration::from_millis(1500);

/// What a request may wait because of a swap.
const AIM: Duration = Duration::from_millis(5);

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise: usize| arguments.next().map_or(Ok(otherwise), |text| text.parse());
    let (flags, routes, swaps, workers) = (number(10_000)?, number(2_000)?, number(20)?, number(4)?);

    let directory = tempfile::tempdir()?;
    let mut document = Document::create(directory.path())?;
    let addresses = Addresses::free()?;
    let _source = start_source(document.path(), addresses.source).await?;
    let mut scenario = Scenario::start(&shop()?, addresses, workers, addresses.config()?).await?;
    scenario.deploy_green().await?;
    scenario.steady().await?;
    let small = scenario.envoy.resident_bytes()?;
    document.enlarge(flags, routes)?;
    println!("a document of {} bytes: {flags} flags, {routes} routes", document.text().len());
    scenario.steady().await?;
    let mut load = scenario
        .load(Plan {
            target: addresses.shop,
            path: judge::PATH.to_owned(),
            users: judge::users(200),
            connections: 32,
            rate: 500,
            patience: Duration::from_secs(5),
            judge: judge::hello,
        })
        .await?;

    let (mut with, mut without, mut obeyed) = (Vec::new(), Vec::new(), Vec::new());
    for swap in 0..swaps {
        let before = Instant::now();
        tokio::time::sleep(SPAN).await;
        without.extend(span(&load.records(|record| record.started >= before)));
        let swaps = scenario.swaps().await?;
        let colour = if swap % 2 == 0 { "green" } else { "blue" };
        let written = document.change(&[Edit::release(colour)])?.written;
        obeyed.push(scenario.adopted(swaps).await? - written);
        tokio::time::sleep(SPAN.saturating_sub(written.elapsed())).await;
        with.extend(span(&load.records(|record| record.started >= written)));
    }
    load.stop().await;
    let all = load.window(|_| true);
    println!("{swaps} swaps, {workers} workers, {} requests, {} failed", all.requests(), all.failed());
    report("every VM obeyed after", &mut obeyed);
    report("requests in spans without a swap", &mut without);
    report("requests in spans with a swap", &mut with);
    let large = scenario.envoy.resident_bytes()?;
    println!(
        "Envoy's memory: {:.1} MB with the small document, {:.1} MB after the swaps, {:.1} MB more for each of {} VMs",
        small as f64 / 1e6,
        large as f64 / 1e6,
        large.saturating_sub(small) as f64 / 1e6 / scenario.vms() as f64,
        scenario.vms(),
    );
    ensure!(all.failed() == 0, "requests failed: {:?}", all.failures());
    Ok(())
}

fn span(records: &[Record]) -> Vec<Duration> {
    records.iter().map(|record| record.ended - record.started).collect()
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| times.get(((times.len() - 1) as f64 * share) as usize).copied().unwrap_or_default();
    let slow = times.iter().filter(|time| **time > AIM).count();
    println!(
        "{what}: p50 {:.1?}, p99 {:.1?}, p99.9 {:.1?}, most {:.1?}; {slow} of {} over {AIM:?}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        times.len()
    );
}

/// The application is built beside this program.
fn shop() -> Result<PathBuf> {
    let here = std::env::current_exe().context("cannot tell where this program is")?;
    Ok(here.with_file_name("shop"))
}
