//! What size costs: evaluating among 10 and among 10,000 flags, finding a route among 10, 300 and 2,000, and compiling.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use turquoise_benches::documents::{Browser, flag_key, mixed_flags, routes, simple_flags};
use turquoise_benches::scenario::{NOW, Unused, attributes};
use turquoise_core::{Context, Scratch, Snapshot};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    evaluate_among(&mut criterion);
    route_among(&mut criterion);
    compile(&mut criterion);
    criterion.final_summary();
}

fn snapshot(document: &str) -> Snapshot {
    Snapshot::compile(document.as_bytes()).expect("a document that compiles")
}

/// The same flag, whatever else there is: the costs must be equal.
fn evaluate_among(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("evaluate-among-flags");
    let context = Context::new(attributes(Unused::None).into());
    let mut scratch = Scratch::default();
    for count in [10, 10_000] {
        let snapshot = snapshot(&mixed_flags(count));
        for (kind, position) in [("static", 6), ("conditions-5", 5)] {
            let key = flag_key(position);
            group.bench_function(BenchmarkId::new(kind, count), |bencher| {
                bencher.iter(|| snapshot.evaluate(black_box(&key), &context, NOW, &mut scratch));
            });
        }
    }
    group.finish();
}

fn route_among(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route-among");
    for count in [10, 300, 2_000] {
        let snapshot = snapshot(&routes(count));
        for (kind, request) in [("match", Browser::to(count - 4)), ("none", Browser::to_nowhere())] {
            assert_eq!(snapshot.route(&request).is_some(), kind == "match");
            group.bench_function(BenchmarkId::new(kind, count), |bencher| {
                bencher.iter(|| snapshot.route(black_box(&request)));
            });
        }
    }
    group.finish();
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(20);
    for (kind, document) in [
        ("10000-simple-flags", simple_flags(10_000)),
        ("10000-mixed-flags", mixed_flags(10_000)),
        ("2000-routes", routes(2_000)),
    ] {
        group.bench_function(kind, |bencher| bencher.iter(|| snapshot(black_box(&document))));
    }
    group.finish();
}
