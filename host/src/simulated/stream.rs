//! One exchange as the guest sees it, with Envoy's rules about what is there when.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::environment::key;
use super::exchange::local_half;
use super::half::{Half, Stage, Step};
use super::message::Request;
use super::world::World;
use crate::abi::{Direction, Status, StreamMap};
use crate::caps::{MAX_BODY_BYTES, MAX_MAP_BYTES, MAX_MAP_PAIRS};
use crate::headers::Headers;
use crate::hostcalls::range;
use crate::proxy::Environment;
use crate::stream::{HttpStream, LocalResponse};

/// What the guest's handle and the test's handle share.
pub(super) struct Stream {
    pub(super) world: Rc<World>,
    pub(super) request: Half,
    pub(super) response: Half,
    /// What the test says of the connection.
    pub(super) given: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What the guest has set.
    pub(super) set: BTreeMap<Vec<u8>, Vec<u8>>,
    /// In `proxy_on_log` all headers can be read and none changed.
    pub(super) logging: bool,
    pub(super) local: Option<LocalResponse>,
    /// The local response has become the response.
    pub(super) answered: bool,
    pub(super) reset: bool,
    pub(super) route_cache_cleared: bool,
    /// The request's headers have changed since the route cache was cleared, or were changed without clearing it.
    pub(super) route_stale: bool,
}

impl Stream {
    pub(super) fn new(world: Rc<World>, request: Request) -> Self {
        let mut half = Half::new(request.headers, request.body, request.trailers);
        if request.unfinished {
            half.leave_unfinished();
        }
        Self {
            world,
            request: half,
            response: Half::default(),
            given: request.properties.into_iter().collect(),
            set: BTreeMap::new(),
            logging: false,
            local: None,
            answered: false,
            reset: false,
            route_cache_cleared: false,
            route_stale: false,
        }
    }

    pub(super) fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// What to show the guest next: the request, or the response once there is one.
    pub(super) fn next(&mut self) -> Option<(Direction, Step)> {
        if self.reset {
            return None;
        }
        if let Some(local) = &self.local
            && !self.answered
        {
            self.answered = true;
            let first = self.response.stage == Stage::Absent;
            let is_head = self.request.headers.get(":method") == Some(b"HEAD");
            self.response = local_half(local, is_head);
            if !first {
                // A response that replaces another goes to the client as it is, past the filter.
                self.response.skip();
            }
        }
        if self.local.is_none()
            && let Some(step) = self.request.next()
        {
            return Some((Direction::Request, step));
        }
        self.response.next().map(|step| (Direction::Response, step))
    }

    /// A map that can be read now. Envoy lets go of a map when its callback continues, and has most of them back
    /// for the log.
    fn readable(&self, map: StreamMap) -> Option<&Headers> {
        let (half, trailers) = match map {
            StreamMap::RequestHeaders => (&self.request, false),
            StreamMap::RequestTrailers => (&self.request, true),
            StreamMap::ResponseHeaders => (&self.response, false),
            StreamMap::ResponseTrailers => (&self.response, true),
        };
        if trailers {
            (half.trailers_open || self.logging).then_some(&half.trailers)
        } else {
            (half.headers_open || self.logging).then_some(&half.headers)
        }
    }

    /// A map that can be changed now.
    fn changeable(&mut self, map: StreamMap) -> Result<&mut Headers, Status> {
        let (half, trailers) = match map {
            StreamMap::RequestHeaders => {
                self.route_stale |= self.request.headers_open && !self.logging;
                (&mut self.request, false)
            }
            StreamMap::RequestTrailers => (&mut self.request, true),
            StreamMap::ResponseHeaders => (&mut self.response, false),
            StreamMap::ResponseTrailers => (&mut self.response, true),
        };
        let open = if trailers { half.trailers_open } else { half.headers_open };
        if !open || self.logging {
            return Err(Status::BadArgument);
        }
        Ok(if trailers { &mut half.trailers } else { &mut half.headers })
    }

    /// The properties that follow from the exchange itself.
    fn derived(&self, path: &[&[u8]]) -> Option<Vec<u8>> {
        let status = || self.response.headers.text(":status").and_then(|status| status.parse::<u64>().ok());
        match path {
            [b"request", rest @ ..] => request_property(self.readable(StreamMap::RequestHeaders)?, rest),
            [b"response", b"code"] => status().map(|status| status.to_le_bytes().to_vec()),
            [b"response", b"flags"] => status().map(|_| 0_u64.to_le_bytes().to_vec()),
            [b"response", b"headers", name] => {
                self.readable(StreamMap::ResponseHeaders)?.get(name).map(<[u8]>::to_vec)
            }
            _ => None,
        }
    }
}

/// Whether a map may hold one header more.
fn expect_room(headers: &Headers, name: &[u8], value: &[u8]) -> Result<(), Status> {
    let bytes = headers.bytes() + name.len() + value.len();
    if headers.len() < MAX_MAP_PAIRS && bytes <= MAX_MAP_BYTES {
        Ok(())
    } else {
        Err(Status::InternalFailure)
    }
}

fn request_property(headers: &Headers, path: &[&[u8]]) -> Option<Vec<u8>> {
    let query_at = |path: &[u8]| path.iter().position(|byte| *byte == b'?');
    let path_and_query = headers.get(":path");
    let found = match path {
        [b"method"] => headers.get(":method"),
        [b"scheme"] => headers.get(":scheme"),
        [b"host"] => headers.get(":authority"),
        [b"path"] => path_and_query,
        [b"url_path"] => path_and_query.and_then(|path| path.get(..query_at(path).unwrap_or(path.len()))),
        [b"query"] => {
            path_and_query.map(|path| query_at(path).and_then(|at| path.get(at + 1..)).unwrap_or_default())
        }
        [b"headers", name] => headers.get(name),
        _ => None,
    };
    found.map(<[u8]>::to_vec)
}

/// The guest's handle, which the VM owns.
pub(super) struct StreamHandle(pub(super) Rc<RefCell<Stream>>);

impl HttpStream for StreamHandle {
    fn header(&self, map: StreamMap, name: &[u8]) -> Result<Cow<'_, [u8]>, Status> {
        let stream = self.0.borrow();
        let headers = stream.readable(map).ok_or(Status::BadArgument)?;
        headers.get(name).map(|value| Cow::Owned(value.to_vec())).ok_or(Status::NotFound)
    }

    fn visit_headers(&self, map: StreamMap, visit: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in self.0.borrow().readable(map).into_iter().flat_map(Headers::iter) {
            visit(name, value);
        }
    }

    fn set_headers(&mut self, map: StreamMap, headers: Headers) -> Result<(), Status> {
        *self.0.borrow_mut().changeable(map)? = headers;
        Ok(())
    }

    fn add_header(&mut self, map: StreamMap, name: &[u8], value: &[u8]) -> Result<(), Status> {
        let mut stream = self.0.borrow_mut();
        let headers = stream.changeable(map)?;
        expect_room(headers, name, value)?;
        headers.add(name, value);
        Ok(())
    }

    fn replace_header(&mut self, map: StreamMap, name: &[u8], value: &[u8]) -> Result<(), Status> {
        let mut stream = self.0.borrow_mut();
        let headers = stream.changeable(map)?;
        expect_room(headers, name, value)?;
        headers.set(name, value);
        Ok(())
    }

    fn remove_header(&mut self, map: StreamMap, name: &[u8]) -> Result<(), Status> {
        self.0.borrow_mut().changeable(map)?.remove(name);
        Ok(())
    }

    /// Without a body there is an empty one: that is how Envoy has it.
    fn body(&self, direction: Direction, start: usize, length: usize) -> Option<Cow<'_, [u8]>> {
        let mut stream = self.0.borrow_mut();
        let half = stream.half(direction);
        let bytes = if half.body_open { range(&half.buffer, start, length).to_vec() } else { Vec::new() };
        Some(Cow::Owned(bytes))
    }

    fn set_body(
        &mut self,
        direction: Direction,
        start: usize,
        length: usize,
        data: &[u8],
    ) -> Result<(), Status> {
        let mut stream = self.0.borrow_mut();
        let half = stream.half(direction);
        if !half.body_open {
            return Err(Status::BadArgument);
        }
        let size = half.buffer.len();
        let replaced = if start == 0 { length.min(size) } else { 0 };
        if size - replaced + data.len() > MAX_BODY_BYTES {
            return Err(Status::InternalFailure);
        }
        if start >= size && start > 0 {
            half.buffer.extend_from_slice(data);
        } else if start == 0 {
            half.buffer.splice(..replaced, data.iter().copied());
        } else {
            return Err(Status::BadArgument);
        }
        Ok(())
    }

    fn property(&self, path: &[&[u8]]) -> Result<Vec<u8>, Status> {
        let stream = self.0.borrow();
        let key = key(path);
        let found = stream.given.get(&key).cloned().or_else(|| stream.derived(path));
        match found.or_else(|| stream.set.get(&key).cloned()) {
            Some(value) => Ok(value),
            None => stream.world.property(path),
        }
    }

    fn set_property(&mut self, path: &[&[u8]], value: &[u8]) -> Result<(), Status> {
        let set = &mut self.0.borrow_mut().set;
        let bytes = |(path, value): (&Vec<u8>, &Vec<u8>)| path.len() + value.len();
        let path = key(path);
        if set.len() >= MAX_MAP_PAIRS || set.iter().map(bytes).sum::<usize>() + value.len() > MAX_MAP_BYTES {
            return Err(Status::InternalFailure);
        }
        set.insert(path, value.to_vec());
        Ok(())
    }

    fn call_foreign_function(&mut self, name: &[u8], arguments: &[u8]) -> Result<Vec<u8>, Status> {
        let mut stream = self.0.borrow_mut();
        let result = stream.world.call(name, arguments, true)?;
        if name == b"clear_route_cache" {
            stream.route_cache_cleared = true;
            stream.route_stale = false;
        }
        Ok(result)
    }

    /// The request's maps are gone at once, whichever half is resumed: an oddity of Envoy that kills guests which
    /// resume first and set a header then.
    fn resume(&mut self, direction: Direction) {
        let mut stream = self.0.borrow_mut();
        stream.half(direction).resumed = true;
        stream.request.close();
    }

    fn reset(&mut self, _: Direction) {
        self.0.borrow_mut().reset = true;
    }

    fn respond(&mut self, response: LocalResponse) {
        self.0.borrow_mut().local.get_or_insert(response);
    }
}
