//! Which VM asks the source, which one has nothing else to do, and whom to wake.

use super::fields::{Fields, Writer};
use super::is_recent;

/// How long a lease holds without being renewed, in milliseconds: how long a source goes unasked when its holder dies.
pub const LEASE_MILLISECONDS: u64 = 3000;

/// Members that were not seen for so long are forgotten, in milliseconds: their VMs are gone.
const MEMBER_MILLISECONDS: u64 = 60_000;

/// Who asks the source, and until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// The VM; 0 for none.
    pub holder: u64,
    until: u64,
}

impl Lease {
    /// Reads a lease; bytes that are none are nobody's.
    pub fn decode(bytes: &[u8]) -> Self {
        let numbers = Fields::parse(bytes).and_then(|fields| fields.list(1).next());
        numbers.map_or_else(Self::default, |[holder, until]| Self { holder, until })
    }

    /// The bytes that [`Lease::decode`] reads.
    pub fn encode(self) -> Vec<u8> {
        Writer::default().numbers(1, &[self.holder, self.until]).finish()
    }

    /// A lease of this VM that begins now.
    pub fn new(holder: u64, now: u64) -> Self {
        Self { holder, until: now.saturating_add(LEASE_MILLISECONDS) }
    }

    /// Whether it holds. One that ends later than any lease can was given before the clock was set back.
    pub fn holds(self, now: u64) -> bool {
        self.holder != 0 && now < self.until && self.until - now <= LEASE_MILLISECONDS
    }
}

/// A VM that serves no requests: what it does makes none wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idle {
    /// The VM; 0 for none.
    pub vm: u64,
    /// The queue by which it is woken.
    pub queue: u32,
    seen: u64,
}

impl Idle {
    /// Reads an offer; bytes that are none offer nothing.
    pub fn decode(bytes: &[u8]) -> Self {
        let numbers = Fields::parse(bytes).and_then(|fields| fields.list(1).next());
        numbers
            .and_then(|[vm, queue, seen]| Some(Self { vm, queue: u32::try_from(queue).ok()?, seen }))
            .unwrap_or_default()
    }

    /// The bytes that [`Idle::decode`] reads.
    pub fn encode(self) -> Vec<u8> {
        Writer::default().numbers(1, &[self.vm, self.queue.into(), self.seen]).finish()
    }

    /// What this VM says of itself now.
    pub fn new(vm: u64, queue: u32, now: u64) -> Self {
        Self { vm, queue, seen: now }
    }

    /// Whether it is still there: it says so every second.
    pub fn is_there(self, now: u64) -> bool {
        self.vm != 0 && is_recent(self.seen, now, LEASE_MILLISECONDS)
    }
}

/// The queues by which VMs are woken, and when each VM was last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(Vec<(u32, u64)>);

impl Members {
    /// Reads a list; bytes that are none are an empty one.
    pub fn decode(bytes: &[u8]) -> Self {
        let Some(fields) = Fields::parse(bytes) else { return Self::default() };
        let members = fields.list(1).filter_map(|[queue, seen]| Some((u32::try_from(queue).ok()?, seen)));
        Self(members.collect())
    }

    /// The bytes that [`Members::decode`] reads.
    pub fn encode(&self) -> Vec<u8> {
        Writer::default().list(1, self.0.iter().map(|(queue, seen)| [u64::from(*queue), *seen])).finish()
    }

    /// The VM of this queue is there. Those that were not seen for long are forgotten.
    pub fn join(&mut self, queue: u32, now: u64) {
        self.0.retain(|(other, seen)| *other != queue && is_recent(*seen, now, MEMBER_MILLISECONDS));
        self.0.push((queue, now));
    }

    /// All queues.
    pub fn queues(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|(queue, _)| *queue)
    }
}
