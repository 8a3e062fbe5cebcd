//! The plugin's configuration: where rules come from and what may be trusted. It is the operator's, as the document is
//! the release manager's, and whoever decides requests (the filter, the command line) reads it here.

mod duration;
mod error;
mod names;
mod ofrep;
mod reserved;
mod status;
mod tokens;
mod trust;

pub use duration::parse as parse_duration;
pub use error::SettingsError;
pub(crate) use names::is_token;
pub use ofrep::{EventStream, OfrepSettings, StreamEndpoint, StreamKind, VisibleFlags};
pub(crate) use reserved::is_same_header;
pub use status::StatusSettings;
pub use tokens::{InvalidToken, Tokens};

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::signature::{PublicKey, Trust};

/// The plugin configuration, checked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// The proxy that runs the module.
    #[serde(default)]
    pub host: Host,
    /// Where the document is fetched from; without it, the inlined document is all there is.
    #[serde(default)]
    pub source: Option<Source>,
    /// The inlined document: what is in force until one was fetched.
    #[serde(default)]
    pub document: Option<Box<RawValue>>,
    /// Where the evaluation context comes from.
    #[serde(default)]
    pub context: ContextSettings,
    /// All upstreams that a document may choose; any, when absent.
    #[serde(default)]
    pub upstreams: Option<Vec<String>>,
    /// The request header that names the upstream, in lower case.
    #[serde(default = "default_upstream_header", deserialize_with = "names::header")]
    pub upstream_header: String,
    /// The request header that tells the upstream which flags are on.
    #[serde(default)]
    pub flag_header: Option<FlagHeader>,
    /// OpenFeature's remote evaluation protocol.
    #[serde(default)]
    pub ofrep: OfrepSettings,
    /// What becomes of requests while there is no document yet.
    #[serde(default)]
    pub startup: Startup,
    /// A hash of the configuration as it was read.
    #[serde(skip)]
    pub fingerprint: u64,
    /// Who may ask for the status page, and where; without it there is none.
    #[serde(default)]
    pub status: Option<StatusSettings>,
}

fn default_upstream_header() -> String {
    "x-turquoise-upstream".to_owned()
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            host: Host::default(),
            source: None,
            document: None,
            context: ContextSettings::default(),
            upstreams: None,
            upstream_header: default_upstream_header(),
            flag_header: None,
            ofrep: OfrepSettings::default(),
            startup: Startup::default(),
            fingerprint: 0,
            status: None,
        }
    }
}

/// A proxy.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Host {
    /// Envoy, and everything built on it.
    #[default]
    Envoy,
}

/// What becomes of requests while there is no document, neither an inlined one nor one that was ever fetched.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Startup {
    /// They go their own way, undecided.
    #[default]
    Open,
    /// They are answered with 503, so that gates hold from the first request on.
    Closed,
}

/// What a document's `metadata.version` means.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Versions {
    /// It is a name, and nothing is refused for it: what the source serves is what holds.
    #[default]
    Label,
    /// A document with an older version than the one that the source gave before is refused.
    Increasing,
}

/// An HTTP origin of the document.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// The proxy's cluster that leads there.
    #[serde(deserialize_with = "names::cluster")]
    pub cluster: String,
    /// The `:authority` to ask for; the cluster's name when absent.
    #[serde(default, deserialize_with = "names::authority")]
    pub authority: Option<String>,
    /// The path to ask for.
    #[serde(default = "default_path", deserialize_with = "names::path")]
    pub path: String,
    /// How long between two requests.
    #[serde(default = "default_interval", deserialize_with = "duration::at_least_10_ms")]
    pub interval: Duration,
    /// How long a request may take.
    #[serde(default = "default_timeout", deserialize_with = "duration::at_least_10_ms")]
    pub timeout: Duration,
    /// How long the source may wait for something newer before it answers (`Prefer: wait`, RFC 7240); without it the
    /// source is polled.
    #[serde(default, deserialize_with = "duration::seconds")]
    pub long_poll: Option<Duration>,
    /// More headers to send, such as `authorization`.
    #[serde(default, deserialize_with = "names::headers")]
    pub headers: BTreeMap<String, String>,
    /// Whose signature a document must carry: one of these keys'. Any document is taken when there are none.
    #[serde(default, deserialize_with = "trust::public_keys")]
    pub public_keys: Vec<PublicKey>,
    /// Whom documents must be signed for; without it, they may be for anybody.
    #[serde(default, deserialize_with = "trust::audience")]
    pub audience: Option<String>,
    /// The largest document that is taken, in bytes.
    #[serde(default = "trust::default_max_bytes", deserialize_with = "trust::max_bytes")]
    pub max_bytes: usize,
    /// What the `metadata.version` of a document means.
    #[serde(default)]
    pub versions: Versions,
}

impl Source {
    /// A hash of what makes it this source: where it is, and the path. Not the credentials, which are replaced while the
    /// document stays.
    pub fn identity(&self) -> u64 {
        // None of these holds a newline.
        let authority = self.authority.as_deref().unwrap_or(&self.cluster);
        crate::fingerprint(format!("{}\n{authority}\n{}", self.cluster, self.path).as_bytes())
    }

    /// Whom this configuration believes.
    pub fn trust(&self) -> Trust<'_> {
        Trust { keys: &self.public_keys, audience: self.audience.as_deref() }
    }

    /// Whether documents must be signed.
    pub fn is_signed(&self) -> bool {
        !self.public_keys.is_empty()
    }

    /// The path without its query, which may hold a secret: what metrics and the status page name the source by.
    pub fn path_alone(&self) -> &str {
        self.path.split_once('?').map_or(&self.path, |(path, _)| path)
    }
}

fn default_path() -> String {
    "/document.json".to_owned()
}

fn default_interval() -> Duration {
    Duration::from_secs(5)
}

fn default_timeout() -> Duration {
    Duration::from_secs(2)
}

/// Where the evaluation context comes from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContextSettings {
    /// Where the targeting key is looked for, in this order.
    #[serde(default = "default_targeting_key")]
    pub targeting_key: Vec<KeySource>,
    /// Attributes by the names that rules use.
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeSource>,
}

impl Default for ContextSettings {
    fn default() -> Self {
        Self { targeting_key: default_targeting_key(), attributes: BTreeMap::new() }
    }
}

fn default_targeting_key() -> Vec<KeySource> {
    vec![KeySource::AnonymousCookie("tq_id".to_owned())]
}

/// A place where a targeting key may be.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeySource {
    /// A request header, in lower case.
    #[serde(deserialize_with = "names::header")]
    Header(String),
    /// A cookie that the application sets.
    #[serde(deserialize_with = "names::token")]
    Cookie(String),
    /// A cookie that keeps an anonymous id, set by the filter where a request has none. It always ends the search.
    #[serde(deserialize_with = "names::token")]
    AnonymousCookie(String),
}

/// A place where an attribute comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttributeSource {
    /// A request header, in lower case.
    #[serde(deserialize_with = "names::header")]
    Header(String),
    /// A cookie.
    #[serde(deserialize_with = "names::token")]
    Cookie(String),
    /// A parameter of the query.
    Query(String),
    /// A property of the proxy, such as `source.address`.
    Property(String),
}

/// The header that carries flags to the upstream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FlagHeader {
    /// Its name, in lower case.
    #[serde(default = "default_flag_header", deserialize_with = "names::header")]
    pub name: String,
    /// The keys of the flags it carries.
    pub flags: Vec<String>,
}

fn default_flag_header() -> String {
    "x-turquoise-flags".to_owned()
}

impl Settings {
    /// Reads a configuration. Unknown keys are errors; an empty configuration has every default.
    ///
    /// # Errors
    /// When it is not JSON, has an unknown key or a value that is not allowed: the message names the key and what is
    /// allowed.
    pub fn parse(configuration: &[u8]) -> Result<Self, SettingsError> {
        let text = std::str::from_utf8(configuration).map_err(|error| SettingsError::not_text(&error))?;
        let text = if text.trim_ascii().is_empty() { "{}" } else { text };
        // An array would be taken for the values of the keys in their order.
        if text.trim_ascii_start().starts_with('[') {
            return Err(SettingsError::not_an_object(text));
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let mut settings: Self = serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| SettingsError::of(text, Some(error.path()), error.inner()))?;
        deserializer.end().map_err(|error| SettingsError::of(text, None, &error))?;
        if settings.startup == Startup::Closed && settings.source.is_none() && settings.document.is_none() {
            return Err(SettingsError::closed_for_ever(text));
        }
        if settings
            .source
            .as_ref()
            .is_some_and(|source| source.audience.is_some() && source.public_keys.is_empty())
        {
            return Err(SettingsError::unsigned_audience(text));
        }
        settings.fingerprint = crate::fingerprint(configuration);
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(configuration: &str) -> String {
        Settings::parse(configuration.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_contract_is_understood() {
        let settings = Settings::parse(
            br#"{
              "host": "envoy",
              "source": { "cluster": "turquoise_config", "authority": "config.internal", "path": "/document.json",
                          "interval": "5s", "timeout": "200ms", "headers": { "Authorization": "Bearer x" } },
              "document": { "flags": {} },
              "context": {
                "targetingKey": [ { "header": "X-User-Id" }, { "cookie": "uid" }, { "anonymousCookie": "tq_id" } ],
                "attributes": { "email": { "header": "x-user-email" }, "ip": { "property": "source.address" } } },
              "upstreams": ["checkout_blue", "checkout_green"],
              "upstreamHeader": "x-turquoise-upstream",
              "flagHeader": { "name": "x-turquoise-flags", "flags": ["new-summary"] },
              "status": { "path": "/.turquoise/status", "tokens": ["s3cret"] }
            }"#,
        )
        .unwrap();
        assert!(settings.status.unwrap().tokens.admit(Some(b"Bearer s3cret")));
        let source = settings.source.unwrap();
        assert!((source.public_keys.len(), source.max_bytes) == (0, 16 << 20));
        assert!((source.versions, settings.startup) == (Versions::Label, Startup::Open));
        assert_eq!((source.interval, source.timeout), (Duration::from_secs(5), Duration::from_millis(200)));
        assert_eq!(source.headers.keys().next().unwrap(), "authorization");
        assert_eq!(settings.document.unwrap().get(), r#"{ "flags": {} }"#);
        assert!(matches!(&settings.context.targeting_key[0], KeySource::Header(name) if name == "x-user-id"));
    }

    #[test]
    fn a_source_is_where_it_is_and_not_what_is_sent_there() {
        let identity = |more: &str| {
            let configuration = format!(r#"{{"source": {{"cluster": "c"{more}}}}}"#);
            Settings::parse(configuration.as_bytes()).unwrap().source.unwrap().identity()
        };
        for same in [
            r#", "headers": { "authorization": "Bearer old" }"#,
            r#", "headers": { "authorization": "Bearer new" }, "interval": "1s", "longPoll": "9s""#,
            r#", "authority": "c", "path": "/document.json", "versions": "increasing", "maxBytes": 9"#,
        ] {
            assert_eq!(identity(same), identity(""), "{same}");
        }
        for other in
            [r#", "authority": "d""#, r#", "path": "/other.json""#, r#", "path": "/document.json?team=b""#]
        {
            assert_ne!(identity(other), identity(""), "{other}");
        }
    }

    #[test]
    fn nothing_is_needed() {
        let settings = Settings::parse(b"").unwrap();
        assert_eq!(settings.upstream_header, "x-turquoise-upstream");
        assert!(settings.source.is_none() && settings.upstreams.is_none());
    }

    #[test]
    fn errors_name_the_key_and_what_is_allowed() {
        for (configuration, parts) in [
            (r#"{"sorce": {}}"#, &["`sorce`", "`source`", "line 1"][..]),
            (
                r#"{"source": {"cluster": "c", "intervall": "5s"}}"#,
                &["$.source", "`intervall`", "`interval`"],
            ),
            (r#"{"source": {}}"#, &["$.source", "`cluster`"]),
            (r#"{"source": {"cluster": "c", "interval": "5"}}"#, &["$.source.interval", "`5`", "ms"]),
            (r#"{"source": {"cluster": "c", "interval": "1ms"}}"#, &["$.source.interval", "10ms"]),
            (r#"{"source": {"cluster": "c", "path": "document.json"}}"#, &["$.source.path", "`/`"]),
            (r#"{"source": {"cluster": "c", "publicKeys": []}}"#, &["$.source.publicKeys", "leave it out"]),
            (
                r#"{"source": {"cluster": "c", "publicKeys": ["6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=", "AAAA"]}}"#,
                &["$.source.publicKeys[1]", "`AAAA…` has 3 bytes"],
            ),
            (r#"{"source": {"cluster": "c\u000ax"}}"#, &["$.source.cluster", "`c\\nx`", "control character"]),
            (
                r#"{"source": {"cluster": "c", "authority": "a b"}}"#,
                &["$.source.authority", "`a b`", "config.internal:8080"],
            ),
            (r#"{"source": {"cluster": "c", "authority": ""}}"#, &["$.source.authority", "``"]),
            (
                r#"{"source": {"cluster": "c", "audience": "a"}}"#,
                &["$.source.audience (line 1, column 41)", "`publicKeys`"],
            ),
            (
                r#"{"source": {"cluster": "c", "audience": "two words"}}"#,
                &["$.source.audience", "`two words` is no name of an audience"],
            ),
            (
                r#"{"source": {"cluster": "c", "maxBytes": 0}}"#,
                &["$.source.maxBytes", "`0`", "from 1 to 67108864"],
            ),
            (r#"{"source": {"cluster": "c", "maxBytes": 67108865}}"#, &["$.source.maxBytes", "`67108865`"]),
            (
                r#"{"source": {"cluster": "c", "maxBytes": "1M"}}"#,
                &["$.source.maxBytes", "whole number", "\"1M\""],
            ),
            (
                r#"{"source": {"cluster": "c", "allowOlder": false}}"#,
                &["$.source", "`allowOlder`", "was removed", "`\"versions\": \"increasing\"`"],
            ),
            (
                r#"{"source": {"cluster": "c", "versions": "rising"}}"#,
                &["$.source.versions", "`rising`", "`increasing`", "`label`"],
            ),
            (r#"{"source": {"cluster": "c", "versions": true}}"#, &["$.source.versions", "must be a string"]),
            (r#"{"startup": "shut", "document": {}}"#, &["$.startup", "`shut`", "`closed`", "`open`"]),
            (r#"{"startup": "closed"}"#, &["$.startup (line 1, column 13)", "`source`", "`document`"]),
            (r#"{"startup": 5}"#, &["$.startup", "must be a string"]),
            (r#"{"status": {"token": "x"}}"#, &["$.status", "`token`", "`tokens`"]),
            (r#"{"status": {}}"#, &["$.status", "`tokens` is missing", "`\"allowLocal\": true`"]),
            (r#"{"status": {"tokens": []}}"#, &["$.status", "`tokens` is missing", "`\"allowLocal\": true`"]),
            (r#"{"status": {"allowLocal": false}}"#, &["$.status", "`tokens` is missing"]),
            (r#"{"status": {"allowLocal": "yes"}}"#, &["$.status.allowLocal", "a boolean"]),
            (r#"{"status": {"path": "/status?x"}}"#, &["$.status.path", "`/status?x`"]),
            (r#"{"status": {"tokens": ["good", "two words"]}}"#, &["$.status.tokens[1]", "spaces"]),
            (r#"{"upstreamHeader": "x y"}"#, &["$.upstreamHeader", "`x y`"]),
            (r#"{"context": {"targetingKey": [{"heder": "x"}]}}"#, &["$.context.targetingKey[0]", "`heder`"]),
            (r#"{"host": "apache"}"#, &["$.host", "`apache`", "`envoy`"]),
            (r#"{"host": "envoy"} x"#, &["trailing characters", "line 1, column 19"]),
            (r#"{"host": "envoy",}"#, &["not JSON: trailing comma", "line 1, column 18"]),
            (r#"{"host": 5}"#, &["$.host (line 1, column 10)", "a string"]),
            (r#"{"context": {"targetingKey": [{}]}}"#, &["$.context.targetingKey[0]", "exactly one key"]),
            (r#"{"upstreams": "x"}"#, &["$.upstreams", "must be an array, this is a string"]),
            (r#"{"source": []}"#, &["$.source", "must be an object, this is an array"]),
            (r#"{"ofrep": {"enable": true}}"#, &["$.ofrep", "`enable`", "`enabled`"]),
            (" []", &["$ (line 1, column 2)", "must be an object"]),
        ] {
            let error = error(configuration);
            for part in parts {
                assert!(error.contains(part), "{configuration}: {error}: lacks {part}");
            }
        }
    }
}
