//! `fractional`, version 2, against an oracle written from its description: "MurmurHash3 x86 32-bit, seed 0, over UTF-8;
//! bucket = (u64(hash) * totalWeight) >> 32; the first cumulative weight above it. First argument a string: the key.
//! Null: dropped, key = flagKey + targetingKey. An array: the same key, all arguments are buckets. A number, boolean or
//! object: null. No usable targetingKey in the null and array forms: null. Weight default 1, negative 0, non-integer or
//! a weight or sum over 2147483647: null; sum 0: null."

use proptest::prelude::*;
use serde_json::{Value, json};
use turquoise_core::Context;

use crate::{NOW, compile, document, murmur3, variant};

const MOST: f64 = 2_147_483_647.0;

/// What the arguments give for a targeting key; the name of a variant.
fn oracle(arguments: &[Value], key: Option<&str>) -> Option<String> {
    let implied = || key.filter(|key| !key.is_empty()).map(|key| format!("flag{key}"));
    let (key, buckets) = match arguments.first()? {
        Value::String(key) => (Some(key.clone()), &arguments[1..]),
        Value::Null => (implied(), &arguments[1..]),
        Value::Array(_) => (implied(), arguments),
        _ => return None,
    };
    let key = key?;
    let mut weights = Vec::new();
    for bucket in buckets {
        let bucket = bucket.as_array()?;
        let weight = bucket.get(1).map_or(Some(1.0), Value::as_f64)?;
        if weight.fract() != 0.0 || weight > MOST {
            return None;
        }
        weights.push((bucket.first()?.as_str()?, weight.max(0.0)));
    }
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    if total == 0.0 || total > MOST {
        return None;
    }
    let place = (u64::from(murmur3::hash(key.as_bytes())) * total as u64) >> 32;
    let mut cumulative = 0;
    for (variant, weight) in weights {
        cumulative += weight as u64;
        if cumulative > place {
            return Some(variant.to_owned());
        }
    }
    None
}

fn weight() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => (0..200u32).prop_map(|weight| json!(weight)),
        1 => any::<i32>().prop_map(|weight| json!(weight)),
        1 => prop::sample::select(vec![json!(0), json!(-5), json!(1.5), json!(2.0), json!(2147483647), json!(2147483648u64)]),
    ]
}

fn bucket() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec!["a", "b", "c", "é"]);
    prop_oneof![
        1 => name.clone().prop_map(|name| json!([name])),
        6 => (name, weight()).prop_map(|(name, weight)| json!([name, weight])),
    ]
}

fn first() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        4 => Just(None),
        4 => ".{0,20}".prop_map(|key| Some(json!(key))),
        1 => prop::sample::select(vec![Value::Null, json!(7), json!(true)]).prop_map(Some),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fractional_agrees_with_its_description(
        first in first(),
        buckets in prop::collection::vec(bucket(), 0..6),
        key in prop::option::of(".{0,24}"),
    ) {
        let arguments: Vec<Value> = first.into_iter().chain(buckets).collect();
        let context = Context::new(key.as_ref().map_or(json!({}), |key| json!({ "targetingKey": key })));
        let variants = json!({ "a": 1, "b": 2, "c": 3, "é": 4 });
        let snapshot = compile(&document(&variants, &json!({ "fractional": arguments })));
        let expected = oracle(&arguments, key.as_deref());
        prop_assert_eq!(variant(&snapshot, &context, NOW).map(str::to_owned), expected, "{:?}", arguments);
    }
}
