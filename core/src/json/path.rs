//! Where something stands in a document: as a path for people, and as line and column.

use std::fmt;

use serde_json::value::RawValue;

use super::entries::{Entries, entries};

/// One step down into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// A path into a document, printed as `$.flags.checkout.targeting.if[0]`. Keys with other characters than letters,
/// digits, `_`, `-` and `$` are printed as `["..."]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonPath(Vec<Step>);

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for step in &self.0 {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if is_plain(key) => write!(f, ".{key}")?,
                Step::Key(key) => write!(f, "[{}]", serde_json::Value::from(key.as_str()))?,
            }
        }
        Ok(())
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$'))
}

/// A path while it is being walked: each level borrows its parent from the stack, so that nothing is allocated
/// unless there is something to report.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(crate) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path::Key(self, key)
    }

    pub(crate) fn index(&'a self, index: usize) -> Path<'a> {
        Path::Index(self, index)
    }

    pub(crate) fn to_json_path(self) -> JsonPath {
        let mut steps = Vec::new();
        let mut at = &self;
        loop {
            match at {
                Path::Root => break,
                Path::Key(parent, key) => {
                    steps.push(Step::Key((*key).to_owned()));
                    at = parent;
                }
                Path::Index(parent, index) => {
                    steps.push(Step::Index(*index));
                    at = parent;
                }
            }
        }
        steps.reverse();
        JsonPath(steps)
    }
}

/// A place in a text, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in that line.
    pub column: usize,
}

impl Position {
    /// The place of the byte at `offset`.
    pub(crate) fn of_offset(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Self { line, column: before.get(line_start..).unwrap_or_default().chars().count() + 1 }
    }
}

/// Where the value at `path` begins. A path that goes on past what exists (a key that is missing) gives the place of
/// the innermost value that does exist.
pub(crate) fn locate(document: &str, path: &JsonPath) -> Option<Position> {
    let mut raw: &RawValue = serde_json::from_str(document).ok()?;
    for step in &path.0 {
        let inner = match (entries(raw).ok()?, step) {
            // As everywhere: of a key that stands twice, the last counts.
            (Entries::Map(members), Step::Key(key)) => {
                members.into_iter().rev().find(|(name, _)| name == key).map(|(_, raw)| raw)
            }
            (Entries::Array(items), Step::Index(index)) => items.get(*index).copied(),
            _ => None,
        };
        match inner {
            Some(inner) => raw = inner,
            None => break,
        }
    }
    Some(Position::of_offset(document, offset_in(document, raw)))
}

/// How far into `document` the slice `raw` begins; it must be a slice of it.
pub(super) fn offset_in(document: &str, raw: &RawValue) -> usize {
    (raw.get().as_ptr() as usize).saturating_sub(document.as_ptr() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_people_write_it() {
        let flags = Path::Root.key("flags");
        let odd = flags.key("a b\"c");
        assert_eq!(odd.key("if").index(2).to_json_path().to_string(), r#"$.flags["a b\"c"].if[2]"#);
        assert_eq!(flags.key("new-summary").to_json_path().to_string(), "$.flags.new-summary");
    }

    #[test]
    fn a_value_is_found_by_line_and_column() {
        let document = "{\n  \"flags\": {\n    \"é\": [1, {\"x\": 2}]\n  }\n}";
        let root = Path::Root;
        let (flags, missing) = (root.key("flags"), root.key("routes"));
        let list = flags.key("é");
        let place = |path: Path<'_>| locate(document, &path.to_json_path()).map(|p| (p.line, p.column));
        assert_eq!(place(list), Some((3, 10)));
        assert_eq!(place(list.index(1).key("x")), Some((3, 20)));
        assert_eq!(place(missing), Some((1, 1)), "what is missing is reported where it should stand");
    }
}
