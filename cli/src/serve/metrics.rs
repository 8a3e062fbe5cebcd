//! What operators watch: counters and gauges in Prometheus' text format (version 0.0.4).
//!
//! Written by hand, because it is a page of text: a library would bring more code than it saves.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::published::Served;
use super::watch::Trouble;

/// The media type of [`Metrics::render`].
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that is counted.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Connections that are open.
    pub(super) connections: Gauge,
    /// Requests that wait for something newer.
    pub(super) long_polls: Gauge,
    /// Event streams that are open.
    pub(super) event_streams: Gauge,
    /// How many connections there may be.
    pub(super) most_connections: AtomicU64,
    closed: [AtomicU64; Closed::ALL.len()],
    /// Whether the files with tokens and keys are what is in use, where there are any.
    secrets: Mutex<BTreeMap<&'static str, bool>>,
    changes: AtomicU64,
    unreadable: AtomicU64,
    invalid: AtomicU64,
    /// By endpoint and status code.
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
}

/// Why a connection was closed by us before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// It made room for another one.
    Evicted,
    /// There was no room for it.
    Refused,
    /// The head of a request took too long.
    SlowHead,
    /// The client took an answer too slowly.
    SlowReader,
}

impl Closed {
    const ALL: [(Self, &str); 4] = [
        (Self::Evicted, "evicted"),
        (Self::Refused, "refused"),
        (Self::SlowHead, "slow_head"),
        (Self::SlowReader, "slow_reader"),
    ];
}

/// How many of something there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauge(Arc<AtomicU64>);

/// One of them; it counts until it is dropped, however that comes about.
#[derive(Debug)]
pub(super) struct Held(Arc<AtomicU64>);

impl Gauge {
    /// One more, until the result is dropped.
    pub(super) fn hold(&self) -> Held {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held(Arc::clone(&self.0))
    }

    /// One more, unless there are so many.
    pub(super) fn hold_below(&self, most: u64) -> Option<Held> {
        let more = |count| (count < most).then_some(count + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Held(Arc::clone(&self.0)))
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// A request was answered.
    pub(super) fn count_request(&self, endpoint: &'static str, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((endpoint, status)).or_default() += 1;
    }

    /// A connection was closed before its time.
    pub(super) fn count_closed(&self, reason: Closed) {
        if let Some(counter) = self.closed.get(reason as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[cfg(test)]
    pub(super) fn closed(&self, reason: Closed) -> u64 {
        self.closed[reason as usize].load(Ordering::Relaxed)
    }

    /// Whether the files of this kind of secret are what is in use.
    pub(super) fn set_secrets_current(&self, kind: &'static str, current: bool) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, current);
    }

    /// Another document is served.
    pub(super) fn count_change(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// The file was not served as it was.
    pub(super) fn count_trouble(&self, trouble: &Trouble) {
        let counter = if trouble.is_unreadable() { &self.unreadable } else { &self.invalid };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything as text.
    pub(super) fn render(&self, served: &Served) -> String {
        let mut page = Page::default();
        page.family("turquoise_build_info", "gauge", "the version of turquoise that serves");
        page.sample(&format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1);
        page.family("turquoise_origin_requests_total", "counter", "answered requests");
        for ((endpoint, code), count) in &*self.requests.lock().unwrap_or_else(PoisonError::into_inner) {
            page.sample(&format!("{{endpoint=\"{endpoint}\",code=\"{code}\"}}"), *count);
        }
        page.family("turquoise_origin_connections", "gauge", "open connections");
        page.sample("", self.connections.get());
        page.family("turquoise_origin_connections_max", "gauge", "connections that there may be");
        page.sample("", self.most_connections.load(Ordering::Relaxed));
        page.family(
            "turquoise_origin_connections_closed_total",
            "counter",
            "connections that were closed before their time, by reason",
        );
        for ((_, reason), count) in Closed::ALL.iter().zip(&self.closed) {
            page.sample(&format!("{{reason=\"{reason}\"}}"), count.load(Ordering::Relaxed));
        }
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !secrets.is_empty() {
            page.family(
                "turquoise_origin_secrets_current",
                "gauge",
                "1 while the files with tokens or keys are what is in use, else 0",
            );
        }
        for (kind, current) in secrets {
            page.sample(&format!("{{kind=\"{kind}\"}}"), u64::from(current));
        }
        page.family("turquoise_origin_long_polls", "gauge", "requests that wait for something newer");
        page.sample("", self.long_polls.get());
        page.family("turquoise_origin_event_streams", "gauge", "open event streams");
        page.sample("", self.event_streams.get());
        page.family(
            "turquoise_origin_document_changes_total",
            "counter",
            "times that another document was served",
        );
        page.sample("", self.changes.load(Ordering::Relaxed));
        page.family(
            "turquoise_origin_document_refusals_total",
            "counter",
            "times that the file was not served as it was: it does not compile, or cannot be read",
        );
        page.sample("{reason=\"invalid\"}", self.invalid.load(Ordering::Relaxed));
        page.sample("{reason=\"unreadable\"}", self.unreadable.load(Ordering::Relaxed));
        page.family(
            "turquoise_origin_document_current",
            "gauge",
            "1 while the file is what is served, else 0",
        );
        page.sample("", u64::from(served.document.is_some() && served.trouble.is_none()));
        if let Some(document) = &served.document {
            page.family("turquoise_origin_document_bytes", "gauge", "size of the document by coding");
            page.sample("{coding=\"identity\"}", document.identity.body.len() as u64);
            if let Some(gzip) = &document.gzip {
                page.sample("{coding=\"gzip\"}", gzip.body.len() as u64);
            }
            page.family(
                "turquoise_origin_document_last_change_timestamp_seconds",
                "gauge",
                "when the document was first served",
            );
            page.sample("", document.since);
            page.family("turquoise_origin_document_info", "gauge", "which document is served");
            page.sample(&format!("{{version=\"{}\"}}", document.version), 1);
        }
        page.text
    }
}

/// Text that grows by families of samples.
#[derive(Default)]
struct Page {
    text: String,
    family: &'static str,
}

impl Page {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, labels: &str, value: u64) {
        let _ = writeln!(self.text, "{}{labels} {value}", self.family);
    }
}
