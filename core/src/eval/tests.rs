//! Corners in which flagd's reference evaluator was found to differ once (`preview/differential`).

use serde_json::{Value, json};

use super::{COMPARED_PER_STEP, HASHED_PER_STEP, MOST_STEPS, READ_PER_STEP};
use crate::{Context, Scratch, Snapshot, Timestamp};

/// The variant that a rule chooses, or the error's code.
fn ask(targeting: &Value, context: &Value) -> String {
    let names = ["true", "false", "a", "b", "a,b", "", "[object Object]"];
    let variants: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), json!(0))).collect();
    let flag = json!({ "state": "ENABLED", "variants": variants, "targeting": targeting });
    let snapshot = Snapshot::compile(json!({ "flags": { "f": flag } }).to_string().as_bytes()).unwrap();
    let context = Context::new(context.clone());
    let evaluation = snapshot.evaluate("f", &context, Timestamp(0), &mut Scratch::default());
    match (evaluation.variant, evaluation.error) {
        (Some(variant), _) => snapshot.variant(variant).name.to_owned(),
        (None, error) => error.map_or("none", crate::EvaluationError::code).to_owned(),
    }
}

#[test]
fn lists_and_objects_name_variants_by_their_text() {
    for (targeting, name) in [
        (json!({ "merge": ["a", "b"] }), "a,b"),
        (json!({ "merge": [["a"]] }), "a"),
        (json!({ "merge": [null] }), ""),
        (json!({ "var": "" }), "[object Object]"),
        (json!({ "in": [["b"], "abc"] }), "true"),
        (json!({ "sem_ver": [["1.2"], "=", "1.2.0"] }), "true"),
        (json!({ "sem_ver": [["1.2"], "=", { "cat": "1.2.0" }] }), "true"),
    ] {
        assert_eq!(ask(&targeting, &json!({})), name, "{targeting}");
    }
}

#[test]
fn nothing_is_in_an_empty_text() {
    for needle in [json!(""), json!({}), json!([])] {
        assert_eq!(ask(&json!({ "in": [needle, ""] }), &json!({})), "false", "{needle}");
    }
}

#[test]
fn what_is_null_is_not_missing() {
    let context = json!({ "nil": null, "list": [{ "a": null }] });
    for (targeting, name) in [
        (json!({ "!": { "missing": ["nil", ""] } }), "true"),
        (json!({ "!": { "missing": ["none"] } }), "false"),
        (json!({ "!": { "missing": [["nil"], []] } }), "true"),
        (json!({ "!": { "missing": [null] } }), "false"),
        (json!({ "some": [{ "var": "list" }, { "missing": ["a"] }] }), "false"),
        (json!({ "some": [{ "var": "list" }, { "missing": ["b"] }] }), "true"),
    ] {
        assert_eq!(ask(&targeting, &context), name, "{targeting}");
    }
}

#[test]
fn positions_in_a_text_lose_their_fraction() {
    for (from, len, part) in
        [(-5e-324, 1.0, "a"), (0.9, 1.0, "a"), (-1.9, 1.0, "b"), (0.0, -1.5, ""), (0.0, -0.5, "a")]
    {
        assert_eq!(ask(&json!({ "substr": ["ab", from, len] }), &json!({})), part, "{from} {len}");
    }
}

#[test]
fn nothing_of_half_a_character_is_nothing() {
    for rule in [json!({ "substr": ["😀", 1, 0] }), json!({ "substr": ["a😀", 2, -1] })] {
        assert_eq!(ask(&rule, &json!({})), "", "{rule}");
    }
}

#[test]
fn whatever_fails_in_a_fractional_makes_it_fail() {
    let failing = json!({ "+": [["no", "number"]] });
    for targeting in [
        json!({ "fractional": [["a", 1], [failing, 0]] }),
        json!({ "fractional": [["a", { "cat": "no weight" }], ["b", failing]] }),
        json!({ "fractional": [["a", "no weight"], ["b", failing]] }),
        json!({ "fractional": [7, ["b", failing]] }),
        json!({ "sem_ver": [failing, "=", "no version"] }),
    ] {
        // Without a targeting key too, where it would be null otherwise.
        assert_eq!(ask(&targeting, &json!({})), "GENERAL", "{targeting}");
        assert_eq!(ask(&targeting, &json!({ "targetingKey": "ada" })), "GENERAL", "{targeting}");
    }
}

#[test]
fn a_comparison_never_fails_whatever_it_gets() {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(5),
        json!(-1e300),
        json!(""),
        json!("5"),
        json!("five"),
        json!("NaN"),
        json!([]),
        json!([5]),
        json!({}),
        json!({ "a": 1 }),
    ];
    for operator in ["==", "!=", "===", "!==", "<", "<=", ">", ">="] {
        for (x, y) in values.iter().flat_map(|x| values.iter().map(move |y| (x, y))) {
            let context = json!({ "x": x, "y": y });
            let [x_name, y_name] = [json!({ "var": "x" }), json!({ "var": "y" })];
            // What a rule may spell out is no object.
            let [x_here, y_here] = [(x, &x_name), (y, &y_name)].map(|(value, name)| match value {
                Value::Object(_) => name.clone(),
                value => value.clone(),
            });
            let both = ask(&json!({ operator: [x_name, y_name] }), &context);
            assert!(["true", "false"].contains(&both.as_str()), "{x} {operator} {y}: {both}");
            for rule in [
                json!({ operator: [x_here, y_name] }),
                json!({ operator: [x_name, y_here] }),
                json!({ operator: [x_here, y_here] }),
            ] {
                assert_eq!(ask(&rule, &context), both, "{rule} {context}");
            }
            for rule in [
                json!({ operator: [x_name] }),
                json!({ operator: [] }),
                json!({ operator: x_name }),
                json!({ operator: [x_name, y_name, 9] }),
            ] {
                assert!(["true", "false"].contains(&ask(&rule, &context).as_str()), "{rule} {context}");
            }
        }
    }
    assert_eq!(
        ask(&json!({ "==": { "var": "l" } }), &json!({ "l": [1, 1] })),
        "true",
        "a list's items, as in flagd's Go"
    );
}

/// What flagd's Go answers where its JavaScript fails.
#[test]
fn a_client_that_sends_another_kind_of_value_gets_an_answer() {
    for (targeting, x, answer) in [
        (json!({ "===": [{ "+": [{ "var": "x" }, 1] }, 1] }), json!("many"), "true"),
        (json!({ "===": [{ "*": [{ "var": "x" }, 2] }, 0] }), json!("many"), "true"),
        (json!({ ">": [{ "/": [1, { "var": "x" }] }, 1e300] }), json!(0), "true"),
        (json!({ ">": [{ "%": [1, { "var": "x" }] }, 0] }), json!(0), "false"),
        (json!({ "===": [{ "max": [{ "var": "x" }, 1] }, 1] }), json!("many"), "true"),
        (json!({ "===": [{ "min": [{ "var": "x" }, 1] }, 0] }), json!("many"), "true"),
        (json!({ "===": [{ "max": { "var": "x" } }, null] }), json!([]), "true"),
        (json!({ "===": [{ "-": { "var": "x" } }, 0] }), json!([]), "true"),
        (json!({ "in": ["a", { "var": "x" }] }), json!(5), "false"),
        (json!({ "in": ["a", { "var": "x" }] }), json!({ "a": 1 }), "false"),
        (json!({ "in": ["a", { "var": "x" }] }), json!(true), "false"),
        (json!({ "===": [{ "substr": [{ "var": "x" }, 0, 2] }, "12"] }), json!(1234), "true"),
        (json!({ "===": [{ "substr": [{ "var": "x" }, 0, 2] }, ""] }), json!(null), "true"),
        (json!({ "===": [{ "reduce": [{ "var": "x" }, { "var": "current" }] }, 0] }), json!([]), "true"),
        (json!({ "!": { "missing_some": [1, { "var": "x" }] } }), json!("a"), "true"),
    ] {
        assert_eq!(ask(&targeting, &json!({ "x": x })), answer, "{targeting} {x}");
    }
}

#[test]
fn patterns_pay_for_what_they_may_cost() {
    let many: Vec<_> = (0..20).map(|_| json!({ "matches": [{ "var": "p" }, "[ab]{0,400}c"] })).collect();
    let rule = json!({ "or": many });
    assert_eq!(
        ask(&rule, &json!({ "p": "a".repeat(4096) })),
        "GENERAL",
        "too much work, and none of it done"
    );
    assert_eq!(
        ask(&json!({ "matches": [{ "var": "p" }, "^a+$"] }), &json!({ "p": "a".repeat(4096) })),
        "true"
    );
}

#[test]
fn what_another_flag_of_the_same_key_replaced_forms_no_cycle() {
    let text = r#"{ "flags": {
        "a": { "state": "ENABLED", "variants": { "on": 1 }, "targeting": { "flag": "a" } },
        "a": { "state": "ENABLED", "variants": { "on": 1 }, "defaultVariant": "on" } } }"#;
    assert!(Snapshot::compile(text.as_bytes()).is_ok());
}

#[test]
fn a_small_document_that_grows_too_large_by_references_is_refused() {
    let many: Vec<_> = (0..3000).map(|number| json!({ "==": [{ "var": "x" }, number] })).collect();
    let flag = json!({ "state": "ENABLED", "variants": { "on": 1 }, "targeting": { "$ref": "many" } });
    let flags: serde_json::Map<_, _> = (0..500).map(|number| (format!("f{number}"), flag.clone())).collect();
    let document = json!({ "flags": flags, "$evaluators": { "many": { "or": many } } });
    let error = Snapshot::compile(document.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().contains("compiling up to here takes"), "{error}");
}

#[test]
fn buckets_may_come_from_the_context() {
    let context = json!({ "targetingKey": "ada", "bucket": ["b", 1], "buckets": [["a", 0], ["b"]], "wrong": ["b", "1"] });
    for (targeting, variant) in [
        (json!({ "fractional": [["a", 0], { "var": "bucket" }] }), "b"),
        (json!({ "fractional": ["key", ["a", 0], { "var": "bucket" }] }), "b"),
        (json!({ "fractional": { "var": "buckets" } }), "b"),
        (json!({ "fractional": [["a", 0], { "var": "wrong" }] }), "none"),
        (json!({ "fractional": [["a"], { "var": "none" }] }), "none"),
    ] {
        assert_eq!(ask(&targeting, &context), variant, "{targeting}");
    }
}

#[test]
fn what_is_wrong_in_a_bucket_that_makes_no_sense_is_found() {
    let unknown = json!({ "no_such_operator": [] });
    for targeting in [json!({ "fractional": [["a"], unknown] }), json!({ "var": ["", unknown] })] {
        assert_eq!(ask(&targeting, &json!({})), "PARSE_ERROR", "{targeting}");
    }
}

#[test]
fn everything_is_there_even_where_it_is_null() {
    let rule = json!({ "some": [[null], { "var": ["", true] }] });
    assert_eq!(ask(&rule, &json!({})), "false");
}

/// The steps that a rule takes for this context.
fn steps(targeting: &Value, version: u32, context: Value) -> usize {
    let flag = json!({ "state": "ENABLED", "variants": { "a": 0, "b": 0 }, "targeting": targeting });
    let document = json!({ "flags": { "f": flag }, "metadata": { "fractional": format!("v{version}") } });
    let snapshot = Snapshot::compile(document.to_string().as_bytes()).unwrap();
    let mut scratch = Scratch::default();
    scratch.limit(Some(MOST_STEPS));
    snapshot.evaluate("f", &Context::new(context), Timestamp(0), &mut scratch);
    (MOST_STEPS - scratch.left.unwrap()) as usize
}

#[test]
fn long_texts_take_steps() {
    let (short, long) = ("x".to_owned(), "x".repeat(64_000));
    let context = |text: &str| json!({ "targetingKey": text, "text": text, "list": [text], "object": { "a": [text] }, "keys": { text: 1 } });
    let share = |by: &str| json!({ "fractional": [{ "var": by }, ["a", 1], ["b", 1]] });
    let halves = json!([["a", 50], ["b", 50]]);
    let schedule = json!([["1970-01-01T00:00:00Z", 50]]);
    for (targeting, version, bytes_per_step) in [
        (json!({ "fractional": [["a", 1], ["b", 1]] }), 2, HASHED_PER_STEP),
        (json!({ "fractional": [["a", 1], ["b", 1]] }), 3, HASHED_PER_STEP),
        (share("text"), 2, HASHED_PER_STEP),
        (share("text"), 3, HASHED_PER_STEP),
        (share("list"), 3, HASHED_PER_STEP),
        (share("object"), 3, HASHED_PER_STEP),
        (share("keys"), 3, HASHED_PER_STEP),
        (
            json!({ "fractional": [{ "if": [true, [[{ "var": "text" }]]] }, ["a", 1], ["b", 1]] }),
            3,
            HASHED_PER_STEP,
        ),
        (json!({ "split": halves }), 2, HASHED_PER_STEP),
        (json!({ "split": { "by": { "var": "text" }, "buckets": halves } }), 2, HASHED_PER_STEP),
        (json!({ "ramp": { "schedule": schedule, "mode": "steps" } }), 2, HASHED_PER_STEP),
        (json!({ "var": { "var": "text" } }), 2, READ_PER_STEP),
        (json!({ "<": [{ "var": "text" }, "y"] }), 2, READ_PER_STEP),
        (json!({ "+": [{ "var": "text" }] }), 2, READ_PER_STEP),
    ] {
        let more = steps(&targeting, version, context(&long)) - steps(&targeting, version, context(&short));
        let expected = (long.len() - short.len()) / bytes_per_step;
        assert!(more >= expected, "{targeting}, version {version}: {more} steps more, not {expected}");
    }
}

#[test]
fn wide_values_take_steps() {
    let rule = json!({ "fractional": [{ "var": "wide" }, ["a", 1], ["b", 1]] });
    let taken = |wide: Value| steps(&rule, 3, json!({ "wide": wide }));
    let members = |count: usize| -> Value { (0..count).map(|n| (format!("m{n}"), json!(n))).collect() };
    assert!(taken(json!(vec![1; 1000])) > 1000);
    // Their order is found by looking at all of them for each.
    let (some, twice) = (taken(members(30)), taken(members(60)));
    assert!(twice > 3 * some, "{some} steps, and {twice} for twice the members");
}

#[test]
fn long_constants_that_are_compared_for_each_item_take_steps() {
    let rules = |text: String| {
        let other = format!("{text}-");
        let items = vec![0; 20];
        [
            json!({ "some": [items, { "!": [{ "starts_with": [text, text] }] }] }),
            json!({ "some": [items, { "!": [{ "in": [text, [0, text]] }] }] }),
            json!({ "some": [items, { "!": [{ "in": [text, [text, other]] }] }] }),
        ]
    };
    for (short, long) in rules("x".to_owned()).into_iter().zip(rules("x".repeat(64_000))) {
        let more = steps(&long, 2, json!({})) - steps(&short, 2, json!({}));
        let rule: String = long["some"][1].to_string().chars().take(30).collect();
        assert!(more >= 20 * 63_000 / COMPARED_PER_STEP, "{rule}: {more} steps more");
    }
}

#[test]
fn looking_for_a_variant_of_another_flag_takes_steps() {
    let taken = |variants: usize| {
        let names: Value = (0..variants).map(|number| (format!("v{number}"), json!(number))).collect();
        let rule = json!({ "some": [vec![0; 20], { "==": [{ "flag": "g" }, "none"] }] });
        let document = json!({ "flags": {
            "g": { "state": "ENABLED", "variants": names, "targeting": { "cat": ["v", { "var": "number" }] } },
            "f": { "state": "ENABLED", "variants": { "true": 1, "false": 2 }, "targeting": rule }
        } });
        let snapshot = Snapshot::compile(document.to_string().as_bytes()).unwrap();
        let mut scratch = Scratch::default();
        scratch.limit(Some(MOST_STEPS));
        let context = Context::new(json!({ "number": variants - 1 }));
        snapshot.evaluate("f", &context, Timestamp(0), &mut scratch);
        (MOST_STEPS - scratch.left.unwrap()) as usize
    };
    assert!(taken(10_000) >= taken(10) + 20 * 9_000 / 4);
}
