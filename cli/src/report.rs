//! Problems as compilers print them: `FILE:LINE:COLUMN: error: PATH: message`, which editors and CI systems link.

use std::fmt;

use turquoise_core::{Position, Problem, SettingsError, Severity, Snapshot};

/// A problem of the document in the file of this name.
pub(crate) struct Line<'a> {
    pub(crate) file: &'a str,
    pub(crate) problem: &'a Problem,
    /// Whether the document is refused.
    pub(crate) refused: bool,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, problem, refused } = self;
        f.write_str(file)?;
        if let Some(Position { line, column }) = problem.position {
            write!(f, ":{line}:{column}")?;
        }
        let severity = if is_error(problem) { "error" } else { "warning" };
        write!(f, ": {severity}: {}: {}", problem.path, problem.message)?;
        let shared = problem.path.to_string().starts_with("$.$evaluators");
        f.write_str(match (problem.severity, shared, refused) {
            (Severity::Warning | Severity::Document, ..) => "",
            (Severity::Flag, true, false) => " (these flags fail alone, with PARSE_ERROR)",
            (Severity::Flag, false, false) => " (the flag fails alone, with PARSE_ERROR)",
            // Perhaps a route uses the flag; then the route's own problem says so.
            (Severity::Flag, true, true) => " (of itself it costs these flags alone, with PARSE_ERROR)",
            (Severity::Flag, false, true) => " (of itself it costs the flag alone, with PARSE_ERROR)",
        })
    }
}

/// What flagd would not understand, in the same form.
pub(crate) fn portability(file: &str, problem: &Problem) -> String {
    let Problem { severity, path, position, message } = problem;
    let place = position.map(|Position { line, column }| format!(":{line}:{column}")).unwrap_or_default();
    let severity = if *severity == Severity::Warning { "warning" } else { "error" };
    format!("{file}{place}: {severity}: {path}: {message}")
}

/// What is wrong with a plugin configuration, in the same form.
pub(crate) fn settings_error(file: &str, error: &SettingsError) -> String {
    let SettingsError { path, position, message } = error;
    let place = position.map(|Position { line, column }| format!(":{line}:{column}")).unwrap_or_default();
    format!("{file}{place}: error: plugin configuration, {path}: {message}")
}

/// A flag that fails alone is an error to whoever writes it, although the document serves.
pub(crate) fn is_error(problem: &Problem) -> bool {
    problem.severity != Severity::Warning
}

/// Whether these problems refuse the document.
pub(crate) fn is_refused(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Document)
}

/// Prints problems to stderr.
pub(crate) fn complain(file: &str, problems: &[Problem]) {
    let refused = is_refused(problems);
    for problem in problems {
        eprintln!("{}", Line { file, problem, refused });
    }
}

/// How many flags and routes a snapshot has, in words.
pub(crate) fn size(snapshot: &Snapshot) -> String {
    format!("{}, {}", count(snapshot.flags().count(), "flag"), count(snapshot.route_count(), "route"))
}

/// `1 flag`, `2 flags`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
