//! Rules that would be too much, and documents with many problems.

use crate::{Severity, Snapshot};

fn problems(targeting: &str, evaluators: &str) -> Vec<String> {
    let document = format!(
        r#"{{ "$evaluators": {{ {evaluators} }}, "flags": {{ "f": {{ "state": "ENABLED", "variants": {{ "on": 1 }}, "targeting": {targeting} }} }} }}"#
    );
    let snapshot = Snapshot::compile(document.as_bytes()).unwrap();
    snapshot.problems().iter().map(|problem| format!("{} {}", problem.path, problem.message)).collect()
}

#[test]
fn rules_that_refer_to_themselves_end() {
    let once = problems(r#"{ "$ref": "a" }"#, r#""a": { "!": { "$ref": "a" } }"#);
    assert_eq!(once.len(), 1, "{once:?}");
    assert!(once[0].contains("the rule nests deeper than 64 levels (used by `f`)"), "{once:?}");
    let doubling = problems(r#"{ "$ref": "a" }"#, r#""a": { "and": [{ "$ref": "a" }, { "$ref": "a" }] }"#);
    assert!(doubling.iter().any(|problem| problem.contains("more than 10000 parts")), "{doubling:?}");
    assert!(doubling.len() <= 3, "{doubling:?}");
}

#[test]
fn a_rule_with_too_many_parts_says_so_once() {
    let many = vec![r#"{ "vra": 1 }"#; 20_000].join(",");
    let found = problems(&format!(r#"{{ "and": [{many}] }}"#), "");
    assert_eq!(found.iter().filter(|problem| problem.contains("parts")).count(), 0, "cut off before it");
    assert!(found.last().unwrap().ends_with("more problems are not listed"), "{:?}", found.last());
    let many = vec![r#"{ "var": "a" }"#; 20_000].join(",");
    let found = problems(&format!(r#"{{ "and": [{many}] }}"#), "");
    assert_eq!(found, ["$.flags.f.targeting.and[9999] the rule has more than 10000 parts"]);
}

#[test]
fn the_flags_own_error_is_the_first() {
    let document = br#"{ "$evaluators": { "e": { "ends_wiht": [] } }, "flags": {
        "f": { "state": "ENABLED", "variants": { "on": 1 }, "targeting": { "and": [{ "vra": 1 }, { "$ref": "e" }] } } } }"#;
    let snapshot = Snapshot::compile(document).unwrap();
    let evaluation = snapshot.evaluate(
        "f",
        &crate::Context::default(),
        crate::Timestamp(0),
        &mut crate::Scratch::default(),
    );
    assert_eq!(
        snapshot.error_message(&evaluation, "f").to_string(),
        "flag `f` does not compile: $.flags.f.targeting.and[0]: `vra` is no operator; did you mean `var`?"
    );
    assert_eq!(snapshot.failing_flags().count(), 1);
    assert!(snapshot.problems().iter().all(|problem| problem.severity == Severity::Flag));
}

#[test]
fn what_no_section_reads_must_be_json_all_the_same() {
    let flags = r#""flags": { "f": { "state": "ENABLED", "variants": { "v": 1 } } }"#;
    let fine = format!(r#"{{ "x": [1], "flags": {{}}, {flags} }}"#);
    assert_eq!(Snapshot::compile(fine.as_bytes()).unwrap().flags().count(), 1);
    for wrong in [
        format!(r#"{{ "x": [}}], {flags} }}"#),
        format!(r#"{{ "$evaluators": {{ "e": [}}] }}, {flags} }}"#),
        format!(r#"{{ "$evaluators": [}}], {flags} }}"#),
        format!(r#"{{ "metadata": {{]}}, {flags} }}"#),
        format!(r#"{{ "flags": {{ "a": tru }}, {flags} }}"#),
        format!(r#"{{ "routes": {{]}}, {flags} }}"#),
        format!(r#"{{ "routes": [{{]], {flags} }}"#),
        format!(r#"{{ {flags}, "fl\u12": 1 }}"#),
        format!(r#"{{ {flags} }} x"#),
        format!(r#"{{ {flags}, }}"#),
        "\"flags".to_owned(),
        String::new(),
    ] {
        let error = Snapshot::compile(wrong.as_bytes()).unwrap_err();
        assert!(error.is_syntax(), "{wrong}: {error}");
    }
}
