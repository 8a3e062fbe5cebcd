//! Which configurations and sources a proxy has, each with a number by which its keys are named.
//!
//! What a proxy shares cannot be deleted, only overwritten. So keys are named by small numbers that are used again, and
//! what belongs to a configuration or a source that nobody uses any more is overwritten by nothing.
//!
//! Who uses one says so several times a minute. Time passes in *rounds*: whoever looks a while after the last one
//! begins another, in which everybody misses until he is seen. Several rounds never pass at once, whatever happens to
//! the clock, and none passes while nobody looks.

use super::fields::{Fields, Writer};
use super::is_recent;

/// How long a round takes at least, in milliseconds. In one round, everybody who is there is seen.
const ROUND_MILLISECONDS: u64 = 60_000;

/// Who was missed in so many rounds is gone.
const MAX_MISSED: u64 = 10;

/// More than so many are never remembered.
const MAX_ENTRIES: usize = 4096;

/// What keys belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A plugin configuration, by its fingerprint.
    Configuration(u64),
    /// A source, by a hash of its identity.
    Source(u64),
}

/// What is gone, and whose values are to be overwritten by nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Whose they were.
    pub owner: Owner,
    /// The number in the names of its keys.
    pub slot: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    owner: Owner,
    slot: u32,
    /// In how many rounds it was not seen.
    missed: u64,
    /// Whether somebody is about to empty its values: it belongs to nobody any more.
    swept: bool,
}

/// All configurations and sources of a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    /// When the last round began, in milliseconds since the epoch.
    round: u64,
    entries: Vec<Entry>,
}

impl Registry {
    /// Reads a registry; bytes that are none are an empty one.
    pub fn decode(bytes: &[u8]) -> Self {
        let Some(fields) = Fields::parse(bytes) else { return Self::default() };
        let entries = fields.list(2).filter_map(|[kind, id, slot, missed, swept]| {
            let owner = match kind {
                0 => Owner::Configuration(id),
                1 => Owner::Source(id),
                _ => return None,
            };
            Some(Entry { owner, slot: u32::try_from(slot).ok()?, missed, swept: swept != 0 })
        });
        Self { round: fields.number(1).unwrap_or(0), entries: entries.take(MAX_ENTRIES).collect() }
    }

    /// The bytes that [`Registry::decode`] reads.
    pub fn encode(&self) -> Vec<u8> {
        let entries = self.entries.iter().map(|entry| {
            let (kind, id) = match entry.owner {
                Owner::Configuration(id) => (0, id),
                Owner::Source(id) => (1, id),
            };
            [kind, id, entry.slot.into(), entry.missed, entry.swept.into()]
        });
        Writer::default().number(1, self.round).list(2, entries).finish()
    }

    /// `owner` is there: the number of its keys. A new one if it has none yet, or was taken for gone.
    pub fn touch(&mut self, owner: Owner) -> u32 {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.owner == owner && !entry.swept) {
            entry.missed = 0;
            return entry.slot;
        }
        let is_free = |slot: &u32| self.entries.iter().all(|entry| entry.slot != *slot);
        let slot = (0..u32::MAX).find(is_free).unwrap_or(u32::MAX);
        self.entries.push(Entry { owner, slot, missed: 0, swept: false });
        slot
    }

    /// Begins another round, if the last one is over: who is gone by now. Who asks overwrites their values, then
    /// [removes](Self::remove) them.
    pub fn next_round(&mut self, now: u64) -> Option<Vec<Swept>> {
        if is_recent(self.round, now, ROUND_MILLISECONDS) {
            return None;
        }
        self.round = now;
        let mut gone = Vec::new();
        for entry in &mut self.entries {
            entry.missed = entry.missed.saturating_add(1);
            if entry.missed > MAX_MISSED {
                // Should the one who empties it die, somebody else does so two rounds later.
                entry.missed = MAX_MISSED - 1;
                entry.swept = true;
                gone.push(Swept { owner: entry.owner, slot: entry.slot });
            }
        }
        Some(gone)
    }

    /// The numbers of all sources that are in use.
    pub fn sources(&self) -> impl Iterator<Item = u32> {
        let sources =
            self.entries.iter().filter(|entry| matches!(entry.owner, Owner::Source(_)) && !entry.swept);
        sources.map(|entry| entry.slot)
    }

    /// The values under this number are empty: another owner may have it.
    pub fn remove(&mut self, slot: u32) {
        self.entries.retain(|entry| entry.slot != slot || !entry.swept);
    }
}
