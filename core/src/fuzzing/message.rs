//! Requests as text, so that what a fuzzer changes is a method, a path, a header or a body.

use crate::request::Request;
use crate::settings::is_token;

/// A line with method and path, lines with headers, an empty line, and the body; as much of it as there is.
pub(super) struct Message<'a> {
    method: &'a [u8],
    path: &'a [u8],
    headers: Vec<(Vec<u8>, &'a [u8])>,
    pub(super) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a request. What a proxy would refuse is left out: headers whose names are no names.
    pub(super) fn parse(text: &'a [u8]) -> Self {
        let (head, body) = match text.windows(2).position(|pair| pair == b"\n\n") {
            Some(end) => (text.get(..end).unwrap_or_default(), text.get(end + 2..).unwrap_or_default()),
            None => (text, &b""[..]),
        };
        let mut lines = head.split(|byte| *byte == b'\n');
        let (method, path) = halves(lines.next().unwrap_or_default(), b' ');
        let headers = lines.map(|line| halves(line, b':')).filter_map(|(name, value)| {
            let name = name.to_ascii_lowercase();
            let is_name = std::str::from_utf8(&name).is_ok_and(is_token);
            is_name.then(|| (name, value.trim_ascii()))
        });
        Self { method, path, headers: headers.collect(), body }
    }

    /// The same request with one header more, which stands before all others.
    pub(super) fn with(&self, name: &str, value: &'a str) -> Self {
        let mut headers = vec![(name.as_bytes().to_vec(), value.as_bytes())];
        headers.extend(self.headers.iter().cloned());
        Self { headers, ..*self }
    }

    /// The same request with another body.
    pub(super) fn with_body(&self, body: &'a [u8]) -> Self {
        Self { headers: self.headers.clone(), body, ..*self }
    }

    /// The headers' names.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.headers.iter().map(|(name, _)| name.as_slice())
    }
}

impl Request for Message<'_> {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_slice(), *value))
    }

    fn method(&self) -> &[u8] {
        self.method
    }

    fn host(&self) -> &[u8] {
        self.header(b"host").unwrap_or_default()
    }

    fn path(&self) -> &[u8] {
        self.path
    }

    fn property(&self, name: &str) -> Option<&str> {
        // A property is another header to us: what it holds comes from outside as well.
        self.header(name.as_bytes()).and_then(|value| std::str::from_utf8(value).ok())
    }
}

/// What stands before the first `separator`, and what behind it.
fn halves(text: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let at = text.iter().position(|byte| *byte == separator).unwrap_or(text.len());
    (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default())
}
