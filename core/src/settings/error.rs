//! What is wrong with a plugin configuration, in the words of JSON instead of those of the parser.

use std::fmt;
use std::str::Utf8Error;

use serde_json::value::RawValue;

use crate::json::{JsonPath, Path, Position, SyntaxError, locate, read};
use crate::names::unknown_key;

/// A configuration that cannot be used: where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// Where, as a JSON path such as `$.source.interval`.
    pub path: JsonPath,
    /// Where in the text, if it could be found there.
    pub position: Option<Position>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin configuration, {}", self.path)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, " (line {line}, column {column})")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for SettingsError {}

impl SettingsError {
    pub(super) fn not_text(error: &Utf8Error) -> Self {
        let message = format!("not UTF-8 from byte {} on", error.valid_up_to());
        Self { path: JsonPath::default(), position: None, message }
    }

    /// What `serde` found in `text` at `path`.
    pub(super) fn of(
        text: &str,
        path: Option<&serde_path_to_error::Path>,
        error: &serde_json::Error,
    ) -> Self {
        let syntax = SyntaxError::new(error, text);
        // Of an enumeration in another shape than it has, the parser says that it is no JSON.
        let is_shape = error.is_data() || read::<&RawValue>(text).is_ok();
        if !is_shape {
            let path = JsonPath::default();
            let message = format!("not JSON: {}", syntax.message);
            return Self { path, position: Some(syntax.position), message };
        }
        let path = path.map(JsonPath::of_serde).unwrap_or_default();
        let place = locate(text, &[&path]).pop().flatten();
        let position = place.map_or(syntax.position, |(_, position)| position);
        let message = match error.is_data() {
            true => plain(&syntax.message),
            false if path.begins_with("host") => "must be the name of a proxy, a string".to_owned(),
            // The other enumerations that are not written as objects.
            false if path.begins_with("startup") || path.begins_with("source") => {
                "must be a string".to_owned()
            }
            false => "must be an object with exactly one key, such as {\"header\": \"x-user-id\"}".to_owned(),
        };
        Self { path, position: Some(position), message }
    }

    /// Whom a document is for proves nothing where anybody could have said it.
    pub(super) fn unsigned_audience(text: &str) -> Self {
        let path = Path::Root.key("source").key("audience").to_json_path();
        let position = locate(text, &[&path]).pop().flatten().map(|(_, position)| position);
        let message =
            "needs `publicKeys` beside it: an audience that nobody signed proves nothing".to_owned();
        Self { path, position, message }
    }

    /// Without a document there is nothing to open for.
    pub(super) fn closed_for_ever(text: &str) -> Self {
        let path = Path::Root.key("startup").to_json_path();
        let position = locate(text, &[&path]).pop().flatten().map(|(_, position)| position);
        let message =
            "`closed` needs a `source` or a `document`: with neither, every request would be answered with \
                       503 for ever"
                .to_owned();
        Self { path, position, message }
    }

    pub(super) fn not_an_object(text: &str) -> Self {
        let start = text.len() - text.trim_start().len();
        let position = Some(Position::of_end(text.get(..start).unwrap_or_default()));
        Self { path: JsonPath::default(), position, message: "must be an object".to_owned() }
    }
}

/// A message of `serde` without its names of types.
fn plain(message: &str) -> String {
    let names: Vec<_> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("invalid length") {
        return "must be an object, this is an array".to_owned();
    }
    match (names.as_slice(), message.split_once(' ').map_or("", |(first, _)| first)) {
        (["allowOlder", ..], "unknown") => {
            "`allowOlder` was removed: a version is a label by now, and an older one is taken; where older ones must be \
             refused, write `\"versions\": \"increasing\"`"
                .to_owned()
        }
        ([unknown, known @ ..], "unknown") if message.starts_with("unknown field") => {
            unknown_key(unknown, known)
        }
        ([unknown, known @ ..], "unknown") => {
            let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
            format!("`{unknown}` is not known; allowed are {}", known.join(", "))
        }
        ([missing], "missing") => format!("`{missing}` is missing"),
        ([twice], "duplicate") => format!("`{twice}` stands here twice"),
        _ => match message.strip_prefix("invalid type: ").and_then(|types| types.split_once(", expected ")) {
            Some((found, expected)) => format!("must be {}, this is {}", kind(expected), kind(found)),
            None => message.to_owned(),
        },
    }
}

/// What `serde` calls a type, in the words of JSON.
fn kind(name: &str) -> &str {
    let name = name.strip_prefix("a ").unwrap_or(name);
    match name.split(' ').next().unwrap_or_default() {
        "map" | "struct" => "an object",
        "sequence" => "an array",
        "string" => "a string",
        "integer" | "floating" => "a number",
        "boolean" => "a boolean",
        _ => name,
    }
}
