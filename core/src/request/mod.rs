//! Requests as rules and routes see them.
//!
//! Header values are bytes and need not be text. A value that is not UTF-8 reads as absent in a rule: it cannot equal
//! anything that a document says.

mod context;
mod cookie;
mod host;

pub use context::{Bindings, RequestContext, TargetingKey};
pub(crate) use host::{Host, host_name};

/// A request, as far as deciding needs it.
pub trait Request {
    /// Every header in the order it came, without pseudo-headers; names in lower case.
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])>;

    /// The method, such as `GET`.
    fn method(&self) -> &[u8];

    /// The host that was asked for, possibly with a port.
    fn host(&self) -> &[u8];

    /// The path with the query.
    fn path(&self) -> &[u8];

    /// A property that the proxy knows by `name`, such as `source.address`.
    fn property(&self, name: &str) -> Option<&str>;

    /// The first value of a header; `name` in lower case.
    fn header(&self, name: &[u8]) -> Option<&[u8]> {
        self.headers().find(|(header, _)| *header == name).map(|(_, value)| value)
    }
}

/// A path without its query and fragment.
pub(crate) fn path_only(path: &[u8]) -> &[u8] {
    path.iter()
        .position(|byte| matches!(byte, b'?' | b'#'))
        .map_or(path, |end| path.get(..end).unwrap_or(path))
}

/// The query of a path, without its question mark.
pub(crate) fn query(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|byte| *byte == b'?').map_or(path.len(), |mark| mark + 1);
    let query = path.get(start..).unwrap_or_default();
    query.split(|byte| *byte == b'#').next().unwrap_or_default()
}

/// A path without its query; a fragment, which no client sends, is left to it.
pub(crate) fn without_query(path: &[u8]) -> &[u8] {
    path.split(|byte| *byte == b'?').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_query() {
        assert_eq!(path_only(b"/a?b?c#d"), b"/a");
        assert_eq!(query(b"/a?b?c#d"), b"b?c");
        assert_eq!(query(b"/a"), b"");
    }
}
