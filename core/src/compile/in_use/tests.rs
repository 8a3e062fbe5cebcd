use crate::{Severity, Snapshot};

/// A document with a release, whose targeting is this, and a route and a gate that use it.
fn release(targeting: &str) -> String {
    format!(
        r#"{{ "$evaluators": {{
                "typo": {{ "ends_wiht": [{{ "var": "email" }}, "@example.com"] }},
                "gren": {{ "if": [{{ "var": "tester" }}, "gren"] }},
                "green": {{ "if": [{{ "var": "tester" }}, "green"] }} }},
            "flags": {{
                "release": {{ "state": "ENABLED", "variants": {{ "blue": "b", "green": "g" }}, "defaultVariant": "blue", "targeting": {targeting} }},
                "broken": {{ "state": "ENABLED", "variants": {{ "on": true }}, "targeting": {{ "no_such": [] }} }},
                "misnamed": {{ "state": "ENABLED", "variants": {{ "on": true }}, "targeting": {{ "if": [{{ "var": "x" }}, "onn"] }} }},
                "asks": {{ "state": "ENABLED", "variants": {{ "on": true }}, "targeting": {{ "if": [{{ "flag": "broken" }}, "on"] }} }},
                "off": {{ "state": "DISABLED", "variants": {{ "on": true }}, "targeting": {{ "no_such": [] }} }}
            }},
            "routes": [ {{ "name": "all", "flag": "release" }} ] }}"#
    )
}

/// Why a document is refused.
fn causes(document: &str) -> Vec<String> {
    match Snapshot::compile(document.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(error) => {
            error.causes().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
        }
    }
}

#[test]
fn a_release_that_fails_for_somebody_refuses_the_document() {
    for (targeting, reason) in [
        (
            r#"{ "if": [{ "ends_wiht": [{ "var": "email" }, "a"] }, "green"] }"#,
            "does not compile: $.flags.release.targeting.if[0]: `ends_wiht` is no operator; did you mean `ends_with`?",
        ),
        (r#""green""#, "does not compile: $.flags.release.targeting: targeting is a rule"),
        (r#"{ "if": [{ "$ref": "typo" }, "green"] }"#, "does not compile: $.$evaluators.typo: `ends_wiht`"),
        (r#"{ "$ref": "none" }"#, "does not compile: $.flags.release.targeting.$ref: there is no `none`"),
        (
            r#"{ "if": [{ "var": "tester" }, "gren"] }"#,
            "gives what is no variant: $.flags.release.targeting.if[1]: `gren` is none of the flag's variants, so who gets it gets an error; did you mean `green`?",
        ),
        (r#"{ "if": [{ "var": "a" }, "green", "purple"] }"#, "targeting.if[2]: `purple` is none of"),
        (r#"{ "fractional": [["gren", 10], ["blue", 90]] }"#, "targeting.fractional[0][0]: `gren` is none"),
        (
            r#"{ "fractional": [{ "var": "id" }, ["green", 1], ["blu", { "var": "x" }]] }"#,
            "fractional[2][0]: `blu`",
        ),
        (r#"{ "split": { "buckets": [["gren", 0.001]] } }"#, "targeting.split.buckets[0][0]: `gren`"),
        (
            r#"{ "if": [{ "var": "a" }, { "split": [["purple", 1]] }] }"#,
            "targeting.if[1].split[0][0]: `purple`",
        ),
        (r#"{ "$ref": "gren" }"#, "$.$evaluators.gren.if[1]: `gren` is none of the variants of `release`"),
        (r#"{ "or": [{ "$ref": "gren" }, "blue"] }"#, "$.$evaluators.gren.if[1]: `gren`"),
        (r#"{ "var": ["colour", "purple"] }"#, "targeting.var[1]: `purple`"),
        (r#"{ "and": [{ "var": "a" }, "gren"] }"#, "targeting.and[1]: `gren`"),
        // Whoever the condition does not hold for gets `false`.
        (
            r#"{ "and": [{ "==": [{ "var": "a" }, 1] }, "green"] }"#,
            "targeting.and[0][\"==\"]: `false` is none of",
        ),
        (
            r#"{ "ramp": { "schedule": [[0, 10]] } }"#,
            "targeting.ramp: `true` or `false` is none of the flag's variants",
        ),
        (r#"{ "starts_with": [{ "var": "a" }, "b"] }"#, "targeting.starts_with: `true` or `false` is none"),
        (r#"{ "+": [1, { "var": "a" }] }"#, "targeting[\"+\"]: a number is none"),
        (r#"{ "if": [{ "var": "a" }, 1] }"#, "targeting.if[1]: `1` is none"),
        (r#"{ "if": [{ "var": "a" }, {}, "blue"] }"#, "targeting.if[1]: `[object Object]` is none"),
        (
            r#"{ "if": [{ "flag": "broken" }, "green"] }"#,
            "rests on `broken`, which does not compile: $.flags.broken.targeting: `no_such` is no operator",
        ),
        (r#"{ "if": [{ "flag": "asks" }, "green"] }"#, "rests on `broken`, which does not compile"),
        (
            r#"{ "if": [{ "flag": "misnamed" }, "green"] }"#,
            "rests on `misnamed`, which gives what is no variant",
        ),
    ] {
        let found = causes(&release(targeting));
        assert_eq!(found.len(), 1, "{targeting}: {found:?}");
        assert!(found[0].starts_with("$.routes[0].flag: the flag `release` "), "{targeting}: {found:?}");
        assert!(found[0].contains(reason), "{targeting}: {found:?}");
    }
}

#[test]
fn what_fails_for_nobody_refuses_nothing() {
    for targeting in [
        "{}",
        "null",
        r#"{ "if": [{ "var": "tester" }, "green"] }"#,
        r#"{ "if": [{ "var": "tester" }, "green", null] }"#,
        r#"{ "$ref": "green" }"#,
        // Who gets a share of 0, or a branch behind what never holds?
        r#"{ "fractional": [["gren", 0], ["blue", 1]] }"#,
        r#"{ "split": [["gren", 0], ["blue", 1]] }"#,
        r#"{ "if": [false, "gren", "blue"] }"#,
        r#"{ "if": [true, "blue", "gren"] }"#,
        r#"{ "or": ["blue", "gren"] }"#,
        // Null everywhere, and so the default variant.
        r#"{ "fractional": [["green", 10.5]] }"#,
        r#"{ "starts_with": [{ "var": "a" }, 5] }"#,
        // What a client decides cannot be seen.
        r#"{ "var": "colour" }"#,
        r#"{ "cat": ["gre", { "var": "end" }] }"#,
        r#"{ "if": [{ "===": [{ "flag": "off" }, "on"] }, "green"] }"#,
        // A condition is no result.
        r#"{ "if": [{ "and": [{ "==": [{ "var": "a" }, 1] }, "x"] }, "green"] }"#,
    ] {
        assert_eq!(causes(&release(targeting)), [""; 0], "{targeting}");
    }
}

#[test]
fn flags_that_nothing_uses_fail_alone() {
    let document = release("{}");
    let snapshot = Snapshot::compile(document.as_bytes()).unwrap();
    assert_eq!(snapshot.failing_flags().count(), 1);
    let unused = document.replace(r#""flag": "release""#, r#""gate": { "flag": "off" }"#);
    assert_eq!(causes(&unused), [""; 0], "a disabled flag's rule is not in force");
}

#[test]
fn a_gate_that_fails_refuses_the_document() {
    for (gate, reason) in [
        ("broken", "the flag `broken` does not compile: $.flags.broken.targeting: `no_such` is no operator"),
        ("misnamed", "the flag `misnamed` gives what is no variant: $.flags.misnamed.targeting.if[1]: `onn`"),
        ("asks", "the flag `asks` rests on `broken`, which does not compile: $.flags.broken.targeting"),
    ] {
        let gate = format!(r#""flag": "release", "gate": {{ "flag": "{gate}" }}"#);
        let found = causes(&release("{}").replace(r#""flag": "release""#, &gate));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("$.routes[0].gate.flag: {reason}")), "{found:?}");
    }
}

#[test]
fn every_place_is_named_and_the_reason_once() {
    let routes = r#"{ "name": "a", "flag": "release" }, { "name": "b", "flag": "release" }, { "name": "c", "gate": { "flag": "asks" } }"#;
    let document = release(r#"{ "if": [{ "flag": "broken" }, "gren"] }"#)
        .replace(r#"{ "name": "all", "flag": "release" }"#, routes);
    let found = causes(&document);
    let starts = [
        "$.routes[0].flag: the flag `release` gives what is no variant: $.flags.release.targeting.if[1]: `gren`",
        "$.routes[1].flag: the flag `release` gives what is no variant (see above)",
        "$.routes[2].gate.flag: the flag `asks` rests on `broken`, which does not compile: $.flags.broken",
    ];
    assert_eq!(found.len(), starts.len(), "{found:?}");
    assert!(found.iter().zip(starts).all(|(found, start)| found.starts_with(start)), "{found:?}");
    let error = Snapshot::compile(document.as_bytes()).unwrap_err();
    let own = error.problems.iter().find(|problem| problem.severity == Severity::Flag).unwrap();
    assert_eq!(own.path.to_string(), "$.flags.broken.targeting", "the flag's own problem is told as well");
}

#[test]
fn of_a_key_that_stands_twice_the_last_flag_counts() {
    let flag = |targeting: &str| {
        format!(
            r#""release": {{ "state": "ENABLED", "variants": {{ "on": "o" }}, "targeting": {targeting} }}"#
        )
    };
    let document = |first: &str, last: &str| {
        format!(
            r#"{{ "flags": {{ {}, {} }}, "routes": [ {{ "name": "all", "flag": "release" }} ] }}"#,
            flag(first),
            flag(last)
        )
    };
    let good = r#"{ "if": [{ "var": "a" }, "on"] }"#;
    for bad in [r#"{ "no_such": [] }"#, r#"{ "if": [{ "var": "a" }, "onn"] }"#] {
        assert_eq!(causes(&document(bad, good)), [""; 0], "{bad}");
        assert_eq!(causes(&document(good, bad)).len(), 1, "{bad}");
    }
}

#[test]
fn many_results_that_are_no_variants_cost_no_more_than_their_number() {
    let names: Vec<_> = (0..5_000).map(|number| format!(r#""variant-number-{number}": 1"#)).collect();
    let buckets: Vec<_> = (0..5_000).map(|number| format!(r#"["variant-nomber-{number}", 1]"#)).collect();
    let document = format!(
        r#"{{ "flags": {{ "f": {{ "state": "ENABLED", "variants": {{ {} }}, "targeting": {{ "fractional": [{}] }} }} }} }}"#,
        names.join(","),
        buckets.join(",")
    );
    let start = std::time::Instant::now();
    let snapshot = Snapshot::compile(document.as_bytes()).unwrap();
    assert!(start.elapsed() < std::time::Duration::from_secs(2), "{:?}", start.elapsed());
    let last = snapshot.problems().last().unwrap();
    assert_eq!(last.message, "4900 more problems are not listed");
}
