//! Timing things against each other on a machine that does other work too.
//!
//! Criterion measures one thing for seconds and then the next; where the machine's speed changes in between, their
//! ratio is wrong. Here every round times each of them for about a millisecond, one after the other. Ratios are taken
//! within a round, and the median over all rounds counts; a figure in nanoseconds is that of the round that other
//! work disturbed least.

use std::fmt;
use std::time::{Duration, Instant};

/// How long each of them runs in a round.
const SLICE: Duration = Duration::from_millis(1);

/// Rounds that warm caches, branch predictors and clocks up, and are not counted.
const WARM_UP: usize = 20;

/// Something to time.
pub struct Subject<'a> {
    name: String,
    /// Does it that many times, and says how long that took.
    run: Box<dyn FnMut(u32) -> Duration + 'a>,
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Subject<'a> {
    /// `once` is timed; what it computes must go through [`std::hint::black_box`].
    pub fn new(name: impl Into<String>, mut once: impl FnMut() + 'a) -> Self {
        // The loop stands inside the box, so that the call through it is not what is measured.
        let run = move |times| {
            let start = Instant::now();
            for _ in 0..times {
                once();
            }
            start.elapsed()
        };
        Self { name: name.into(), run: Box::new(run) }
    }

    /// How many times fill a slice.
    fn times(&mut self) -> u32 {
        let mut times = 1;
        while times < u32::MAX / 2 && (self.run)(times) < SLICE / 2 {
            times *= 2;
        }
        times
    }
}

/// What came out for one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// The subject's name.
    pub name: String,
    /// Nanoseconds for one, in the best round.
    pub best: f64,
    /// How many times as long as the first subject, the median of all rounds.
    pub ratio: f64,
}

/// Times all subjects against the first.
pub fn alternate(mut subjects: Vec<Subject<'_>>, rounds: usize) -> Vec<Timing> {
    let times: Vec<_> = subjects.iter_mut().map(Subject::times).collect();
    let mut samples: Vec<Vec<f64>> = vec![Vec::with_capacity(rounds); subjects.len()];
    for round in 0..WARM_UP + rounds {
        for ((subject, times), samples) in subjects.iter_mut().zip(&times).zip(&mut samples) {
            let nanoseconds = (subject.run)(*times).as_secs_f64() * 1e9 / f64::from(*times);
            if round >= WARM_UP {
                samples.push(nanoseconds);
            }
        }
    }
    let first = samples.first().cloned().unwrap_or_default();
    let timing = |(subject, samples): (Subject<'_>, Vec<f64>)| Timing {
        name: subject.name,
        best: samples.iter().copied().fold(f64::INFINITY, f64::min),
        ratio: median(samples.iter().zip(&first).map(|(sample, first)| sample / first).collect()),
    };
    subjects.into_iter().zip(samples).map(timing).collect()
}

/// The value in the middle; not a number where there is none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_timed_against_the_first() {
        let sum = |upto: u64| {
            move || {
                std::hint::black_box((0..upto).fold(0, |sum, n| std::hint::black_box(sum + n)));
            }
        };
        let timings = alternate(vec![Subject::new("little", sum(10)), Subject::new("much", sum(1_000))], 3);
        let [little, much] = timings.as_slice() else { panic!("one timing for each subject") };
        assert_eq!((little.name.as_str(), little.ratio), ("little", 1.0));
        // Which of them takes longer is not asserted: the machine may be busy.
        assert!(much.name == "much" && much.ratio > 0.0 && much.best > 0.0, "{timings:?}");
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
    }
}
