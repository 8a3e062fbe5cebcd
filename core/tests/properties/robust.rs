//! Nothing panics: not compiling whatever bytes, not compiling a document with something changed, not evaluating.

use proptest::prelude::*;
use serde_json::{Value, json};
use turquoise_core::fuzzing;

const EVERYTHING: &str = include_str!("../data/everything.json");

/// A value that does not belong where it is put.
fn stranger() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1.5e300),
        json!(""),
        json!("on"),
        json!([]),
        json!({}),
        json!([[["a"]]]),
        json!({ "var": "a" }),
        json!({ "flag": "logic" }),
        json!({ "$ref": "staff" }),
        json!({ "a": 1, "b": 2 }),
    ])
}

/// How many values there are in a value, itself included.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

/// The value at a place, counted in the order of the text.
fn at<'v>(value: &'v mut Value, place: &mut usize) -> Option<&'v mut Value> {
    if *place == 0 {
        return Some(value);
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| at(item, place)),
        Value::Object(members) => members.values_mut().find_map(|member| at(member, place)),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::document(&bytes);
    }

    #[test]
    fn text_that_looks_like_a_document(text in r#"(\{|\}|\[|\]|,|:|"flags"|"routes"|"a"|null|1e9|-0|"\\u00e9"){0,40}"#) {
        fuzzing::document(text.as_bytes());
    }

    #[test]
    fn a_document_with_values_that_do_not_belong(
        changes in prop::collection::vec((any::<prop::sample::Index>(), stranger()), 1..4),
    ) {
        let mut document: Value = serde_json::from_str(EVERYTHING).unwrap();
        for (place, value) in changes {
            let mut place = place.index(count(&document));
            if let Some(old) = at(&mut document, &mut place) {
                *old = value;
            }
        }
        fuzzing::document(document.to_string().as_bytes());
    }

    #[test]
    fn a_document_cut_off(end in 0..EVERYTHING.len()) {
        fuzzing::document(&EVERYTHING.as_bytes()[..end]);
    }

    #[test]
    fn rules_of_all_kinds(choices in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzzing::document_and_context(&choices);
    }
}
