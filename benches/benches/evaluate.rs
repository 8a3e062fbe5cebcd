//! What one evaluation costs, for each kind of rule, with 7 and with 107 attributes, ours beside other engines.
//!
//! Ours finds the flag by its key and gives variant and reason; `datalogic-rs` evaluates the rule alone;
//! `flagd-evaluation-engine` finds the variant as its provider does. For ratios see the bench `table`.

use std::hint::black_box;

use criterion::Criterion;
use turquoise_benches::scenario::{Prepared, Scenario, Unused};

mod peers;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for scenario in Scenario::ALL {
        for unused in Unused::ALL {
            evaluate(&mut criterion, scenario, unused);
        }
    }
    criterion.final_summary();
}

fn evaluate(criterion: &mut Criterion, scenario: Scenario, unused: Unused) {
    let mut group = criterion.benchmark_group(format!("{}/{}", scenario.name(), unused.attributes()));

    let mut ours = Prepared::new(unused);
    assert_eq!(ours.answer(scenario), (scenario.variant(), scenario.reason()), "turquoise");
    group.bench_function("turquoise", |bencher| {
        bencher.iter(|| ours.evaluate(black_box(scenario.name())));
    });

    let engine = peers::datalogic();
    if let Some(mut rule) = peers::DataLogic::new(&engine, scenario, unused) {
        assert_eq!(rule.evaluate(|variant| variant.map(str::to_owned)).as_deref(), Some(scenario.variant()));
        group.bench_function("datalogic-rs", |bencher| {
            bencher.iter(|| rule.evaluate(|variant| black_box(variant).is_some()));
        });
    }

    let contrib = peers::Contrib::new(unused);
    assert_eq!(contrib.evaluate(scenario), scenario.variant(), "flagd-evaluation-engine");
    group.bench_function("flagd-evaluation-engine", |bencher| {
        bencher.iter(|| contrib.evaluate(black_box(scenario)));
    });
    group.finish();
}
