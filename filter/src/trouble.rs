//! Log lines about what is wrong, few enough to be read.
//!
//! What goes on is said once in the proxy, when it begins or changes, whichever VM sees it. What comes and goes is said
//! once in a minute, and no more than a score of lines are written in any minute; a later line tells how many were left
//! out. The rules are [`LogRecord`]'s.

use std::rc::Rc;

use turquoise_core::feed::LogRecord;

use crate::host::{self, LogLevel};
use crate::shared::{self, Shared};

/// What the VMs of one configuration say of it.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// Where they note what they said. Configurations without a source note it in one place.
    shared: Option<Rc<Shared>>,
}

impl Trouble {
    pub(crate) fn new(shared: Option<Rc<Shared>>) -> Self {
        shared::place_log();
        Self { shared }
    }

    /// Something is wrong, still or again.
    pub(crate) fn wrong(&self, message: &str, now: u64) {
        self.log(LogLevel::Error, |record| record.wrong(message, now));
    }

    /// Nothing is wrong any more; said only if something was.
    pub(crate) fn over(&self, message: &str, now: u64) {
        self.log(LogLevel::Info, |record| record.over(message, now));
    }

    /// Something is odd.
    pub(crate) fn warn(&self, message: &str, now: u64) {
        self.log(LogLevel::Warn, |record| record.warn(message, now));
    }

    /// Something that is normal once in a while, and has a cause worth knowing when it is not: said once.
    pub(crate) fn hint(&self, message: &str, now: u64) {
        self.log(LogLevel::Warn, |record| record.hint(message, now));
    }

    /// Logs the line that `change` makes, if any, once what it changed is known to all.
    fn log(&self, level: LogLevel, change: impl Fn(&mut LogRecord) -> Option<String>) {
        let line = shared::update_log(self.shared.as_deref(), |bytes| {
            let mut record = LogRecord::decode(bytes);
            let line = change(&mut record);
            Some((record.encode(), line))
        });
        // Said twice is better than not at all: others came first too often.
        let line = line.unwrap_or_else(|| change(&mut LogRecord::default()));
        line.into_iter().for_each(|line| host::log(level, &line));
    }
}
