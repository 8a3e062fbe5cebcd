//! The order of attributes in a context does not matter, nor do attributes that no rule names.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use turquoise_core::fuzzing::Choices;
use turquoise_core::{Context, Scratch, Snapshot};

use crate::NOW;

/// A value of a context.
fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab0]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Everything that evaluating all flags gives.
fn answers(snapshot: &Snapshot, members: Map<String, Value>) -> Vec<String> {
    let context = Context::new(Value::Object(members));
    let mut scratch = Scratch::default();
    let answer = |flag| format!("{:?}", snapshot.evaluate_flag(flag, &context, NOW, &mut scratch));
    snapshot.flags().map(answer).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn neither_order_nor_unused_attributes_matter(
        choices in prop::collection::vec(any::<u8>(), 0..300),
        extra in prop::collection::vec(("unused-[a-z]{1,8}", value()), 0..20),
        turn in 0..8usize,
    ) {
        let mut choices = Choices::new(&choices);
        let document = choices.document();
        let Value::Object(context) = choices.context() else { return Err(TestCaseError::fail("no object")) };
        let Ok(snapshot) = Snapshot::compile(document.to_string().as_bytes()) else { return Ok(()) };

        let expected = answers(&snapshot, context.clone());
        let mut members: Vec<_> = context.into_iter().collect();
        let turn = turn % members.len().max(1);
        members.rotate_left(turn);
        prop_assert_eq!(&answers(&snapshot, members.iter().cloned().collect()), &expected, "in another order");
        // A rule may ask for the context as a whole; then none is unused.
        if asks_for_everything(&document) {
            return Ok(());
        }
        members.extend(extra);
        members.rotate_left(turn);
        prop_assert_eq!(&answers(&snapshot, members.into_iter().collect()), &expected, "with unused ones");
    }
}

/// Whether some `var` names nothing or computes its name, which may give the whole context.
fn asks_for_everything(rule: &Value) -> bool {
    match rule {
        Value::Array(items) => items.iter().any(asks_for_everything),
        Value::Object(members) => members.iter().any(|(operator, value)| {
            let name = value.as_array().map_or(value, |values| values.first().unwrap_or(&Value::Null));
            let whole = operator == "var" && name.as_str().is_none_or(str::is_empty);
            whole || asks_for_everything(value)
        }),
        _ => false,
    }
}

#[test]
fn what_asks_for_everything_is_recognised() {
    for (rule, whole) in [
        (json!({ "var": "" }), true),
        (json!({ "if": [{ "var": [] }] }), true),
        (json!({ "var": [{ "cat": [] }, 1] }), true),
        (json!({ "==": [{ "var": "a" }, { "var": ["b", 1] }] }), false),
    ] {
        assert_eq!(asks_for_everything(&rule), whole, "{rule}");
    }
}
