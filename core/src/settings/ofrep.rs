//! OpenFeature's remote evaluation protocol at the proxy: whether, for whom, and which flags.

use std::fmt;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::Tokens;

/// How OFREP is served.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OfrepSettings {
    /// Whether it is served at all; where not, its paths go to the upstream like any other.
    #[serde(default)]
    pub enabled: bool,
    /// The tokens one of which a request must carry; without them, whoever reaches the proxy may ask.
    #[serde(default, deserialize_with = "tokens")]
    pub tokens: Option<Tokens>,
    /// The origins whose scripts may ask from a browser; `*` for all.
    #[serde(default, deserialize_with = "origins")]
    pub origins: Vec<String>,
    /// Which flags callers may see.
    #[serde(default)]
    pub flags: VisibleFlags,
    /// How long a body may be, in bytes.
    #[serde(default = "default_max_body_bytes", deserialize_with = "body_bytes")]
    pub max_body_bytes: u32,
    /// Whether callers are believed about themselves: what a body states then counts for more than what the proxy knows.
    #[serde(default)]
    pub trust_context: bool,
    /// Whether a request without any targeting key is an error.
    #[serde(default)]
    pub require_targeting_key: bool,
    /// Streams that tell of changes, as clients are told of them.
    #[serde(default, deserialize_with = "streams")]
    pub event_streams: Vec<EventStream>,
}

fn default_max_body_bytes() -> u32 {
    64 * 1024
}

/// How many requests of one VM may wait for their bodies, and how many bytes those bodies may have together. The proxy
/// holds what came of them, and a caller may be as slow as it likes.
const MAX_WAITING: u32 = 1024;
const MAX_WAITING_BYTES: u32 = 64 * 1024 * 1024;

impl OfrepSettings {
    /// How many requests may wait for their bodies in one VM.
    pub fn max_waiting(&self) -> u32 {
        (MAX_WAITING_BYTES / self.max_body_bytes.max(1)).min(MAX_WAITING)
    }
}

impl Default for OfrepSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            tokens: None,
            origins: Vec::new(),
            flags: VisibleFlags::default(),
            max_body_bytes: default_max_body_bytes(),
            trust_context: false,
            require_targeting_key: false,
            event_streams: Vec::new(),
        }
    }
}

/// Which flags callers may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VisibleFlags {
    /// All of them.
    #[default]
    All,
    /// Those whose metadata says `"client": true`.
    Client,
    /// These.
    Listed(Vec<String>),
}

/// A stream that tells of changes. The names are OFREP's own.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventStream {
    /// What it is; only server-sent events are defined.
    #[serde(rename = "type", default)]
    pub kind: StreamKind,
    /// Where it is, as a whole URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where it is, in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<StreamEndpoint>,
    /// After how many seconds in the background a client shall close it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactivity_delay_sec: Option<std::num::NonZeroU32>,
}

/// The kind of a stream.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum StreamKind {
    /// Server-sent events.
    #[default]
    Sse,
}

/// Where a stream is, in parts.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StreamEndpoint {
    /// Scheme, host and port; where clients ask for flags, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Path and query.
    #[serde(deserialize_with = "super::names::path")]
    pub request_uri: String,
}

/// An empty list would be an accident either way.
fn tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Tokens>, D::Error> {
    let tokens = Tokens::deserialize(deserializer)?;
    if tokens.is_empty() {
        let message = "no token would be accepted: list one, or leave `tokens` out to let everybody ask";
        return Err(D::Error::custom(message));
    }
    Ok(Some(tokens))
}

fn origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let origins = Vec::<String>::deserialize(deserializer)?;
    match origins.iter().find(|origin| *origin != "*" && !is_origin(origin)) {
        Some(wrong) => Err(not_an_origin(wrong)),
        None => Ok(origins),
    }
}

fn not_an_origin<E: Error>(wrong: &str) -> E {
    E::custom(format!(
        "`{wrong}` is not an origin: write scheme, host and, unless it is the usual one, port, such as \
         `https://shop.example.com`"
    ))
}

/// Whether it is scheme, host and perhaps port, and nothing behind them.
fn is_origin(text: &str) -> bool {
    let host = text.split_once("://").filter(|(scheme, _)| !scheme.is_empty()).map(|(_, host)| host);
    host.is_some_and(|host| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@*\"".contains(&byte))
    })
}

fn body_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let bytes = u32::deserialize(deserializer)?;
    // Envoy holds back 1 MiB of a body at most, unless it is told otherwise.
    match (1..=1024 * 1024).contains(&bytes) {
        true => Ok(bytes),
        false => Err(D::Error::custom(format!("`{bytes}` must be from 1 to 1048576 (1 MiB)"))),
    }
}

fn streams<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EventStream>, D::Error> {
    let streams = Vec::<EventStream>::deserialize(deserializer)?;
    for EventStream { url, endpoint, .. } in &streams {
        match (url, endpoint) {
            (Some(url), None) if !url.contains("://") || !url.bytes().all(|byte| byte.is_ascii_graphic()) => {
                return Err(D::Error::custom(format!(
                    "`{url}` is not a whole URL; for a path, use `endpoint`"
                )));
            }
            (None, Some(StreamEndpoint { origin: Some(origin), .. })) if !is_origin(origin) => {
                return Err(not_an_origin(origin));
            }
            (Some(_), None) | (None, Some(_)) => {}
            _ => return Err(D::Error::custom("a stream has either `url` or `endpoint`")),
        }
    }
    Ok(streams)
}

impl<'de> Deserialize<'de> for VisibleFlags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = VisibleFlags;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`all`, `client` or an array of the keys of flags")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<VisibleFlags, E> {
                match text {
                    "all" => Ok(VisibleFlags::All),
                    "client" => Ok(VisibleFlags::Client),
                    _ => Err(E::custom(format!(
                        "`{text}` is not known; allowed are `all`, `client` and an array of the keys of flags"
                    ))),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut keys: A) -> Result<VisibleFlags, A::Error> {
                let mut listed = Vec::new();
                while let Some(key) = keys.next_element()? {
                    listed.push(key);
                }
                Ok(VisibleFlags::Listed(listed))
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Settings, VisibleFlags};

    fn error(ofrep: &str) -> String {
        Settings::parse(format!(r#"{{"ofrep": {ofrep}}}"#).as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn nothing_is_served_unless_it_is_enabled() {
        for configuration in ["{}", r#"{"ofrep": {}}"#, r#"{"ofrep": {"tokens": ["t"]}}"#] {
            assert!(!Settings::parse(configuration.as_bytes()).unwrap().ofrep.enabled);
        }
    }

    #[test]
    fn everything_that_there_is_is_understood() {
        let settings = Settings::parse(
            br#"{"ofrep": {
                "enabled": true, "tokens": ["abc"], "origins": ["https://shop.example.com", "http://localhost:3000"],
                "flags": ["a", "b"], "maxBodyBytes": 1000, "trustContext": true, "requireTargetingKey": true,
                "eventStreams": [ { "endpoint": { "requestUri": "/ofrep/v1/stream" }, "inactivityDelaySec": 60 },
                                  { "type": "sse", "url": "https://sse.example.com/s?c=1" } ] } }"#,
        );
        let ofrep = settings.unwrap().ofrep;
        assert!(ofrep.enabled && ofrep.trust_context && ofrep.require_targeting_key);
        assert_eq!(ofrep.flags, VisibleFlags::Listed(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(
            serde_json::to_string(&ofrep.event_streams).unwrap(),
            r#"[{"type":"sse","endpoint":{"requestUri":"/ofrep/v1/stream"},"inactivityDelaySec":60},{"type":"sse","url":"https://sse.example.com/s?c=1"}]"#
        );
    }

    #[test]
    fn errors_name_the_place_and_what_would_be_right() {
        for (ofrep, parts) in [
            (r#"{"enabled": "yes"}"#, &["$.ofrep.enabled", "a boolean"][..]),
            (r#"{"tokens": []}"#, &["$.ofrep.tokens", "leave `tokens` out"]),
            (r#"{"tokens": ["ok", "a b"]}"#, &["$.ofrep.tokens[1]", "without spaces"]),
            (r#"{"origins": ["shop.example.com"]}"#, &["$.ofrep.origins", "`shop.example.com`", "https://"]),
            (r#"{"origins": ["https://a.example/"]}"#, &["`https://a.example/`"]),
            (r#"{"flags": "some"}"#, &["$.ofrep.flags", "`some`", "`client`"]),
            (r#"{"flags": true}"#, &["$.ofrep.flags", "`client`"]),
            (r#"{"maxBodyBytes": 0}"#, &["$.ofrep.maxBodyBytes", "1048576"]),
            (r#"{"maxBodyBytes": 2000000}"#, &["$.ofrep.maxBodyBytes", "`2000000`"]),
            (r#"{"eventStreams": [{}]}"#, &["$.ofrep.eventStreams", "either `url` or `endpoint`"]),
            (r#"{"eventStreams": [{"url": "/s"}]}"#, &["`/s`", "`endpoint`"]),
            (r#"{"eventStreams": [{"type": "ws", "url": "wss://a/"}]}"#, &["`ws`", "`sse`"]),
            (r#"{"eventStreams": [{"endpoint": {"requestUri": "s"}}]}"#, &["requestUri", "`s`"]),
        ] {
            let error = error(ofrep);
            for part in parts {
                assert!(error.contains(part), "{ofrep}: {error}: lacks {part}");
            }
        }
        assert!(!error(r#"{"tokens": ["ok", "sec ret"]}"#).contains("sec"), "a token is never logged");
    }
}
