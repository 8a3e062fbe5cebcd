//! Who may ask: tokens, browsers' origins, methods and sizes; all that is known before the body comes.

use super::{Answer, Endpoint};
use crate::request::Request;
use crate::settings::OfrepSettings;

/// The methods that the endpoints have.
const METHODS: &str = "OPTIONS, POST";

/// What scripts of other origins may send: what OFREP's clients do, and what tracing adds to every request.
const REQUEST_HEADERS: &str =
    "authorization, content-type, if-none-match, x-api-key, traceparent, tracestate";

/// How long a browser may keep a preflight's answer; more than two hours no browser does.
const PREFLIGHT_SECONDS: &str = "7200";

impl OfrepSettings {
    /// The answer to a request that is not to be evaluated, from its headers alone; `None` where its body decides.
    pub(super) fn refusal<R: Request + ?Sized>(&self, endpoint: &Endpoint, request: &R) -> Option<Answer> {
        match request.method() {
            b"OPTIONS" => return Some(self.options(request)),
            b"POST" => {}
            _ => {
                return Some(
                    Answer::refused(endpoint, 405, "flags are evaluated by POST").with("allow", METHODS),
                );
            }
        }
        if !self.admits(request) {
            // RFC 9110, section 15.5.2, requires the header.
            return Some(Answer::bare(401).with("www-authenticate", "Bearer"));
        }
        let length = request.header(b"content-length").and_then(|length| str::from_utf8(length).ok());
        if length.is_some_and(|length| length.parse().is_ok_and(|length: u64| self.is_too_long(length))) {
            return Some(self.too_long(endpoint));
        }
        let media_type = request.header(b"content-type");
        if !media_type.is_none_or(is_json) {
            return Some(Answer::refused(
                endpoint,
                415,
                "the body must be JSON: send `content-type: application/json`",
            ));
        }
        None
    }

    pub(super) fn is_too_long(&self, bytes: u64) -> bool {
        bytes > u64::from(self.max_body_bytes)
    }

    pub(super) fn too_long(&self, endpoint: &Endpoint) -> Answer {
        Answer::refused(endpoint, 413, &format!("the body is longer than {} bytes", self.max_body_bytes))
    }

    pub(super) fn too_many(&self, endpoint: &Endpoint) -> Answer {
        let details = format!("{} requests wait for their bodies already: ask again", self.max_waiting());
        Answer::refused(endpoint, 503, &details).with("retry-after", "1")
    }

    /// A preflight, or a mere question for the methods. A preflight carries no token.
    fn options<R: Request + ?Sized>(&self, request: &R) -> Answer {
        let is_preflight = request.header(b"access-control-request-method").is_some();
        match request.header(b"origin") {
            Some(origin) if is_preflight => match self.allowed(origin) {
                Some(_) => Answer::bare(204)
                    .with("access-control-allow-methods", "POST")
                    .with("access-control-allow-headers", REQUEST_HEADERS)
                    .with("access-control-max-age", PREFLIGHT_SECONDS),
                None => Answer::bare(403),
            },
            _ => Answer::bare(204).with("allow", METHODS),
        }
    }

    /// Tells the browser of a script of another origin that it may see this answer.
    pub(super) fn expose<R: Request + ?Sized>(&self, request: &R, mut answer: Answer) -> Answer {
        if self.origins.is_empty() {
            return answer;
        }
        if !self.origins.iter().any(|origin| origin == "*") {
            answer = answer.with("vary", "origin");
        }
        match request.header(b"origin").and_then(|origin| self.allowed(origin)) {
            Some(origin) => answer
                .with("access-control-allow-origin", origin)
                .with("access-control-expose-headers", "etag"),
            None => answer,
        }
    }

    /// The origin as the browser is to be told.
    fn allowed(&self, origin: &[u8]) -> Option<String> {
        if self.origins.iter().any(|allowed| allowed == "*") {
            return Some("*".to_owned());
        }
        let is = |allowed: &&String| allowed.as_bytes().eq_ignore_ascii_case(origin);
        self.origins.iter().find(is)?;
        str::from_utf8(origin).ok().map(str::to_owned)
    }

    /// Whether the request carries one of the tokens, or needs none.
    fn admits<R: Request + ?Sized>(&self, request: &R) -> bool {
        self.tokens.as_ref().is_none_or(|tokens| {
            let key = request.header(b"x-api-key").is_some_and(|key| tokens.contain(key));
            tokens.admit(request.header(b"authorization")) | key
        })
    }
}

/// Whether a media type is JSON's, or one with its suffix (RFC 6839).
fn is_json(media_type: &[u8]) -> bool {
    let essence = media_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let essence = essence.to_ascii_lowercase();
    essence == b"application/json" || (essence.starts_with(b"application/") && essence.ends_with(b"+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_several_names() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"] {
            assert!(is_json(json.as_bytes()), "{json}");
        }
        for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", "text/json"]
        {
            assert!(!is_json(other.as_bytes()), "{other}");
        }
    }
}
