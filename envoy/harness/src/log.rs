//! The lines that a process wrote, kept so that a test can wait for one.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Enough for any test. An Envoy that is left running for days must not fill the memory of who started it.
const KEPT: usize = 10_000;

/// The lines that a process wrote to its standard output and error, in the order they arrived.
#[derive(Clone, Debug, Default)]
pub struct Log {
    lines: Arc<Mutex<Lines>>,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    dropped: usize,
}

/// A position in a [`Log`]: what came before it is not looked at again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark(usize);

impl Log {
    /// Reads `source` to its end in a thread of its own.
    pub(crate) fn follow(&self, source: impl Read + Send + 'static) {
        let log = self.clone();
        std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            // By bytes: what a proxy logs may hold a client's header, which need not be UTF-8.
            while matches!(source.read_until(b'\n', &mut line), Ok(read) if read > 0) {
                log.push(String::from_utf8_lossy(&line).trim_end().to_owned());
                line.clear();
            }
        });
    }

    /// Where the log ends now.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let lines = self.lock();
        Mark(lines.dropped + lines.kept.len())
    }

    /// All lines after `mark` that hold `text`.
    #[must_use]
    pub fn matching(&self, mark: Mark, text: &str) -> Vec<String> {
        let lines = self.lock();
        let skip = mark.0.saturating_sub(lines.dropped);
        lines.kept.iter().skip(skip).filter(|line| line.contains(text)).cloned().collect()
    }

    /// Waits for a line after `mark` that holds `text`, and returns it. The error shows the end of the log.
    pub async fn wait_for(&self, mark: Mark, text: &str, patience: Duration) -> Result<String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(line) = self.matching(mark, text).into_iter().next() {
                return Ok(line);
            }
            if Instant::now() > deadline {
                bail!("no log line with `{text}` within {patience:?}; the log ends with:\n{}", self.tail(20));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The last `count` lines, for error messages.
    #[must_use]
    pub fn tail(&self, count: usize) -> String {
        let lines = self.lock();
        let skip = lines.kept.len().saturating_sub(count);
        lines.kept.iter().skip(skip).map(|line| format!("    {line}\n")).collect()
    }

    fn push(&self, line: String) {
        let mut lines = self.lock();
        if lines.kept.len() == KEPT {
            lines.kept.pop_front();
            lines.dropped += 1;
        }
        lines.kept.push_back(line);
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        // A panic elsewhere leaves the lines as they were: still worth reading.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mark_hides_what_came_before() {
        let log = Log::default();
        log.push("document refused".to_owned());
        let mark = log.mark();
        assert!(log.matching(mark, "refused").is_empty());
        log.push("document refused again".to_owned());
        let line = log.wait_for(mark, "refused", Duration::from_secs(1)).await.unwrap();
        assert_eq!(line, "document refused again");
    }

    #[test]
    fn old_lines_go_and_marks_stay_right() {
        let log = Log::default();
        for number in 0..KEPT {
            log.push(format!("line {number}"));
        }
        let mark = log.mark();
        log.push("one more".to_owned());
        assert_eq!(log.matching(mark, ""), ["one more"]);
        assert!(log.matching(Mark::default(), "line 0").is_empty());
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept_readable() {
        let log = Log::default();
        log.follow(&b"value \xff here\n"[..]);
        for _ in 0..200 {
            if !log.matching(Mark::default(), "here").is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the line never arrived");
    }
}
