//! The binary as an engine.

use serde_json::{Value, json};

use super::suite::{Suite, now};
use crate::run::Folder;

/// One run of `eval --batch` for all cases.
pub(super) fn evaluations(suite: &Suite) -> Vec<Value> {
    let folder = Folder::new(&suite.document.to_string());
    let question = |case| {
        let context = serde_json::Map::get(case, "context").cloned().unwrap_or_else(|| json!({}));
        format!("{}\n", json!({ "flag": case["flag"], "context": context, "now": time(case) }))
    };
    let questions: String = suite.cases.iter().map(question).collect();
    let output = folder.run_with(&["eval", "--document", "document.json", "--batch"], questions.as_bytes());
    assert_eq!(output.code, 0, "{output:?}");
    output.json_lines()
}

/// One run of `decide` for each case.
pub(super) fn decisions(suite: &Suite) -> Vec<Value> {
    let folder = Folder::new(&suite.document.to_string());
    let config = suite.config.to_string();
    let decide = |case: &serde_json::Map<String, Value>| {
        let (request, now) = (case["request"].to_string(), time(case).to_string());
        let fixed = ["decide", "--document", "document.json", "--config", &config];
        let output = folder.run(&[&fixed[..], &["--request", &request, "--now", &now]].concat());
        let mut answer = output.json();
        if let Some(gate) = answer.get("gate") {
            let open = gate["open"].as_bool().expect("open or not");
            answer["gate"] = json!(if open { "open" } else { "closed" });
        }
        if let Some(anonymous) = answer.get("anonymous").cloned() {
            answer["anonymousCookie"] = anonymous["cookie"].clone();
            answer["targetingKey"] = Value::Null;
        }
        answer
    };
    suite.cases.iter().map(decide).collect()
}

/// The time of a case as the command line takes it: whole seconds, or milliseconds where these are large.
fn time(case: &serde_json::Map<String, Value>) -> u64 {
    match now(case) {
        now if now % 1000 == 0 => now / 1000,
        now => now,
    }
}

/// One run of `validate`, its lines taken apart.
pub(super) fn problems(document: &[u8]) -> Value {
    let folder = Folder::new("");
    std::fs::write(folder.path("document.json"), document).unwrap();
    let output = folder.run(&["validate", "document.json"]);
    let problems: Vec<_> = output.stdout.lines().filter_map(problem).collect();
    let has = |severity: &str| problems.iter().any(|problem| problem["severity"] == severity);
    let refused = has("document");
    assert_eq!(output.code, i32::from(refused || has("flag")), "{output:?}");
    json!({ "refused": refused, "problems": problems })
}

/// `document.json:LINE:COLUMN: SEVERITY: PATH: MESSAGE`; none for the line that says how large the document is.
fn problem(line: &str) -> Option<Value> {
    let mut parts = line.splitn(3, ": ");
    let (place, severity, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let number: u64 = place.split(':').nth(1)?.parse().ok()?;
    let (path, message) = rest.split_once(": ")?;
    let severity = match severity {
        "warning" => "warning",
        _ if message.ends_with("alone, with PARSE_ERROR)") => "flag",
        _ => "document",
    };
    Some(json!({ "severity": severity, "path": path, "line": number, "message": message }))
}
