//! Log lines about what is wrong, few enough to be read.
//!
//! What goes on is said once, when it begins or changes. What comes and goes is said once in a minute, and no more than a
//! score of lines are written in any minute; a later line tells how many were left out.

use turquoise_core::fingerprint;

use crate::host::{self, LogLevel};

const MINUTE_MILLISECONDS: u64 = 60_000;

/// The most lines in any minute.
const MOST_LINES: usize = 20;

/// The most lines in any minute before warnings stop, so that a document with many problems leaves room for errors.
const MOST_WITH_WARNINGS: usize = 15;

/// What was said of late.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// How things stand, as the hash of the message that says so; nothing was ever wrong when there is none.
    state: Option<u64>,
    /// Whether that was logged.
    said: bool,
    /// The lines of the last minute: hash and time.
    lines: Vec<(u64, u64)>,
    /// How many lines were left out since the last one.
    left_out: u32,
}

impl Trouble {
    /// Something is wrong, still or again.
    pub(crate) fn wrong(&mut self, message: &str, now: u64) {
        self.stands(LogLevel::Error, message, now);
    }

    /// Nothing is wrong any more; said only if something was.
    pub(crate) fn over(&mut self, message: &str, now: u64) {
        if self.state.is_some() {
            self.stands(LogLevel::Info, message, now);
        }
    }

    /// Something is odd.
    pub(crate) fn warn(&mut self, message: &str, now: u64) {
        if !self.say(LogLevel::Warn, message, now) {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// What could not be said when it began is said later, if it lasts.
    fn stands(&mut self, level: LogLevel, message: &str, now: u64) {
        let hash = fingerprint(message.as_bytes());
        let new = self.state.replace(hash) != Some(hash);
        if !new && self.said {
            return;
        }
        self.said = self.say(level, message, now);
        if new && !self.said {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// Writes a line unless it was written within the last minute, or too many were. Whether it was written.
    fn say(&mut self, level: LogLevel, message: &str, now: u64) -> bool {
        let hash = fingerprint(message.as_bytes());
        // A clock that was set back leaves lines of the future, which count no more than old ones.
        self.lines.retain(|(_, at)| *at <= now && now - at < MINUTE_MILLISECONDS);
        let most = if level == LogLevel::Warn { MOST_WITH_WARNINGS } else { MOST_LINES };
        if self.lines.len() >= most || self.lines.iter().any(|(line, _)| *line == hash) {
            return false;
        }
        self.lines.push((hash, now));
        match std::mem::take(&mut self.left_out) {
            0 => host::log(level, message),
            lines => host::log(level, &format!("{message} ({lines} lines before this one were left out)")),
        }
        true
    }
}
