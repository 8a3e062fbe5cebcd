//! flagd's own cases through `eval --batch`. They are not part of the project: see `../shared/vectors/README.md`, from
//! the project's root.

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::run::Folder;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors");

#[test]
fn flagd_cases_through_the_binary() {
    let folder = Path::new(VECTORS);
    if !folder.exists() {
        // Not by `eprintln`, which the test runner keeps to itself.
        writeln!(std::io::stderr(), "skipped: flagd's cases: {VECTORS} is not here").unwrap();
        return;
    }
    let cases = std::fs::read(folder.join("flagd-evaluator-cases.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_slice(&cases).unwrap();
    let document = std::fs::read_to_string(folder.join("flagd-testkit-flags.json")).unwrap();
    let question = |case: &Value| format!("{}\n", json!({ "flag": case["key"], "context": case["context"] }));
    let questions: String = cases.iter().map(question).collect();
    let arguments = ["eval", "--document", "document.json", "--batch"];
    let output = Folder::new(&document).run_with(&arguments, questions.as_bytes());
    let answers = output.json_lines();
    assert_eq!(answers.len(), cases.len());
    let wrong: Vec<_> = cases.iter().zip(&answers).filter(|(case, answer)| differs(case, answer)).collect();
    let list: Vec<_> = wrong.iter().map(|(case, answer)| format!("{case}\n  got {answer}")).collect();
    assert!(list.is_empty(), "{} of {} cases:\n{}", list.len(), cases.len(), list.join("\n"));
}

/// What a client makes of an answer, compared with what the case expects.
fn differs(case: &Value, answer: &Value) -> bool {
    let expect = &case["expect"];
    let value = answer.get("value").unwrap_or(&case["default"]);
    // Whoever asks for another type than the value has gets this error from the client, not from the evaluation.
    let is_type = match case["type"].as_str() {
        Some("Boolean") => value.is_boolean(),
        Some("String") => value.is_string(),
        Some("Integer" | "Float") => value.is_number(),
        _ => value.is_object(),
    };
    let code = answer.get("errorCode").cloned().unwrap_or(Value::Null);
    let code = if code.is_null() && !is_type { json!("TYPE_MISMATCH") } else { code };
    let metadata = answer.get("metadata").cloned().unwrap_or_else(|| json!({}));
    let equal = |key: &str, found: &Value| match (key, expect.get(key)) {
        (_, None) => true,
        ("value", Some(expected)) => same(expected, found),
        (_, Some(expected)) => expected == found,
    };
    !(equal("value", value)
        && equal("reason", &answer["reason"])
        && equal("errorCode", &code)
        && equal("metadata", &metadata))
}

/// Numbers are the same where they are as floats.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}
