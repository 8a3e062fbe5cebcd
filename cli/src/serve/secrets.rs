//! Files with tokens and keys, read again when they change. One that cannot be used is told, and what was read before
//! stays: a mistake must neither open what was closed nor take a source away from its proxies.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::stable::Stamp;
use crate::failure::Failure;

/// How often the files are looked at.
pub(super) const INTERVAL: Duration = Duration::from_millis(200);

/// Looks at files again and again.
pub(super) struct Followed<T> {
    files: Vec<PathBuf>,
    stamps: Vec<Option<Stamp>>,
    read: fn(&[PathBuf]) -> Result<T, Failure>,
    /// What was wrong at the last look.
    complaint: Option<String>,
}

/// What a look at the files found out.
pub(super) enum Change<T> {
    /// They hold this now.
    New(T),
    /// They cannot be used, and why.
    Broken(String),
}

impl<T> Followed<T> {
    /// Reads the files for the first time.
    pub(super) fn new(
        files: &[PathBuf],
        read: fn(&[PathBuf]) -> Result<T, Failure>,
    ) -> Result<(Self, T), Failure> {
        let files = files.to_vec();
        let mut followed = Self { stamps: Vec::new(), read, complaint: None, files };
        // Before reading: what is written from now on is read at the next look.
        followed.stamps = followed.look();
        let value = read(&followed.files)?;
        Ok((followed, value))
    }

    fn look(&self) -> Vec<Option<Stamp>> {
        self.files.iter().map(|file| Stamp::of_path(file).ok()).collect()
    }

    /// Whether there is anything to follow.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Looks at the files. Whoever writes one may not be done at once.
    pub(super) fn poll(&mut self) -> Option<Change<T>> {
        let stamps = self.look();
        if stamps == self.stamps || stamps.iter().flatten().any(Stamp::is_fresh) {
            return None;
        }
        self.stamps = stamps;
        match (self.read)(&self.files) {
            Ok(value) => {
                self.complaint = None;
                Some(Change::New(value))
            }
            Err(failure) => {
                let complaint = failure.to_string();
                let is_new = self.complaint.replace(complaint.clone()).as_ref() != Some(&complaint);
                is_new.then_some(Change::Broken(complaint))
            }
        }
    }

    /// The files' names, for people.
    pub(super) fn names(&self) -> String {
        let name = |file: &PathBuf| format!("`{}`", Path::display(file));
        self.files.iter().map(name).collect::<Vec<_>>().join(", ")
    }
}
