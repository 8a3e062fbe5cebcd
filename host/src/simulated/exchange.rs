//! Driving one exchange through a VM.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::SimulatedProxy;
use super::environment::key;
use super::half::Half;
use super::message::{Request, Response};
use super::stream::{Stream, StreamHandle};
use crate::error::Error;
use crate::headers::Headers;
use crate::stream::LocalResponse;

/// Where an exchange stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// The guest holds the request back.
    Paused,
    /// The request has gone to the upstream, whose response is to come.
    Forwarded,
    /// The response has gone to the client. Whether it is the upstream's or the guest's own tells
    /// [`Outcome::local_response`].
    Responded,
    /// The guest holds the response back.
    ResponsePaused,
    /// The guest aborted the exchange: the client got nothing.
    Reset,
}

/// What became of an exchange.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Where it stands, or stood when it was finished.
    pub progress: Progress,
    /// The request's headers as the guest left them: what the upstream got, if it was forwarded.
    pub request_headers: Headers,
    /// As much of the request's body as has gone on.
    pub request_body: Vec<u8>,
    /// What the guest answered itself, before its own response callbacks saw it.
    pub local_response: Option<LocalResponse>,
    /// What the client got, whoever answered.
    pub response: Option<Response>,
    /// Whether the guest called `clear_route_cache`.
    pub route_cache_cleared: bool,
    /// Whether the guest changed the request's headers and did not clear the route cache afterwards: a proxy may then
    /// route by the old ones.
    pub route_stale: bool,
}

impl Outcome {
    /// A header that the upstream got, as text.
    pub fn request_header(&self, name: &str) -> Option<String> {
        self.request_headers.text(name)
    }

    /// A header that the client got, as text.
    pub fn response_header(&self, name: &str) -> Option<String> {
        self.response.as_ref().and_then(|response| response.headers.text(name))
    }

    /// The status that the client got; 0 if it got none.
    pub fn status(&self) -> u16 {
        self.response.as_ref().map_or(0, Response::status)
    }
}

/// An exchange as the proxy keeps it until it is finished.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) vm: u32,
    pub(super) context: u32,
    pub(super) stream: Rc<RefCell<Stream>>,
}

/// An exchange in progress. A test looks at it, answers for the upstream, and finishes it.
#[derive(Clone)]
pub struct Exchange {
    proxy: SimulatedProxy,
    open: Open,
}

impl Exchange {
    pub(super) fn start(proxy: &SimulatedProxy, vm: u32, root: u32, request: Request) -> Result<Self, Error> {
        let stream = Rc::new(RefCell::new(Stream::new(Rc::clone(proxy.world()), request)));
        let handle = Box::new(StreamHandle(Rc::clone(&stream)));
        let context = proxy.with_vm(vm, |vm| vm.create_http(root, handle))?;
        let exchange = Self { proxy: proxy.clone(), open: Open { vm, context, stream } };
        proxy.watch(&exchange.open);
        exchange.drive()?;
        Ok(exchange)
    }

    /// The number of its context.
    pub fn context(&self) -> u32 {
        self.open.context
    }

    /// Where it stands.
    pub fn progress(&self) -> Progress {
        let stream = self.open.stream.borrow();
        if stream.reset {
            Progress::Reset
        } else if stream.response.is_through() {
            Progress::Responded
        } else if stream.response.held {
            Progress::ResponsePaused
        } else if stream.request.is_through() {
            Progress::Forwarded
        } else {
            Progress::Paused
        }
    }

    /// All that became of it so far.
    pub fn outcome(&self) -> Outcome {
        let progress = self.progress();
        let stream = self.open.stream.borrow();
        let Half { headers, passed, trailers, .. } = &stream.response;
        let response =
            || Response { headers: headers.clone(), body: passed.clone(), trailers: trailers.clone() };
        Outcome {
            progress,
            request_headers: stream.request.headers.clone(),
            request_body: stream.request.passed.clone(),
            local_response: stream.local.clone(),
            response: (progress == Progress::Responded).then(response),
            route_cache_cleared: stream.route_cache_cleared,
            route_stale: stream.route_stale,
        }
    }

    /// A request header as the guest left it, as text.
    pub fn request_header(&self, name: &str) -> Option<String> {
        self.open.stream.borrow().request.headers.text(name)
    }

    /// A property that the guest has set on this stream.
    pub fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        self.open.stream.borrow().set.get(&key(path)).cloned()
    }

    /// Sets or changes a property of the exchange, such as `&["upstream", "address"]` before the response.
    pub fn set_property(&self, path: &[&str], value: impl AsRef<[u8]>) {
        self.open.stream.borrow_mut().given.insert(key(path), value.as_ref().to_vec());
    }

    /// The client sends a piece of a body that was left [unfinished](Request::unfinished); `is_last` ends it.
    ///
    /// # Errors
    /// [`Error::Misuse`] if the body was finished already, and those that any callback may return.
    pub fn send_body(&self, piece: impl AsRef<[u8]>, is_last: bool) -> Result<(), Error> {
        if !self.open.stream.borrow_mut().request.receive(piece.as_ref(), is_last) {
            return Err(Error::misuse("nothing follows a body that is finished".to_owned()));
        }
        self.drive()
    }

    /// The upstream responds. Returns the exchange's outcome so far.
    ///
    /// # Errors
    /// [`Error::Misuse`] if the request has not been forwarded, or was responded to already; and those that any
    /// callback may return.
    pub fn respond(&self, response: impl Into<Response>) -> Result<Outcome, Error> {
        let progress = self.progress();
        if progress != Progress::Forwarded {
            return Err(Error::misuse(format!("no upstream can respond to a request that is {progress:?}")));
        }
        let Response { headers, body, trailers } = response.into();
        self.open.stream.borrow_mut().response = Half::new(headers, vec![body], trailers);
        self.drive()?;
        Ok(self.outcome())
    }

    /// Ends the exchange: `proxy_on_log`, `proxy_on_done`, `proxy_on_delete`. One that has not been responded to ends
    /// as if the client had gone away.
    ///
    /// # Errors
    /// [`Error::Misuse`] if it has been finished already, and those that any callback may return.
    pub fn finish(self) -> Result<Outcome, Error> {
        let outcome = self.outcome();
        let Open { vm, context, .. } = self.open;
        self.proxy.unwatch(&self.open);
        self.open.stream.borrow_mut().logging = true;
        let logged = self.proxy.with_vm(vm, |vm| vm.on_log(context));
        let deleted = self.proxy.with_vm(vm, |vm| vm.delete_http(context));
        self.proxy.settle_others();
        logged.and(deleted).map(|()| outcome)
    }

    /// Shows the guest whatever it can be shown now, and then lets everything happen that follows from it.
    fn drive(&self) -> Result<(), Error> {
        let driven = self.proxy.go_on(&self.open);
        self.proxy.settle_others();
        driven
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("vm", &self.open.vm).field("outcome", &self.outcome()).finish()
    }
}

/// A local response as Envoy makes a message of it. To a HEAD request it has the body's length but no body.
pub(super) fn local_half(local: &LocalResponse, is_head: bool) -> Half {
    let mut headers = Headers::from([(":status", local.status.to_string())]);
    for (name, value) in local.headers.iter() {
        headers.add(name, value);
    }
    if local.body.is_empty() {
        headers.remove("content-length");
        headers.remove("content-type");
    } else {
        headers.set("content-length", local.body.len().to_string());
        if !headers.contains("content-type") {
            headers.add("content-type", "text/plain");
        }
    }
    let body = if is_head { Vec::new() } else { local.body.clone() };
    Half::new(headers, vec![body], Headers::new())
}
