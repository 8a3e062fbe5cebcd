//! What an explanation says equals what is decided. Its own parts are checked against one another by the words of the
//! documentation, and the attributes that it names against those that evaluating reads.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::NOW;
use crate::explain::{Bucketing, Explanation, RequestExplanation, Step};
use crate::flag::{Evaluation, EvaluationError, Reason};
use crate::request::{Bindings, Request, RequestContext};
use crate::route::RouteId;
use crate::snapshot::Snapshot;
use crate::value::{Attribute, Attributes, Value};
use crate::{ContextSettings, Scratch, TargetingKey};

/// The key of a client that has none.
const NEW_CLIENT: &str = "0123456789abcdef0123456789abcdef";

/// Explains every flag.
pub(super) fn flags<A: Attributes + ?Sized>(snapshot: &Snapshot, context: &A) {
    for flag in snapshot.flags() {
        let key = snapshot.key(flag);
        let spy = Spy { attributes: context, read: RefCell::default() };
        let evaluation = snapshot.evaluate(key, &spy, NOW, &mut Scratch::default());
        let explanation = snapshot.explain(key, context, NOW);
        assert_eq!(explanation.flag, key);
        self::explanation(snapshot, &explanation, &evaluation);
        reads(&explanation, &spy.read.into_inner());
        assert!(explanation.to_string().starts_with("flag `"));
        assert!(serde_json::to_string(&explanation).is_ok());
    }
}

/// Explains a request and its decision.
///
/// # Panics
/// If the explanation says anything but what is decided.
pub fn request<R: Request + ?Sized>(snapshot: &Snapshot, request: &R) -> RequestExplanation {
    let settings = ContextSettings::default();
    let key = match settings.targeting_key(request) {
        TargetingKey::Known(key) => Some(key),
        TargetingKey::Anonymous(_) => Some(NEW_CLIENT),
        TargetingKey::Absent => None,
    };
    let bindings = Bindings::new(snapshot, &settings);
    let context = RequestContext::new(request, &bindings, &settings, key);
    let decision = snapshot.decide(request, &context, NOW, &mut Scratch::default());
    let explained = snapshot.explain_request(request, &settings, NEW_CLIENT, NOW);
    assert_eq!(explained.targeting_key.value.as_deref(), key);
    assert_eq!(explained.route.as_deref(), decision.route.map(|route| snapshot.route_name(route)));
    assert_eq!(explained.upstream.as_deref(), decision.upstream(snapshot));

    let (last, others) = match explained.routes.split_last() {
        Some((last, others)) if decision.route.is_some() => (Some(last), others),
        _ => (None, explained.routes.as_slice()),
    };
    assert_eq!(last.map(|route| &route.name), explained.route.as_ref());
    assert!(last.is_none_or(|route| route.matches));
    assert!(others.iter().all(|route| !route.matches), "one route matches");
    let before = decision.route.map_or(snapshot.route_count(), RouteId::index);
    assert_eq!(others.len() + explained.more_routes, before, "no route is left out");
    if let Some(route) = decision.route {
        let said = snapshot.conditions(route, request);
        assert!(said.is_ok(), "the route that matches is said not to: {said:?}");
    }
    // Without gates, a route that is passed over is one that does not match.
    let has_gates = snapshot.routes().any(|route| snapshot.route_gate(route).is_some());
    for route in snapshot.routes().take(if has_gates { 0 } else { before }) {
        let said = snapshot.conditions(route, request);
        assert!(said.is_err(), "a route that is passed over is said to match: {said:?}");
    }

    assert_eq!(explained.gate.is_some(), decision.gate.is_some());
    if let (Some(gate), Some(evaluation)) = (&explained.gate, &decision.gate) {
        assert_eq!(gate.open, decision.closed.is_none());
        assert!(decision.closed.is_none_or(|status| status == gate.status));
        explanation(snapshot, &gate.flag, evaluation);
    }
    assert_eq!(explained.flag.is_some(), decision.flag.is_some());
    if let (Some(flag), Some(evaluation)) = (&explained.flag, &decision.flag) {
        explanation(snapshot, flag, evaluation);
    }
    assert!(!explained.to_string().is_empty());
    explained
}

/// Notes which attributes are read.
struct Spy<'a, A: ?Sized> {
    attributes: &'a A,
    read: RefCell<BTreeSet<String>>,
}

impl<A: Attributes + ?Sized> Attributes for Spy<'_, A> {
    fn get<'a>(&'a self, attribute: Attribute<'_>) -> Value<'a> {
        self.read.borrow_mut().insert(attribute.path.to_owned());
        self.attributes.get(attribute)
    }

    fn contains(&self, attribute: Attribute<'_>) -> bool {
        // An explanation names an attribute that was looked for and is not there, too.
        self.read.borrow_mut().insert(attribute.path.to_owned());
        self.attributes.contains(attribute)
    }

    fn whole(&self) -> Value<'_> {
        self.read.borrow_mut().insert(String::new());
        self.attributes.whole()
    }
}

/// The attributes that are said to have been read are those that were.
fn reads(explanation: &Explanation, read: &BTreeSet<String>) {
    let (mut named, mut is_whole) = (BTreeSet::new(), true);
    named_in(explanation, &mut named, &mut is_whole);
    // These are no attributes of the context.
    named.remove("$flagd.flagKey");
    named.remove("$flagd.timestamp");
    assert!(named.is_subset(read), "said to be read: {named:?}, read: {read:?}\n{explanation}");
    if is_whole && !explanation.because.contains("more steps") {
        assert_eq!(&named, read, "said to be read, and read\n{explanation}");
    }
}

fn named_in(explanation: &Explanation, named: &mut BTreeSet<String>, is_whole: &mut bool) {
    named.extend(explanation.attributes.iter().map(|read| read.name.clone()));
    let mut steps: Vec<_> = explanation.rule.iter().collect();
    while let Some(step) = steps.pop() {
        // `missing` asks whether attributes are there, and names none that it read.
        *is_whole &= !is_cut(step) && !step.operator.starts_with("missing");
        steps.extend(&step.steps);
        if let Some(prerequisite) = &step.prerequisite {
            named_in(prerequisite, named, is_whole);
        }
    }
}

/// Whether some of what a step did is not shown.
fn is_cut(step: &Step) -> bool {
    step.because
        .as_ref()
        .is_some_and(|because| because.contains("not shown") || because.contains("not taken apart"))
}

fn explanation(snapshot: &Snapshot, explanation: &Explanation, evaluation: &Evaluation) {
    let variant = evaluation.variant.map(|variant| snapshot.variant(variant));
    assert_eq!(explanation.variant.as_deref(), variant.map(|variant| variant.name), "{explanation}");
    assert_eq!(explanation.value, variant.and_then(|variant| serde_json::from_str(variant.json).ok()));
    assert_eq!(explanation.reason, evaluation.reason.as_str());
    assert_eq!(explanation.error_code, evaluation.error.map(EvaluationError::code));
    if evaluation.error.is_some() {
        let message = snapshot.error_message(evaluation, &explanation.flag).to_string();
        assert!(explanation.because.starts_with(&message), "{explanation}");
    }
    let Some(rule) = &explanation.rule else { return };
    let starts = |error: &str, with: &str| error.starts_with(with);
    use EvaluationError as E;
    let agrees = match (evaluation.reason, evaluation.error, &rule.value, rule.error) {
        (Reason::TargetingMatch, _, Some(value), None) => {
            let name = match value {
                Json::Bool(value) => Some(value.to_string()),
                Json::Number(number) => {
                    number.as_f64().map(|number| ryu_js::Buffer::new().format(number).to_owned())
                }
                Json::String(text) if !text.ends_with("...") => Some(text.clone()),
                _ => None,
            };
            !value.is_null() && (name.is_none() || name == explanation.variant)
        }
        (Reason::Default, _, value, None) => value == &Some(Json::Null),
        (_, Some(E::UnknownVariant), Some(value), None) => !value.is_null(),
        // A list is made a text after the rule, which may be too much.
        (_, Some(E::TooMuchWork), Some(value), None) => value.is_array(),
        (_, Some(E::NotANumber), None, Some(error)) => starts(error, "calculates"),
        (_, Some(E::NotAList), None, Some(error)) => starts(error, "needs"),
        (_, Some(E::Arguments), None, Some(error)) => starts(error, "has"),
        (_, Some(E::TooMuchWork), None, Some(error)) => starts(error, "takes"),
        _ => false,
    };
    assert!(agrees, "{evaluation:?} is explained by\n{explanation}");
    step(snapshot, rule, explanation);
}

/// What a step says agrees with what its arguments say.
fn step(snapshot: &Snapshot, step: &Step, whole: &Explanation) {
    let said = || format!("{}\n{whole}", step.path);
    assert!(step.value.is_some() != step.error.is_some(), "{}", said());
    for inner in &step.steps {
        self::step(snapshot, inner, whole);
    }
    if let Some((last, before)) = step.steps.split_last() {
        assert!(before.iter().all(|inner| inner.error.is_none()), "nothing follows an error: {}", said());
        assert!(
            last.error.is_none() || last.error == step.error,
            "an error reaches what is above: {}",
            said()
        );
    }
    if let Some(bucketing) = &step.bucketing {
        self::bucketing(bucketing, step, &said);
    }
    if let Some(prerequisite) = &step.prerequisite {
        let evaluation =
            snapshot.evaluate(&prerequisite.flag, &crate::Context::default(), NOW, &mut Scratch::default());
        assert_eq!(snapshot.flag(&prerequisite.flag), evaluation.flag);
        let variant = prerequisite.variant.clone().map_or(Json::Null, Json::from);
        assert!(step.error.is_some() || step.value == Some(variant), "{}", said());
        prerequisite.rule.iter().for_each(|rule| self::step(snapshot, rule, prerequisite));
    }
    if !is_cut(step) && step.error.is_none() {
        operator(step, &said);
    }
}

/// The place of an argument.
fn place(step: &Step) -> usize {
    let digits = step.path.rsplit_once('[').and_then(|(_, place)| place.strip_suffix(']'));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(usize::MAX)
}

/// The value of an operator that came to one is what its arguments make it.
fn operator(step: &Step, said: &dyn Fn() -> String) {
    let holds = |step: &Step| {
        assert!(step.holds.is_some(), "holds or not: {} in {}", step.path, said());
        step.holds == Some(true)
    };
    let value = |step: Option<&Step>| step.map_or(Some(Json::Null), |step| step.value.clone());
    let because = step.because.as_deref().unwrap_or_default();
    let rounds: Vec<_> = step.steps.iter().filter(|inner| inner.item.is_some()).collect();
    match step.operator {
        "if" => {
            let (conditions, result): (Vec<_>, Vec<_>) =
                step.steps.iter().partition(|inner| inner.holds.is_some());
            assert!(result.len() <= 1, "{}", said());
            assert_eq!(
                value(result.first().copied()),
                step.value,
                "the result is that of the branch: {}",
                said()
            );
            let Some((last, before)) = conditions.split_last() else { return };
            assert!(before.iter().all(|condition| !holds(condition)), "the first that holds: {}", said());
            if let Some(result) = result.first() {
                let place = place(result);
                assert_eq!(holds(last), place % 2 == 1, "{}", said());
                assert!(because.ends_with(&format!("so [{place}] is the result")), "{}", said());
            } else {
                assert!(!holds(last) && because.ends_with("nothing holds otherwise"), "{}", said());
            }
        }
        "and" | "or" => {
            let stop = step.operator == "or";
            assert_eq!(value(step.steps.last()), step.value, "{}", said());
            let Some((last, before)) = step.steps.split_last() else { return };
            assert!(before.iter().all(|inner| holds(inner) != stop), "the first that decides: {}", said());
            assert_eq!(holds(last) == stop, because.starts_with('['), "{}", said());
        }
        "!" | "!!" => {
            let Some(inner) = step.steps.first() else { return };
            assert_eq!(step.value, Some(json!(holds(inner) == (step.operator == "!!"))), "{}", said());
        }
        "all" | "some" | "none" => {
            let expected = match step.operator {
                "some" => rounds.iter().any(|round| holds(round)),
                "none" => !rounds.iter().any(|round| holds(round)),
                _ => !rounds.is_empty() && rounds.iter().all(|round| holds(round)),
            };
            assert_eq!(step.value, Some(json!(expected)), "{}", said());
        }
        "map" => {
            let values: Json = rounds.iter().map(|round| round.value.clone().unwrap_or_default()).collect();
            assert_eq!(step.value, Some(values), "{}", said());
        }
        "filter" => {
            let kept = rounds.iter().filter(|round| holds(round)).count();
            assert_eq!(step.value.as_ref().and_then(Json::as_array).map(Vec::len), Some(kept), "{}", said());
        }
        "reduce" => {
            if let Some(last) = rounds.last() {
                assert_eq!(step.value, last.value, "{}", said());
            }
        }
        _ => {}
    }
}

/// The shares lie one after the other, the key is in the one that holds its place, and that one's variant is the result.
fn bucketing(bucketing: &Bucketing, step: &Step, said: &dyn Fn() -> String) {
    if let Some(height) = &bucketing.height {
        // Heights are whole numbers of 64 bits when they are decided, and percentages when they are shown.
        let is_near = (bucketing.percent - height.percent).abs() < 1e-9;
        assert!(
            step.error.is_some() || is_near || step.value == Some(json!(bucketing.percent < height.percent)),
            "{}",
            said()
        );
        return;
    }
    let [place, whole] = bucketing.place.unwrap_or_default();
    let mut end = 0;
    for share in &bucketing.shares {
        assert_eq!(share.from, end, "{}", said());
        assert_eq!(share.here, (share.from..share.to).contains(&place), "{}", said());
        end = share.to;
    }
    assert!(end <= whole && (place < whole || whole == 0), "{}", said());
    match bucketing.shares.iter().find(|share| share.here) {
        _ if step.error.is_some() => {}
        None => assert_eq!(step.value, Some(Json::Null), "{}", said()),
        Some(share) if !share.variant.is_null() => {
            assert_eq!(step.value.as_ref(), Some(&share.variant), "{}", said());
        }
        Some(_) => {}
    }
}
