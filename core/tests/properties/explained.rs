//! What an explanation says equals what is decided: the value, the branch, each condition, the share, and which attributes
//! were read. The checks are in `turquoise_core::fuzzing`; here are rules in which numbers that JSON does not have, and lists
//! that rules build, decide.

use proptest::prelude::*;
use serde_json::{Value, json};
use turquoise_core::{Context, fuzzing};

use crate::{compile, document};

const OPERATORS: &[&str] =
    &["+", "-", "*", "/", "%", "max", "<", ">=", "==", "!==", "if", "and", "or", "!", "!!", "in", "merge"];

const ITERATIONS: &[&str] = &["map", "filter", "all", "some", "none"];

/// A rule for a number, most of which JSON does not have, or for what holds such numbers.
fn operand() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!({ "/": [0, 0] }),
        json!({ "/": [1, 0] }),
        json!({ "/": [-1, 0] }),
        json!(-0.0),
        json!(0),
        json!(1),
        json!("NaN"),
        json!("Infinity"),
        json!(""),
        json!(null),
        json!({ "var": "" }),
        json!({ "var": "accumulator" }),
        json!({ "var": "current" }),
        json!({ "var": "0" }),
        json!({ "var": "0.0" }),
        json!({ "var": "n" }),
        json!({ "var": { "+": [0, 1] } }),
    ]);
    leaf.prop_recursive(5, 40, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from);
        prop_oneof![
            list.clone(),
            (prop::sample::select(OPERATORS), prop::collection::vec(inner.clone(), 1..5))
                .prop_map(|(operator, rules)| json!({ operator: rules })),
            (prop::sample::select(ITERATIONS), list.clone(), inner.clone())
                .prop_map(|(operator, list, body)| json!({ operator: [list, body] })),
            (list, inner.clone(), inner.clone())
                .prop_map(|(list, body, initial)| json!({ "reduce": [list, body, initial] })),
            (inner.clone(), inner.clone(), inner).prop_map(|(by, weight, variant)| {
                json!({ "fractional": [{ "cat": [by] }, ["on", weight], [variant, 1], ["off", 2]] })
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_explanation_says_what_is_decided(rule in operand(), n in any::<i8>()) {
        let rule = json!({ "if": [rule, "on", "off"] });
        let snapshot = compile(&document(&json!({ "on": true, "off": false }), &rule));
        fuzzing::check(&snapshot, &Context::new(json!({ "targetingKey": "user", "n": n, "1": [n] })));
    }

    #[test]
    fn the_value_of_a_rule_is_that_of_its_explanation(rule in operand(), n in any::<i8>()) {
        let variants = json!({ "on": true, "true": true, "false": false, "NaN": 1, "0": 0, "Infinity": 2 });
        let snapshot = compile(&document(&variants, &rule));
        fuzzing::check(&snapshot, &Context::new(json!({ "targetingKey": "user", "n": n })));
    }
}
