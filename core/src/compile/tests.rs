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
fn what_is_compiled_by_reference_is_bounded_also_where_it_is_not_kept() {
    let parts = vec![r#"{ "var": "a" }"#; 2_000].join(",");
    let document = |flags: usize| {
        let flag = |number| {
            format!(
                r#""f{number}": {{ "state": "DISABLED", "variants": {{ "on": 1 }}, "targeting": {{ "!": {{ "$ref": "e" }} }} }}"#
            )
        };
        let flags: Vec<_> = (0..flags).map(flag).collect();
        format!(
            r#"{{ "$evaluators": {{ "e": {{ "and": [{parts}] }} }}, "flags": {{ {} }} }}"#,
            flags.join(",")
        )
    };
    assert!(Snapshot::compile(document(1_000).as_bytes()).is_ok());
    let error = Snapshot::compile(document(2_100).as_bytes()).unwrap_err();
    assert_eq!(error.causes().count(), 1, "{error}");
    assert!(error.to_string().contains("refer to by `$ref` come to more than 4000000 parts"), "{error}");
}

#[test]
fn flags_share_the_literals_of_an_evaluator() {
    let names: Vec<_> = (0..10_000).map(|number| format!("\"user-{number}\"")).collect();
    let size = |flags: usize| {
        let flag = |number| {
            format!(
                r#""f{number}": {{ "state": "ENABLED", "variants": {{ "true": 1, "false": 0 }},
                    "targeting": {{ "$ref": "e" }} }}"#
            )
        };
        let flags: Vec<_> = (0..flags).map(flag).collect();
        let document = format!(
            r#"{{ "$evaluators": {{ "e": {{ "and": [{{ "in": [{{ "var": "a" }}, [{list}]] }}, {{ "in": [1, [2, {list}]] }},
                {{ "matches": ["x", "a{{1,9}}"] }}, {{ "cidr": ["::1", ["::/0"]] }}] }} }}, "flags": {{ {flags} }} }}"#,
            list = names.join(","),
            flags = flags.join(",")
        );
        let snapshot = Snapshot::compile(document.as_bytes()).unwrap();
        assert_eq!(snapshot.failing_flags().count(), 0);
        let rules = &snapshot.rules;
        assert_eq!((rules.patterns.len(), rules.networks.len(), rules.constants.len()), (1, 1, 1));
        snapshot.size()
    };
    // Nor are they looked through again: that would be 20 million parts.
    size(1_001);
    assert!(size(101) - size(1) < 100_000, "{} {}", size(1), size(101));
}

#[test]
fn a_later_flag_of_the_same_key_asks_alone() {
    let flag = |targeting: &str| {
        format!(r#""f": {{ "state": "ENABLED", "variants": {{ "on": 1 }}, "targeting": {targeting} }}"#)
    };
    // Only the first would be a cycle.
    let document =
        format!(r#"{{ "flags": {{ {}, {} }} }}"#, flag(r#"{ "flag": "f" }"#), flag(r#"{ "if": [1, "on"] }"#));
    let snapshot = Snapshot::compile(document.as_bytes()).unwrap();
    assert_eq!(snapshot.problems().len(), 1, "{:?}", snapshot.problems());
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
