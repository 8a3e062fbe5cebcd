//! The decision on a request, as JSON; `js/index.js` brings it into the shape that `turquoise decide` prints.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use turquoise_core::{
    Evaluation, EvaluationError, Request, RequestContext, Scratch, Snapshot, TargetingKey, Timestamp, ofrep,
};

use crate::Compiled;

/// The id of a new client. The filter draws one at random; here the same question gets the same answer.
const NEW_CLIENT: &str = "00000000000000000000000000000000";

/// A request, its headers as the core wants them.
#[derive(serde::Deserialize)]
pub(crate) struct Described {
    method: String,
    host: String,
    path: String,
    headers: Vec<(String, String)>,
    properties: BTreeMap<String, String>,
}

pub(crate) fn of(rules: &Snapshot, on: &Compiled, mut request: Described, now: f64, why: bool) -> Value {
    let (settings, now, mut scratch) = (&on.settings, Timestamp(now as u64), Scratch::default());
    request.headers.retain(|(name, _)| !settings.is_reserved(name.as_bytes()));
    let (key, cookie) = match settings.context.targeting_key(&request) {
        TargetingKey::Known(key) => (Some(key), None),
        TargetingKey::Anonymous(cookie) => (Some(NEW_CLIENT), Some(cookie)),
        TargetingKey::Absent => (None, None),
    };
    let context = RequestContext::new(&request, &on.bindings, &settings.context, key);
    let decision = rules.decide(&request, &context, now, &mut scratch);
    let header = settings.flag_header.iter().flat_map(|header| &header.flags);
    let (flags, mut exposed) = (header.filter_map(|key| rules.flag(key)), String::new());
    ofrep::write_flag_header(&mut exposed, rules, flags, &context, now, &mut scratch);
    json!({
        "route": decision.route.map(|route| rules.route_name(route)),
        "gate": decision.gate.map(|gate| choice(rules, gate)),
        "status": decision.closed,
        "choice": decision.flag.map(|flag| choice(rules, flag)),
        "upstream": decision.upstream(rules),
        "targetingKey": key,
        "cookie": cookie,
        "exposed": exposed,
        "explanation": why.then(|| rules.explain_request(&request, &settings.context, NEW_CLIENT, now)),
    })
}

fn choice(rules: &Snapshot, evaluation: Evaluation) -> Value {
    json!({
        "flag": evaluation.flag.map(|flag| rules.key(flag)),
        "variant": evaluation.variant.map(|variant| rules.variant(variant).name),
        "reason": evaluation.reason.as_str(),
        "errorCode": evaluation.error.map(EvaluationError::code),
    })
}

impl Request for Described {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }
    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }
    fn host(&self) -> &[u8] {
        self.host.as_bytes()
    }
    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }
    fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }
}
