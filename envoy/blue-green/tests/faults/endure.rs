//! What holds for every fault of a source: nothing changes, and whoever looks learns what is wrong.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use envoy_harness::log::Mark;
use envoy_harness::origin::Origin;
use serde_json::Value;

use crate::fixture::{Fixture, PATIENCE};

/// The longest wait after failures, with room for an answer that is still awaited and for a busy machine.
pub(crate) const AFTER_FAILURES: Duration = Duration::from_secs(13);

/// After a refusal the source is asked as ever.
pub(crate) const AFTER_REFUSALS: Duration = Duration::from_secs(3);

/// A fault by what it looks like.
pub(crate) struct Fault<'a> {
    pub(crate) name: &'a str,
    /// The reason of a refusal; without it, nothing came that could be refused.
    pub(crate) refused: Option<&'a str>,
    /// What both the log line and the status page say. No two faults of one Envoy may say the same: what was said
    /// within the last minute is not said again.
    pub(crate) says: &'a str,
}

impl Fault<'_> {
    fn result(&self) -> &'static str {
        if self.refused.is_some() { "refused" } else { "failed" }
    }

    fn stage(&self) -> &str {
        self.refused.unwrap_or("fetch")
    }

    async fn counted(&self, fixture: &Fixture) -> Result<[u64; 2]> {
        let result = fixture.count("turquoise_fetches_total", ("result", self.result())).await?;
        let reason = match self.refused {
            Some(reason) => fixture.count("turquoise_refusals_total", ("reason", reason)).await?,
            None => result,
        };
        Ok([result, reason])
    }

    /// What of it cannot be seen yet.
    async fn missing(&self, fixture: &Fixture, before: [u64; 2], mark: Mark) -> Result<Option<String>> {
        let now = self.counted(fixture).await?;
        if now.iter().zip(before).any(|(now, before)| *now <= before) {
            return Ok(Some(format!("{} and {} are not counted", self.result(), self.stage())));
        }
        if !fixture.lines(mark).iter().any(|line| line.contains(self.says)) {
            return Ok(Some(format!("no log line says `{}`", self.says)));
        }
        let status = fixture.status().await?;
        let error = &status["lastError"];
        let message = error["message"].as_str().unwrap_or_default();
        if error["stage"] != self.stage() || !message.contains(self.says) {
            return Ok(Some(format!("the status page's last error is {error}")));
        }
        // Whatever came confirmed nothing: the rules' age is counted from before.
        if status["ageSeconds"].as_u64().is_none_or(|age| age < 1) {
            return Ok(Some(format!("the status page's age is {}", status["ageSeconds"])));
        }
        let age = fixture.scenario.envoy.metrics().await?.sum("turquoise_document_age_seconds", &[]);
        Ok((age < 1.0).then(|| format!("turquoise_document_age_seconds is {age}")))
    }
}

impl Fixture {
    /// Lets the fault begin, and waits until metrics, log and status page tell of it, for a second at least. Nothing is
    /// adopted meanwhile, and the log is not flooded.
    pub(crate) async fn endures(
        &mut self,
        fault: &Fault<'_>,
        begin: impl AsyncFnOnce(&mut Origin) -> Result<()>,
    ) -> Result<()> {
        self.suffers(fault, begin).await.with_context(|| format!("a source {}", fault.name))
    }

    async fn suffers(
        &mut self,
        fault: &Fault<'_>,
        begin: impl AsyncFnOnce(&mut Origin) -> Result<()>,
    ) -> Result<()> {
        let (before, swaps) = (fault.counted(self).await?, self.scenario.swaps().await?);
        let (in_force, mark) = (in_force(&self.status().await?), self.scenario.envoy.log().mark());
        begin(&mut self.origin).await?;
        let began = Instant::now();
        while let Some(missing) = fault.missing(self, before, mark).await? {
            let lines = self.lines(mark);
            ensure!(began.elapsed() < PATIENCE, "{missing}; the module logged {lines:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let now = self.status().await?;
        ensure!(in_force == self::in_force(&now), "{in_force} was in force, then {now:#}");
        ensure!(self.scenario.swaps().await? == swaps, "a VM adopted something");
        let lines = self.lines(mark);
        let said = lines.iter().filter(|line| line.contains(fault.says)).count();
        // One more may tell of how the source went from one fault to the next.
        ensure!(said == 1 && lines.len() <= 2, "the module logged {lines:#?}");
        println!("{}: seen after {:.1?}: {}", fault.name, began.elapsed(), lines.join(" | "));
        Ok(())
    }

    /// The end of the trouble was told, once.
    pub(crate) async fn told_the_end(&self, since: Mark) -> Result<()> {
        let line = "the source answers again, and its document is in force";
        self.scenario.envoy.log().wait_for(since, line, PATIENCE).await?;
        let lines = self.lines(since);
        ensure!(lines.iter().filter(|said| said.contains(line)).count() == 1, "told not once: {lines:#?}");
        Ok(())
    }
}

/// What a status page says of the rules: these must not change.
fn in_force(status: &Value) -> Value {
    serde_json::json!([status["generation"], status["inForce"], status["version"], status["fingerprint"]])
}
