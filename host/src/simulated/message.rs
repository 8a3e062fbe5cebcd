//! Requests and responses as a test writes them.

use crate::headers::Headers;
use crate::proxy::CallResponse;

use super::environment::key;

/// A request from a client.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) headers: Headers,
    pub(super) body: Vec<Vec<u8>>,
    pub(super) trailers: Headers,
    pub(super) properties: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) unfinished: bool,
}

impl Request {
    /// A request by https. `host` is the `:authority`; `path` includes the query.
    pub fn new(method: &str, host: &str, path: &str) -> Self {
        Self::from([(":method", method), (":scheme", "https"), (":authority", host), (":path", path)])
    }

    /// A GET request by https.
    pub fn get(host: &str, path: &str) -> Self {
        Self::new("GET", host, path)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name, value);
        self
    }

    /// Sets a header that is there already: `:scheme`, for one.
    #[must_use]
    pub fn set_header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.set(name, value);
        self
    }

    /// Adds a piece of the body; each piece is a callback of its own.
    #[must_use]
    pub fn body(mut self, piece: impl AsRef<[u8]>) -> Self {
        self.body.push(piece.as_ref().to_vec());
        self
    }

    /// Leaves the body unfinished: the exchange waits for [`Exchange::send_body`](super::Exchange::send_body).
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.unfinished = true;
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers.add(name, value);
        self
    }

    /// Sets a property that this exchange has: `&["source", "address"]`. Those that follow from the headers, such as
    /// `request.path`, are there without.
    #[must_use]
    pub fn property(mut self, path: &[&str], value: impl AsRef<[u8]>) -> Self {
        self.properties.push((key(path), value.as_ref().to_vec()));
        self
    }
}

/// A request of these headers, which should include the pseudo headers, and no body.
impl<H: Into<Headers>> From<H> for Request {
    fn from(headers: H) -> Self {
        let (body, trailers, properties) = (Vec::new(), Headers::new(), Vec::new());
        Self { headers: headers.into(), body, trailers, properties, unfinished: false }
    }
}

/// A response: of an upstream to a request, of a server to a callout, or what a client got.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Response {
    /// The headers, `:status` among them.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Headers,
}

impl Response {
    /// A response with this status and nothing else.
    pub fn new(status: u16) -> Self {
        Self { headers: Headers::from([(":status", status.to_string())]), ..Self::default() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Sets the body and its type, `text/plain`.
    #[must_use]
    pub fn text(self, body: &str) -> Self {
        self.header("content-type", "text/plain").body(body)
    }

    /// Sets the body and its type, `application/json`.
    #[must_use]
    pub fn json(self, body: impl AsRef<[u8]>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers.add(name, value);
        self
    }

    /// The status; 0 if `:status` is missing or no number.
    pub fn status(&self) -> u16 {
        self.headers.text(":status").and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The body as text, with what is not UTF-8 replaced.
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl From<u16> for Response {
    fn from(status: u16) -> Self {
        Self::new(status)
    }
}

impl From<Response> for CallResponse {
    fn from(Response { headers, body, trailers }: Response) -> Self {
        Self { headers, body, trailers }
    }
}
