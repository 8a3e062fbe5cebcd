//! The loop that `wasm/time.mjs` runs inside the module, natively: prints the nanoseconds of one evaluation. Also what
//! callgrind looks at, since nothing else happens in it.
//!
//! `native SCENARIO ATTRIBUTES TIMES`: the number of a scenario, 7 or 107, and how many evaluations.

use std::time::Instant;

use turquoise_benches::scenario::{Prepared, Scenario, Unused, repeat};

fn main() {
    let arguments: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let [scenario, attributes, times] = arguments[..] else { panic!("native SCENARIO ATTRIBUTES TIMES") };
    let scenario = Scenario::ALL[scenario as usize];
    let unused = if attributes == 7 { Unused::None } else { Unused::Hundred };
    let mut prepared = Prepared::new(unused);
    // As much again before the clock starts, as the module does.
    repeat(&mut prepared, scenario, times);
    let start = Instant::now();
    assert_eq!(repeat(&mut prepared, scenario, times), times, "each evaluation finds a variant");
    println!("{}", start.elapsed().as_secs_f64() * 1e9 / f64::from(times));
}
