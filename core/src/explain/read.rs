//! Values as the walk keeps and shows them.

use serde_json::{Number, Value as Json};

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

/// A number; whole where it is, and as a text where JSON has no such number.
pub(super) fn number(value: f64) -> Json {
    // Up to here, every whole number is a float of its own.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= WHOLE {
        return Json::from(value as i64);
    }
    Number::from_f64(value).map_or_else(|| Json::from(value.to_string()), Json::Number)
}

/// What of a value is shown.
pub(super) fn shown(value: &Json) -> Json {
    match value {
        Json::String(text) => match text.char_indices().nth(MOST_CHARACTERS) {
            Some((end, _)) => Json::from(format!("{}...", text.get(..end).unwrap_or_default())),
            None => value.clone(),
        },
        Json::Array(items) => {
            let more = items.len().saturating_sub(MOST_ITEMS);
            let more = (more > 0).then(|| Json::from(format!("... and {more} more")));
            items.iter().take(MOST_ITEMS).map(shown).chain(more).collect()
        }
        Json::Object(members) => {
            let more = members.len().saturating_sub(MOST_ITEMS);
            let more = (more > 0).then(|| ("...".to_owned(), Json::from(format!("and {more} more"))));
            let members = members.iter().take(MOST_ITEMS);
            members.map(|(key, value)| (key.clone(), shown(value))).chain(more).collect()
        }
        _ => value.clone(),
    }
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
