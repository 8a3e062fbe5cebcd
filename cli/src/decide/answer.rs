//! A decision as JSON: what other programs script against.

use serde::Serialize;
use serde_json::{Map, Value};
use turquoise_core::{Decision, Evaluation, FlagId, Snapshot};

/// A decision. Members that always stand are null where nothing was decided; the others are left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    /// The route that matched.
    pub(super) route: Option<&'a str>,
    /// The gate of the route, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gate: Option<Gate<'a>>,
    /// The status that a closed gate answers with; then nothing goes upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    /// The flag that chose the upstream.
    #[serde(flatten)]
    pub(super) choice: Choice<'a>,
    /// Where the request goes; null leaves it to the proxy's own default route.
    pub(super) upstream: Option<&'a str>,
    /// What is bucketed.
    pub(super) targeting_key: Option<&'a str>,
    /// Says that the targeting key is not the request's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) anonymous: Option<Anonymous<'a>>,
    /// What the filter sets for the upstream.
    pub(super) headers: Map<String, Value>,
}

/// A gate, and whether it is open.
#[derive(Debug, Serialize)]
pub(super) struct Gate<'a> {
    open: bool,
    #[serde(flatten)]
    choice: Choice<'a>,
}

/// An evaluation.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Choice<'a> {
    flag: Option<&'a str>,
    variant: Option<&'a str>,
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<String>,
}

/// The client is new: the filter gives it an id.
#[derive(Debug, Serialize)]
pub(super) struct Anonymous<'a> {
    /// The cookie that keeps the id.
    pub(super) cookie: &'a str,
    /// Whether a rule read the id, so that another new client may get another answer.
    pub(super) decides: bool,
}

impl<'a> Choice<'a> {
    fn of(snapshot: &'a Snapshot, evaluation: &Evaluation) -> Self {
        let flag = evaluation.flag.map(|flag: FlagId| snapshot.key(flag));
        let details = || snapshot.error_message(evaluation, flag.unwrap_or_default()).to_string();
        Self {
            flag,
            variant: evaluation.variant.map(|variant| snapshot.variant(variant).name),
            reason: Some(evaluation.reason.as_str()),
            error_code: evaluation.error.map(turquoise_core::EvaluationError::code),
            error_details: evaluation.error.map(|_| details()),
        }
    }
}

impl<'a> Answer<'a> {
    /// The decision's part of the answer.
    pub(super) fn of(snapshot: &'a Snapshot, decision: &Decision) -> Self {
        let choice = |evaluation: &Evaluation| Choice::of(snapshot, evaluation);
        let gate =
            |evaluation: &Evaluation| Gate { open: decision.closed.is_none(), choice: choice(evaluation) };
        Self {
            route: decision.route.map(|route| snapshot.route_name(route)),
            gate: decision.gate.as_ref().map(gate),
            status: decision.closed,
            choice: decision.flag.as_ref().map(choice).unwrap_or_default(),
            upstream: decision.upstream(snapshot),
            targeting_key: None,
            anonymous: None,
            headers: Map::new(),
        }
    }

    /// Whether a flag that was evaluated is in error.
    pub(super) fn is_error(&self) -> bool {
        let gate = self.gate.as_ref().and_then(|gate| gate.choice.error_code);
        self.choice.error_code.or(gate).is_some()
    }
}
