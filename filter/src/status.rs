//! The status page: what is in force in this proxy, answered by the filter itself.
//!
//! Who shows a token sees it. Where the configuration allows it, so do clients on the proxy's own machine: both ends of
//! their connection are loopback addresses. The client's address alone would prove nothing, since a proxy may take it
//! from a header that anybody can send (Envoy does so unless `use_remote_address` is set). Behind the PROXY protocol a
//! client can state both, which is why addresses let nobody in by default.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use turquoise_core::status::Facts;
use turquoise_core::{Settings, Source};

use crate::host::{self, Headers, NO_STORE};
use crate::live::Live;
use crate::metrics::DocumentMetrics;
use crate::shared::Shared;
use crate::source::alternation_window;

/// The page of one configuration in one VM.
#[derive(Debug)]
pub(crate) struct StatusPage {
    settings: Rc<Settings>,
    shared: Option<Rc<Shared>>,
    metrics: DocumentMetrics,
    vm: u64,
}

impl StatusPage {
    pub(crate) fn new(
        settings: &Rc<Settings>,
        shared: Option<Rc<Shared>>,
        metrics: &DocumentMetrics,
        vm: u64,
    ) -> Self {
        Self { settings: Rc::clone(settings), shared, metrics: metrics.clone(), vm }
    }

    /// Whether the request is for this page.
    pub(crate) fn is_asked(&self, headers: &Headers) -> bool {
        let path = headers.get(":path").and_then(|path| path.split(|byte| *byte == b'?').next());
        self.settings.status.as_ref().is_some_and(|status| path == Some(status.path.as_bytes()))
    }

    /// Answers the request: with the page, or with what keeps it from the client.
    pub(crate) fn answer(&self, headers: &Headers, live: &Live) {
        let Some(status) = &self.settings.status else { return };
        let admitted =
            status.tokens.admit(headers.get("authorization")) || (status.allow_local && is_local());
        if !admitted && status.tokens.is_empty() {
            return host::answer(404, &[NO_STORE], b"", "turquoise_status_not_local");
        }
        if !admitted {
            let challenge = ("www-authenticate", &b"Bearer"[..]);
            return host::answer(401, &[NO_STORE, challenge], b"", "turquoise_status_unauthorized");
        }
        if !matches!(headers.get(":method"), Some(b"GET" | b"HEAD")) {
            return host::answer(405, &[NO_STORE, ("allow", b"GET, HEAD")], b"", "turquoise_status_method");
        }
        let body = self.page(live);
        let json = ("content-type", &b"application/json"[..]);
        host::answer(200, &[NO_STORE, json], body.as_bytes(), "turquoise_status");
    }

    fn page(&self, live: &Live) -> String {
        let now = host::now();
        let known = self.shared.as_ref().map(|shared| shared.source()).unwrap_or_default();
        let current = known.current.as_ref();
        let confirmed = current.filter(|current| current.fingerprint == live.snapshot.fingerprint());
        let error = self.shared.as_ref().and_then(|shared| shared.error());
        let inlined = u64::from(self.settings.document.is_some());
        let signed = self.settings.source.as_ref().is_some_and(Source::is_signed);
        let facts = Facts {
            generation: current.map_or(inlined, |current| current.generation),
            etag: confirmed.and_then(|current| current.etag.as_deref()),
            in_force: live.origin(current),
            source: self.settings.source.as_ref(),
            age_seconds: confirmed.map(|current| now.saturating_sub(current.confirmed_at(signed)) / 1000),
            signature: confirmed
                .filter(|_| signed)
                .and_then(|current| Some((current.provenance.validity?, now / 1000))),
            alternates: self
                .settings
                .source
                .as_ref()
                .zip(known.alternated)
                .is_some_and(|(source, then)| then.abs_diff(now) < alternation_window(source)),
            last_error: error.as_deref(),
            vm: self.vm,
            leads: self.shared.as_ref().is_some_and(|shared| shared.leads(self.vm, now)),
            fetches: &self.metrics.fetches(),
            refusals: &self.metrics.refusals(),
        };
        facts.to_json(&live.snapshot)
    }
}

/// Whether the request came from this machine, by both ends of its connection.
fn is_local() -> bool {
    let loopback = |end: &str| host::property(end).is_some_and(|address| is_loopback(&address));
    loopback("source.address") && loopback("destination.address")
}

fn is_loopback(address: &str) -> bool {
    let address =
        address.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| address.parse::<IpAddr>());
    address.is_ok_and(|address| address.to_canonical().is_loopback())
}
