//! Documents that are wrong and sources that fail: traffic flows on, and log and metrics say what is wrong.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use blue_green::document::{Document, Edit};
use blue_green::scenario::{Addresses, Scenario};
use envoy_harness::origin::{Behaviour, Origin};
use hyper::StatusCode;

use crate::support::{PATIENCE, load, no_vm_died, serves, start};

/// A scenario whose source does what the test tells it to.
struct Fixture {
    scenario: Scenario,
    origin: Origin,
    document: Document,
    _directory: tempfile::TempDir,
}

impl Fixture {
    async fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let document = Document::create(directory.path())?;
        let origin = Origin::start(document.text()).await?;
        let scenario = start(Addresses { source: origin.address(), ..Addresses::free()? }).await?;
        Ok(Self { scenario, origin, document, _directory: directory })
    }

    async fn fetches(&self, result: &str) -> Result<u64> {
        Ok(self.scenario.envoy.metrics().await?.count("turquoise_fetches_total", &[("result", result)]))
    }

    /// Does something to the source and waits until the metric `result` has risen and a log line has all `words`.
    async fn notices(
        &mut self,
        result: &str,
        words: &[&str],
        act: impl AsyncFnOnce(&mut Origin),
    ) -> Result<()> {
        let (before, mark) = (self.fetches(result).await?, self.scenario.envoy.log().mark());
        act(&mut self.origin).await;
        let deadline = Instant::now() + PATIENCE;
        while self.fetches(result).await? == before {
            ensure!(
                Instant::now() < deadline,
                "turquoise_fetches_total{{result=\"{result}\"}} does not rise"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while !self.says(mark, words) {
            if Instant::now() > deadline {
                bail!(
                    "no log line with {words:?}; the log ends with:\n{}",
                    self.scenario.envoy.log().tail(10)
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn says(&self, mark: envoy_harness::log::Mark, words: &[&str]) -> bool {
        let lines = self.scenario.envoy.log().matching(mark, "wasm log");
        lines.iter().any(|line| words.iter().all(|word| line.contains(word)))
    }

    /// Publishes a document with this release and waits until every VM has it.
    async fn release(&mut self, colour: &str) -> Result<()> {
        self.document.change(&[Edit::release(colour)])?;
        let before = self.scenario.swaps().await?;
        self.origin.publish(self.document.text());
        self.scenario.adopted(before).await?;
        serves(&self.scenario, colour, "after a release").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_flows_on_whatever_the_source_does() -> Result<()> {
    let mut fixture = Fixture::start().await?;
    let mut load = fixture.scenario.load(load(200, 300)).await?;

    fixture.release("green").await?;
    refused_documents(&mut fixture).await?;
    fixture.release("blue").await.context("after documents that were refused")?;
    failing_source(&mut fixture).await?;
    fixture.release("green").await.context("after the source came back")?;

    load.stop().await;
    let all = load.window(|_| true);
    ensure!(all.failed() == 0, "of {} requests failed: {:?}", all.requests(), all.failures());
    no_vm_died(&fixture.scenario).await
}

/// Each leaves green in force.
async fn refused_documents(fixture: &mut Fixture) -> Result<()> {
    let whole = fixture.document.text();
    let half = whole.get(..whole.len() / 2).unwrap_or_default().to_owned();
    let outside = whole.replace(r#""shop_blue""#, r#""shop_purple""#);
    let unknown_flag = whole.replace(r#""flag": "shop-release""#, r#""flag": "shop-relaese""#);
    let wrong: [(&str, String, &[&str]); 4] = [
        ("half a document", half, &["line"]),
        ("an upstream outside `upstreams`", outside, &["shop_purple", "$.routes[0].flag"]),
        ("a route with an unknown flag", unknown_flag, &["shop-relaese", "$.routes[0].flag"]),
        ("a document of another kind", "[1, 2, 3]".to_owned(), &["object"]),
    ];
    for (what, text, words) in wrong {
        fixture.notices("refused", words, async |origin| origin.publish(text)).await.context(what)?;
        serves(&fixture.scenario, "green", what).await?;
    }
    Ok(())
}

/// Each leaves blue in force.
async fn failing_source(fixture: &mut Fixture) -> Result<()> {
    let error = Behaviour::Status(StatusCode::INTERNAL_SERVER_ERROR);
    fixture
        .notices("failed", &["500"], async |origin| origin.behave(error))
        .await
        .context("a source that errs")?;
    fixture
        .notices("failed", &[], async |origin| origin.behave(Behaviour::HangUp))
        .await
        .context("that hangs up")?;
    fixture
        .notices("failed", &["504"], async |origin| origin.behave(Behaviour::Hang))
        .await
        .context("that hangs")?;
    fixture.origin.behave(Behaviour::Serve);
    fixture.notices("failed", &["503"], async |origin| origin.stop().await).await.context("that dies")?;
    serves(&fixture.scenario, "blue", "with the source dead").await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let age = fixture.scenario.envoy.metrics().await?.sum("turquoise_document_age_seconds", &[]);
    ensure!(age >= 1.0, "the document's age is {age} s, a second after its source died");
    fixture.origin.resume().await
}
