//! Reading a file that may be written at the same time.
//!
//! Who writes in place does not tell when it is done. So a file counts as read when nothing about it changed while it was
//! read; the clock of a file system has ticks of several milliseconds, so what was written a moment ago has to be the same
//! again at the next look.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use turquoise_core::MAX_DOCUMENT_BYTES;

/// For how long a file that was just written may have been written again without looking any different.
const FRESH: Duration = Duration::from_millis(100);

/// How often a file that changes while it is read is read again at one look.
const MAX_READS: usize = 5;

/// What tells two versions of a file apart without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of whatever is at this path, which must be a file.
    pub(super) fn of_path(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        match metadata.is_file() {
            true => Ok(Self::of(&metadata)),
            false => Err(io::Error::other("it is not a file")),
        }
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the file was written so lately that it may have been written again since.
    pub(super) fn is_fresh(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let since = |(seconds, nanoseconds): (i64, i64)| {
            let time = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
            // A time in the future tells nothing; the stamp alone must do.
            i128::try_from(now).is_ok_and(|now| (0..FRESH.as_nanos() as i128).contains(&(now - time)))
        };
        since(self.modified) || since(self.changed)
    }
}

/// Reads a file as it was at one moment, with its stamp.
///
/// # Errors
/// When it cannot be read, or changes each time.
pub(super) fn read(path: &Path) -> io::Result<(Stamp, Vec<u8>)> {
    for _ in 0..MAX_READS {
        let mut file = File::open(path)?;
        let before = Stamp::of(&file.metadata()?);
        // One byte more than any document may have shows that it is none; the rest need not be in memory.
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(MAX_DOCUMENT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > MAX_DOCUMENT_BYTES {
            return Ok((before, bytes));
        }
        let after = Stamp::of(&file.metadata()?);
        // Some file systems have files of no size that hold something all the same.
        if before == after && (after.size == bytes.len() as u64 || after.size == 0) {
            return Ok((after, bytes));
        }
    }
    Err(io::Error::other("it changes while it is read, again and again"))
}
