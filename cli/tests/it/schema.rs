//! `turquoise schema`: that it accepts and rejects what it should. flagd's own cases are not part of the project: see
//! `../shared/vectors/README.md`, from the project's root.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};
use turquoise_core::{DOCUMENT_SCHEMA, Snapshot};

use crate::run::Folder;

const FLAGD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/flagd-schema/test");
const TESTDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata");
const ENVOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy/blue-green/document.json");

fn schema() -> Value {
    serde_json::from_str(DOCUMENT_SCHEMA).unwrap()
}

/// A validator of one of the schema's definitions.
fn definition(name: &str) -> Validator {
    let mut schema = schema();
    assert!(schema["definitions"].get(name).is_some(), "{name}");
    schema["allOf"] = json!([{ "$ref": format!("#/definitions/{name}") }]);
    jsonschema::draft7::new(&schema).unwrap()
}

fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).unwrap()).ok()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn it_is_a_schema_and_is_printed() {
    assert!(jsonschema::meta::is_valid(&schema()));
    let output = Folder::new("").run(&["schema"]);
    assert_eq!((output.code, output.stdout.as_str()), (0, DOCUMENT_SCHEMA));
}

#[test]
fn flagds_own_cases_are_accepted_and_rejected() {
    let folder = Path::new(FLAGD);
    if !folder.exists() {
        let line = format!("skipped: flagd's schema cases: {FLAGD} is not here");
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    }
    let mut cases = 0;
    for (of, name) in [("flagd", "document"), ("flags", "providerDocument"), ("targeting", "targeting")] {
        let validator = definition(name);
        for (verdict, expected) in [("positive", true), ("negative", false)] {
            let folder = folder.join(of).join(verdict);
            // These are of flagd.json, which accepts arrays, although they lie with those of flags.json.
            let whole = definition("document");
            for file in folder.exists().then(|| files(&folder)).into_iter().flatten() {
                let case = read(&file).unwrap();
                let is_whole = case["$schema"].as_str().is_some_and(|schema| schema.ends_with("flagd.json"));
                let validator = if is_whole { &whole } else { &validator };
                let errors: Vec<_> = validator.iter_errors(&case).map(|error| error.to_string()).collect();
                assert_eq!(errors.is_empty(), expected, "{}: {errors:?}", file.display());
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 36, "all of them ran");
}

#[test]
fn documents_without_problems_are_accepted() {
    let validator = definition("document");
    let mut accepted = 0;
    for folder in ["evaluations", "decisions"] {
        for file in files(&Path::new(TESTDATA).join(folder)) {
            let document = read(&file).unwrap()["document"].take();
            accepted += usize::from(compiles_and_is_accepted(&validator, &document, &file));
            // The flags of a document in which some fail are documents as well.
            for (key, flag) in document["flags"].as_object().into_iter().flatten() {
                let document = json!({ "$evaluators": document["$evaluators"], "flags": { key: flag } });
                let document = match document["$evaluators"].is_null() {
                    true => json!({ "flags": { key: flag } }),
                    false => document,
                };
                accepted += usize::from(compiles_and_is_accepted(&validator, &document, &file));
            }
        }
    }
    let blue_green = Path::new(ENVOY);
    assert!(compiles_and_is_accepted(&validator, &read(blue_green).unwrap(), blue_green));
    assert!(accepted > 200, "{accepted} documents");
}

/// Whether a document compiles without problems; then the schema must accept it.
fn compiles_and_is_accepted(validator: &Validator, document: &Value, file: &Path) -> bool {
    let snapshot = Snapshot::compile(document.to_string().as_bytes());
    let sound = snapshot.is_ok_and(|snapshot| snapshot.problems().is_empty());
    let errors: Vec<_> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(!sound || errors.is_empty(), "{}: {document}\n{errors:#?}", file.display());
    sound
}

/// Documents in which the shape is right and something else is wrong, which no schema can see.
const UNSEEN: [&str; 3] = ["covered-routes.json", "prerequisites.json", "twice.json"];

#[test]
fn documents_with_a_wrong_shape_are_rejected() {
    let validator = definition("document");
    let mut unseen = Vec::new();
    for file in files(&Path::new(TESTDATA).join("documents")) {
        let expected = file.with_extension("expected.json");
        let (Some(document), true) = (read(&file), expected.exists()) else { continue };
        let expected = read(&expected).unwrap();
        let doubtful = !expected["problems"].as_array().unwrap().is_empty();
        if doubtful && validator.is_valid(&document) {
            unseen.push(file.file_name().unwrap().to_string_lossy().into_owned());
        }
        assert!(doubtful || validator.is_valid(&document), "{}", file.display());
    }
    assert_eq!(unseen, UNSEEN);
}

#[test]
fn its_own_examples_are_accepted() {
    let schema = schema();
    let mut examples = 0;
    for (name, part) in schema["definitions"].as_object().unwrap() {
        for example in part["examples"].as_array().into_iter().flatten() {
            assert!(definition(name).is_valid(example), "{name}: {example}");
            examples += 1;
        }
    }
    assert!(examples > 15, "{examples}");
}

#[test]
fn our_own_parts_are_checked() {
    for (name, accepted, rejected) in [
        ("split", json!([["a", 33.333]]), json!([["a", 101]])),
        ("split", json!({ "by": { "var": "id" }, "buckets": [["a", 1]] }), json!({ "bucket": [["a", 1]] })),
        ("ramp", json!({ "schedule": [[0, 1]] }), json!({ "schedule": [["tomorrow", 1]] })),
        ("rule", json!({ "flag": "x" }), json!({ "flag": ["x", "y"] })),
        ("rule", json!({ "cidr": ["x", "10.0.0.0/8"] }), json!({ "cidr": ["x", "home"] })),
        ("rule", json!({ "matches": ["x", "y"] }), json!({ "matches": ["x"] })),
        ("rule", json!({ "if": [[{ "var": "x" }]] }), json!({ "if": [[{ "vra": "x" }]] })),
        ("route", json!({ "name": "a", "flag": "x" }), json!({ "name": "a" })),
        (
            "route",
            json!({ "name": "a", "gate": { "flag": "x" } }),
            json!({ "name": "a", "gate": { "flag": "x", "status": 200 } }),
        ),
        ("match", json!({ "hosts": ["*.a.test", "[::1]"] }), json!({ "hosts": ["a.test:80"] })),
        ("match", json!({ "path": { "prefix": "/" } }), json!({ "path": { "prefix": "/", "exact": "/" } })),
        (
            "match",
            json!({ "headers": { "x": { "present": true } } }),
            json!({ "headers": { "x y": { "present": true } } }),
        ),
        ("guardrail", json!({ "window": "10s", "maxErrorRate": 0.05 }), json!({ "window": "10" })),
        ("setMetadata", json!({ "fractional": "v3" }), json!({ "fractional": "v4" })),
    ] {
        let validator = definition(name);
        assert!(validator.is_valid(&accepted), "{name}: {accepted}");
        assert!(!validator.is_valid(&rejected), "{name}: {rejected}");
    }
}
