//! tmp
use std::time::Instant;
use turquoise_core::{Compilation, CompileOptions};
fn main() {
    let document = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    for _ in 0..3 {
        let t = Instant::now();
        let mut c = Compilation::new(
            document.clone(),
            CompileOptions { without_positions: true, ..CompileOptions::default() },
        )
        .unwrap();
        let new = t.elapsed();
        let mut all = Vec::new();
        loop {
            let t = Instant::now();
            let done = c.advance(8192);
            all.push(t.elapsed());
            if done {
                break;
            }
        }
        let t = Instant::now();
        let s = c.finish().unwrap();
        let f = t.elapsed();
        let t = Instant::now();
        let n = s.problems().len();
        let size = s.size();
        drop(s);
        let d = t.elapsed();
        let worst = all.iter().enumerate().max_by_key(|(_, t)| **t).unwrap();
        println!(
            "new {new:?} {} slices, sum {:?} worst {worst:?} finish {f:?} drop {d:?} problems {n} size {size}",
            all.len(),
            all.iter().sum::<std::time::Duration>()
        );
    }
}
