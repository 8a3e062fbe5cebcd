//! What is wrong with a document: the place, the reason, and what it costs.

use std::fmt;

use crate::json::{JsonPath, Path, Position, locate};

/// How many problems of one document are kept, and how many more for each severity that is worse; a file that is wrong
/// throughout needs no more to show it.
const MOST: usize = 100;

/// What a problem does to the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is lost; something is probably not meant.
    Warning,
    /// The flag it stands in evaluates to `PARSE_ERROR`; the rest of the document serves.
    Flag,
    /// The whole document is refused.
    Document,
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it costs.
    pub severity: Severity,
    /// Where, as a JSON path such as `$.flags.checkout.targeting.if[0]`.
    pub path: JsonPath,
    /// Where in the text, if it could be found there.
    pub position: Option<Position>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, " (line {line}, column {column})")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// A document that was refused, with everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// Every problem found, in the order of the document; at least one has [`Severity::Document`].
    pub problems: Vec<Problem>,
}

impl CompileError {
    /// The problems that refused the document, without warnings and flags that would have failed alone.
    pub fn causes(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Document)
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut causes = self.causes();
        if let Some(first) = causes.next() {
            write!(f, "{first}")?;
        }
        match causes.count() {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for CompileError {}

/// Collects problems while a document compiles.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    refused: bool,
}

impl Problems {
    pub(crate) fn add(&mut self, severity: Severity, path: &Path<'_>, message: impl Into<String>) {
        if self.has_room(severity) {
            let (path, message) = (path.to_json_path(), message.into());
            self.list.push(Problem { severity, path, position: None, message });
        }
        self.refused |= severity == Severity::Document;
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        self.refused |= problem.severity == Severity::Document;
        if self.has_room(problem.severity) {
            self.list.push(problem);
        }
    }

    /// What is worse must be among the problems, however many lesser ones came before it.
    fn has_room(&self, severity: Severity) -> bool {
        self.list.len()
            < match severity {
                Severity::Warning => MOST,
                Severity::Flag => 2 * MOST,
                Severity::Document => 3 * MOST,
            }
    }

    /// Refuses the document.
    pub(crate) fn refuse(&mut self, path: &Path<'_>, message: impl Into<String>) {
        self.add(Severity::Document, path, message);
    }

    pub(crate) fn warn(&mut self, path: &Path<'_>, message: impl Into<String>) {
        self.add(Severity::Warning, path, message);
    }

    /// The problems with their positions in `document`, and whether the document is refused.
    pub(crate) fn finish(mut self, document: &str) -> (Vec<Problem>, bool) {
        for problem in &mut self.list {
            problem.position = problem.position.or_else(|| locate(document, &problem.path));
        }
        (self.list, self.refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_lesser_problems_do_not_hide_a_worse_one() {
        let mut problems = Problems::default();
        for severity in [Severity::Warning, Severity::Flag, Severity::Document] {
            for _ in 0..10 * MOST {
                problems.add(severity, &Path::Root, "");
            }
        }
        let (list, refused) = problems.finish("{}");
        let count = |severity| list.iter().filter(|problem| problem.severity == severity).count();
        let counts = [Severity::Warning, Severity::Flag, Severity::Document].map(count);
        assert_eq!((counts, refused), ([MOST; 3], true));
    }
}
