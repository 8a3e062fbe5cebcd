//! What is wrong with a document: the place, the reason, and what it costs.

mod collect;

use std::fmt;

use crate::json::{JsonPath, Position};

pub(crate) use collect::Problems;

/// What a problem does to the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is lost; something is probably not meant.
    Warning,
    /// The flag it stands in evaluates to `PARSE_ERROR`; the rest of the document serves. Where a route or a gate uses the
    /// flag, another problem says so at the route, and that one refuses the document.
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
    /// What is wrong, and what would be right. Of a problem in `$evaluators` it says which flags fail because of it.
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
    /// A document that is refused for one reason alone.
    pub(crate) fn of(message: String, position: Option<Position>) -> Self {
        let path = JsonPath::default();
        Self { problems: vec![Problem { severity: Severity::Document, path, position, message }] }
    }

    /// Whether the document is not JSON at all, rather than JSON that is no document.
    pub fn is_syntax(&self) -> bool {
        let is_syntax = |message: &str| message.starts_with("not JSON") || message.starts_with("not UTF-8");
        self.causes().any(|problem| is_syntax(&problem.message))
    }

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
