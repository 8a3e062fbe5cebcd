//! Reading `testdata/` and comparing with what it expects.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

const TESTDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata");

/// A file of cases.
pub(super) struct Suite {
    file: String,
    pub(super) document: Value,
    pub(super) config: Value,
    pub(super) cases: Vec<Map<String, Value>>,
}

impl Suite {
    fn read(path: &Path, members: &[&str]) -> Self {
        let file = path.display().to_string();
        let Value::Object(mut json) = read_json(path) else { panic!("{file}: no object") };
        let mut take = |key: &str| json.remove(key);
        assert!(take("about").is_some_and(|about| about.is_string()), "{file}: no `about`");
        let document = take("document").expect("a document");
        let config = take("config").unwrap_or_else(|| json!({}));
        let Some(Value::Array(cases)) = take("cases") else { panic!("{file}: no `cases`") };
        assert!(json.is_empty(), "{file}: unknown members {:?}", json.keys());
        let mut names = HashSet::new();
        let check = |case: Value| {
            let Value::Object(case) = case else { panic!("{file}: a case that is no object") };
            for key in case.keys() {
                assert!(members.contains(&key.as_str()), "{file}: unknown member `{key}` in a case");
            }
            let name = case["name"].as_str().expect("a name").to_owned();
            assert!(names.insert(name.clone()), "{file}: two cases are named `{name}`");
            assert!(case["expect"].as_object().is_some_and(|expect| !expect.is_empty()), "{file}: {name}");
            case
        };
        let cases = cases.into_iter().map(check).collect();
        Self { file, document, config, cases }
    }

    /// Fails with all cases whose answers differ.
    pub(super) fn compare(&self, answers: &[Value], differs: fn(&Map<String, Value>, &Value) -> bool) {
        assert_eq!(answers.len(), self.cases.len(), "{}", self.file);
        let wrong: Vec<_> = self
            .cases
            .iter()
            .zip(answers)
            .filter(|(case, answer)| differs(case["expect"].as_object().expect("checked"), answer))
            .map(|(case, answer)| {
                format!("{}: {}\n  expected {}\n  got      {answer}", self.file, case["name"], case["expect"])
            })
            .collect();
        assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), answers.len(), wrong.join("\n"));
    }
}

/// All files of a folder of `testdata/`, whose cases have no members but these.
pub(super) fn folder(name: &str, members: &[&str]) -> Vec<Suite> {
    files(name).iter().map(|path| Suite::read(path, members)).collect()
}

/// The time of a case, in unix milliseconds.
pub(super) fn now(case: &Map<String, Value>) -> u64 {
    let seconds = case.get("now").map_or(0.0, |now| now.as_f64().expect("unix seconds"));
    (seconds * 1000.0).round() as u64
}

/// OFREP's object, without `key`: the same members, but for details and metadata that nobody expects.
pub(super) fn evaluation_differs(expect: &Map<String, Value>, answer: &Value) -> bool {
    let mut answer = answer.as_object().expect("an object").clone();
    answer.shift_remove("key");
    let details = answer.shift_remove("errorDetails");
    let part = expect.get("errorDetails").map_or("", |part| part.as_str().expect("text"));
    let details = details.map_or(String::new(), |details| details.as_str().expect("text").to_owned());
    if !expect.contains_key("metadata") {
        answer.shift_remove("metadata");
    }
    let mut expect = expect.clone();
    expect.shift_remove("errorDetails");
    answer != expect || !details.contains(part)
}

/// A decision: what is expected, and nothing else, counts; what is absent is null.
pub(super) fn decision_differs(expect: &Map<String, Value>, answer: &Value) -> bool {
    const MEMBERS: [&str; 10] = [
        "route",
        "gate",
        "status",
        "flag",
        "variant",
        "reason",
        "errorCode",
        "upstream",
        "targetingKey",
        "anonymousCookie",
    ];
    expect.iter().any(|(key, value)| {
        assert!(MEMBERS.contains(&key.as_str()), "unknown member `{key}` of `expect`");
        answer[key] != *value
    })
}

/// A document of `documents/`.
pub(super) struct Document {
    file: String,
    pub(super) bytes: Vec<u8>,
    expected: Value,
}

impl Document {
    /// How a report differs from what is expected; none, when it does not.
    pub(super) fn differs(&self, report: &Value) -> Option<String> {
        let list = |value: &Value| value["problems"].as_array().expect("problems").clone();
        let (expected, found) = (list(&self.expected), list(report));
        let same = |(expected, found): (&Value, &Value)| {
            let part = expected["message"].as_str().expect("a part of the message");
            ["severity", "path", "line"].iter().all(|key| expected[key] == found[key])
                && found["message"].as_str().is_some_and(|message| message.contains(part))
        };
        let equal = self.expected["refused"] == report["refused"]
            && expected.len() == found.len()
            && expected.iter().zip(&found).all(same);
        (!equal).then(|| format!("{}\n  expected {}\n  got      {report}", self.file, self.expected))
    }
}

/// All documents of `documents/`.
pub(super) fn documents() -> Vec<Document> {
    let is_document = |path: &PathBuf| !path.to_string_lossy().ends_with(".expected.json");
    let read = |path: PathBuf| Document {
        file: path.display().to_string(),
        bytes: fs::read(&path).expect("readable"),
        expected: read_json(&path.with_extension("expected.json")),
    };
    files("documents").into_iter().filter(is_document).map(read).collect()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(TESTDATA).join(folder)).expect("testdata");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} is empty");
    files
}

fn read_json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
