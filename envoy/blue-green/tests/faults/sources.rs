//! Sources that do not answer as they should. Each of these is over when the source serves again.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use envoy_harness::envoy::Config;
use envoy_harness::origin::Behaviour;
use hyper::StatusCode;

use crate::endure::{AFTER_FAILURES, Fault};
use crate::fixture::{Fixture, Start};

fn failing<'a>(name: &'a str, says: &'a str) -> Fault<'a> {
    Fault { name, refused: None, says }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_killed_hangs_errs_and_breaks_off() -> Result<()> {
    let mut fixture = Fixture::start(Start::default()).await?;
    let mark = fixture.scenario.envoy.log().mark();
    let killed = failing("that was killed", "it answered with status 503: also the proxy's word for");
    fixture
        .endures(&killed, async |origin| {
            origin.stop().await;
            Ok(())
        })
        .await?;
    fixture.edit("green")?;
    let restarted = fixture.obeyed("green", AFTER_FAILURES, async |origin, text| {
        origin.publish(text.to_owned());
        origin.resume().await
    });
    restarted.await.context("after it was restarted")?;
    fixture.told_the_end(mark).await?;

    let faults = [
        (failing("that hangs", "status 504: also the proxy's word for"), Behaviour::Hang, "blue"),
        (
            failing("that answers 500", "status 500: look at the source's log"),
            Behaviour::Status(StatusCode::INTERNAL_SERVER_ERROR),
            "green",
        ),
        (failing("that breaks off", "the answer broke off, or is larger"), Behaviour::Truncate, "blue"),
    ];
    for (fault, behaviour, then) in faults {
        // So that there is something to send: what is known already comes as 304, which cannot break off.
        let text = fixture.document.text() + "\n";
        fixture
            .endures(&fault, async |origin| {
                origin.behave(behaviour);
                origin.publish(text);
                Ok(())
            })
            .await?;
        fixture.release(then, AFTER_FAILURES).await.with_context(|| format!("after {}", fault.name))?;
    }
    fixture.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_drips_then_flaps() -> Result<()> {
    let mut fixture = Fixture::start(Start::default()).await?;
    let drips = failing("that drips a byte a second", "the answer was not complete after 1500 ms");
    let text = fixture.document.text() + "\n";
    fixture
        .endures(&drips, async |origin| {
            origin.behave(Behaviour::Drip(Duration::from_secs(1)));
            origin.publish(text);
            Ok(())
        })
        .await?;
    fixture.release("green", AFTER_FAILURES).await.context("after a source that drips")?;
    flaps(&mut fixture).await?;
    fixture.release("blue", AFTER_FAILURES).await.context("after a source that flaps")?;
    fixture.finish().await
}

/// Up and down every 100 ms, for four seconds. What it says is known, so nothing changes for anybody.
async fn flaps(fixture: &mut Fixture) -> Result<()> {
    let (mark, swaps) = (fixture.scenario.envoy.log().mark(), fixture.scenario.swaps().await?);
    let [failed, answered] = [fixture.fetches("failed").await?, fixture.fetches("not_modified").await?];
    let (began, requests) = (Instant::now(), fixture.origin.requests());
    while began.elapsed() < Duration::from_secs(4) {
        fixture.origin.stop().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        fixture.origin.resume().await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(fixture.fetches("failed").await? > failed, "the flapping source was never found down");
    ensure!(fixture.fetches("not_modified").await? > answered, "the flapping source was never found up");
    ensure!(fixture.scenario.swaps().await? == swaps, "a VM adopted something");
    let status = fixture.status().await?;
    ensure!(status["lastError"]["stage"] == "fetch", "no last error: {status:#}");
    let lines = fixture.lines(mark);
    let asked = fixture.origin.requests() - requests;
    println!("flapping: {asked} requests reached the source, {} log lines: {lines:#?}", lines.len());
    // Down is said once in a minute, and up is.
    ensure!((1..=3).contains(&lines.len()), "the module logged {lines:#?}");
    Ok(())
}

/// Replicas answer at once, whatever they are asked.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_are_out_of_step_are_asked_at_intervals_and_named() -> Result<()> {
    let interval =
        |config: Config, _: &Path| config.replace(r#""interval": "50ms""#, r#""interval": "500ms""#);
    let fixture = Fixture::start(Start { config: &interval, ..Start::default() }).await?;
    fixture.origin.behave(Behaviour::Replicas);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let requests = fixture.origin.requests();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let asked = fixture.origin.requests() - requests;
    println!("other ETags for the same bytes: asked {asked} times in 5 s");
    ensure!((5..=12).contains(&asked), "asked {asked} times in 5 s at an interval of 500 ms");

    let mark = fixture.scenario.envoy.log().mark();
    let (one, other) = (fixture.document.text() + "\n", fixture.document.text() + "\n\n");
    for turn in 0..8 {
        fixture.origin.publish(if turn % 2 == 0 { one.clone() } else { other.clone() });
        tokio::time::sleep(Duration::from_millis(1200)).await;
    }
    let said = "the source goes to and fro between two documents";
    let lines = fixture.lines(mark);
    ensure!(lines.len() == 1 && lines.iter().all(|line| line.contains(said)), "the module logged {lines:#?}");
    let status = fixture.status().await?;
    ensure!(status["source"]["alternates"] == true, "{status:#}");
    let metrics = fixture.scenario.envoy.metrics().await?;
    let counted =
        metrics.count("turquoise_source_alternations_total", &[("source", "turquoise_config/document.json")]);
    ensure!(counted >= 1, "turquoise_source_alternations_total is {counted}");
    fixture.finish().await
}

impl Fixture {
    async fn fetches(&self, result: &str) -> Result<u64> {
        self.count("turquoise_fetches_total", ("result", result)).await
    }
}
