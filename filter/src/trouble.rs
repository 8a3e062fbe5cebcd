//! Log lines about what is wrong, few enough to be read.
//!
//! What goes on is said once in the proxy, when it begins or changes, whichever VM sees it. What comes and goes is said
//! once in a minute, and no more than a score of lines are written in any minute; a later line tells how many were left
//! out.

use turquoise_core::fingerprint;

use crate::host::{self, LogLevel};
use crate::shared::{self, TRIES};

const MINUTE_MILLISECONDS: u64 = 60_000;

/// Trouble that nobody had for so long, in milliseconds, is worth a line again: the configuration was away meanwhile.
const FORGOTTEN_MILLISECONDS: u64 = 10 * MINUTE_MILLISECONDS;

/// The most lines in any minute.
const MOST_LINES: usize = 20;

/// The most lines in any minute before warnings stop, so that a document with many problems leaves room for errors.
const MOST_WITH_WARNINGS: usize = 15;

/// What the VMs of one configuration say of it.
#[derive(Debug)]
pub(crate) struct Trouble {
    key: String,
}

/// What was said of late, by whichever VM. It lies in shared data as numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
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

impl Trouble {
    /// For the configuration with this fingerprint.
    pub(crate) fn new(configuration: u64) -> Self {
        let key = format!("turquoise.{configuration:016x}.said");
        shared::place(&key, &[]);
        Self { key }
    }

    /// Something is wrong, still or again.
    pub(crate) fn wrong(&self, message: &str, now: u64) {
        self.change(LogLevel::Error, |said| said.stands(LogLevel::Error, message, now));
    }

    /// Nothing is wrong any more; said only if something was.
    pub(crate) fn over(&self, message: &str, now: u64) {
        self.change(LogLevel::Info, |said| {
            said.state?;
            said.stands(LogLevel::Info, message, now)
        });
    }

    /// Something is odd.
    pub(crate) fn warn(&self, message: &str, now: u64) {
        self.change(LogLevel::Warn, |said| {
            // Every VM compiles the same document, and finds the same in it.
            if said.was_said(fingerprint(message.as_bytes()), now) {
                return None;
            }
            let line = said.say(LogLevel::Warn, message, now);
            said.left_out = said.left_out.saturating_add(u64::from(line.is_none()));
            line
        });
    }

    /// Something that is normal once in a while, and has a cause worth knowing when it is not: said once.
    pub(crate) fn hint(&self, message: &str, now: u64) {
        self.change(LogLevel::Warn, |said| {
            let line = if said.hinted { None } else { said.say(LogLevel::Warn, message, now) };
            said.hinted |= line.is_some();
            line
        });
    }

    /// Logs the line that `change` makes, if any, once what it changed is known to all.
    fn change(&self, level: LogLevel, change: impl Fn(&mut Said) -> Option<String>) {
        for attempt in 1..=TRIES {
            let (bytes, cas) = host::shared_data(&self.key);
            let before = Said::parse(&bytes.unwrap_or_default());
            let mut said = before.clone();
            let line = change(&mut said);
            // Said twice is better than not at all.
            let noted =
                said == before || host::set_shared_data(&self.key, &said.bytes(), cas) || attempt == TRIES;
            if noted {
                line.into_iter().for_each(|line| host::log(level, &line));
                return;
            }
        }
    }
}

impl Said {
    fn parse(bytes: &[u8]) -> Self {
        let (lines, _) = bytes.get(40..).unwrap_or_default().as_chunks::<16>();
        let number = |index| shared::number(bytes, index).unwrap_or_default();
        Self {
            state: Some(number(0)).filter(|hash| *hash != 0),
            logged: number(1) != 0,
            seen: number(2),
            left_out: number(3),
            hinted: number(4) != 0,
            lines: lines
                .iter()
                .filter_map(|line| Some((shared::number(line, 0)?, shared::number(line, 1)?)))
                .collect(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let (logged, hinted) = (u64::from(self.logged), u64::from(self.hinted));
        let mut numbers = vec![self.state.unwrap_or(0), logged, self.seen, self.left_out, hinted];
        numbers.extend(self.lines.iter().flat_map(|(hash, at)| [hash, at]));
        shared::numbers(&numbers)
    }

    /// The line to log for how things stand, if any. What could not be said when it began is said later, if it lasts.
    fn stands(&mut self, level: LogLevel, message: &str, now: u64) -> Option<String> {
        let hash = fingerprint(message.as_bytes());
        let forgotten = level == LogLevel::Error && now.abs_diff(self.seen) > FORGOTTEN_MILLISECONDS;
        let new = self.state.replace(hash) != Some(hash) || forgotten;
        if level == LogLevel::Error {
            self.seen = now;
        }
        if !new && self.logged {
            return None;
        }
        let line = self.say(level, message, now);
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
    fn say(&mut self, level: LogLevel, message: &str, now: u64) -> Option<String> {
        let hash = fingerprint(message.as_bytes());
        let most = if level == LogLevel::Warn { MOST_WITH_WARNINGS } else { MOST_LINES };
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
