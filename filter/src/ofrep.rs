//! OFREP: requests that the filter answers itself. What they mean is the core's; here they wait for their bodies.

use std::rc::Rc;

use turquoise_core::ofrep::{Answer, Asked, Endpoint, Service};
use turquoise_core::{Scratch, Timestamp};

use crate::host::{self, Buffer, Headers, Map};
use crate::live::Live;
use crate::request::ProxyRequest;
use crate::serving::{Place, Serving};

/// A request whose body is still to come. It keeps no headers and no rules: the proxy still has the headers when the body
/// is there, and the answer is that of the rules which are in force then.
pub(crate) struct Call {
    place: Place,
    /// The endpoint's name in metrics.
    endpoint: &'static str,
    /// Whether any of the body came.
    began: bool,
}

/// What became of a request.
pub(crate) enum Begun {
    /// It is none of OFREP's.
    NotOurs,
    /// It waits for its body.
    Waits(Call),
    /// It was answered.
    Answered,
}

/// Takes a request of OFREP; answers it already if its headers decide, or nothing follows them.
pub(crate) fn begin(serving: &Rc<Serving>, live: &Live, headers: &Headers, is_whole: bool) -> Begun {
    let Some(endpoint) = endpoint(live, headers) else { return Begun::NotOurs };
    let settings = &live.settings.ofrep;
    let request = ProxyRequest::new(headers, live);
    if let Some(answer) = Service::refuse(settings, &endpoint, &request) {
        send(live, &endpoint, &answer);
        return Begun::Answered;
    }
    if is_whole {
        answer(serving, live, headers, &endpoint, b"");
        return Begun::Answered;
    }
    match Place::take(serving, settings.max_waiting()) {
        Some(place) => Begun::Waits(Call { place, endpoint: endpoint.name(), began: false }),
        None => {
            send(live, &endpoint, &Service::too_many(settings, &endpoint, &request));
            Begun::Answered
        }
    }
}

impl Call {
    /// A piece of the body came, and `size` bytes of it are there. Gives the call back while more is to come.
    pub(crate) fn body(mut self, size: usize, is_whole: bool) -> Option<Self> {
        self.began = true;
        let live = self.place.serving().live();
        let settings = &live.settings.ofrep;
        if size > settings.max_body_bytes as usize {
            let headers = host::headers(Map::Request);
            if let Some(endpoint) = endpoint(&live, &headers) {
                let request = ProxyRequest::new(&headers, &live);
                send(&live, &endpoint, &Service::too_long(settings, &endpoint, &request));
            }
            return None;
        }
        if !is_whole {
            return Some(self);
        }
        self.answer(&live);
        None
    }

    /// Nothing more comes: trailers stand behind the body.
    pub(crate) fn trailers(self) {
        self.answer(&self.place.serving().live());
    }

    /// The request ended without an answer: the client went away, or the proxy never let the body come.
    pub(crate) fn abandoned(&self) {
        let serving = self.place.serving();
        serving.live().ofrep_requests.count(self.endpoint, 0);
        if let Some(trouble) = serving.trouble.as_ref().filter(|_| !self.began) {
            let hint = "an OFREP request ended before its body came; if every one does, the proxy holds bodies \
                        back: set `allow_on_headers_stop_iteration: true` in the filter's configuration (this is \
                        said once)";
            trouble.hint(hint, host::now());
        }
    }

    fn answer(&self, live: &Live) {
        let headers = host::headers(Map::Request);
        if let Some(endpoint) = endpoint(live, &headers) {
            answer(self.place.serving(), live, &headers, &endpoint, &host::buffer(Buffer::RequestBody));
        }
    }
}

fn endpoint(live: &Live, headers: &Headers) -> Option<Endpoint> {
    live.ofrep.as_ref()?;
    Endpoint::of(headers.get(":path").unwrap_or_default())
}

fn answer(serving: &Serving, live: &Live, headers: &Headers, endpoint: &Endpoint, body: &[u8]) {
    let Some(service) = &live.ofrep else { return };
    let snapshot = &live.snapshot;
    let asked = Asked {
        endpoint,
        request: &ProxyRequest::new(headers, live),
        settings: &live.settings,
        snapshot,
        bindings: &live.bindings,
        now: Timestamp(if snapshot.reads_clock() { host::now() } else { 0 }),
    };
    let mut own = Scratch::default();
    let mut shared = serving.scratch.try_borrow_mut();
    let scratch = shared.as_deref_mut().unwrap_or(&mut own);
    send(live, endpoint, &service.answer(&asked, body, scratch));
}

fn send(live: &Live, endpoint: &Endpoint, answer: &Answer) {
    live.ofrep_requests.count(endpoint.name(), answer.status);
    let headers: Vec<_> = answer.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    host::answer(answer.status, &headers, answer.body.as_bytes(), "turquoise_ofrep");
}
