//! Plugin configurations of whatever bytes. Those that are accepted decide requests.

use std::time::Duration;

use super::message::Message;
use super::served::{Served, is_value};
use crate::CompileOptions;
use crate::settings::{AttributeSource, KeySource, Settings, is_token};
use crate::snapshot::Snapshot;

/// What is in force where a configuration has no document of its own.
const DOCUMENT: &[u8] = include_bytes!("../../tests/data/everything.json");

/// Requests that meet every kind of source that an attribute or a targeting key may have.
const REQUESTS: [&[u8]; 4] = [
    b"GET /checkout?a=b&email=ada%40example.com&\xff\nhost: shop.example.com:443\nx-user-id: ada\n\
      cookie: uid=ada; tq_id=0123456789abcdef0123456789abcdef; a=\"b\"\nx-turquoise-upstream: green\nx_up: green",
    b"POST /ofrep/v1/evaluate/flags\ncontent-type: application/json\nauthorization: Bearer token\n\
      origin: https://shop.example.com\n\n{\"context\":{\"targetingKey\":\"ada\",\"email\":\"ada@example.com\",\"a\":{\"b\":1}}}",
    b"POST /ofrep/v1/evaluate/flags/logic\n\n",
    b"",
];

/// Whatever bytes as a plugin configuration.
pub fn configuration(bytes: &[u8]) {
    let settings = match Settings::parse(bytes) {
        Ok(settings) => settings,
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("plugin configuration, $") && !error.message.is_empty(), "{text}");
            return;
        }
    };
    check(&settings);
    let again = Settings::parse(bytes);
    assert!(again.is_ok_and(|again| again.fingerprint == settings.fingerprint));
    let options = CompileOptions { upstreams: settings.upstreams.as_deref(), ..CompileOptions::default() };
    let own = settings.document.as_ref().map(|document| document.get().as_bytes());
    let snapshot = match Snapshot::compile_with(own.unwrap_or(DOCUMENT), options) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            assert!(error.causes().next().is_some(), "a refusal has a cause");
            return;
        }
    };
    let served = Served::new(settings, snapshot);
    for request in REQUESTS {
        let request = Message::parse(request);
        served.decide(&request);
        served.answer(&request);
    }
}

/// What holds for every configuration that is accepted: what ends up in HTTP messages belongs there, and nothing is
/// asked for without end.
fn check(settings: &Settings) {
    let is_name = |name: &str| is_token(name) && name == name.to_ascii_lowercase();
    assert!(is_name(&settings.upstream_header), "{}", settings.upstream_header);
    assert!(settings.is_reserved(settings.upstream_header.as_bytes()));
    if let Some(header) = &settings.flag_header {
        assert!(is_name(&header.name) && settings.is_reserved(header.name.as_bytes()), "{}", header.name);
    }
    assert!(settings.is_reserved(Settings::TARGETING_KEY_HEADER.as_bytes()));
    for source in &settings.context.targeting_key {
        match source {
            KeySource::Header(name) => assert!(is_name(name), "{name}"),
            KeySource::Cookie(name) | KeySource::AnonymousCookie(name) => assert!(is_token(name), "{name}"),
        }
    }
    for source in settings.context.attributes.values() {
        match source {
            AttributeSource::Header(name) => assert!(is_name(name), "{name}"),
            AttributeSource::Cookie(name) => assert!(is_token(name), "{name}"),
            AttributeSource::Query(_) | AttributeSource::Property(_) => {}
        }
    }
    if let Some(source) = &settings.source {
        assert!(source.path.starts_with('/') && source.path.bytes().all(|byte| byte.is_ascii_graphic()));
        let authority = source.authority.as_deref().unwrap_or(source.cluster.trim_ascii());
        assert!(is_value(authority), "{authority:?}");
        assert!(source.interval.min(source.timeout) >= Duration::from_millis(10));
        assert!(source.long_poll.is_none_or(|wait| (1..=3600).contains(&wait.as_secs())));
        assert!((1..=64 << 20).contains(&source.max_bytes));
        assert!(
            source.headers.iter().all(|(name, value)| is_name(name) && !value.contains(['\r', '\n', '\0']))
        );
        assert!(source.path.starts_with(source.path_alone()));
    }
    assert!((1..=1 << 20).contains(&settings.ofrep.max_body_bytes));
    assert!(settings.ofrep.tokens.as_ref().is_none_or(|tokens| !tokens.is_empty() && !tokens.admit(None)));
    assert!(settings.status.as_ref().is_none_or(|status| status.path.starts_with('/')));
}
