//! One request and its response.

use std::borrow::Cow;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use turquoise_core::{RequestContext, Scratch, Settings, TargetingKey, Timestamp, ofrep};

use crate::anonymous;
use crate::host::{self, Headers, Map};
use crate::live::Live;
use crate::ofrep::{self as ofrep_calls, Begun, Call};
use crate::request::ProxyRequest;
use crate::serving::Serving;

/// An HTTP exchange. It may last for hours, so it keeps nothing of what decided it.
pub(crate) struct Exchange {
    /// What decides the request; none once it is decided.
    serving: Option<Rc<Serving>>,
    /// A cookie to set on the response.
    set_cookie: Option<String>,
    /// An OFREP request whose body is still to come.
    call: Option<Call>,
}

impl Exchange {
    pub(crate) fn new(serving: Rc<Serving>) -> Self {
        Self { serving: Some(serving), set_cookie: None, call: None }
    }

    fn decide(&mut self, serving: &Serving, live: &Live, headers: &Headers, stripped: bool) -> Action {
        let request = ProxyRequest::new(headers, live);
        let mut set_cookie = None;
        let key = match live.settings.context.targeting_key(&request) {
            TargetingKey::Known(key) => Some(Cow::Borrowed(key)),
            TargetingKey::Anonymous(cookie) => anonymous::new_id().map(|id| {
                set_cookie = Some(anonymous::set_cookie(cookie, &id, request.is_https()));
                Cow::Owned(id)
            }),
            TargetingKey::Absent => None,
        };
        // Only one callback of a VM runs at a time, so the scratch is free; were it not, a new one does as well.
        let mut own = Scratch::default();
        let mut shared = serving.scratch.try_borrow_mut();
        let scratch = shared.as_deref_mut().unwrap_or(&mut own);
        let snapshot = &live.snapshot;
        let now = Timestamp(if snapshot.reads_clock() { host::now() } else { 0 });
        let context = RequestContext::new(&request, &live.bindings, &live.settings.context, key.as_deref());

        let decision = snapshot.decide(&request, &context, now, scratch);
        if let Some(status) = decision.closed {
            let variant = decision.gate.and_then(|gate| gate.variant);
            live.requests.count(snapshot, decision.route, variant);
            // Neither the status nor a cookie may stay anywhere: the gate may open at any moment.
            host::answer(status, &[host::NO_STORE], b"", "turquoise_gate_closed");
            return Action::Pause;
        }
        self.set_cookie = set_cookie;
        live.requests.count(snapshot, decision.route, decision.variant(snapshot));

        if let Some(key) = &key {
            host::add_header(Map::Request, Settings::TARGETING_KEY_HEADER, key.as_bytes());
        }
        if let Some(header) = &live.settings.flag_header {
            let mut json = String::new();
            ofrep::write_flag_header(
                &mut json,
                snapshot,
                live.exposed.iter().copied(),
                &context,
                now,
                scratch,
            );
            host::add_header(Map::Request, &header.name, json.as_bytes());
        }
        let upstream = decision.upstream(snapshot);
        if let Some(upstream) = upstream {
            host::add_header(Map::Request, &live.settings.upstream_header, upstream.as_bytes());
        }
        // Last: the route that the proxy chose before may hang on a header that was set or removed here.
        if upstream.is_some() || stripped {
            host::clear_route_cache();
        }
        Action::Continue
    }
}

/// Removes what only the filter may set, and tells whether there was anything.
fn strip(live: &Live, headers: &Headers) -> bool {
    let mut stripped = false;
    for (name, _) in headers.iter().filter(|(name, _)| live.settings.is_reserved(name)) {
        host::remove_header(Map::Request, name);
        stripped = true;
    }
    stripped
}

impl Context for Exchange {}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let Some(serving) = self.serving.take() else { return Action::Continue };
        let headers = host::headers(Map::Request);
        #[cfg(feature = "trap")]
        crate::trap::if_asked(&headers);
        let live = serving.live();
        if let Some(status) = serving.status.as_ref().filter(|status| status.is_asked(&headers)) {
            status.answer(&headers, &live);
            return Action::Pause;
        }
        if live.is_closed() {
            let headers = [("retry-after", &b"1"[..]), host::NO_STORE];
            host::answer(503, &headers, b"", "turquoise_startup_closed");
            return Action::Pause;
        }
        match ofrep_calls::begin(&serving, &live, &headers, end_of_stream) {
            Begun::NotOurs => {}
            Begun::Waits(call) => {
                self.call = Some(call);
                return Action::Pause;
            }
            Begun::Answered => return Action::Pause,
        }
        let stripped = strip(&live, &headers);
        self.decide(&serving, &live, &headers, stripped)
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let Some(call) = self.call.take() else { return Action::Continue };
        self.call = call.body(size, end_of_stream);
        Action::Pause
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        let Some(call) = self.call.take() else { return Action::Continue };
        call.trailers();
        Action::Pause
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let Some(cookie) = self.set_cookie.take() {
            host::add_header(Map::Response, "set-cookie", cookie.as_bytes());
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        if let Some(call) = self.call.take() {
            call.abandoned();
        }
    }
}
