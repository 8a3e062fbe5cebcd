//! The story that `make demo` plays, under load from the first step to the last.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use envoy_harness::load::{Load, Plan, User};
use envoy_harness::process::Process;
use envoy_harness::window::Window;

use crate::document::{Document, Edit};
use crate::judge;
use crate::report::{Report, thousands};
use crate::scenario::{Addresses, Scenario, start_source};

mod findings;
mod monitor;
mod steps;

use steps::{Extra, Step};

const WORKERS: usize = 2;
const USERS: usize = 1000;
const CONNECTIONS: usize = 16;
const RATE: u32 = 600;
/// The tester's, enough to reach every worker.
const TESTER_CONNECTIONS: usize = 8;

/// All that runs while the story is played.
struct Demo {
    report: Report,
    scenario: Scenario,
    document: Document,
    users: Load,
    tester: Load,
    /// Users that had the feature on in the step before.
    had_feature: BTreeSet<usize>,
    problems: Vec<String>,
    // Last: they have to outlive what reads from them.
    _source: Process,
    _directory: tempfile::TempDir,
}

/// Plays the story. The problems that came up are returned; none means that all went as it should.
pub async fn play(report: Report, program: &Path) -> Result<Vec<String>> {
    let mut demo = Demo::start(report, program).await?;
    let steps = steps::all();
    for (number, step) in steps.iter().enumerate() {
        report.heading(number + 1, steps.len(), step.title);
        demo.take(step).await?;
    }
    Ok(demo.finish(steps.len()).await)
}

impl Demo {
    async fn start(report: Report, program: &Path) -> Result<Self> {
        println!("{}", report.paint.bold("Turquoise: Blue/Green and feature flags in a real Envoy"));
        report.passing("starting the document's origin, the blue shop, Envoy and the load ...");
        let directory = tempfile::tempdir()?;
        let document = Document::create(directory.path())?;
        let addresses = Addresses::free()?;
        let config = addresses.config()?;
        let source = start_source(document.path(), addresses.source).await?;
        let scenario = Scenario::start(program, addresses, WORKERS, config).await?;
        scenario.steady().await?;
        let users = scenario.load(plan(judge::users(USERS), CONNECTIONS, RATE)).await?;
        let tester = scenario.load(plan(vec![judge::tester()], TESTER_CONNECTIONS, 80)).await?;
        report.line(
            "Envoy",
            &format!("http://{}, {WORKERS} workers, admin http://{}", addresses.shop, addresses.admin),
        );
        report.line("document", &format!("{}, fetched by long polling", document.path().display()));
        let load =
            format!("{RATE} requests a second by {} users, {CONNECTIONS} connections", thousands(USERS));
        report.line("load", &format!("{load}; and one tester"));
        Ok(Self {
            report,
            scenario,
            document,
            users,
            tester,
            had_feature: BTreeSet::new(),
            problems: Vec::new(),
            _source: source,
            _directory: directory,
        })
    }

    async fn take(&mut self, step: &Step) -> Result<()> {
        let start = Instant::now();
        self.report.sentence(step.what);
        let changed = self.change(&step.edits).await?;
        match step.extra {
            Extra::DeployGreen => self.scenario.deploy_green().await?,
            Extra::Monitor => self.monitor().await?,
            Extra::Nothing => (),
        }
        // What was sent after every VM had the new document has no excuse.
        let settled = changed.map_or(start, |(_, adopted)| adopted);
        self.dwell(step.seconds, settled).await;
        self.scenario.expect_running()?;
        self.findings(step, start, changed.map(|(written, _)| written), settled);
        Ok(())
    }

    /// Changes the document and waits until every VM has it. Returns when it was written and when that was seen.
    async fn change(&mut self, edits: &[Edit]) -> Result<Option<(Instant, Instant)>> {
        if edits.is_empty() {
            return Ok(None);
        }
        let before = self.scenario.swaps().await?;
        let change = self.document.change(edits)?;
        self.report.differences(&change.differences);
        let adopted = self.scenario.adopted(before).await?;
        Ok(Some((change.written, adopted)))
    }

    /// Watches for this long, and longer where the machine is so busy that not every user had a turn yet.
    async fn dwell(&self, seconds: u64, settled: Instant) {
        let end = Instant::now() + Duration::from_secs(seconds);
        let busy = |now| now < end + Duration::from_secs(30) && self.since(settled).users() < USERS;
        while Instant::now() < end || busy(Instant::now()) {
            let colours = match Instant::now().checked_sub(Duration::from_secs(1)) {
                Some(recent) => self.users.window(|record| record.ended > recent).colours(),
                None => BTreeMap::new(),
            };
            let colours = colours.into_iter().map(|(colour, count)| format!("{colour} {count}"));
            let colours = colours.collect::<Vec<_>>().join(", ");
            let left = end.saturating_duration_since(Instant::now()).as_secs() + 1;
            self.report.passing(&format!("... {left} s: {colours} requests in the last second"));
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        self.report.clear();
    }

    /// The users' requests that were sent after this.
    fn since(&self, settled: Instant) -> Window {
        self.users.window(|record| record.started > settled)
    }

    async fn finish(mut self, steps: usize) -> Vec<String> {
        self.users.stop().await;
        self.tester.stop().await;
        let all = [self.users.window(|_| true), self.tester.window(|_| true)];
        let requests = all.iter().map(Window::requests).sum();
        let failed: usize = all.iter().map(Window::failed).sum();
        if failed > 0 {
            let kinds = all.iter().flat_map(Window::failures);
            let kinds =
                kinds.map(|(failure, count)| format!("{count} x {failure}")).collect::<Vec<_>>().join("; ");
            self.problems.push(format!("{failed} requests failed: {kinds}"));
        }
        let summary = format!("{} requests, {failed} failed, {steps} steps", thousands(requests));
        let paint = self.report.paint;
        if self.problems.is_empty() {
            println!("\n{}", paint.good(&format!("{summary}, all as they should be")));
        } else {
            println!("\n{}", paint.bad(&format!("{summary}, {} problems", self.problems.len())));
        }
        self.problems
    }
}

fn plan(users: Vec<User>, connections: usize, rate: u32) -> Plan {
    Plan {
        target: ([127, 0, 0, 1], 0).into(),
        path: judge::PATH.to_owned(),
        users,
        connections,
        rate,
        patience: Duration::from_secs(5),
        judge: judge::hello,
    }
}
