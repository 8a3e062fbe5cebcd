//! What the VMs of one configuration have logged of late, so that each trouble is told once and nothing floods the log.

use super::fields::{Fields, Writer};
use crate::fingerprint;

const MINUTE_MILLISECONDS: u64 = 60_000;

/// Trouble that nobody had for so long, in milliseconds, is worth a line again: the configuration was away meanwhile.
const FORGOTTEN_MILLISECONDS: u64 = 10 * MINUTE_MILLISECONDS;

/// The most lines in any minute.
const MAX_LINES: usize = 20;

/// The most lines in any minute before warnings stop, so that a document with many problems leaves room for errors.
const MAX_LINES_WITH_WARNINGS: usize = 15;

/// What was logged of late, by whichever VM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRecord {
    /// How things stand, as the hash of the message that says so; nothing was ever wrong when there is none.
    state: Option<u64>,
    /// Whether that was logged.
    logged: bool,
    /// When a VM last found it so.
    seen: u64,
    /// How many lines were left out since the last one.
    left_out: u64,
    /// Whether the hint was given.
    hinted: bool,
    /// The lines of the last minute: hash and time.
    lines: Vec<(u64, u64)>,
}

impl LogRecord {
    /// Reads a record; bytes that are none know of no lines.
    pub fn decode(bytes: &[u8]) -> Self {
        let Some(fields) = Fields::parse(bytes) else { return Self::default() };
        Self {
            state: fields.number(1),
            logged: fields.number(2).is_some(),
            seen: fields.number(3).unwrap_or_default(),
            left_out: fields.number(4).unwrap_or_default(),
            hinted: fields.number(5).is_some(),
            lines: fields.list(6).map(|[hash, at]| (hash, at)).take(MAX_LINES).collect(),
        }
    }

    /// The bytes that [`LogRecord::decode`] reads.
    pub fn encode(&self) -> Vec<u8> {
        let flag = |writer: Writer, tag, set| if set { writer.number(tag, 1) } else { writer };
        let mut writer = Writer::default().number(3, self.seen).number(4, self.left_out);
        if let Some(state) = self.state {
            writer = writer.number(1, state);
        }
        writer = flag(writer, 2, self.logged);
        writer = flag(writer, 5, self.hinted);
        writer.list(6, self.lines.iter().map(|(hash, at)| [*hash, *at])).finish()
    }

    /// The line that says what is wrong, if it is worth one.
    pub fn wrong(&mut self, message: &str, now: u64) -> Option<String> {
        let forgotten = now.abs_diff(self.seen) > FORGOTTEN_MILLISECONDS;
        self.seen = now;
        self.stands(message, forgotten, now)
    }

    /// The line that says that nothing is wrong any more, if something was.
    pub fn over(&mut self, message: &str, now: u64) -> Option<String> {
        self.state?;
        self.stands(message, false, now)
    }

    /// The line that says what is odd, unless it was said within the last minute: every VM finds the same.
    pub fn warn(&mut self, message: &str, now: u64) -> Option<String> {
        if self.was_said(fingerprint(message.as_bytes()), now) {
            return None;
        }
        let line = self.say(message, MAX_LINES_WITH_WARNINGS, now);
        self.left_out = self.left_out.saturating_add(u64::from(line.is_none()));
        line
    }

    /// The line that gives a hint, once.
    pub fn hint(&mut self, message: &str, now: u64) -> Option<String> {
        let line = if self.hinted { None } else { self.say(message, MAX_LINES_WITH_WARNINGS, now) };
        self.hinted |= line.is_some();
        line
    }

    /// The line for how things stand, if any. What could not be said when it began is said later, if it lasts.
    fn stands(&mut self, message: &str, forgotten: bool, now: u64) -> Option<String> {
        let hash = fingerprint(message.as_bytes());
        let new = self.state.replace(hash) != Some(hash) || forgotten;
        if !new && self.logged {
            return None;
        }
        let line = self.say(message, MAX_LINES, now);
        self.logged = line.is_some();
        self.left_out = self.left_out.saturating_add(u64::from(new && line.is_none()));
        line
    }

    /// Whether this was said within the last minute. What is older is forgotten.
    fn was_said(&mut self, hash: u64, now: u64) -> bool {
        // A clock that was set back leaves lines of the future, which count no more than old ones.
        self.lines.retain(|(_, at)| *at <= now && now - at < MINUTE_MILLISECONDS);
        self.lines.iter().any(|(line, _)| *line == hash)
    }

    /// The line to log, unless it was written within the last minute, or too many were.
    fn say(&mut self, message: &str, most: usize, now: u64) -> Option<String> {
        let hash = fingerprint(message.as_bytes());
        if self.was_said(hash, now) || self.lines.len() >= most {
            return None;
        }
        self.lines.push((hash, now));
        Some(match std::mem::take(&mut self.left_out) {
            0 => message.to_owned(),
            lines => format!("{message} ({lines} lines before this one were left out)"),
        })
    }
}
