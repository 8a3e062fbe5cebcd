//! The tables of BENCHMARKS.md, as Markdown: everything measured in one run, in turn, so that ratios hold on a machine
//! that does other work too (see `alternate`). `cargo bench -p turquoise-benches --bench table`

use std::hint::black_box;

use turquoise_benches::alternate::{Subject, Timing, alternate};
use turquoise_benches::documents::{Browser, flag_key, mixed_flags, routes, simple_flags};
use turquoise_benches::scenario::{NOW, Prepared, Scenario, Unused, attributes};
use turquoise_core::{Context, Scratch, Snapshot};

mod peers;

fn main() {
    // Without cargo bench's argument this is a test, and everything runs only often enough to be seen to run.
    let args: Vec<String> = std::env::args().collect();
    let measures = args.iter().any(|arg| arg == "--bench") && !args.iter().any(|arg| arg == "--test");
    let rounds = if measures { 400 } else { 1 };
    evaluations(rounds);
    among_flags(rounds);
    among_routes(rounds);
    compiling(if measures { 40 } else { 1 });
}

/// A line of a table: the first timing, and each other one with how many times the first it takes.
fn row(label: &str, timings: &[Timing], unit: f64) {
    let cells: Vec<_> = timings
        .iter()
        .enumerate()
        .map(|(position, Timing { best, ratio, .. })| match position {
            0 => format!("{:.1}", best / unit),
            _ => format!("{:.1} ({ratio:.2})", best / unit),
        })
        .collect();
    println!("| {label} | {} |", cells.join(" | "));
}

fn evaluations(rounds: usize) {
    println!("\nns per evaluation (in brackets: times ours)\n");
    println!("| rule, attributes | turquoise | datalogic-rs | flagd-evaluation-engine |");
    println!("|---|--:|--:|--:|");
    for unused in Unused::ALL {
        for scenario in Scenario::ALL {
            let mut ours = Prepared::new(unused);
            let engine = peers::datalogic();
            let mut rule = peers::DataLogic::new(&engine, scenario, unused);
            let contrib = peers::Contrib::new(unused);
            let label = format!("{}, {}", scenario.name(), unused.attributes());
            let mut subjects = vec![Subject::new("turquoise", || {
                black_box(ours.evaluate(black_box(scenario.name())));
            })];
            if let Some(rule) = &mut rule {
                subjects.push(Subject::new("datalogic-rs", || {
                    black_box(rule.evaluate(|variant| black_box(variant).is_some()));
                }));
            }
            subjects.push(Subject::new("flagd-evaluation-engine", || {
                black_box(contrib.evaluate(black_box(scenario)));
            }));
            let timings = alternate(subjects, rounds);
            match timings.as_slice() {
                [ours, contrib] => {
                    let Timing { best, ratio, .. } = contrib;
                    println!("| {label} | {:.1} | - | {best:.1} ({ratio:.2}) |", ours.best);
                }
                timings => row(&label, timings, 1.0),
            }
        }
    }
    unused_attributes(rounds);
}

/// The same evaluation with and without attributes that no rule reads.
fn unused_attributes(rounds: usize) {
    println!("\nns per evaluation with 7 and with 107 attributes, ours (in brackets: times the first)\n");
    println!("| rule | 7 | 107 |\n|---|--:|--:|");
    for scenario in Scenario::ALL {
        let mut prepared = Unused::ALL.map(Prepared::new);
        let subjects = prepared.iter_mut().map(|prepared| {
            Subject::new("turquoise", || {
                black_box(prepared.evaluate(black_box(scenario.name())));
            })
        });
        row(scenario.name(), &alternate(subjects.collect(), rounds), 1.0);
    }
}

fn compiled(document: &str) -> Snapshot {
    Snapshot::compile(document.as_bytes()).expect("a document that compiles")
}

fn among_flags(rounds: usize) {
    println!("\nns per evaluation of one flag among 10 and 10,000 (in brackets: times the first)\n");
    println!("| rule | 10 | 10,000 |\n|---|--:|--:|");
    let snapshots = [10, 10_000].map(|count| compiled(&mixed_flags(count)));
    let context = Context::new(attributes(Unused::None).into());
    for (kind, position) in [("static", 6), ("conditions-5", 5)] {
        let key = flag_key(position);
        let subjects = snapshots.iter().map(|snapshot| {
            let (key, context, mut scratch) = (&key, &context, Scratch::default());
            Subject::new(kind, move || {
                black_box(snapshot.evaluate(black_box(key), context, NOW, &mut scratch));
            })
        });
        row(kind, &alternate(subjects.collect(), rounds), 1.0);
    }
}

fn among_routes(rounds: usize) {
    println!("\nns to find a route among 10, 300 and 2,000 (in brackets: times the first)\n");
    println!("| request | 10 | 300 | 2,000 |\n|---|--:|--:|--:|");
    let snapshots = [10, 300, 2_000].map(|count| (count, compiled(&routes(count))));
    for kind in ["match", "none"] {
        let subjects = snapshots.iter().map(|(count, snapshot)| {
            let request = if kind == "match" { Browser::to(count - 4) } else { Browser::to_nowhere() };
            Subject::new(kind, move || {
                black_box(snapshot.route(black_box(&request)));
            })
        });
        row(kind, &alternate(subjects.collect(), rounds), 1.0);
    }
}

fn compiling(rounds: usize) {
    println!("\nms to compile\n");
    println!("| document | ms |\n|---|--:|");
    let documents = [
        ("10,000 simple flags", simple_flags(10_000)),
        ("10,000 flags of all kinds", mixed_flags(10_000)),
        ("2,000 routes", routes(2_000)),
    ];
    for (kind, document) in &documents {
        let subject = Subject::new(*kind, || {
            black_box(compiled(black_box(document)));
        });
        row(kind, &alternate(vec![subject], rounds), 1e6);
    }
    for (kind, document) in &documents {
        println!(
            "\n{kind}: {} bytes of JSON, Snapshot::size() {}",
            document.len(),
            compiled(document).size()
        );
    }
}
