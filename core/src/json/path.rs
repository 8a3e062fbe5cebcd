//! Where something stands in a document: as a path for people, and as line and column.

use std::fmt;

/// One step down into a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A path into a document, printed as `$.flags.checkout.targeting.if[0]`. Keys with other characters than letters,
/// digits, `_`, `-` and `$` are printed as `["..."]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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

impl JsonPath {
    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether the first step is this key.
    pub(crate) fn begins_with(&self, key: &str) -> bool {
        matches!(self.0.first(), Some(Step::Key(first)) if first == key)
    }

    /// Bytes of all keys, and a few for every step.
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |step: &Step| match step {
            Step::Key(key) => key.len() + 1,
            Step::Index(_) => 4,
        };
        self.0.iter().map(bytes).sum()
    }

    /// The path as `serde_path_to_error` tells it.
    pub(crate) fn of_serde(path: &serde_path_to_error::Path) -> Self {
        use serde_path_to_error::Segment;
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } | Segment::Enum { variant: key } => Some(Step::Key(key.clone())),
            Segment::Unknown => None,
        };
        Self(path.iter().map_while(step).collect())
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

    /// Bytes of all keys.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Path::Root => 0,
            Path::Key(above, key) => above.bytes() + key.len(),
            Path::Index(above, _) => above.bytes(),
        }
    }

    /// Whether the first step is this key.
    pub(crate) fn begins_with(&self, first: &str) -> bool {
        match self {
            Path::Root | Path::Index(Path::Root, _) => false,
            Path::Key(Path::Root, key) => *key == first,
            Path::Key(above, _) | Path::Index(above, _) => above.begins_with(first),
        }
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
    /// The place where `text` ends, which begins at line 1, column 1.
    pub(crate) fn of_end(text: &str) -> Self {
        let line_start = text.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Self { line, column: text.get(line_start..).unwrap_or_default().chars().count() + 1 }
    }

    /// The place in the whole text of what stands at `inner` in a text that begins here.
    pub(crate) fn followed_by(self, inner: Self) -> Self {
        match inner.line {
            0 | 1 => Self { line: self.line, column: self.column + inner.column.max(1) - 1 },
            line => Self { line: self.line + line - 1, column: inner.column },
        }
    }
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
}
