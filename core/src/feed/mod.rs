//! What the VMs of one proxy tell each other about documents: records in the proxy's shared data, and the rules by which
//! they change. Whoever has a proxy (the filter) reads and writes the bytes; nothing here calls anything.
//!
//! A record is a list of fields (`fields.rs`), so that a field can be added without another format: who does not know it
//! skips it. Another meaning of a field needs another [`PREFIX`]: two versions of the module may run in one proxy while
//! a listener is updated. Bytes that are no record read as "there is none", never as a panic.
//!
//! No rule rests on a clock that runs evenly: the wall clock of a machine is set back and forth. A time that lies in the
//! future is no more recent than one that is long past.

mod alternation;
mod bucket;
mod document;
mod fields;
mod log;
mod member;
mod registry;
mod trials;

pub use alternation::Alternation;
pub use bucket::Bucket;
pub use document::{DocumentRecord, PIECE_BYTES, Place, Provenance, SourceRecord, piece_count};
pub use log::LogRecord;
pub use member::{Idle, LEASE_MILLISECONDS, Lease, Members};
pub use registry::{Owner, Registry, Swept};
pub use trials::{Trials, Verdict};

/// What every key in shared data begins with. It names the format of the records.
pub const PREFIX: &str = "turquoise2";

/// Whether `then` is within so many milliseconds of `now`, in the past or in the future.
fn is_recent(then: u64, now: u64, milliseconds: u64) -> bool {
    then.abs_diff(now) < milliseconds
}

#[cfg(test)]
mod tests;
