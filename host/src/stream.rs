//! What a proxy provides for one HTTP exchange.

use std::borrow::Cow;

use crate::abi::{Direction, Status, StreamMap};
use crate::headers::Headers;

/// A response that the guest gives itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalResponse {
    /// The HTTP status.
    pub status: u32,
    /// Headers beside `:status`.
    pub headers: Headers,
    /// The body, often empty.
    pub body: Vec<u8>,
    /// Why, for the proxy's access log; never sent to the client.
    pub details: Vec<u8>,
    /// The gRPC status, if the guest gave one.
    pub grpc_status: Option<u32>,
}

/// One HTTP exchange as a guest sees it. The VM owns it from the context's creation to its deletion.
///
/// As with [`Proxy`](crate::Proxy), nothing here can reach the VM: [`resume`](Self::resume), [`reset`](Self::reset)
/// and [`respond`](Self::respond) only leave a note, and the proxy acts on it when the callback has returned.
///
/// What Envoy does not have in a phase is absent in it: the request's headers are gone in the response, and back in
/// `proxy_on_log`, where nothing can be changed.
pub trait HttpStream {
    /// The first value of a header.
    ///
    /// # Errors
    /// [`Status::NotFound`] if the map lacks it, [`Status::BadArgument`] if this phase lacks the map.
    fn header(&self, map: StreamMap, name: &[u8]) -> Result<Cow<'_, [u8]>, Status>;

    /// Visits every header in order; none if this phase lacks the map.
    fn visit_headers(&self, map: StreamMap, visit: &mut dyn FnMut(&[u8], &[u8]));

    /// Replaces all headers of a map.
    ///
    /// # Errors
    /// [`Status::BadArgument`] if this phase lacks the map, or may not change it.
    fn set_headers(&mut self, map: StreamMap, headers: Headers) -> Result<(), Status>;

    /// Adds a value beside those that are there.
    ///
    /// # Errors
    /// As [`set_headers`](Self::set_headers).
    fn add_header(&mut self, map: StreamMap, name: &[u8], value: &[u8]) -> Result<(), Status>;

    /// Makes this the header's only value.
    ///
    /// # Errors
    /// As [`set_headers`](Self::set_headers).
    fn replace_header(&mut self, map: StreamMap, name: &[u8], value: &[u8]) -> Result<(), Status>;

    /// Removes a header; one that is not there is no error.
    ///
    /// # Errors
    /// As [`set_headers`](Self::set_headers).
    fn remove_header(&mut self, map: StreamMap, name: &[u8]) -> Result<(), Status>;

    /// Up to `length` bytes of the body from `start` on; `None` if this phase has no body.
    fn body(&self, direction: Direction, start: usize, length: usize) -> Option<Cow<'_, [u8]>>;

    /// Puts `data` in the place of `length` bytes from `start` on.
    ///
    /// # Errors
    /// [`Status::NotFound`] if this phase has no body, [`Status::BadArgument`] if the proxy cannot replace this
    /// range: Envoy only prepends, appends, and replaces from the beginning.
    fn set_body(
        &mut self,
        direction: Direction,
        start: usize,
        length: usize,
        data: &[u8],
    ) -> Result<(), Status>;

    /// A property by its path: of the stream, or else of the proxy.
    ///
    /// # Errors
    /// [`Status::NotFound`] if there is none.
    fn property(&self, path: &[&[u8]]) -> Result<Vec<u8>, Status>;

    /// Sets a property of the stream.
    ///
    /// # Errors
    /// [`Status::BadArgument`] or [`Status::NotFound`] if the proxy does not let this one be set.
    fn set_property(&mut self, path: &[&[u8]], value: &[u8]) -> Result<(), Status>;

    /// Calls a function that only this proxy has, for this stream: Envoy's `clear_route_cache`, for one.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an unknown function, and what the function itself answers.
    fn call_foreign_function(&mut self, name: &[u8], arguments: &[u8]) -> Result<Vec<u8>, Status>;

    /// Goes on with a half that a callback had paused, once the current callback has returned.
    fn resume(&mut self, direction: Direction);

    /// Aborts the exchange, once the current callback has returned.
    fn reset(&mut self, direction: Direction);

    /// Answers the client instead of the upstream, once the current callback has returned. The first answer counts.
    fn respond(&mut self, response: LocalResponse);
}
