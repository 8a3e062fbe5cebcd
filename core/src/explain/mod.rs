//! Why a flag has the value it has, and why a request goes where it goes: every step that led there, as a tree.
//!
//! This is a walk of its own, for people and never on the way of a request: it decides at each operator which arguments
//! are evaluated and asks the same machine that evaluates flags for the value of each. Evaluating pays nothing for it. What
//! decides is always the machine's own value, never what is shown of it: JSON has no NaN. Rules behind `$ref` appear in the
//! place of the reference, as they are compiled.

mod bucket;
mod iterate;
mod read;
mod request;
mod text;
pub(crate) mod time;
mod walk;

use serde::Serialize;
use serde_json::Value as Json;

use crate::eval::{MOST_STEPS, Scratch, Timestamp};
use crate::flag::{Evaluation, EvaluationError, FlagId, Reason, State};
use crate::snapshot::Snapshot;
use crate::value::Attributes;

pub use request::{GateExplanation, KeyExplanation, RequestExplanation, RouteExplanation};

/// How much of a rule is taken apart. What comes after that is evaluated, but its arguments are not shown.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// How many more steps.
    steps: usize,
    /// How many more levels: a browser's stack is small, and readers of JSON refuse what nests deeper than about 128.
    levels: usize,
}

impl Budget {
    const ALL: Self = Self { steps: 1000, levels: 50 };
}

/// Why a flag has the value it has. Printed, it is indented text; serialized, it is for machines.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The key of the flag.
    pub flag: String,
    /// The variant, if there is a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The value, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// OpenFeature's reason.
    pub reason: &'static str,
    /// OpenFeature's error code, if there was an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<&'static str>,
    /// The reason in a sentence.
    pub because: String,
    /// Every attribute that was read, in the order of reading.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<ReadAttribute>,
    /// The rule, if one was evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Step>,
}

/// An attribute that a rule read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReadAttribute {
    /// Its name, a dotted path.
    pub name: String,
    /// Its value; null where there is none.
    pub value: Json,
}

/// A part of a rule that was evaluated.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Where it stands in the flag, such as `targeting.if[0]`.
    pub path: String,
    /// Of an iteration, the position of the item that this was evaluated for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
    /// The operator; empty for a value that the document spells out.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub operator: &'static str,
    /// The attribute that it read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// What it gave; none when it failed. A number that JSON does not have is its text: `NaN`, `Infinity`, `-Infinity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// Of a condition, whether it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    /// What decided, such as the branch that was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Who is where, for what places keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucketing: Option<Bucketing>,
    /// The flag that it asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prerequisite: Option<Box<Explanation>>,
    /// The arguments that were evaluated, in that order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// How a key was placed among shares.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bucketing {
    /// What the key is made of.
    pub by: &'static str,
    /// The key that was hashed.
    pub key: Json,
    /// The hash function.
    pub algorithm: &'static str,
    /// The hash, in hexadecimal.
    pub hash: String,
    /// The place, in percent of the whole.
    pub percent: f64,
    /// The place as a whole number, and out of how many; none for a ramp, which uses the hash itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<[u64; 2]>,
    /// The shares in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<Share>,
    /// How high a ramp is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
}

/// A share of the whole: from and below which places it reaches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// The variant as the document spells it out; null where it is computed.
    pub variant: Json,
    /// The first place.
    pub from: u64,
    /// The first place beyond it.
    pub to: u64,
    /// How much of the whole it is, in percent.
    pub percent: f64,
    /// Whether the key is here.
    pub here: bool,
}

/// How high a ramp is at a time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Height {
    /// In percent of the whole.
    pub percent: f64,
    /// The time, in RFC 3339.
    pub at: String,
    /// The points of the schedule before and after that time, each with its percentage.
    pub between: [Option<(String, f64)>; 2],
}

impl Snapshot {
    /// Evaluates the flag with this key and shows how.
    pub fn explain<A: Attributes + ?Sized>(&self, key: &str, attributes: &A, now: Timestamp) -> Explanation {
        self.explain_within(key, self.flag(key), attributes, now, MOST_STEPS, &mut { Budget::ALL })
    }

    /// Explains an evaluation that was made together with others, which may have left it few steps.
    fn explain_evaluation<A: Attributes + ?Sized>(
        &self,
        evaluation: &Evaluation,
        attributes: &A,
        now: Timestamp,
    ) -> Option<Explanation> {
        let key = self.key(evaluation.flag?);
        let alone = self.explain(key, attributes, now);
        if self.evaluate(key, attributes, now, &mut Scratch::default()) == *evaluation {
            return Some(alone);
        }
        let because =
            format!("{}: gates that a request meets share their steps", self.error_message(evaluation, key));
        Some(Explanation {
            variant: None,
            value: None,
            reason: evaluation.reason.as_str(),
            error_code: evaluation.error.map(EvaluationError::code),
            because,
            attributes: Vec::new(),
            rule: None,
            ..alone
        })
    }

    /// Explains a flag that may take so many steps, with what is left to show.
    fn explain_within<A: Attributes + ?Sized>(
        &self,
        key: &str,
        id: Option<FlagId>,
        attributes: &A,
        now: Timestamp,
        steps: u32,
        left: &mut Budget,
    ) -> Explanation {
        let mut scratch = Scratch::default();
        scratch.limit(Some(steps));
        let evaluation = self.evaluate(key, attributes, now, &mut scratch);
        let variant = evaluation.variant.map(|variant| self.variant(variant));
        let (mut rule, mut read) = (None, Vec::new());
        if let Some(flag) = id.and_then(|id| self.flags.get(id.0 as usize))
            && let State::Targeted(node) = flag.state
        {
            scratch.limit(Some(steps));
            let mut walk = walk::Walk::new(self, attributes, flag, now, &mut scratch, left);
            rule = Some(walk.rule(node));
            read = walk.into_read();
        }
        Explanation {
            flag: key.to_owned(),
            variant: variant.map(|variant| variant.name.to_owned()),
            value: variant.map(|variant| serde_json::from_str(variant.json).unwrap_or_default()),
            reason: evaluation.reason.as_str(),
            error_code: evaluation.error.map(EvaluationError::code),
            because: self.because(key, &evaluation, rule.as_ref()),
            attributes: read,
            rule,
        }
    }

    fn because(&self, key: &str, evaluation: &Evaluation, rule: Option<&Step>) -> String {
        if evaluation.error.is_some() {
            return self.error_message(evaluation, key).to_string();
        }
        let sentence =
            match (evaluation.reason, evaluation.variant, rule.and_then(|rule| rule.value.as_ref())) {
                (Reason::Disabled, ..) => "the flag is disabled, so the caller's default holds",
                (Reason::Static, ..) => "the flag has no targeting, so its default variant holds",
                (Reason::TargetingMatch, _, Some(value)) => return format!("the targeting gives {value}"),
                (_, Some(_), _) => "the targeting gives null, so the default variant holds",
                (_, None, Some(_)) => {
                    "the targeting gives null and there is no default variant, so the caller's default holds"
                }
                (_, None, None) => {
                    "the flag has neither targeting nor a default variant, so the caller's default holds"
                }
            };
        sentence.to_owned()
    }
}

#[cfg(test)]
mod tests;
