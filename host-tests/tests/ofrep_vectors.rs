//! What OFREP's endpoints answer, as data: testdata/ofrep.

use std::collections::BTreeMap;
use std::path::Path;

use host_tests::Running;
use serde::Deserialize;
use serde_json::Value;
use turquoise_host::simulated::{Progress, Request};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    #[serde(rename = "about")]
    _about: String,
    config: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    request: Asked,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default = "post")]
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

fn post() -> String {
    "POST".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Expected {
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    body: Option<Value>,
    #[serde(default)]
    empty: bool,
    error_code: Option<String>,
    flags: Option<BTreeMap<String, Value>>,
    event_streams: Option<Value>,
}

/// Runs every case of a file, its body in as many pieces; the count guards against a file of nothing.
fn run(file: &str, pieces: usize) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/ofrep").join(file);
    let suite: Suite = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let running = Running::new(&suite.config);
    for Case { name, request, expect } in &suite.cases {
        let asked = Request::new(&request.method, "shop.example.com", &request.path);
        let asked = request.headers.iter().fold(asked, |asked, (name, value)| asked.header(name, value));
        let size = request.body.len().div_ceil(pieces).max(1);
        let asked = request.body.as_bytes().chunks(size).fold(asked, Request::body);
        check(name, &running, asked, expect);
    }
    suite.cases.len()
}

fn check(name: &str, running: &Running, asked: Request, expect: &Expected) {
    let exchange = running.request(asked);
    let outcome = exchange.outcome();
    let Some(status) = expect.status else {
        assert_eq!(exchange.progress(), Progress::Forwarded, "{name}");
        return;
    };
    let response = outcome.response.clone().unwrap_or_else(|| panic!("{name}: it was not answered"));
    let body = response.body_text();
    assert_eq!(response.status(), status, "{name}: {body}");
    for (header, value) in &expect.headers {
        assert_eq!(&outcome.response_header(header), value, "{name}: {header}");
    }
    assert!(!expect.empty || body.is_empty(), "{name}: {body}");
    let json =
        || serde_json::from_str::<Value>(&body).unwrap_or_else(|error| panic!("{name}: {body}: {error}"));
    if let Some(expected) = &expect.body {
        assert_eq!(&json(), expected, "{name}");
    }
    if let Some(code) = &expect.error_code {
        assert_eq!(json()["errorCode"], **code, "{name}");
        assert!(json()["errorDetails"].is_string(), "{name}: {body}");
    }
    if let Some(flags) = &expect.flags {
        let all = json();
        let seen: BTreeMap<_, _> = all["flags"].as_array().unwrap().iter().map(of_flag).collect();
        assert_eq!(&seen, flags, "{name}");
        assert!(outcome.response_header("etag").is_some_and(|tag| tag.starts_with('"')), "{name}");
    }
    if let Some(streams) = &expect.event_streams {
        assert_eq!(&json()["eventStreams"], streams, "{name}");
    }
}

/// A flag of a bulk answer: its key, and its value, or else its error, or else its reason.
fn of_flag(flag: &Value) -> (String, Value) {
    let what = [&flag["value"], &flag["errorCode"], &flag["reason"]];
    let what = what.into_iter().find(|what| !what.is_null()).unwrap();
    (flag["key"].as_str().unwrap().to_owned(), what.clone())
}

#[test]
fn answers() {
    assert!(run("answers.json", 1) > 30);
    run("answers.json", 7);
}

#[test]
fn access() {
    assert!(run("access.json", 1) > 10);
    run("access.json", 3);
}
