//! Switching under load.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use blue_green::document::Edit;
use envoy_harness::load::Load;

use crate::support::{Fixture, PATIENCE, load};

const SWITCHES: usize = 100;

/// One switch: when the file was written, when every VM had it, and the colour from then on.
struct Switch {
    written: Instant,
    adopted: Instant,
    colour: &'static str,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_switches_lose_no_request() -> Result<()> {
    let mut fixture = Fixture::start().await?;
    let mut load = fixture.scenario.load(load(200, 600)).await?;
    let mut switches = Vec::new();
    for number in 0..SWITCHES {
        let colour = if number % 2 == 0 { "green" } else { "blue" };
        let before = fixture.scenario.swaps().await?;
        let written = fixture.document.change(&[Edit::release(colour)])?.written;
        let adopted = fixture.scenario.adopted(before).await?;
        switches.push(Switch { written, adopted, colour });
        some_requests_since(&load, adopted).await?;
    }
    load.stop().await;

    let all = load.window(|_| true);
    ensure!(all.failed() == 0, "of {} requests failed: {:?}", all.requests(), all.failures());
    let mut slowest = Duration::ZERO;
    for (number, switch) in switches.iter().enumerate() {
        let next = switches.get(number + 1).map(|next| next.written);
        let settled = load
            .window(|record| record.started > switch.adopted && next.is_none_or(|next| record.ended < next));
        ensure!(settled.requests() > 0, "switch {number}: no request between this one and the next");
        let colours = settled.colours();
        ensure!(settled.share_of(switch.colour) == 1.0, "switch {number} to {}: {colours:?}", switch.colour);
        slowest = slowest.max(switch.adopted - switch.written);
    }
    println!("{SWITCHES} switches, {} requests, slowest switch {slowest:?}", all.requests());
    fixture.scenario.no_vm_died().await
}

/// Enough to reach both workers, however slow the machine.
async fn some_requests_since(load: &Load, since: Instant) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while load.window(|record| record.started > since).requests() < 20 {
        ensure!(Instant::now() < deadline, "the load has stopped");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
