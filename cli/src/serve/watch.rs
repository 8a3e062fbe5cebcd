//! Following a file by asking for its metadata every few milliseconds.
//!
//! Polling sees what notifications miss: network file systems, a `ConfigMap` whose symbolic link is swapped, a file
//! that an editor renames another one over, a directory that does not exist for a moment. It costs a system call of a
//! microsecond each time. What it must take care of: a file that is written while we read, and two versions within one
//! tick of the file system's clock.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use axum::body::Bytes;
use axum::http::HeaderValue;
use turquoise_core::{CompileError, Snapshot};
use xxhash_rust::xxh3::xxh3_128;

use crate::document::reason;
use crate::failure::Failure;
use crate::report;

/// How often the file is looked at.
pub(super) const INTERVAL: Duration = Duration::from_millis(10);

/// For how long a file that was just written is read again although it looks the same: the clock of a file system has
/// ticks of several milliseconds, and two versions may share one.
const FRESH: Duration = Duration::from_millis(100);

/// How long a file must stay broken, or away, before that is worth a word: whoever writes in place empties it first.
const PATIENCE: Duration = Duration::from_millis(200);

/// A document as it is served.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) body: Bytes,
    /// A strong entity tag: the same for the same bytes, also after a restart.
    pub(super) etag: HeaderValue,
    /// The file and what is in it, for people.
    pub(super) summary: String,
}

/// What a look at the file found out.
#[derive(Debug)]
pub(super) enum Event {
    /// Another document, and it compiles.
    Changed(Published),
    /// Something that people should know; the last good document stays.
    Complaint(String),
}

/// What tells two versions of a file apart without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Something that is wrong with the file at present.
#[derive(Debug)]
struct Trouble {
    /// What was read, or nothing where nothing could be.
    hash: Option<u128>,
    since: Instant,
    complaint: String,
    told: bool,
}

/// Looks at one file again and again.
#[derive(Debug)]
pub(super) struct Watcher {
    path: PathBuf,
    /// As messages call the file.
    name: String,
    stamp: Option<Stamp>,
    /// The hash of the document that is served.
    served: u128,
    trouble: Option<Trouble>,
}

impl Watcher {
    /// Reads the file for the first time; then it must be there and compile.
    pub(super) fn start(path: &Path) -> Result<(Self, Published), Failure> {
        let name = path.display().to_string();
        let cannot = |reason: String| Failure::Work(format!("cannot read `{name}`: {reason}"));
        let metadata = fs::metadata(path).map_err(|error| cannot(reason(&error)))?;
        if !metadata.is_file() {
            return Err(cannot("it is not a file".to_owned()));
        }
        let bytes = fs::read(path).map_err(|error| cannot(reason(&error)))?;
        let hash = xxh3_128(&bytes);
        match publish(&name, bytes, hash) {
            Ok(published) => {
                let (path, stamp) = (path.to_owned(), Some(Stamp::of(&metadata)));
                Ok((Self { path, name, stamp, served: hash, trouble: None }, published))
            }
            Err(error) => {
                report::complain(&name, &error.problems);
                Err(Failure::Work(format!("`{name}` does not compile, so there is nothing to serve")))
            }
        }
    }

    /// Looks at the file.
    pub(super) fn poll(&mut self) -> Option<Event> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return self.unreadable("it is not a file"),
            Err(error) => return self.unreadable(&reason(&error)),
        };
        // Taken before reading: what is written from now on changes it, and is read next time.
        let stamp = Stamp::of(&metadata);
        let readable = self.trouble.as_ref().is_none_or(|trouble| trouble.hash.is_some());
        if self.stamp == Some(stamp) && readable && !is_fresh(&metadata) {
            return self.tell();
        }
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) => return self.unreadable(&reason(&error)),
        };
        self.stamp = Some(stamp);
        let hash = xxh3_128(&bytes);
        if hash == self.served {
            return self.recovered();
        }
        if self.trouble.as_ref().is_some_and(|trouble| trouble.hash == Some(hash)) {
            return self.tell();
        }
        match publish(&self.name, bytes, hash) {
            Ok(published) => {
                (self.served, self.trouble) = (hash, None);
                Some(Event::Changed(published))
            }
            Err(error) => {
                let complaint = refusal(&self.name, &error);
                self.suspect(Some(hash), complaint)
            }
        }
    }

    fn unreadable(&mut self, reason: &str) -> Option<Event> {
        if self.trouble.as_ref().is_some_and(|trouble| trouble.hash.is_none()) {
            return self.tell();
        }
        let complaint =
            format!("error: cannot read `{}`: {reason}; still serving the last good document", self.name);
        self.suspect(None, complaint)
    }

    fn suspect(&mut self, hash: Option<u128>, complaint: String) -> Option<Event> {
        self.trouble = Some(Trouble { hash, since: Instant::now(), complaint, told: false });
        None
    }

    /// Complains once, when trouble has lasted.
    fn tell(&mut self) -> Option<Event> {
        let trouble = self.trouble.as_mut()?;
        if trouble.told || trouble.since.elapsed() < PATIENCE {
            return None;
        }
        trouble.told = true;
        Some(Event::Complaint(trouble.complaint.clone()))
    }

    /// The file holds what is served; worth a word if we complained.
    fn recovered(&mut self) -> Option<Event> {
        let told = self.trouble.take()?.told;
        told.then(|| Event::Complaint(format!("`{}` holds the document that is served again", self.name)))
    }
}

fn is_fresh(metadata: &Metadata) -> bool {
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    // A time in the future tells nothing; the stamp alone must do.
    modified.elapsed().is_ok_and(|age| age < FRESH)
}

/// Makes bytes a document that can be served, if they compile.
fn publish(name: &str, bytes: Vec<u8>, hash: u128) -> Result<Published, CompileError> {
    let snapshot = Snapshot::compile(&bytes)?;
    // Nothing of this refuses the document, but nobody else tells whoever just saved it.
    report::complain(name, snapshot.problems());
    let failing = match snapshot.failing_flags().count() {
        0 => String::new(),
        some => format!(", {} failing", report::count(some, "flag")),
    };
    let etag = format!("\"{hash:032x}\"");
    let summary = format!("`{name}` ({}{failing}, etag {etag})", report::size(&snapshot));
    // Hexadecimal in quotes is always a header's value.
    let etag = HeaderValue::from_str(&etag).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
    Ok(Published { body: bytes.into(), etag, summary })
}

fn refusal(name: &str, error: &CompileError) -> String {
    let mut text = String::new();
    for problem in &error.problems {
        text.push_str(&format!("{}\n", report::Line { file: name, problem }));
    }
    text.push_str(&format!("error: `{name}` does not compile; still serving the last good document"));
    text
}
