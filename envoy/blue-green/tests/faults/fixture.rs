//! An Envoy under load whose source does what the test tells it to, and the account of what was in force when.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use blue_green::document::{Document, Edit};
use blue_green::judge;
use blue_green::scenario::{Addresses, Scenario};
use envoy_harness::envoy::Config;
use envoy_harness::http;
use envoy_harness::load::{Load, Plan, Record};
use envoy_harness::log::Mark;
use envoy_harness::origin::{Behaviour, Origin};
use serde_json::Value;
use tempfile::TempDir;

/// How many threads Envoy serves with. One more VM runs on its main thread.
pub(crate) const WORKERS: usize = 4;

/// For whatever should happen soon, on a machine that may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Where the status page is.
pub(crate) const STATUS: &str = "/.turquoise/status";

/// Who shows this sees it.
pub(crate) const TOKEN: &str = "operators-only";

/// A scenario under load.
pub(crate) struct Fixture {
    pub(crate) scenario: Scenario,
    pub(crate) origin: Origin,
    pub(crate) document: Document,
    pub(crate) load: Load,
    /// What everybody has to get, and since when; nobody knows between a change and its adoption.
    settled: Option<(&'static str, Instant)>,
    /// The spans in which it was known.
    spans: Vec<Span>,
    /// Counts the documents that were released.
    releases: usize,
    pub(crate) directory: TempDir,
}

struct Span {
    colour: &'static str,
    since: Instant,
    until: Instant,
}

/// What differs from test to test.
pub(crate) struct Start<'a> {
    /// What to change in `envoy.yaml`.
    pub(crate) config: &'a dyn Fn(Config, &Path) -> Result<Config>,
    /// More of Envoy's command line.
    pub(crate) arguments: &'a [&'a str],
    /// Whether the source is there from the start.
    pub(crate) source: bool,
    /// Who serves at the start.
    pub(crate) colour: &'static str,
}

impl Default for Start<'_> {
    fn default() -> Self {
        Self { config: &|config, _| Ok(config), arguments: &[], source: true, colour: "blue" }
    }
}

/// What every test here changes in `envoy.yaml`: whatever takes time in production is to be quick.
pub(crate) fn quick(config: Config) -> Result<Config> {
    let status = format!(r#""status": {{ "path": "{STATUS}", "tokens": ["{TOKEN}"] }}, "upstreamHeader":"#);
    config
        .replace(r#""interval": "200ms""#, r#""interval": "50ms""#)?
        // A source that hangs is given up after the sum of both.
        .replace(r#""longPoll": "30s""#, r#""longPoll": "1s""#)?
        .replace(r#""timeout": "2s""#, r#""timeout": "500ms""#)?
        .replace(r#""upstreamHeader":"#, &status)
}

/// The load that every test here runs.
pub(crate) fn plan() -> Plan {
    Plan {
        target: ([127, 0, 0, 1], 0).into(),
        path: judge::PATH.to_owned(),
        users: judge::users(200),
        connections: 32,
        rate: 250,
        patience: Duration::from_secs(5),
        judge: judge::hello,
    }
}

/// The application's binary.
pub(crate) fn shop() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_shop"))
}

impl Fixture {
    pub(crate) async fn start(start: Start<'_>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let document = Document::create(directory.path())?;
        let mut origin = Origin::start(document.text()).await?;
        if !start.source {
            origin.stop().await;
        }
        let addresses = Addresses { source: origin.address(), ..Addresses::free()? };
        let config = (start.config)(quick(addresses.config()?)?, directory.path())?;
        let mut scenario = Scenario::start_with(shop(), addresses, WORKERS, config, start.arguments).await?;
        scenario.deploy_green().await?;
        scenario.steady().await?;
        let settled = Some((start.colour, Instant::now()));
        let load = scenario.load(plan()).await?;
        Ok(Self { scenario, origin, document, load, settled, spans: Vec::new(), releases: 0, directory })
    }

    /// Changes the document so that the next one sends everybody to `colour`, under a newer version.
    pub(crate) fn edit(&mut self, colour: &str) -> Result<()> {
        self.releases += 1;
        let version = format!("release-{}", self.releases);
        self.document.change(&[Edit::release(colour), Edit::version(&version)])?;
        Ok(())
    }

    /// Has the source serve a good document with this release, whatever it did before, and waits until all VMs have it.
    pub(crate) async fn release(&mut self, colour: &'static str, within: Duration) -> Result<()> {
        self.edit(colour)?;
        self.obeyed(colour, within, async |origin, text| {
            origin.publish(text.to_owned());
            origin.behave(Behaviour::Serve);
            Ok(())
        })
        .await
    }

    /// Publishes the document, which sends everybody to `colour`, and waits until all VMs have it.
    pub(crate) async fn obeyed(
        &mut self,
        colour: &'static str,
        within: Duration,
        publish: impl AsyncFnOnce(&mut Origin, &str) -> Result<()>,
    ) -> Result<()> {
        let swaps = self.scenario.swaps().await?;
        self.changes();
        publish(&mut self.origin, &self.document.text()).await?;
        let published = Instant::now();
        let adopted = self.scenario.adopted(swaps).await?;
        let took = adopted - published;
        ensure!(took <= within, "all VMs obeyed after {took:.1?}, not within {within:?}");
        self.settles(colour, adopted);
        self.some_requests(adopted).await?;
        let status = self.status().await?;
        ensure!(
            status["inForce"] == "fetched" && status["version"] == format!("release-{}", self.releases),
            "another document is in force: {status:#}"
        );
        println!("{colour} obeyed by all {} VMs after {took:.1?}", self.scenario.vms());
        Ok(())
    }

    /// From now on nobody knows what a request gets.
    pub(crate) fn changes(&mut self) {
        if let Some((colour, since)) = self.settled.take() {
            self.spans.push(Span { colour, since, until: Instant::now() });
        }
    }

    /// Requests that were sent since then get this.
    pub(crate) fn settles(&mut self, colour: &'static str, since: Instant) {
        self.settled = Some((colour, since));
    }

    /// Waits for enough requests to reach all workers, however slow the machine.
    pub(crate) async fn some_requests(&self, since: Instant) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.load.window(|record| record.started > since).requests() < 64 {
            ensure!(Instant::now() < deadline, "the load has stopped");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// What the status page says.
    pub(crate) async fn status(&self) -> Result<Value> {
        self.status_at(STATUS).await
    }

    /// What the status page at another path says.
    pub(crate) async fn status_at(&self, path: &str) -> Result<Value> {
        let authorization = format!("Bearer {TOKEN}");
        let headers = [("authorization", authorization.as_str())];
        let reply = http::get(self.scenario.addresses.shop, path, &headers).await?;
        ensure!(reply.status == 200, "the status page answers {}", reply.status);
        serde_json::from_slice(&reply.body).context("the status page is no JSON")
    }

    /// The lines that the module wrote since then.
    pub(crate) fn lines(&self, since: Mark) -> Vec<String> {
        self.scenario.envoy.log().matching(since, "wasm log")
    }

    /// How often this metric was counted under this label.
    pub(crate) async fn count(&self, metric: &str, label: (&str, &str)) -> Result<u64> {
        Ok(self.scenario.envoy.metrics().await?.count(metric, &[label]))
    }

    /// The account: no request failed, everybody got what was in force, and no VM died.
    pub(crate) async fn finish(mut self) -> Result<()> {
        self.right(|_| false).await?;
        self.scenario.no_vm_died().await
    }

    /// The account but for VMs that died, and for requests that were bound to fail.
    pub(crate) async fn right(&mut self, excused: impl Fn(&Record) -> bool) -> Result<()> {
        self.changes();
        self.load.stop().await;
        let all = self.load.window(|record| !excused(record));
        println!("{} requests, {} failed", all.requests(), all.failed());
        ensure!(all.failed() == 0, "of {} requests failed: {:?}", all.requests(), all.failures());
        for (number, Span { colour, since, until }) in self.spans.iter().enumerate() {
            let span = self.load.window(|record| record.started > *since && record.ended < *until);
            ensure!(span.requests() > 0, "span {number}: no requests");
            let colours = span.colours();
            ensure!(span.share_of(colour) == 1.0, "span {number}: {colours:?} instead of {colour} alone");
        }
        Ok(())
    }
}
