//! Metrics. Labels stand in the name as Envoy's `stats_tags` can take them out:
//! `turquoise_requests_total.route=.=checkout;.;variant=.=green;.;`.

use std::cell::RefCell;
use std::collections::HashMap;

use turquoise_core::{RouteId, Snapshot, Source, VariantId};

use crate::host::{self, Metric, MetricKind};
use crate::trust::Reason;

/// What stands for "none" in a label.
const NONE: &str = "-";

type Labels = (Option<RouteId>, Option<VariantId>);

/// Requests by route and variant, each counter made when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    counters: RefCell<HashMap<Labels, Option<Metric>>>,
}

impl Requests {
    /// Counts a request of this route, and the variant that decided about it.
    pub(crate) fn count(&self, snapshot: &Snapshot, route: Option<RouteId>, variant: Option<VariantId>) {
        let Ok(mut counters) = self.counters.try_borrow_mut() else { return };
        let counter = *counters.entry((route, variant)).or_insert_with(|| {
            let route = route.map_or(NONE, |route| snapshot.route_name(route));
            let variant = variant.map_or(NONE, |variant| snapshot.variant(variant).name);
            host::metric(
                MetricKind::Counter,
                &format!(
                    "turquoise_requests_total.route=.={};.;variant=.={};.;",
                    label(route),
                    label(variant)
                ),
            )
        });
        host::increment(counter);
    }
}

/// OFREP requests by endpoint and status, each counter made when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct OfrepRequests {
    counters: RefCell<HashMap<(&'static str, u16), Option<Metric>>>,
}

impl OfrepRequests {
    /// Counts a request that was answered with this status; 0 stands for one that ended before.
    pub(crate) fn count(&self, endpoint: &'static str, status: u16) {
        let Ok(mut counters) = self.counters.try_borrow_mut() else { return };
        let counter = *counters.entry((endpoint, status)).or_insert_with(|| {
            let name = format!("turquoise_ofrep_requests_total.endpoint=.={endpoint};.;status=.={status};.;");
            host::metric(MetricKind::Counter, &name)
        });
        host::increment(counter);
    }
}

/// A text as a label: what could end a label or a name becomes `_`.
fn label(text: &str) -> String {
    let harmless =
        |c: char| if c.is_ascii_graphic() && !matches!(c, ';' | '=' | '"' | '\\') { c } else { '_' };
    text.chars().map(harmless).collect()
}

/// What became of a fetch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FetchResult {
    /// A new document is in force.
    Updated,
    /// There is nothing newer.
    NotModified,
    /// A document came and was refused.
    Refused,
    /// No document came.
    Failed,
}

impl FetchResult {
    const ALL: [(Self, &str); 4] = [
        (Self::Updated, "updated"),
        (Self::NotModified, "not_modified"),
        (Self::Refused, "refused"),
        (Self::Failed, "failed"),
    ];
}

/// Metrics about the document, common to all VMs of the proxy. Counters add up over all filters of the proxy; what is
/// the last value alone has the source in a label, or filters with several sources would overwrite each other's.
#[derive(Clone, Debug)]
pub(crate) struct DocumentMetrics {
    fetches: [Option<Metric>; 4],
    refusals: [Option<Metric>; Reason::ALL.len()],
    compile: Option<Metric>,
    swaps: Option<Metric>,
    generation: Option<Metric>,
    age: Option<Metric>,
    expired: Option<Metric>,
    alternations: Option<Metric>,
}

impl DocumentMetrics {
    pub(crate) fn new(source: Option<&Source>) -> Self {
        let source = source.map(|source| format!("{}{}", source.cluster, source.path_alone()));
        let source = label(source.as_deref().unwrap_or(NONE));
        let fetches = FetchResult::ALL.map(|(_, name)| {
            host::metric(MetricKind::Counter, &format!("turquoise_fetches_total.result=.={name};.;"))
        });
        let refusals = Reason::ALL.map(|reason| {
            let name = reason.name();
            host::metric(MetricKind::Counter, &format!("turquoise_refusals_total.reason=.={name};.;"))
        });
        Self {
            fetches,
            refusals,
            compile: host::metric(MetricKind::Histogram, "turquoise_compile_microseconds"),
            swaps: host::metric(MetricKind::Counter, "turquoise_document_swaps_total"),
            generation: host::metric(
                MetricKind::Gauge,
                &format!("turquoise_document_generation.source=.={source};.;"),
            ),
            age: host::metric(
                MetricKind::Gauge,
                &format!("turquoise_document_age_seconds.source=.={source};.;"),
            ),
            expired: host::metric(
                MetricKind::Gauge,
                &format!("turquoise_document_expired.source=.={source};.;"),
            ),
            alternations: host::metric(
                MetricKind::Counter,
                &format!("turquoise_source_alternations_total.source=.={source};.;"),
            ),
        }
    }

    pub(crate) fn fetched(&self, result: FetchResult) {
        host::increment(self.fetches.get(result as usize).copied().flatten());
    }

    /// A document was refused.
    pub(crate) fn refused(&self, reason: Reason) {
        host::increment(self.refusals.get(reason as usize).copied().flatten());
    }

    /// The source went back to the document before, once more.
    pub(crate) fn alternated(&self) {
        host::increment(self.alternations);
    }

    /// Compiling a document took so many microseconds, in all slices together.
    pub(crate) fn compiled(&self, microseconds: u64) {
        host::record(self.compile, microseconds);
    }

    /// How many fetches there were in the whole proxy, by result.
    pub(crate) fn fetches(&self) -> Vec<(&'static str, u64)> {
        let counts = FetchResult::ALL.iter().zip(self.fetches);
        counts.map(|((_, name), metric)| (*name, host::metric_value(metric).unwrap_or(0))).collect()
    }

    /// How many documents were refused in the whole proxy, by reason.
    pub(crate) fn refusals(&self) -> Vec<(&'static str, u64)> {
        let counts = Reason::ALL.iter().zip(self.refusals);
        counts.map(|(reason, metric)| (reason.name(), host::metric_value(metric).unwrap_or(0))).collect()
    }

    /// A VM took over a document; `generation` counts the documents that the proxy has had.
    pub(crate) fn swapped(&self, generation: u64) {
        host::increment(self.swaps);
        host::record(self.generation, generation);
    }

    pub(crate) fn generation(&self, generation: u64) {
        host::record(self.generation, generation);
    }

    /// Whether the signature of what is in force has expired.
    pub(crate) fn expired(&self, expired: bool) {
        host::record(self.expired, u64::from(expired));
    }

    /// How long ago the source last confirmed what is in force.
    pub(crate) fn age(&self, seconds: u64) {
        host::record(self.age, seconds);
    }
}
