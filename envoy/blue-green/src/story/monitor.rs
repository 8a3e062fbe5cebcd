//! What Envoy counted, beside what the load saw.

use anyhow::Result;
use envoy_harness::metrics::Metrics;

use super::{CONNECTIONS, Demo, TESTER_CONNECTIONS};
use crate::report::thousands;

impl Demo {
    /// Reads Envoy's Prometheus endpoint and compares it with the load's own count.
    pub(super) async fn monitor(&mut self) -> Result<()> {
        let before = self.served();
        let metrics = self.scenario.envoy.metrics().await?;
        let after = self.served();
        let mut problems = Vec::new();
        for (place, colour) in ["blue", "green"].into_iter().enumerate() {
            let counted =
                metrics.count("turquoise_requests_total", &[("route", "shop"), ("variant", colour)]);
            let name = format!("turquoise_requests_total{{route=\"shop\",variant=\"{colour}\"}}");
            let counted = usize::try_from(counted)?;
            self.report
                .line(if place == 0 { "metrics" } else { "" }, &format!("{name:<56} {}", thousands(counted)));
            // The load goes on while Envoy is asked, with at most one request under way on each connection: the
            // users' and the tester's.
            let way = CONNECTIONS + TESTER_CONNECTIONS;
            let (low, high) = (before[place].saturating_sub(way), after[place] + way);
            if !(low..=high).contains(&counted) {
                let saw = thousands(after[place]);
                problems
                    .push(format!("Envoy counted {} for {colour}, the load saw {saw}", thousands(counted)));
            }
        }
        let [blue, green] = after.map(thousands);
        self.report.line("load saw", &format!("blue {blue}, green {green}"));
        self.document_metrics(&metrics);
        self.note("Monitor", problems);
        Ok(())
    }

    fn document_metrics(&self, metrics: &Metrics) {
        let fetches = ["updated", "not_modified", "refused", "failed"]
            .map(|result| (result, metrics.count("turquoise_fetches_total", &[("result", result)])))
            .map(|(result, count)| format!("{result} {count}"));
        self.report.line("fetches", &fetches.join(", "));
        let generation = metrics.count("turquoise_document_generation", &[]);
        let age = metrics.sum("turquoise_document_age_seconds", &[]);
        let swaps = metrics.count("turquoise_document_swaps_total", &[]);
        self.report
            .line("document", &format!("generation {generation}, confirmed {age:.0} s ago, {swaps} swaps"));
    }

    /// How many requests each colour served so far, blue and green.
    fn served(&self) -> [usize; 2] {
        let windows = [self.users.window(|_| true), self.tester.window(|_| true)];
        let of = |colour| windows.iter().filter_map(|window| window.colours().get(colour).copied()).sum();
        [of("blue"), of("green")]
    }
}
