//! The proxy's shared data: which VM asks the source, what it last said, whom to wake, what is being tried.
//!
//! It outlives every VM: a new one starts from what the proxy already has. The records and their rules are
//! `turquoise_core::feed`'s. Here they are read and changed, by compare-and-swap: whoever loses a race reads again.

use std::cell::Cell;
use std::rc::Rc;

use turquoise_core::feed::{
    DocumentRecord, Idle, Lease, Members, Owner, PIECE_BYTES, PREFIX, Place, Registry, SourceRecord, Swept,
    Trials, Verdict,
};

use crate::host;

/// How often a change is tried against others before it is left to them.
pub(crate) const TRIES: usize = 10;

/// How often a change is tried that must not be left out. Of all who try, one succeeds each time.
const MANY_TRIES: usize = 10_000;

/// The documents that are being compiled, in the whole proxy.
const TRIALS: &str = "trials";

/// All configurations and sources of the proxy.
const REGISTRY: &str = "registry";

/// What is kept for a configuration. The one that drains must not hold back its successor, so each has its own.
const LEASE: &str = "lease";
const MEMBERS: &str = "members";
const IDLE: &str = "idle";
const ERROR: &str = "error";
const LOG: &str = "log";

/// What is kept for a source, for all configurations that have it.
const DOCUMENT: &str = "document";

/// What one configuration and its source keep in shared data.
#[derive(Debug)]
pub(crate) struct Shared {
    owners: [Owner; 2],
    /// The numbers in the names of their keys, of the configuration and of its source.
    slots: Cell<[u32; 2]>,
}

/// Gives what several VMs change its place, while only the proxy's first VM runs: setting a value for the first time
/// overwrites another's.
fn place(key: &str) {
    if host::shared_data(key).0.is_none() {
        host::set_shared_data(key, &[], 0);
    }
}

fn common(name: &str) -> String {
    format!("{PREFIX}.{name}")
}

fn key(slot: u32, name: &str) -> String {
    format!("{PREFIX}.{slot}.{name}")
}

fn piece_key(slot: u32, place: u32, index: u32) -> String {
    format!("{PREFIX}.{slot}.{DOCUMENT}.{place}.{index}")
}

/// The value under this key; nothing where there is none.
fn read(key: &str) -> Vec<u8> {
    host::shared_data(key).0.unwrap_or_default()
}

/// Changes the value under `key` to what `change` makes of it, however often somebody else changes it meanwhile. What
/// `change` returns beside it, unless it returned nothing, or others came first too often.
fn update<T>(key: &str, tries: usize, change: impl Fn(&[u8]) -> Option<(Vec<u8>, T)>) -> Option<T> {
    for _ in 0..tries {
        let (bytes, cas) = host::shared_data(key);
        let before = bytes.unwrap_or_default();
        let (after, result) = change(&before)?;
        if after == before || host::set_shared_data(key, &after, cas) {
            return Some(result);
        }
    }
    None
}

/// Empties the pieces of a place. Nobody else writes there.
fn empty(slot: u32, place: Place) {
    for index in 0..place.pieces {
        host::set_shared_data(&piece_key(slot, place.number, index), &[], 0);
    }
}

/// Changes the log record of a configuration, or the one that all configurations without a source have in common.
pub(crate) fn update_log<T>(
    shared: Option<&Shared>,
    change: impl Fn(&[u8]) -> Option<(Vec<u8>, T)>,
) -> Option<T> {
    update(&shared.map_or_else(|| common(LOG), |shared| shared.own(LOG)), TRIES, change)
}

/// Sees to it that configurations without a source have a log record.
pub(crate) fn place_log() {
    place(&common(LOG));
}

impl Shared {
    /// For a configuration and its source, by fingerprint and identity.
    pub(crate) fn new(configuration: u64, source: u64) -> Rc<Self> {
        place(&common(REGISTRY));
        place(&common(TRIALS));
        let owners = [Owner::Configuration(configuration), Owner::Source(source)];
        let shared = Self { owners, slots: Cell::default() };
        shared.touch();
        Rc::new(shared)
    }

    /// The key of something of this configuration.
    fn own(&self, name: &str) -> String {
        let [slot, _] = self.slots.get();
        key(slot, name)
    }

    fn source_slot(&self) -> u32 {
        let [_, slot] = self.slots.get();
        slot
    }

    /// Says that configuration and source are in use, and learns the numbers of their keys.
    fn touch(&self) {
        let slots = update(&common(REGISTRY), MANY_TRIES, |bytes| {
            let mut registry = Registry::decode(bytes);
            let slots = self.owners.map(|owner| registry.touch(owner));
            Some((registry.encode(), slots))
        });
        let Some(slots) = slots else { return };
        self.slots.set(slots);
        let [own, source] = slots;
        [LEASE, MEMBERS, IDLE, ERROR, LOG].iter().for_each(|name| place(&key(own, name)));
        place(&key(source, DOCUMENT));
    }

    /// Says that configuration and source are in use, and clears away those that are not.
    pub(crate) fn keep_house(&self, now: u64) {
        self.touch();
        let swept = update(&common(REGISTRY), TRIES, |bytes| {
            let mut registry = Registry::decode(bytes);
            let swept = registry.next_round(now)?;
            Some((registry.encode(), (swept, registry.sources().collect::<Vec<_>>())))
        });
        let Some((swept, sources)) = swept else { return };
        for Swept { owner, slot } in swept {
            match owner {
                Owner::Configuration(_) => {
                    for name in [LEASE, MEMBERS, IDLE, ERROR, LOG] {
                        host::set_shared_data(&key(slot, name), &[], 0);
                    }
                }
                Owner::Source(_) => {
                    let record = SourceRecord::decode(&read(&key(slot, DOCUMENT)));
                    record.places().for_each(|place| empty(slot, place));
                    host::set_shared_data(&key(slot, DOCUMENT), &[], 0);
                }
            }
            update(&common(REGISTRY), MANY_TRIES, |bytes| {
                let mut registry = Registry::decode(bytes);
                registry.remove(slot);
                Some((registry.encode(), ()))
            });
        }
        for slot in sources {
            let left = change_source(slot, |record| Some(record.next_round())).unwrap_or_default();
            left.into_iter().for_each(|place| discard(slot, place));
        }
    }

    /// Takes or renews the lease, unless somebody else holds it. Whether `me` holds it now.
    pub(crate) fn lead(&self, me: u64, now: u64) -> bool {
        let (lease, cas) = host::shared_data(&self.own(LEASE));
        let held = Lease::decode(&lease.unwrap_or_default());
        (held.holder == me || !held.holds(now))
            && host::set_shared_data(&self.own(LEASE), &Lease::new(me, now).encode(), cas)
    }

    /// Who was last given the lease.
    pub(crate) fn holder(&self) -> u64 {
        Lease::decode(&read(&self.own(LEASE))).holder
    }

    /// Whether `me` holds the lease.
    pub(crate) fn leads(&self, me: u64, now: u64) -> bool {
        let lease = Lease::decode(&read(&self.own(LEASE)));
        lease.holder == me && lease.holds(now)
    }

    /// Gives the lease back, so that the others need not wait for its end.
    pub(crate) fn resign(&self, me: u64) {
        let (lease, cas) = host::shared_data(&self.own(LEASE));
        if Lease::decode(&lease.unwrap_or_default()).holder == me {
            host::set_shared_data(&self.own(LEASE), &Lease::default().encode(), cas);
        }
    }

    /// Says that this VM serves no requests, and so is the one to lead: what it does makes none wait.
    pub(crate) fn offer(&self, me: u64, queue: u32, now: u64) {
        let (idle, cas) = host::shared_data(&self.own(IDLE));
        let seen = Idle::decode(&idle.unwrap_or_default());
        // One offer is enough; who made it renews it.
        if seen.vm == me || !seen.is_there(now) {
            host::set_shared_data(&self.own(IDLE), &Idle::new(me, queue, now).encode(), cas);
        }
    }

    /// Takes back what [`Shared::offer`] said: this VM serves requests by now.
    pub(crate) fn withdraw_offer(&self, me: u64) {
        let (idle, cas) = host::shared_data(&self.own(IDLE));
        if Idle::decode(&idle.unwrap_or_default()).vm == me {
            host::set_shared_data(&self.own(IDLE), &Idle::default().encode(), cas);
        }
    }

    /// Hands the lease to a VM that serves no requests, if there is one and `me` has the lease. Whether it did.
    pub(crate) fn hand_over(&self, me: u64, now: u64) -> bool {
        let idle = Idle::decode(&read(&self.own(IDLE)));
        let (lease, cas) = host::shared_data(&self.own(LEASE));
        if idle.vm == me
            || !idle.is_there(now)
            || Lease::decode(&lease.unwrap_or_default()).holder != me
            || !host::set_shared_data(&self.own(LEASE), &Lease::new(idle.vm, now).encode(), cas)
        {
            return false;
        }
        host::wake(idle.queue);
        true
    }

    /// Puts a queue among those to wake, and forgets members that have not been seen for long.
    pub(crate) fn join(&self, queue: u32, now: u64) {
        update(&self.own(MEMBERS), MANY_TRIES, |bytes| {
            let mut members = Members::decode(bytes);
            members.join(queue, now);
            Some((members.encode(), ()))
        });
    }

    /// Wakes all members but the one with this queue.
    pub(crate) fn wake_others(&self, own: Option<u32>) {
        let members = Members::decode(&read(&self.own(MEMBERS)));
        members.queues().filter(|queue| Some(*queue) != own).for_each(host::wake);
    }

    /// What is known of the source.
    pub(crate) fn source(&self) -> SourceRecord {
        SourceRecord::decode(&read(&key(self.source_slot(), DOCUMENT)))
    }

    /// What is known of the document that the proxy has from the source.
    pub(crate) fn document(&self) -> Option<DocumentRecord> {
        self.source().current
    }

    /// Changes what is known of the source, unless `change` returns nothing.
    pub(crate) fn change<T>(&self, change: impl Fn(&mut SourceRecord) -> Option<T>) -> Option<T> {
        change_source(self.source_slot(), change)
    }

    /// A piece of this document; none once it gave way to another.
    pub(crate) fn piece(&self, document: &DocumentRecord, index: u32) -> Option<Vec<u8>> {
        let mut piece = read(&piece_key(self.source_slot(), document.place, index));
        let fingerprint = piece.first_chunk().copied().map(u64::from_le_bytes)?;
        piece.drain(..8);
        (fingerprint == document.fingerprint).then_some(piece)
    }

    /// Puts a document into a place that was reserved for it.
    pub(crate) fn put(&self, place: u32, document: &[u8], fingerprint: u64) {
        let pieces = document.chunks(PIECE_BYTES).chain(document.is_empty().then_some(document));
        for (index, piece) in (0..).zip(pieces) {
            let mut value = Vec::with_capacity(8 + piece.len());
            value.extend(fingerprint.to_le_bytes());
            value.extend_from_slice(piece);
            host::set_shared_data(&piece_key(self.source_slot(), place, index), &value, 0);
        }
    }

    /// Empties a place that is of no use to anybody, so that it can be used again.
    pub(crate) fn discard(&self, place: Place) {
        discard(self.source_slot(), place);
    }

    /// Notes that `me` is about to work on this document, if it may.
    pub(crate) fn begin_trial(&self, fingerprint: u64, me: u64, now: u64) -> Verdict {
        let begun = update(&common(TRIALS), MANY_TRIES, |bytes| {
            let mut trials = Trials::decode(bytes);
            let verdict = trials.begin(fingerprint, me, now);
            Some((trials.encode(), verdict))
        });
        begun.unwrap_or(Verdict::Wait)
    }

    /// `me` has done what it was at.
    pub(crate) fn end_trial(&self, me: u64) {
        update(&common(TRIALS), MANY_TRIES, |bytes| {
            let mut trials = Trials::decode(bytes);
            trials.end(me);
            Some((trials.encode(), ()))
        });
    }

    /// Whether `me` may compile this document.
    pub(crate) fn verdict(&self, fingerprint: u64, me: u64, now: u64) -> Verdict {
        Trials::decode(&read(&common(TRIALS))).verdict(fingerprint, me, now)
    }

    /// What went wrong last, in whichever VM, as it was written.
    pub(crate) fn error(&self) -> Option<String> {
        String::from_utf8(read(&self.own(ERROR))).ok().filter(|error| !error.is_empty())
    }

    /// Notes what went wrong.
    pub(crate) fn set_error(&self, error: &str) {
        update(&self.own(ERROR), TRIES, |_| Some((error.as_bytes().to_vec(), ())));
    }
}

fn change_source<T>(slot: u32, change: impl Fn(&mut SourceRecord) -> Option<T>) -> Option<T> {
    update(&key(slot, DOCUMENT), MANY_TRIES, |bytes| {
        let mut record = SourceRecord::decode(bytes);
        let result = change(&mut record)?;
        Some((record.encode(), result))
    })
}

fn discard(slot: u32, place: Place) {
    empty(slot, place);
    change_source(slot, |record| {
        record.release(place.number);
        Some(())
    });
}
