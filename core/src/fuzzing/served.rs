//! Requests under a configuration and a document, decided and answered as the filter does it, and what holds for the
//! answers.

use serde_json::Value as Json;

use super::NOW;
use super::message::Message;
use crate::Scratch;
use crate::ofrep::{Answer, Asked, Endpoint, MAX_ANSWER_BYTES, Service};
use crate::request::{Bindings, Request, RequestContext, TargetingKey};
use crate::settings::Settings;
use crate::snapshot::Snapshot;

/// What an answer may have beside flags and metadata: names, codes, what was wrong with the body.
const MAX_ERROR_BYTES: usize = 4096;

/// How many flags are asked for one by one.
const MAX_SINGLES: usize = 16;

/// A configuration with a document in force.
pub(super) struct Served {
    pub(super) settings: Settings,
    pub(super) snapshot: Snapshot,
    bindings: Bindings,
    service: Option<Service>,
}

impl Served {
    pub(super) fn new(settings: Settings, snapshot: Snapshot) -> Self {
        let bindings = Bindings::new(&snapshot, &settings.context);
        let service = Service::new(&settings, &snapshot);
        Self { settings, snapshot, bindings, service }
    }

    /// Decides a request.
    pub(super) fn decide(&self, request: &Message<'_>) {
        let Self { settings, snapshot, bindings, .. } = self;
        let key = match settings.context.targeting_key(request) {
            TargetingKey::Known(key) | TargetingKey::Anonymous(key) => Some(key),
            TargetingKey::Absent => None,
        };
        let context = RequestContext::new(request, bindings, &settings.context, key);
        let mut scratch = Scratch::default();
        let decision = snapshot.decide(request, &context, NOW, &mut scratch);
        // Only a gate may take a request from the route that it is written for.
        let written = snapshot.route(request);
        assert!(decision.route == written || decision.gate.is_some(), "{written:?}: {decision:?}");
        assert!(decision.route.is_some() || written.is_none());
        assert_eq!(
            decision,
            snapshot.decide(request, &context, NOW, &mut scratch),
            "a decision is the same again"
        );
        if let Some(upstream) = decision.upstream(snapshot) {
            assert!(is_value(upstream) && !upstream.is_empty(), "no header: {upstream:?}");
            let allowed = settings.upstreams.as_ref();
            assert!(
                allowed.is_none_or(|allowed| allowed.iter().any(|name| name == upstream)),
                "{upstream:?}"
            );
        }
        if let Some(header) = &settings.flag_header {
            let flags = header.flags.iter().filter_map(|key| snapshot.flag(key));
            let mut value = String::new();
            crate::ofrep::write_flag_header(&mut value, snapshot, flags, &context, NOW, &mut scratch);
            assert!(
                is_value(&value) && value.is_ascii() && serde_json::from_str::<Json>(&value).is_ok(),
                "{value}"
            );
        }
        for name in request.names() {
            let spelling: Vec<_> = name
                .iter()
                .map(|byte| if *byte == b'-' { b'_' } else { byte.to_ascii_uppercase() })
                .collect();
            assert_eq!(
                settings.is_reserved(name),
                settings.is_reserved(&spelling),
                "{}",
                name.escape_ascii()
            );
        }
    }

    /// Answers a request under OFREP, if it is one.
    pub(super) fn answer(&self, request: &Message<'_>) {
        let Some(endpoint) = self.service.as_ref().and_then(|_| Endpoint::of(request.path())) else { return };
        let answer = self.ask(&endpoint, request);
        check(&endpoint, request.method(), &answer);
        assert_eq!(answer, self.ask(&endpoint, request), "an answer is the same again");
        if endpoint == Endpoint::Flags && answer.status == 200 {
            self.check_tag(request, &answer);
            self.check_singles(request, &answer);
        }
    }

    /// As the filter does it: what the headers decide, and else the body.
    fn ask(&self, endpoint: &Endpoint, request: &Message<'_>) -> Answer {
        let Self { settings, snapshot, bindings, .. } = self;
        if let Some(answer) = Service::refuse(&settings.ofrep, endpoint, request) {
            return answer;
        }
        let asked = Asked { endpoint, request, settings, snapshot, bindings, now: NOW };
        match &self.service {
            Some(service) => service.answer(&asked, request.body, &mut Scratch::default()),
            None => Answer::default(),
        }
    }

    /// Who has an answer gets 304, and two answers of one tag are the same.
    fn check_tag(&self, request: &Message<'_>, answer: &Answer) {
        let tag = header(answer, "etag").unwrap_or_default();
        let digits = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or_default();
        assert!(digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "no tag: {tag}");
        let again = self.ask(&Endpoint::Flags, &request.with("if-none-match", tag));
        assert_eq!((again.status, header(&again, "etag")), (304, Some(tag)));
        check(&Endpoint::Flags, request.method(), &again);
        let other = self.ask(&Endpoint::Flags, &request.with_body(b"{}"));
        assert!(header(&other, "etag") != Some(tag) || other.body == answer.body, "one tag for two answers");
    }

    /// A flag has the same answer alone as among all. All share a budget of steps and of bytes, and what exceeds it is
    /// a `GENERAL` error.
    fn check_singles(&self, request: &Message<'_>, answer: &Answer) {
        let bulk: Json = serde_json::from_str(&answer.body).unwrap_or_default();
        for flag in bulk.get("flags").and_then(Json::as_array).into_iter().flatten().take(MAX_SINGLES) {
            let key = flag.get("key").and_then(Json::as_str).unwrap_or_default();
            let endpoint = Endpoint::Flag(key.to_owned());
            let single = self.ask(&endpoint, request);
            check(&endpoint, request.method(), &single);
            assert!(
                matches!(single.status, 200 | 400),
                "{key} is there, and its answer is {}",
                single.status
            );
            let single: Json = serde_json::from_str(&single.body).unwrap_or_default();
            let code = flag.get("errorCode").and_then(Json::as_str);
            assert!(single == *flag || code == Some("GENERAL"), "{flag} among all, and alone {single}");
        }
    }
}

/// What docs/reference/ofrep-openapi.yaml says of every answer.
fn check(endpoint: &Endpoint, method: &[u8], answer: &Answer) {
    let Answer { status, headers, body } = answer;
    let expected: &[u16] = match (method, endpoint) {
        (b"OPTIONS", _) => &[204, 403],
        (b"POST", Endpoint::Flag(_)) => &[200, 400, 401, 404, 413, 415],
        (b"POST", Endpoint::Flags) => &[200, 304, 400, 401, 413, 415],
        _ => &[405],
    };
    assert!(expected.contains(status), "{status} to {} of {endpoint:?}", method.escape_ascii());
    for (name, value) in headers {
        assert!(crate::settings::is_token(name) && is_value(value), "no header: {name}: {value:?}");
        assert_eq!(*name, name.to_ascii_lowercase());
    }
    let required = match status {
        304 => Some("etag"),
        401 => Some("www-authenticate"),
        405 => Some("allow"),
        _ => None,
    };
    assert!(required.is_none_or(|name| header(answer, name).is_some()), "{status} without {required:?}");
    if matches!(status, 204 | 304 | 401 | 403) {
        assert!(body.is_empty() && header(answer, "content-type").is_none(), "{status} with a body: {body}");
        return;
    }
    assert_eq!(header(answer, "content-type"), Some("application/json"));
    assert!(body.len() <= MAX_ANSWER_BYTES, "{} bytes", body.len());
    let json = serde_json::from_str(body);
    assert!(json.is_ok(), "no JSON: {body}");
    let json: Json = json.unwrap_or_default();
    match endpoint {
        Endpoint::Flags if *status == 200 => {
            let flags = json.get("flags").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
            members(&json, &["flags"], &["eventStreams", "metadata"]);
            flags.iter().for_each(|flag| check_flag(flag, None));
        }
        Endpoint::Flags => {
            check_failure(&json, &[], &["GENERAL", "INVALID_CONTEXT", "TARGETING_KEY_MISSING"]);
        }
        Endpoint::Flag(key) => {
            check_flag(&json, Some(*status));
            assert_eq!(json.get("key").and_then(Json::as_str), Some(key.as_str()));
        }
    }
}

/// A flag in an answer, with the status that the answer has if it is of this flag alone.
fn check_flag(flag: &Json, status: Option<u16>) {
    if flag.get("errorCode").is_some() {
        let codes: &[&str] = match status {
            Some(404) => &["FLAG_NOT_FOUND"],
            _ => &["PARSE_ERROR", "GENERAL", "INVALID_CONTEXT", "TARGETING_KEY_MISSING"],
        };
        assert_ne!(status, Some(200));
        return check_failure(flag, &["key"], codes);
    }
    assert!(status.is_none_or(|status| status == 200), "{status:?} of {flag}");
    members(flag, &["key", "reason"], &["value", "variant", "metadata"]);
    let reason = flag.get("reason").and_then(Json::as_str).unwrap_or_default();
    assert!(["STATIC", "DEFAULT", "TARGETING_MATCH", "DISABLED"].contains(&reason), "{flag}");
    assert_eq!(flag.get("value").is_some(), flag.get("variant").is_some(), "{flag}");
    assert!(
        flag.get("variant").is_none_or(Json::is_string) && flag.get("metadata").is_none_or(Json::is_object)
    );
}

fn check_failure(failure: &Json, more: &[&str], codes: &[&str]) {
    let required = [more, &["errorCode", "errorDetails"]].concat();
    members(failure, &required, &["metadata"]);
    let code = failure.get("errorCode").and_then(Json::as_str).unwrap_or_default();
    assert!(codes.contains(&code), "{failure}");
    let details = failure.get("errorDetails").and_then(Json::as_str).unwrap_or_default();
    assert!(!details.is_empty() && details.len() <= MAX_ERROR_BYTES, "{failure}");
}

/// Whether an object has all of these members, and no others but those.
fn members(object: &Json, required: &[&str], optional: &[&str]) {
    let members = object.as_object();
    assert!(members.is_some(), "no object: {object}");
    let Some(members) = members else { return };
    assert!(required.iter().all(|name| members.contains_key(*name)), "{object} lacks one of {required:?}");
    let unknown = members.keys().find(|name| ![required, optional].concat().contains(&name.as_str()));
    assert_eq!(unknown, None, "{object}");
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
}

/// Whether a text can be the value of a header (RFC 9110, section 5.5).
pub(super) fn is_value(text: &str) -> bool {
    text.bytes().all(|byte| !byte.is_ascii_control()) && text.trim_ascii().len() == text.len()
}
