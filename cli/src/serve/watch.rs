//! Following a file by asking for its metadata every few milliseconds.
//!
//! Polling sees what notifications miss: network file systems, a `ConfigMap` whose symbolic link is swapped, a file
//! that an editor renames another one over, a directory that does not exist for a moment. It costs a system call of a
//! microsecond each time. What it must take care of: a file that is written while we read, and two versions within one
//! tick of the file system's clock.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use turquoise_core::{CompileError, Versions, document_version, is_older};
use xxhash_rust::xxh3::xxh3_128;

use super::published::Published;
use super::stable::{self, Stamp};
use crate::document::reason;
use crate::failure::Failure;
use crate::report;

/// How often the file is looked at.
pub(super) const INTERVAL: Duration = Duration::from_millis(10);

/// How long a file must stay broken, or away, before that is worth a word: whoever writes in place empties it first.
const PATIENCE: Duration = Duration::from_millis(200);

/// What a look at the file found out.
#[derive(Debug)]
pub(super) enum Event {
    /// Another document, and it compiles.
    Changed(Published),
    /// The file cannot be served as it is; the last good document stays.
    Trouble(Trouble),
    /// The file holds what is served again.
    Recovered(String),
}

/// Something that is wrong with the file at present.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    /// What was read, or nothing where nothing could be.
    hash: Option<u128>,
    since: Instant,
    told: bool,
    /// What is wrong, for people.
    pub(super) complaint: String,
}

impl Trouble {
    fn new(hash: Option<u128>, complaint: String) -> Self {
        Self { hash, since: Instant::now(), told: false, complaint }
    }

    /// Whether the file could not even be read.
    pub(super) fn is_unreadable(&self) -> bool {
        self.hash.is_none()
    }
}

/// Looks at one file again and again.
#[derive(Debug)]
pub(super) struct Watcher {
    path: PathBuf,
    /// As messages call the file.
    name: String,
    stamp: Option<Stamp>,
    /// What was read of a file that was written a moment ago, and has to be the same at the next look.
    unsettled: Option<(Stamp, u128)>,
    /// The hash of the document that is served.
    served: Option<u128>,
    /// What versions mean to the proxies, and the version that is served.
    versions: Versions,
    version: Option<String>,
    trouble: Option<Trouble>,
    /// Whether trouble was told since the file last held what is served, this one or one before it.
    complained: bool,
}

impl Watcher {
    /// A watcher that has not looked yet.
    pub(super) fn new(path: &Path, versions: Versions) -> Self {
        let name = path.display().to_string();
        Self {
            path: path.to_owned(),
            name,
            stamp: None,
            unsettled: None,
            served: None,
            versions,
            version: None,
            trouble: None,
            complained: false,
        }
    }

    /// Looks at the file for the first time, when it should be there and compile. The watcher can go on either way.
    pub(super) fn first(&mut self) -> Result<Published, Failure> {
        let mut event = self.poll();
        while event.is_none() && self.unsettled.is_some() {
            std::thread::sleep(INTERVAL);
            event = self.poll();
        }
        match event {
            Some(Event::Changed(published)) => Ok(published),
            _ => {
                self.complained = true;
                let complaint = self.trouble.as_mut().map(|trouble| {
                    trouble.told = true;
                    trouble.complaint.clone()
                });
                Err(Failure::Work(complaint.unwrap_or_default()))
            }
        }
    }

    /// What is wrong with the file, if that has been told.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref().filter(|trouble| trouble.told)
    }

    /// Looks at the file.
    pub(super) fn poll(&mut self) -> Option<Event> {
        let stamp = match Stamp::of_path(&self.path) {
            Ok(stamp) => stamp,
            Err(error) => return self.unreadable(&reason(&error)),
        };
        let readable = self.trouble.as_ref().is_none_or(|trouble| trouble.hash.is_some());
        if self.stamp == Some(stamp) && readable && self.unsettled.is_none() && !stamp.is_fresh() {
            return self.tell();
        }
        let (stamp, bytes) = match stable::read(&self.path) {
            Ok(read) => read,
            Err(error) => return self.unreadable(&reason(&error)),
        };
        self.stamp = Some(stamp);
        let hash = xxh3_128(&bytes);
        let before = self.unsettled.take();
        let is_known =
            [self.served, self.trouble.as_ref().and_then(|trouble| trouble.hash)].contains(&Some(hash));
        if stamp.is_fresh() && !is_known && before != Some((stamp, hash)) {
            self.unsettled = Some((stamp, hash));
            return None;
        }
        if self.served == Some(hash) {
            return self.recovered();
        }
        if self.trouble.as_ref().is_some_and(|trouble| trouble.hash == Some(hash)) {
            return self.tell();
        }
        let version = document_version(&bytes);
        match Published::new(&self.name, bytes, hash) {
            Ok(_) if self.would_be_refused(version.as_deref()) => {
                let complaint = self.older(version.as_deref().unwrap_or_default());
                self.suspect(Trouble::new(Some(hash), complaint))
            }
            Ok(published) => {
                self.version = version;
                (self.served, self.trouble, self.complained) = (Some(hash), None, false);
                Some(Event::Changed(published))
            }
            Err(error) => {
                let complaint = self.refusal(&error);
                self.suspect(Trouble::new(Some(hash), complaint))
            }
        }
    }

    fn unreadable(&mut self, reason: &str) -> Option<Event> {
        self.unsettled = None;
        if self.trouble.as_ref().is_some_and(Trouble::is_unreadable) {
            return self.tell();
        }
        let complaint = format!("cannot read `{}`: {reason}; {}", self.name, self.meanwhile());
        self.suspect(Trouble::new(None, complaint))
    }

    fn suspect(&mut self, trouble: Trouble) -> Option<Event> {
        self.trouble = Some(trouble);
        None
    }

    /// Complains once, when trouble has lasted.
    fn tell(&mut self) -> Option<Event> {
        let trouble = self.trouble.as_mut()?;
        if trouble.told || trouble.since.elapsed() < PATIENCE {
            return None;
        }
        trouble.told = true;
        self.complained = true;
        Some(Event::Trouble(trouble.clone()))
    }

    /// The file holds what is served; worth a word if we complained.
    fn recovered(&mut self) -> Option<Event> {
        self.trouble = None;
        std::mem::take(&mut self.complained)
            .then(|| Event::Recovered(format!("`{}` holds the document that is served again", self.name)))
    }

    /// Whether proxies to which versions increase refuse a document of this version after the one that is served.
    fn would_be_refused(&self, version: Option<&str>) -> bool {
        let both = version.zip(self.version.as_deref());
        self.versions == Versions::Increasing
            && both.is_some_and(|(version, served)| is_older(version, served))
    }

    fn older(&self, version: &str) -> String {
        format!(
            "`{}` has the version `{version}`, which is older than `{}`: proxies with `\"versions\": \"increasing\"` refuse it; give \
             it a newer `metadata.version`; {}",
            self.name,
            self.version.as_deref().unwrap_or_default(),
            self.meanwhile()
        )
    }

    /// The problems as `validate` prints them, after the word that matters.
    fn refusal(&self, error: &CompileError) -> String {
        let mut text = format!("`{}` does not compile; {}", self.name, self.meanwhile());
        for problem in &error.problems {
            text.push_str(&format!("\n{}", report::Line { file: &self.name, problem, refused: true }));
        }
        text
    }

    fn meanwhile(&self) -> &'static str {
        match self.served {
            Some(_) => "still serving the last good document",
            None => "there is nothing to serve",
        }
    }
}
