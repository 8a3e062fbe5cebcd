//! Shares converge to weights: of many keys, each variant of a `fractional` or a `split` gets the share it was given.
//!
//! The bound: were keys placed at random, the count of a variant with share p among n keys would have the standard
//! deviation s = sqrt(n p (1 - p)). A count more than 6 s away happens about once in 500 million; with a few hundred
//! counts a run, a test that fails has found a fault and not bad luck. Half a key more is allowed where s is tiny.

use proptest::prelude::*;
use serde_json::{Value, json};
use turquoise_core::{Context, Scratch, Snapshot};

use crate::{NOW, compile, document};

const KEYS: usize = 20_000;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn variants() -> Value {
    json!({ "a": 1, "b": 2, "c": 3, "d": 4 })
}

/// How many of the keys `PREFIX0`, `PREFIX1`, ... get each variant; the last count is of those that get none.
fn counts(snapshot: &Snapshot, prefix: &str) -> [usize; 5] {
    let mut counts = [0; 5];
    let mut scratch = Scratch::default();
    for number in 0..KEYS {
        let context = Context::new(json!({ "targetingKey": format!("{prefix}{number}") }));
        let evaluation = snapshot.evaluate("flag", &context, NOW, &mut scratch);
        let name = evaluation.variant.map(|variant| snapshot.variant(variant).name);
        counts[NAMES.iter().position(|known| Some(*known) == name).unwrap_or(4)] += 1;
    }
    counts
}

fn check(counts: &[usize], shares: &[f64]) -> Result<(), TestCaseError> {
    for (count, share) in counts.iter().zip(shares) {
        let n = KEYS as f64;
        let bound = 6.0 * (n * share * (1.0 - share)).sqrt() + 0.5;
        let off = (*count as f64 - n * share).abs();
        prop_assert!(off <= bound, "{counts:?} of {KEYS} for {shares:?}: off by {off}, more than {bound}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shares_of_fractional_converge_to_weights(weights in prop::array::uniform4(0..100u32), prefix in "[a-zé-]{1,12}") {
        let total: u32 = weights.iter().sum();
        prop_assume!(total > 0);
        let buckets: Vec<_> = NAMES.iter().zip(weights).map(|(name, weight)| json!([name, weight])).collect();
        let snapshot = compile(&document(&variants(), &json!({ "fractional": buckets })));
        let shares = weights.map(|weight| f64::from(weight) / f64::from(total));
        check(&counts(&snapshot, &prefix)[..4], &shares)?;
    }

    #[test]
    fn shares_of_split_converge_to_percentages(
        thousandths in prop::array::uniform4(0..25_000u32),
        prefix in "[a-zé-]{1,12}",
        salt in "[a-z]{0,8}",
    ) {
        let percent = thousandths.map(|share| f64::from(share) / 1000.0);
        let buckets: Vec<_> = NAMES.iter().zip(percent).map(|(name, share)| json!([name, share])).collect();
        let snapshot = compile(&document(&variants(), &json!({ "split": { "salt": salt, "buckets": buckets } })));
        let mut shares: Vec<f64> = percent.iter().map(|share| share / 100.0).collect();
        // Whoever is beyond all of them gets none.
        shares.push(1.0 - shares.iter().sum::<f64>());
        check(&counts(&snapshot, &prefix), &shares)?;
    }
}
