//! Values as the walk keeps and shows them.

use serde_json::{Map, Number, Value as Json};

use crate::eval::{Fault, Machine, Operand, View};
use crate::value::Attributes;

/// How many items of a list are shown, and how many characters of a text.
const MOST_ITEMS: usize = 10;
const MOST_CHARACTERS: usize = 200;

/// A value of the machine that holds it, as JSON.
pub(super) fn json<A: Attributes + ?Sized>(machine: &Machine<'_, '_, A>, value: &Operand<'_>) -> Json {
    match machine.view(value) {
        View::Null => Json::Null,
        View::Bool(value) => Json::Bool(value),
        View::Number(value) => number(value),
        View::Text(text) => Json::from(text),
        View::Array(items) => Json::Array(items.to_vec()),
        View::Object(members) => Json::Object(members.clone()),
        View::List(items) => items.iter().map(|item| json(machine, item)).collect(),
    }
}

/// What of a value of the machine is shown.
pub(super) fn shown_by<A: Attributes + ?Sized>(machine: &Machine<'_, '_, A>, value: &Operand<'_>) -> Json {
    match machine.view(value) {
        View::List(items) => {
            let shown = items.iter().take(MOST_ITEMS).map(|item| shown_by(machine, item));
            shown.chain(more(items.len())).collect()
        }
        View::Array(items) => items.iter().take(MOST_ITEMS).map(shown).chain(more(items.len())).collect(),
        View::Object(members) => shown_members(members),
        View::Text(text) => shown_text(text),
        _ => json(machine, value),
    }
}

/// A number; whole where it is, and as a text where JSON has no such number.
pub(super) fn number(value: f64) -> Json {
    // Up to here, every whole number is a float of its own.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    let is_negative_zero = value == 0.0 && value.is_sign_negative();
    if value.fract() == 0.0 && value.abs() <= WHOLE && !is_negative_zero {
        return Json::from(value as i64);
    }
    let as_text = || Json::from(ryu_js::Buffer::new().format(value));
    Number::from_f64(value).map_or_else(as_text, Json::Number)
}

/// What of a value is shown.
pub(super) fn shown(value: &Json) -> Json {
    match value {
        Json::String(text) => shown_text(text),
        Json::Array(items) => items.iter().take(MOST_ITEMS).map(shown).chain(more(items.len())).collect(),
        Json::Object(members) => shown_members(members),
        _ => value.clone(),
    }
}

fn shown_text(text: &str) -> Json {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => Json::from(format!("{}...", text.get(..end).unwrap_or_default())),
        None => Json::from(text),
    }
}

fn shown_members(members: &Map<String, Json>) -> Json {
    let more = members.len().saturating_sub(MOST_ITEMS);
    let more = (more > 0).then(|| ("...".to_owned(), Json::from(format!("and {more} more"))));
    let members = members.iter().take(MOST_ITEMS);
    members.map(|(key, value)| (key.clone(), shown(value))).chain(more).collect()
}

/// What stands in the place of the items that are not shown.
fn more(len: usize) -> Option<Json> {
    let more = len.saturating_sub(MOST_ITEMS);
    (more > 0).then(|| Json::from(format!("... and {more} more")))
}

/// Why a step failed.
pub(super) fn reason(fault: Fault) -> &'static str {
    match fault {
        Fault::NotANumber => "calculates with a list, an object or another value that is not a number",
        Fault::NotAList => "needs an array or a string and found another value",
        Fault::Arguments => "has arguments that it cannot take",
        Fault::TooMuchWork => "takes more steps or memory than is allowed",
    }
}
