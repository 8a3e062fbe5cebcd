//! What compiling hostile documents costs natively, at a size and at four times that: linear is a ratio of 4.
//!
//! `hostile BYTES [PART OF A NAME]`

use std::time::Instant;

use turquoise_core::fuzzing::HOSTILE;
use turquoise_core::{CompileOptions, Snapshot};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let bytes: usize = arguments.next().and_then(|bytes| bytes.parse().ok()).unwrap_or(1 << 20);
    let wanted = arguments.next().unwrap_or_default();
    println!("| document | ms | ms at 4 times the size | times |\n|---|--:|--:|--:|");
    for (name, write) in HOSTILE.iter().filter(|(name, _)| name.contains(&wanted)) {
        let time = |bytes| {
            let document = write(bytes);
            let options = CompileOptions { without_positions: true, ..CompileOptions::default() };
            let start = Instant::now();
            drop(Snapshot::compile_with(document.as_bytes(), options));
            start.elapsed().as_secs_f64() * 1e3
        };
        let (small, large) = (time(bytes), time(4 * bytes));
        println!("| {name} | {small:.1} | {large:.1} | {:.1} |", large / small);
    }
}
