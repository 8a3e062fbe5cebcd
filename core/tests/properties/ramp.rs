//! `ramp`: a pure function of time and key; whoever is in stays in while it rises; its height is a share of all keys.

use proptest::prelude::*;
use serde_json::{Value, json};
use turquoise_core::{Context, Timestamp};

use crate::{compile, document, variant};

/// The start of the schedules, in unix seconds.
const START: u64 = 1_780_000_000;

/// Points in ascending order of time and of percentage.
fn rising() -> impl Strategy<Value = Vec<(u64, u32)>> {
    prop::collection::vec((1..5_000u64, 0..30_000u32), 1..5).prop_map(|steps| {
        let (mut time, mut share) = (START, 0);
        let point = |(seconds, thousandths): (u64, u32)| {
            time += seconds;
            share = (share + thousandths).min(100_000);
            (time, share)
        };
        steps.into_iter().map(point).collect()
    })
}

fn rule(points: &[(u64, u32)], mode: &str) -> Value {
    let schedule: Vec<_> =
        points.iter().map(|(time, share)| json!([time, f64::from(*share) / 1000.0])).collect();
    json!({ "ramp": { "schedule": schedule, "mode": mode } })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rising_ramp_removes_nobody(
        points in rising(),
        linear in any::<bool>(),
        mut times in prop::collection::vec(0..25_000_000u64, 2..20),
        keys in prop::collection::vec("[a-z0-9]{1,8}", 1..20),
    ) {
        let snapshot = compile(&document(
            &json!({ "true": 1, "false": 0 }), &rule(&points, if linear { "linear" } else { "steps" })));
        times.sort_unstable();
        for key in &keys {
            let context = Context::new(json!({ "targetingKey": key }));
            let mut inside = false;
            for time in &times {
                let now = Timestamp(START * 1000 + time);
                let is_in = variant(&snapshot, &context, now) == Some("true");
                prop_assert!(is_in || !inside, "{key} was in and is out at {time}");
                prop_assert_eq!(variant(&snapshot, &context, now) == Some("true"), is_in, "the same again");
                inside = is_in;
            }
        }
    }

    #[test]
    fn raising_a_step_removes_nobody(low in 0..=100_000u32, more in 0..=100_000u32, key in "[a-zé0-9]{1,12}") {
        let high = (low + more).min(100_000);
        let context = Context::new(json!({ "targetingKey": key }));
        let inside = |share| {
            let snapshot = compile(&document(&json!({ "true": 1, "false": 0 }), &rule(&[(START, share)], "steps")));
            variant(&snapshot, &context, Timestamp(START * 1000)) == Some("true")
        };
        prop_assert!(!inside(low) || inside(high), "{} is in at {} and out at {}", key, low, high);
        prop_assert!(inside(100_000) && !inside(0));
    }
}
