//! Text that is not JSON: where, and what whoever wrote it probably meant.

use super::path::Position;

/// Text that is not JSON.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    /// The place within the text that was read.
    pub(crate) position: Position,
}

impl SyntaxError {
    /// What `serde_json` found in `text`.
    pub(crate) fn new(error: &serde_json::Error, text: &str) -> Self {
        let full = error.to_string();
        let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(message, _)| message);
        let offset = offset(text, error.line(), error.column());
        let at = text.as_bytes().get(offset).copied();
        // Of an object it says that a key is missing, as it says of keys without quotes.
        let message =
            if at == Some(b'}') && message == "key must be a string" { "trailing comma" } else { message };
        let message = match hint(message, at) {
            Some(hint) => format!("{message}; {hint}"),
            None => message.to_owned(),
        };
        Self { message, position: Position::of_end(text.get(..offset).unwrap_or(text)) }
    }
}

/// The byte that `serde_json` means: it counts lines from 1 and a line's bytes from 1, with 0 for "before the first".
/// Where that is inside of a character, its first byte.
pub(crate) fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize =
        text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>().min(text.len());
    let offset = start.saturating_add(column.saturating_sub(1)).min(text.len());
    (0..=offset).rev().find(|offset| text.is_char_boundary(*offset)).unwrap_or(0)
}

fn hint(message: &str, at: Option<u8>) -> Option<&'static str> {
    match at {
        Some(b'\'') => return Some("texts stand in double quotes"),
        Some(b'/' | b'#') => return Some("JSON has no comments"),
        _ => {}
    }
    if message.starts_with("expected `,` or") {
        Some("is a comma missing before this?")
    } else if message.starts_with("trailing comma") {
        Some("no comma stands after the last one")
    } else if message.starts_with("key must be a string") {
        Some("keys stand in double quotes")
    } else if message.starts_with("EOF while parsing") {
        Some("the text ends before all brackets and quotes are closed")
    } else if message.starts_with("trailing characters") {
        Some("one value is all that may stand here")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (String, usize, usize) {
        let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
        let SyntaxError { message, position } = SyntaxError::new(&error, text);
        (message, position.line, position.column)
    }

    #[test]
    fn common_slips_are_recognised() {
        for (text, part, line, column) in [
            ("{\"a\": 1,\n}", "no comma stands after the last one", 2, 1),
            ("[1, 2,]", "no comma stands after the last one", 1, 7),
            ("{\"a\": 1\n \"b\": 2}", "is a comma missing before this?", 2, 2),
            ("{\"é\": [1 2]}", "is a comma missing before this?", 1, 10),
            ("{a: 1}", "keys stand in double quotes", 1, 2),
            ("{'a': 1}", "texts stand in double quotes", 1, 2),
            ("{\"a\": 'x'}", "texts stand in double quotes", 1, 7),
            ("{\n// x\n}", "JSON has no comments", 2, 1),
            ("{\"a\": [1", "before all brackets and quotes are closed", 1, 8),
            ("{} {}", "one value is all", 1, 4),
        ] {
            let (message, found_line, found_column) = error(text);
            assert!(message.contains(part), "{text}: {message}");
            assert_eq!((found_line, found_column), (line, column), "{text}: {message}");
        }
    }
}
