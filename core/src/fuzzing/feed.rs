//! Records that VMs share: of whatever bytes, since another version may have written them, and as they become by
//! whatever VMs do, at whatever times. What is written is read as it was, and what belongs to one belongs to no other.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::feed::{
    Alternation, Bucket, DocumentRecord, Idle, LEASE_MILLISECONDS, Lease, LogRecord, Members, Owner,
    Registry, SourceRecord, Trials, Verdict, piece_count,
};

/// A time like any other, in milliseconds.
const NOW: u64 = 1_795_161_600_000;

/// How far the clock goes on, or back, between two steps.
const PASSES: [i64; 8] = [0, 1, 99, 1000, 61_000, 601_000, -5000, -100_000_000];

/// Lines that may be logged in a minute.
const MAX_LINES: usize = 20;

/// Which record, and bytes: a record as it may lie in shared data, or what happens one after the other.
pub fn feed(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    match choice % 16 {
        0 => shared(rest, Lease::decode, |lease| lease.encode()),
        1 => shared(rest, Idle::decode, |idle| idle.encode()),
        2 => shared(rest, Members::decode, Members::encode),
        3 => shared(rest, Registry::decode, Registry::encode),
        4 => shared(rest, Trials::decode, Trials::encode),
        5 => shared(rest, LogRecord::decode, LogRecord::encode),
        6 => shared(rest, SourceRecord::decode, SourceRecord::encode),
        7 => leases(&mut Steps::new(rest)),
        8 => members(&mut Steps::new(rest)),
        9 => registry(&mut Steps::new(rest)),
        10 => trials(&mut Steps::new(rest)),
        11 => log(&mut Steps::new(rest)),
        12 => source(&mut Steps::new(rest)),
        13 => bucket(&mut Steps::new(rest)),
        _ => alternation(&mut Steps::new(rest)),
    }
}

/// A record that was read is written and read again.
fn shared<R: Debug + PartialEq>(bytes: &[u8], decode: fn(&[u8]) -> R, encode: impl Fn(&R) -> Vec<u8>) {
    let record = decode(bytes);
    kept(&record, decode, encode);
}

fn kept<R: Debug + PartialEq>(record: &R, decode: fn(&[u8]) -> R, encode: impl Fn(&R) -> Vec<u8>) {
    assert_eq!(*record, decode(&encode(record)), "what is written is read");
}

/// Bytes as steps: each chooses what happens, to whom, and how much later.
struct Steps<'a> {
    bytes: &'a [u8],
    now: u64,
}

impl<'a> Steps<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, now: NOW }
    }

    /// What happens next, to one of eight; none when the bytes are used up.
    fn next(&mut self) -> Option<(u8, u64)> {
        let (first, rest) = self.bytes.split_first()?;
        let (second, rest) = rest.split_first().unwrap_or((&0, rest));
        self.bytes = rest;
        let passes = PASSES.get(usize::from(second / 8 % 8)).copied().unwrap_or_default();
        self.now = self.now.saturating_add_signed(passes);
        if *second >= 0xf8 {
            self.now = if *second % 2 == 0 { u64::MAX } else { 0 };
        }
        Some((*first, u64::from(second % 8) + 1))
    }
}

fn leases(steps: &mut Steps<'_>) {
    let mut lease = Lease::default();
    while let Some((step, vm)) = steps.next() {
        let now = steps.now;
        if step % 2 == 0 && !lease.holds(now) {
            lease = Lease::new(vm, now);
            assert!(lease.holds(now) || now > u64::MAX - LEASE_MILLISECONDS);
        }
        let later = now.saturating_add(LEASE_MILLISECONDS);
        assert!(!(lease.holds(now) && lease.holds(later)), "{lease:?} holds for longer than any");
        let idle = Idle::new(vm, u32::from(step), now);
        assert!(idle.is_there(now));
        kept(&lease, Lease::decode, |lease| lease.encode());
        kept(&idle, Idle::decode, |idle| idle.encode());
    }
}

fn members(steps: &mut Steps<'_>) {
    let mut members = Members::default();
    while let Some((_, queue)) = steps.next() {
        let queue = u32::try_from(queue).unwrap_or_default();
        members.join(queue, steps.now);
        assert_eq!(members.queues().filter(|other| *other == queue).count(), 1);
        kept(&members, Members::decode, Members::encode);
    }
}

fn registry(steps: &mut Steps<'_>) {
    let mut registry = Registry::default();
    let mut slots: BTreeMap<u32, Owner> = BTreeMap::new();
    while let Some((step, id)) = steps.next() {
        let owner = if step % 2 == 0 { Owner::Source(id) } else { Owner::Configuration(id) };
        if step < 0xc0 {
            let slot = registry.touch(owner);
            assert_eq!(registry.touch(owner), slot, "an owner keeps its number");
            let other = slots.insert(slot, owner);
            assert!(other.is_none_or(|other| other == owner), "{other:?} and {owner:?} have one number");
            assert!(
                matches!(owner, Owner::Configuration(_)) || registry.sources().any(|source| source == slot)
            );
        } else {
            for swept in registry.next_round(steps.now).into_iter().flatten() {
                assert_eq!(slots.get(&swept.slot), Some(&swept.owner));
                // Whoever empties it may die over it.
                if step % 2 == 0 {
                    registry.remove(swept.slot);
                    slots.remove(&swept.slot);
                }
            }
        }
        kept(&registry, Registry::decode, Registry::encode);
    }
}

fn trials(steps: &mut Steps<'_>) {
    let mut trials = Trials::default();
    while let Some((step, vm)) = steps.next() {
        let document = u64::from(step % 4);
        let verdict = trials.verdict(document, vm, steps.now);
        if step < 0xa0 {
            assert_eq!(trials.begin(document, vm, steps.now), verdict, "what is allowed is what was said");
            let own = trials.verdict(document, vm, steps.now);
            assert!(verdict != Verdict::Free || own == Verdict::Free, "nobody waits for himself");
        } else {
            trials.end(vm);
        }
        kept(&trials, Trials::decode, Trials::encode);
    }
}

fn log(steps: &mut Steps<'_>) {
    let mut record = LogRecord::default();
    let mut said: Vec<u64> = Vec::new();
    while let Some((step, message)) = steps.next() {
        let (now, message) = (steps.now, format!("{message} {}", step / 8));
        let line = match step % 4 {
            0 => record.wrong(&message, now),
            1 => record.over(&message, now),
            2 => record.warn(&message, now),
            _ => record.hint(&message, now),
        };
        assert!(line.as_ref().is_none_or(|line| line.starts_with(&message)));
        said.retain(|at| *at <= now && now - *at < 60_000);
        said.extend(line.map(|_| now));
        assert!(said.len() <= MAX_LINES, "{} lines in a minute", said.len());
        kept(&record, LogRecord::decode, LogRecord::encode);
    }
}

fn source(steps: &mut Steps<'_>) {
    let mut record = SourceRecord::default();
    let mut generation = 0;
    while let Some((step, document)) = steps.next() {
        let length = usize::from(step) << 10;
        match step % 4 {
            0 | 1 => {
                let Some(place) = record.reserve(piece_count(length)) else { continue };
                // Who reserved it may die.
                if step % 4 == 0 {
                    generation += 1;
                    let place = place.number;
                    let etag = (step % 8 == 0).then(|| document.to_string());
                    record.publish(DocumentRecord {
                        generation,
                        fingerprint: document,
                        confirmed: steps.now,
                        length,
                        place,
                        etag,
                        ..DocumentRecord::default()
                    });
                }
            }
            2 => {
                // Who is to empty it may die.
                let withdrawn = record.withdraw(document).filter(|_| step % 8 == 2);
                withdrawn.into_iter().for_each(|place| record.release(place.number));
            }
            _ => {
                let left = record.next_round();
                left.iter().for_each(|place| record.release(place.number));
            }
        }
        let mut numbers: Vec<_> = record.places().map(|place| place.number).collect();
        numbers.sort_unstable();
        let all = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), all, "a place is used twice: {record:?}");
        kept(&record, SourceRecord::decode, SourceRecord::encode);
    }
}

/// While the clock goes on, no more is asked than the bucket had, and one more for each period.
fn bucket(steps: &mut Steps<'_>) {
    let mut bucket = Bucket::default();
    let (mut asked, mut since, mut last) = (0, steps.now, steps.now);
    while let Some((step, period)) = steps.next() {
        let period = period * 100;
        if steps.now < last {
            (asked, since) = (0, steps.now);
        }
        last = steps.now;
        if bucket.take(steps.now, period).is_ok() {
            asked += 1;
        }
        let most = 21 + (steps.now - since) / 100;
        assert!(asked <= most, "{asked} in {} ms", steps.now - since);
        if step % 16 == 0 {
            let wait = bucket.take(steps.now, period).err();
            assert!(wait.is_none_or(|wait| (1..=period).contains(&wait)), "{wait:?} for {period}");
            asked += u64::from(wait.is_none());
        }
    }
}

fn alternation(steps: &mut Steps<'_>) {
    let mut alternation = Alternation::default();
    let mut last = None;
    while let Some((step, document)) = steps.next() {
        let found = alternation.came(document, steps.now, u64::from(step) * 1000);
        assert_eq!(found.is_none(), last == Some(document), "the same again says nothing");
        assert!(
            found.flatten().is_none_or(|other| Some(other) != Some(document)),
            "it alternates with itself"
        );
        last = Some(document);
    }
}
