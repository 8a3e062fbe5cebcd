//! The core as an engine.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use turquoise_core::{
    Bindings, CompileOptions, Context, Problem, Request, RequestContext, Scratch, Settings, Severity,
    Snapshot, TargetingKey, Timestamp, ofrep,
};

use super::suite::{Suite, now};

/// Any id of the right form: what depends on it is not in the vectors.
const NEW_CLIENT: &str = "0123456789abcdef0123456789abcdef";

pub(super) fn evaluations(suite: &Suite) -> Vec<Value> {
    let snapshot = Snapshot::compile(suite.document.to_string().as_bytes()).unwrap();
    let mut scratch = Scratch::default();
    let mut evaluate = |case: &Map<String, Value>| {
        let context = Context::new(case.get("context").cloned().unwrap_or_default());
        let (key, now) = (case["flag"].as_str().unwrap(), Timestamp(now(case)));
        let evaluation = snapshot.evaluate(key, &context, now, &mut scratch);
        let mut out = String::new();
        ofrep::write_evaluation(&mut out, &snapshot, key, &evaluation);
        serde_json::from_str(&out).unwrap()
    };
    suite.cases.iter().map(&mut evaluate).collect()
}

pub(super) fn decisions(suite: &Suite) -> Vec<Value> {
    let settings = Settings::parse(suite.config.to_string().as_bytes()).unwrap();
    let options = CompileOptions { upstreams: settings.upstreams.as_deref(), ..CompileOptions::default() };
    let snapshot = Snapshot::compile_with(suite.document.to_string().as_bytes(), options).unwrap();
    suite.cases.iter().map(|case| decide(&snapshot, &settings, case)).collect()
}

fn decide(snapshot: &Snapshot, settings: &Settings, case: &Map<String, Value>) -> Value {
    let request = CaseRequest::new(&case["request"]);
    let (key, known, cookie) = match settings.context.targeting_key(&request) {
        TargetingKey::Known(key) => (Some(key), Some(key), None),
        TargetingKey::Anonymous(cookie) => (Some(NEW_CLIENT), None, Some(cookie)),
        TargetingKey::Absent => (None, None, None),
    };
    let bindings = Bindings::new(snapshot, &settings.context);
    let context = RequestContext::new(&request, &bindings, &settings.context, key);
    let now = Timestamp(now(case));
    let decision = snapshot.decide(&request, &context, now, &mut Scratch::default());
    let flag = decision.flag;
    let gate = if decision.closed.is_some() { "closed" } else { "open" };
    json!({
        "route": decision.route.map(|route| snapshot.route_name(route)),
        "gate": decision.gate.map(|_| gate),
        "status": decision.closed,
        "flag": flag.and_then(|flag| flag.flag).map(|flag| snapshot.key(flag)),
        "variant": flag.and_then(|flag| flag.variant).map(|variant| snapshot.variant(variant).name),
        "reason": flag.map(|flag| flag.reason.as_str()),
        "errorCode": flag.and_then(|flag| flag.error).map(turquoise_core::EvaluationError::code),
        "upstream": decision.upstream(snapshot),
        "targetingKey": known,
        "anonymousCookie": cookie,
    })
}

pub(super) fn problems(document: &[u8]) -> Value {
    let compiled = Snapshot::compile(document);
    let list = match &compiled {
        Ok(snapshot) => snapshot.problems(),
        Err(error) => &error.problems,
    };
    let problem = |problem: &Problem| {
        let severity = match problem.severity {
            Severity::Warning => "warning",
            Severity::Flag => "flag",
            Severity::Document => "document",
        };
        let line = problem.position.map(|position| position.line);
        json!({ "severity": severity, "path": problem.path.to_string(), "line": line, "message": problem.message })
    };
    json!({ "refused": compiled.is_err(), "problems": list.iter().map(problem).collect::<Vec<_>>() })
}

/// The request of a case. What a client forges never reaches the core, so it is left out here too.
struct CaseRequest {
    members: BTreeMap<&'static str, String>,
    headers: Vec<(String, String)>,
    properties: BTreeMap<String, String>,
}

impl CaseRequest {
    fn new(request: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let object = |key: &str| request.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
        let mut headers = Vec::new();
        for (name, value) in object("headers") {
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value]);
            headers.extend(values.iter().map(|value| (name.to_ascii_lowercase(), text(value))));
        }
        headers.retain(|(name, _)| !name.starts_with("x-turquoise-"));
        let host = headers.iter().find(|(name, _)| name == "host").map_or("", |(_, value)| value);
        let members = [("method", "GET"), ("host", host), ("path", "/")]
            .map(|(key, default)| (key, request.get(key).map_or(default.to_owned(), text)))
            .into();
        let properties =
            object("properties").iter().map(|(name, value)| (name.clone(), text(value))).collect();
        Self { members, headers, properties }
    }
}

impl Request for CaseRequest {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    fn method(&self) -> &[u8] {
        self.members["method"].as_bytes()
    }

    fn host(&self) -> &[u8] {
        self.members["host"].as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.members["path"].as_bytes()
    }

    fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }
}
