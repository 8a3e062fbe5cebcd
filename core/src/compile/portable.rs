//! What of a document flagd would not understand.

use serde_json::Value;
use serde_json::value::RawValue;

use super::{root_of, text_of};
use crate::json::{Entries, Path, entries, read};
use crate::problem::{CompileError, Problem, Problems, Severity};

/// Our own operators.
const OPERATORS: [&str; 5] = ["split", "ramp", "flag", "cidr", "matches"];

/// What flagd would not understand of a document that compiles: flags whose rules use an operator of ours, which are
/// errors there ([`Severity::Flag`]), and what it ignores ([`Severity::Warning`]).
///
/// # Errors
/// When the document is not JSON.
pub fn portability(document: &[u8]) -> Result<Vec<Problem>, CompileError> {
    let text = text_of(document.into())?;
    let root = root_of(&text)?;
    let mut problems = Problems::default();
    let path = Path::Root;
    for (key, raw) in members(root) {
        let path = path.key(&key);
        match &*key {
            "flags" => flags(raw, &mut problems, &path),
            "$evaluators" => {
                for (name, raw) in members(raw) {
                    rule(&read(raw.get()).unwrap_or_default(), &mut problems, &path.key(&name));
                }
            }
            "routes" => problems.warn(&path, "flagd ignores routes: it evaluates flags only"),
            "metadata" => {
                let metadata: Value = read(raw.get()).unwrap_or_default();
                if metadata.get("fractional").and_then(Value::as_str) == Some("v3") {
                    let message = "flagd versions that know only version 2 put other users into the buckets";
                    problems.warn(&path.key("fractional"), message);
                }
            }
            _ => {}
        }
    }
    Ok(problems.finish(&text, true).0)
}

fn members(raw: &RawValue) -> Vec<(std::borrow::Cow<'_, str>, &RawValue)> {
    match entries(raw) {
        Ok(Entries::Map(members)) => members,
        _ => Vec::new(),
    }
}

fn flags(raw: &RawValue, problems: &mut Problems, path: &Path<'_>) {
    let mut flag = |raw: &RawValue, path: &Path<'_>| {
        let flag: Value = read(raw.get()).unwrap_or_default();
        if let Some(targeting) = flag.get("targeting") {
            rule(targeting, problems, &path.key("targeting"));
        }
    };
    match entries(raw) {
        Ok(Entries::Map(members)) => {
            for (key, raw) in members {
                flag(raw, &path.key(&key));
            }
        }
        Ok(Entries::Array(items)) => {
            for (index, raw) in items.into_iter().enumerate() {
                flag(raw, &path.index(index));
            }
        }
        _ => {}
    }
}

/// Every object with one member is an operator. The recursion goes as deep as JSON may nest.
fn rule(value: &Value, problems: &mut Problems, path: &Path<'_>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                rule(item, problems, &path.index(index));
            }
        }
        Value::Object(members) => {
            for (key, value) in members {
                let path = path.key(key);
                if members.len() == 1 && OPERATORS.contains(&key.as_str()) {
                    let message = format!("flagd has no operator `{key}`: there, the flag is a PARSE_ERROR");
                    problems.of_rule(Severity::Flag, path.to_json_path(), message, "");
                }
                rule(value, problems, &path);
            }
        }
        _ => {}
    }
}
