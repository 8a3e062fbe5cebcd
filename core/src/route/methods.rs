//! Which methods a request could mean, for gates.
//!
//! Frameworks let a `POST` say that it means another method, by a header or by a parameter of the query, and each reads
//! them in its own way. So whatever any of them could read counts. It is found out once for a request, however many gates
//! there are.

use crate::request::{Request, query};
use crate::settings::is_same_header;

/// Headers by which frameworks let a request say that it means another method.
const OVERRIDE_HEADERS: [&[u8]; 3] = [b"x-http-method-override", b"x-http-method", b"x-method-override"];

/// With more methods than this, a request could mean any.
const MAX_METHODS: usize = 8;

/// The methods that a request could mean besides its own.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    methods: Vec<Vec<u8>>,
    /// Whether it could mean any.
    any: bool,
}

impl Overrides {
    /// Reads headers and query, in one pass over each.
    pub(crate) fn of<R: Request + ?Sized>(request: &R) -> Self {
        let mut overrides = Self::default();
        let is_override = |name: &[u8]| OVERRIDE_HEADERS.iter().any(|known| is_same_header(name, known));
        for (_, value) in request.headers().filter(|(name, _)| is_override(name)) {
            overrides.add(value);
        }
        // Some parsers split at semicolons, too.
        let parameters = query(request.path()).split(|byte| matches!(byte, b'&' | b';'));
        for parameter in parameters.filter(|parameter| could_override(parameter)) {
            for (name, value) in form_urlencoded::parse(parameter) {
                if is_override_parameter(&name) {
                    overrides.add(value.as_bytes());
                }
            }
        }
        overrides
    }

    /// Of a value with several methods, some take the first and some the last.
    fn add(&mut self, value: &[u8]) {
        for method in value.split(|byte| *byte == b',') {
            let blank = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
            let start = method.iter().position(|byte| !blank(byte)).unwrap_or(method.len());
            let end = method.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
            let method = method.get(start..end).unwrap_or_default();
            if self.methods.iter().any(|known| known.eq_ignore_ascii_case(method)) {
                continue;
            }
            if self.methods.len() == MAX_METHODS {
                self.any = true;
                return;
            }
            self.methods.push(method.to_vec());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.methods.is_empty()
    }

    /// Whether it could mean any method.
    pub(super) fn is_any(&self) -> bool {
        self.any
    }

    /// Each method that it could mean.
    pub(super) fn methods(&self) -> impl Iterator<Item = &[u8]> {
        self.methods.iter().map(Vec::as_slice)
    }

    /// Whether a server could take the request, whose own method is `own`, for one with this method.
    pub(crate) fn could_mean(&self, own: &[u8], method: &[u8]) -> bool {
        self.any || is_taken_for(own, method) || self.methods().any(|other| is_taken_for(other, method))
    }
}

/// Whether a server could take one method for another: it answers HEAD as it does GET, without the body.
pub(super) fn is_taken_for(method: &[u8], other: &[u8]) -> bool {
    method.eq_ignore_ascii_case(other)
        || (other.eq_ignore_ascii_case(b"GET") && method.eq_ignore_ascii_case(b"HEAD"))
}

/// Whether a parameter could be such a one; most could not, and need not be decoded.
fn could_override(parameter: &[u8]) -> bool {
    let name = parameter.split(|byte| *byte == b'=').next().unwrap_or_default();
    name.contains(&b'%') || name.windows(6).any(|six| six.eq_ignore_ascii_case(b"method"))
}

/// Whether a parameter is `_method` for some server: PHP drops blanks before a name, and takes what is no letter for `_`;
/// many take `_method[]` for a list.
fn is_override_parameter(name: &str) -> bool {
    // Longer names are none, whatever stands around the word.
    if name.len() > 64 {
        return false;
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let bytes = name.as_bytes();
    let Some(start) = bytes.iter().position(|byte| plain(*byte)) else { return false };
    let rest = bytes.get(start..).unwrap_or_default();
    let (word, tail) = rest.split_at(rest.len().min(6));
    // `_method[x]` is a list as well.
    let ends = tail.first() == Some(&b'[') || tail.iter().all(|byte| !plain(*byte));
    start > 0 && word.eq_ignore_ascii_case(b"method") && ends
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sent<'a> {
        path: String,
        headers: &'a [(&'a str, &'a str)],
    }

    impl Request for Sent<'_> {
        fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
            self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        }

        fn method(&self) -> &[u8] {
            b"POST"
        }

        fn host(&self) -> &[u8] {
            b""
        }

        fn path(&self) -> &[u8] {
            self.path.as_bytes()
        }

        fn property(&self, _: &str) -> Option<&str> {
            None
        }
    }

    fn of_query(query: &str) -> Overrides {
        Overrides::of(&Sent { path: format!("/x?{query}"), headers: &[] })
    }

    #[test]
    fn every_reading_of_an_override_counts() {
        for query in [
            "_method=DELETE",
            "a=1&_method=delete",
            "%5Fmethod=DELETE",
            "_metho%64=DELETE",
            ".method=DELETE",
            "[method=DELETE",
            "+_method=DELETE",
            "x=1;_method=DELETE",
            "_method=%20DELETE",
            "_method=DELETE%00",
            "_method[]=DELETE",
            "_method[0]=DELETE",
            "_method=PUT,DELETE",
            "_method=PUT&_method=DELETE",
        ] {
            let overrides = of_query(query);
            assert!(overrides.could_mean(b"POST", b"DELETE"), "{query}");
            assert!(
                overrides.could_mean(b"POST", b"POST") && !overrides.could_mean(b"POST", b"PATCH"),
                "{query}"
            );
        }
        for value in ["DELETE", " delete ", "DELETE,x", "PUT, DELETE"] {
            let overrides =
                Overrides::of(&Sent { path: "/x".to_owned(), headers: &[("x_http_method_override", value)] });
            assert!(overrides.could_mean(b"POST", b"DELETE"), "{value}");
        }
    }

    #[test]
    fn what_only_resembles_an_override_is_none() {
        for query in
            ["", "method=DELETE", "payment_method=DELETE", "a=_method", "_methods=DELETE", "x%5Fy=DELETE"]
        {
            assert!(of_query(query).is_empty(), "{query}");
        }
    }

    #[test]
    fn with_very_many_a_request_could_mean_any() {
        let query: Vec<_> = (0..=MAX_METHODS).map(|number| format!("_method=M{number}")).collect();
        let overrides = of_query(&query.join("&"));
        assert!(overrides.is_any() && overrides.could_mean(b"POST", b"DELETE"));
    }
}
