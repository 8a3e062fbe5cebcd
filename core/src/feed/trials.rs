//! Which documents are being compiled at this moment, and over which of them a VM died.
//!
//! A VM notes what it is about to work on before each slice, and takes the note back after it. A callback either returns
//! or kills its VM. So a note that stays was left by a VM that died over that document; a VM that is taken down between
//! two callbacks (drained, or a canary that the proxy drops) leaves none, and neither does one that dies of a request.
//!
//! A slice takes milliseconds. A VM that takes [`DEAD_MILLISECONDS`] for one is taken for dead; should it come back, it
//! takes its note back, and the document is as good as any other again.

use super::fields::{Fields, Writer};
use super::is_recent;

/// A VM that has not finished a slice after so long is dead, in milliseconds.
const DEAD_MILLISECONDS: u64 = 1000;

/// A slice that takes so long is suspicious, in milliseconds: wait and see before another VM tries the same document.
const SLOW_MILLISECONDS: u64 = 100;

/// How many deaths are remembered: the oldest are forgotten first.
const MAX_DEATHS: usize = 64;

/// How many VMs work at once at most; more notes are of no use to anybody.
const MAX_NOTES: usize = 1024;

/// Whether a document may be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is known against it.
    Free,
    /// Another VM may have died over it just now: ask again soon.
    Wait,
    /// A VM died over it.
    Fatal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    fingerprint: u64,
    vm: u64,
    /// When the slice began, in milliseconds since the epoch.
    since: u64,
}

/// What is being compiled, and what killed a VM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trials {
    notes: Vec<Note>,
    /// Documents and the VMs that died over them, in the order of their deaths.
    deaths: Vec<Note>,
}

impl Trials {
    /// Reads the trials; bytes that are none know of none.
    pub fn decode(bytes: &[u8]) -> Self {
        let Some(fields) = Fields::parse(bytes) else { return Self::default() };
        let notes = |tag| fields.list(tag).map(|[fingerprint, vm, since]| Note { fingerprint, vm, since });
        Self { notes: notes(1).take(MAX_NOTES).collect(), deaths: notes(2).take(MAX_DEATHS).collect() }
    }

    /// The bytes that [`Trials::decode`] reads.
    pub fn encode(&self) -> Vec<u8> {
        let numbers = |note: &Note| [note.fingerprint, note.vm, note.since];
        let writer = Writer::default().list(1, self.notes.iter().map(numbers));
        writer.list(2, self.deaths.iter().map(numbers)).finish()
    }

    /// Whether `vm` may compile this document.
    pub fn verdict(&self, fingerprint: u64, vm: u64, now: u64) -> Verdict {
        let others = |note: &&Note| note.fingerprint == fingerprint && note.vm != vm;
        let died = self.deaths.iter().any(|death| others(&death));
        let slices = || self.notes.iter().filter(others);
        if died || slices().any(|note| !is_recent(note.since, now, DEAD_MILLISECONDS)) {
            return Verdict::Fatal;
        }
        match slices().any(|note| !is_recent(note.since, now, SLOW_MILLISECONDS)) {
            true => Verdict::Wait,
            false => Verdict::Free,
        }
    }

    /// Notes that `vm` works on this document, if it may. VMs that have been at it for too long are noted as dead.
    pub fn begin(&mut self, fingerprint: u64, vm: u64, now: u64) -> Verdict {
        let verdict = self.verdict(fingerprint, vm, now);
        let (notes, dead) = std::mem::take(&mut self.notes)
            .into_iter()
            .partition(|note| note.vm == vm || is_recent(note.since, now, DEAD_MILLISECONDS));
        self.notes = notes;
        self.deaths.extend::<Vec<Note>>(dead);
        let forgotten = self.deaths.len().saturating_sub(MAX_DEATHS);
        self.deaths.drain(..forgotten);
        self.notes.retain(|note| note.vm != vm);
        if verdict == Verdict::Free && self.notes.len() < MAX_NOTES {
            self.notes.push(Note { fingerprint, vm, since: now });
        }
        verdict
    }

    /// `vm` has done what it was at, and lives.
    pub fn end(&mut self, vm: u64) {
        self.notes.retain(|note| note.vm != vm);
        self.deaths.retain(|death| death.vm != vm);
    }
}
