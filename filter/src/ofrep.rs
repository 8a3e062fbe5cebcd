//! OFREP: requests that the filter answers itself. What they mean is the core's; here they wait for their bodies.

use std::cell::RefCell;

use turquoise_core::ofrep::{Answer, Asked, Endpoint, Service};
use turquoise_core::{Scratch, Timestamp};

use crate::host::{self, Buffer, Headers};
use crate::live::Live;
use crate::request::ProxyRequest;
use crate::trouble::Trouble;

/// A request whose body is still to come.
#[derive(Debug)]
pub(crate) struct Call {
    endpoint: Endpoint,
    headers: Headers,
    /// Whether any of the body came.
    began: bool,
}

/// What became of a request when its headers were there.
pub(crate) enum Begun {
    /// It is none of OFREP's.
    NotOurs(Headers),
    /// It waits for its body.
    Waits(Call),
    /// It was answered.
    Answered,
}

/// Takes a request of OFREP; answers it already if its headers decide, or nothing follows them.
pub(crate) fn begin(live: &Live, headers: Headers, is_whole: bool, scratch: &RefCell<Scratch>) -> Begun {
    let path = headers.get(":path").unwrap_or_default();
    let Some(endpoint) = live.ofrep.as_ref().and_then(|_| Endpoint::of(path)) else {
        return Begun::NotOurs(headers);
    };
    let call = Call { endpoint, headers, began: false };
    let request = ProxyRequest::new(&call.headers, live);
    if let Some(answer) = Service::refuse(&live.settings.ofrep, &call.endpoint, &request) {
        call.send(live, &answer);
        return Begun::Answered;
    }
    if is_whole {
        call.answer(live, b"", scratch);
        return Begun::Answered;
    }
    Begun::Waits(call)
}

impl Call {
    /// A piece of the body came, and `size` bytes of it are there. Gives the call back while more is to come.
    pub(crate) fn body(
        mut self,
        live: &Live,
        size: usize,
        is_whole: bool,
        scratch: &RefCell<Scratch>,
    ) -> Option<Self> {
        self.began = true;
        if size > live.settings.ofrep.max_body_bytes as usize {
            let request = ProxyRequest::new(&self.headers, live);
            self.send(live, &Service::too_long(&live.settings.ofrep, &self.endpoint, &request));
            return None;
        }
        if !is_whole {
            return Some(self);
        }
        self.answer(live, &host::buffer(Buffer::RequestBody), scratch);
        None
    }

    /// Nothing more comes: trailers stand behind the body.
    pub(crate) fn trailers(self, live: &Live, scratch: &RefCell<Scratch>) {
        self.answer(live, &host::buffer(Buffer::RequestBody), scratch);
    }

    /// The request ended without an answer: the client went away, or the proxy never let the body come.
    pub(crate) fn abandoned(&self, live: &Live, trouble: Option<&Trouble>) {
        live.ofrep_requests.count(&self.endpoint, 0);
        if let Some(trouble) = trouble.filter(|_| !self.began) {
            let hint = "an OFREP request ended before its body came; if every one does, the proxy holds bodies \
                        back: set `allow_on_headers_stop_iteration: true` in the filter's configuration (this is \
                        said once)";
            trouble.hint(hint, host::now());
        }
    }

    fn answer(&self, live: &Live, body: &[u8], scratch: &RefCell<Scratch>) {
        let Some(service) = &live.ofrep else { return };
        let snapshot = &live.snapshot;
        let asked = Asked {
            endpoint: &self.endpoint,
            request: &ProxyRequest::new(&self.headers, live),
            settings: &live.settings,
            snapshot,
            bindings: &live.bindings,
            now: Timestamp(if snapshot.reads_clock() { host::now() } else { 0 }),
        };
        let mut own = Scratch::default();
        let mut shared = scratch.try_borrow_mut();
        let scratch = shared.as_deref_mut().unwrap_or(&mut own);
        self.send(live, &service.answer(&asked, body, scratch));
    }

    fn send(&self, live: &Live, answer: &Answer) {
        live.ofrep_requests.count(&self.endpoint, answer.status);
        let headers: Vec<_> = answer.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        host::answer(answer.status, &headers, answer.body.as_bytes(), "turquoise_ofrep");
    }
}
