//! A source that goes to and fro between two documents: replicas that are not in step, mostly.

use super::is_recent;

/// The last documents that a source gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alternation {
    /// Fingerprints and times, the newest last, no two neighbours alike.
    last: Vec<(u64, u64)>,
}

impl Alternation {
    /// The source gave this document now. The other one, if it goes to and fro: the last four documents are two by turns,
    /// all within so many milliseconds. A release that is taken back and tried again once is not that many. `None` if it
    /// is the same document again, which says nothing.
    pub fn came(&mut self, fingerprint: u64, now: u64, within: u64) -> Option<Option<u64>> {
        if self.last.last().is_some_and(|(last, _)| *last == fingerprint) {
            return None;
        }
        self.last.push((fingerprint, now));
        let surplus = self.last.len().saturating_sub(4);
        self.last.drain(..surplus);
        Some(match *self.last.as_slice() {
            [(a, first), (b, _), (c, _), (d, _)] if a == c && b == d => {
                is_recent(first, now, within).then_some(c)
            }
            _ => None,
        })
    }
}
