//! The cases of `testdata/`, through the binary and natively.
//!
//! [`suite`] reads the files and compares; it knows no engine. An engine answers a whole suite at once, in the shape
//! that `testdata/README.md` describes: [`binary`] runs `turquoise`, [`native`] calls the core.

mod binary;
mod native;
mod suite;

use serde_json::Value;

use suite::{Suite, documents, folder};

/// Something that evaluates documents.
struct Engine {
    /// The answers to the cases of a file of `evaluations/`: OFREP's objects.
    evaluations: fn(&Suite) -> Vec<Value>,
    /// The answers to the cases of a file of `decisions/`.
    decisions: fn(&Suite) -> Vec<Value>,
    /// What is wrong with a document: `refused` and `problems`.
    problems: fn(&[u8]) -> Value,
}

const BINARY: Engine =
    Engine { evaluations: binary::evaluations, decisions: binary::decisions, problems: binary::problems };
const NATIVE: Engine =
    Engine { evaluations: native::evaluations, decisions: native::decisions, problems: native::problems };

fn evaluations(engine: &Engine) {
    for suite in folder("evaluations", &["name", "flag", "context", "now", "expect"]) {
        suite.compare(&(engine.evaluations)(&suite), suite::evaluation_differs);
    }
}

fn decisions(engine: &Engine) {
    for suite in folder("decisions", &["name", "request", "now", "expect"]) {
        suite.compare(&(engine.decisions)(&suite), suite::decision_differs);
    }
}

fn problems(engine: &Engine) {
    let wrong: Vec<_> = documents()
        .into_iter()
        .filter_map(|document| document.differs(&(engine.problems)(&document.bytes)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn evaluations_through_the_binary() {
    evaluations(&BINARY);
}

#[test]
fn evaluations_natively() {
    evaluations(&NATIVE);
}

#[test]
fn decisions_through_the_binary() {
    decisions(&BINARY);
}

#[test]
fn decisions_natively() {
    decisions(&NATIVE);
}

#[test]
fn broken_documents_through_the_binary() {
    problems(&BINARY);
}

#[test]
fn broken_documents_natively() {
    problems(&NATIVE);
}
