//! What is wrong with a plugin configuration, in the words of JSON instead of those of the parser.

use std::fmt;
use std::str::Utf8Error;

use crate::json::{JsonPath, Position, SyntaxError, locate};
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
        if !error.is_data() {
            let path = JsonPath::default();
            let message = format!("not JSON: {}", syntax.message);
            return Self { path, position: Some(syntax.position), message };
        }
        let path = path.map(JsonPath::of_serde).unwrap_or_default();
        let place = locate(text, &[&path]).pop().flatten();
        let position = place.map_or(syntax.position, |(_, position)| position);
        Self { path, position: Some(position), message: plain(&syntax.message) }
    }
}

/// A message of `serde` without its names of types.
fn plain(message: &str) -> String {
    let names: Vec<_> = message.split('`').skip(1).step_by(2).collect();
    match names.as_slice() {
        [unknown, known @ ..] if message.starts_with("unknown field") && !known.is_empty() => {
            unknown_key(unknown, known)
        }
        [unknown, known @ ..] if message.starts_with("unknown variant") && !known.is_empty() => {
            let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
            format!("`{unknown}` is not known; allowed are {}", known.join(", "))
        }
        [missing] if message.starts_with("missing field") => format!("`{missing}` is missing"),
        _ => match message.strip_prefix("invalid type: ").and_then(|types| types.split_once(", expected ")) {
            Some((found, expected)) => format!("must be {}, this is {}", kind(expected), kind(found)),
            None => message.to_owned(),
        },
    }
}

fn kind(name: &str) -> &str {
    match name.split([' ', '`']).next().unwrap_or_default() {
        "map" | "struct" => "an object",
        "sequence" => "an array",
        "string" => "a string",
        "integer" | "floating" => "a number",
        "boolean" => "a boolean",
        "a" if name.starts_with("a map") => "an object",
        "a" if name.starts_with("a sequence") => "an array",
        "enum" | "variant" | "unit" | "newtype" => "an object with one key",
        _ => name,
    }
}
