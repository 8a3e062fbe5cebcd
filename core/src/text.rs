//! All text of a snapshot in one string, each distinct text once.
//!
//! Ten thousand flags repeat `on`, `off`, `true` and the same attribute names; a `Text` is eight bytes wherever it
//! stands, and two texts of one arena are equal exactly when their positions are.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A position or a length as snapshots keep them, in 32 bits. Compiling refuses a document long before one of its lists
/// is so long (`compile/budget.rs`); were one, this is a position at which nothing stands, never another's.
#[inline]
pub(crate) fn position(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A text of an [`Arena`]: where it starts and how many bytes it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Text {
    start: u32,
    len: u32,
}

/// A text of a list that is searched, with what tells most others from it without a look at the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    head: u64,
    pub(crate) text: Text,
}

impl Listed {
    /// `value`, which `text` stands for.
    pub(crate) fn new(value: &str, text: Text) -> Self {
        Self { head: head(value.as_bytes()), text }
    }
}

/// What texts of the same length have in common only if their first eight bytes are the same, or all of fewer.
#[inline]
fn head(bytes: &[u8]) -> u64 {
    if let Some(first) = bytes.first_chunk() {
        return u64::from_le_bytes(*first);
    }
    match (bytes.first_chunk(), bytes.last_chunk(), bytes) {
        (Some(first), Some(last), _) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        (.., [first, .., last]) => {
            let middle = bytes.get(bytes.len() / 2).copied().unwrap_or_default();
            u64::from(*first) << 16 | u64::from(middle) << 8 | u64::from(*last)
        }
        (.., [only]) => u64::from(*only),
        (.., []) => 0,
    }
}

/// The finished texts of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    bytes: String,
}

impl Arena {
    /// The text itself. A `Text` of another arena gives whatever stands there, or nothing; it cannot panic.
    #[inline]
    pub(crate) fn get(&self, text: Text) -> &str {
        let start = text.start as usize;
        self.bytes.get(start..start.saturating_add(text.len as usize)).unwrap_or_default()
    }

    /// Whether it is this text. By bytes, which need no look at where characters begin.
    #[inline]
    pub(crate) fn is(&self, text: Text, other: &str) -> bool {
        let start = text.start as usize;
        let other = other.as_bytes();
        text.len as usize == other.len()
            && self
                .bytes
                .as_bytes()
                .get(start..start.saturating_add(other.len()))
                .is_some_and(|bytes| equal(bytes, other))
    }

    /// Whether one of these texts is `sought`.
    pub(crate) fn lists(&self, listed: &[Listed], sought: &str) -> bool {
        let (head, length) = (head(sought.as_bytes()), sought.len());
        listed.iter().any(|listed| {
            listed.head == head
                && listed.text.len as usize == length
                && (length <= 8 || self.is(listed.text, sought))
        })
    }

    /// Bytes on the heap.
    pub(crate) fn size(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Whether two byte strings are equal. Names are short: for those, two overlapping loads of each are cheaper than the
/// call that `==` is, and in WebAssembly far cheaper.
#[inline]
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    fn ends<const N: usize>(bytes: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
        bytes.first_chunk().zip(bytes.last_chunk())
    }
    match a.len() {
        length if length != b.len() => false,
        0 => true,
        1 => a.first() == b.first(),
        2..4 => ends::<2>(a) == ends(b),
        4..8 => ends::<4>(a) == ends(b),
        8..=16 => ends::<8>(a) == ends(b),
        _ => a == b,
    }
}

/// A number for hashing with, which nobody knows beforehand: XXH3 without one is easily inverted, and whoever writes a
/// document of texts that share their places in a table makes every look-up as long as the table. No answer depends on it.
pub(crate) fn random_seed() -> u64 {
    RandomState::new().hash_one(0u8)
}

/// Collects texts while a document compiles.
#[derive(Debug)]
pub(crate) struct Interner {
    arena: Arena,
    seed: u64,
    /// With half of the hash of each, so that growing looks at no text.
    known: HashTable<(u32, Text)>,
}

/// A hash of 64 bits from half of one; tables take their places from its low bits and their tags from its high ones.
fn whole(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

impl Default for Interner {
    fn default() -> Self {
        Self { arena: Arena::default(), seed: random_seed(), known: HashTable::default() }
    }
}

impl Interner {
    /// The text that stands for `value`, if it is known.
    pub(crate) fn find(&self, value: &str) -> Option<Text> {
        let half = self.half(value);
        let is_it = |(known, text): &(u32, Text)| *known == half && self.arena.is(*text, value);
        self.known.find(whole(half), is_it).map(|(_, text)| *text)
    }

    fn half(&self, value: &str) -> u32 {
        xxh3_64_with_seed(value.as_bytes(), self.seed) as u32
    }

    /// Sets memory aside for as much as an arena of `count` texts holds, and a little more.
    pub(crate) fn reserve(&mut self, other: &Arena, count: usize) {
        self.arena.bytes.reserve_exact(other.bytes.len() + other.bytes.len() / 16);
        self.known.reserve(count, |(half, _)| whole(*half));
    }

    /// Bytes of all texts together.
    pub(crate) fn size(&self) -> usize {
        self.arena.bytes.len()
    }

    /// How many texts there are.
    pub(crate) fn count(&self) -> usize {
        self.known.len()
    }

    /// The one `Text` that stands for `value`.
    pub(crate) fn intern(&mut self, value: &str) -> Text {
        let half = self.half(value);
        let arena = &mut self.arena;
        let known = self.known.find(whole(half), |(known, text)| *known == half && arena.is(*text, value));
        if let Some((_, text)) = known {
            return *text;
        }
        let text = Text { start: position(arena.bytes.len()), len: position(value.len()) };
        arena.bytes.push_str(value);
        self.known.insert_unique(whole(half), (half, text), |(half, _)| whole(*half));
        text
    }

    /// The text behind `text`.
    pub(crate) fn get(&self, text: Text) -> &str {
        self.arena.get(text)
    }

    /// The arena alone; what was needed to find texts again is dropped.
    pub(crate) fn finish(mut self) -> Arena {
        self.arena.bytes.shrink_to_fit();
        self.arena
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once() {
        let mut interner = Interner::default();
        let on = interner.intern("on");
        assert_ne!(on, interner.intern("off"));
        assert_eq!(on, interner.intern("on"));
        assert_eq!(interner.get(on), "on");
        assert_eq!(interner.finish().size(), "onoff".len());
    }

    #[test]
    fn equal_bytes_are_equal_whatever_their_length() {
        let bytes: Vec<u8> = (0..40).collect();
        for length in 0..bytes.len() {
            let (a, mut b) = (&bytes[..length], bytes[..length].to_vec());
            assert!(equal(a, &b), "{length}");
            assert!(!equal(a, &bytes[..=length]), "{length}");
            for at in 0..length {
                b[at] ^= 0x80;
                assert!(!equal(a, &b), "{length} {at}");
                b[at] ^= 0x80;
            }
        }
    }

    #[test]
    fn what_is_listed_is_found_whatever_its_length() {
        let all: Vec<String> = (0..20).map(|length| "abcdefghijklmnopqrst"[..length].to_owned()).collect();
        for sought in &all {
            let mut interner = Interner::default();
            let mut list = |value: &str| Listed::new(value, interner.intern(value));
            let others: Vec<_> =
                all.iter().filter(|other| *other != sought).map(|other| list(other)).collect();
            // As long, and different in one place.
            let near: Vec<_> = (0..sought.len())
                .map(|at| {
                    let mut bytes = sought.clone().into_bytes();
                    bytes[at] = b'-';
                    list(str::from_utf8(&bytes).unwrap())
                })
                .collect();
            let same = list(sought);
            let arena = interner.finish();
            assert!(!arena.lists(&others, sought) && !arena.lists(&near, sought), "{sought}");
            assert!(arena.lists(&[others, near, vec![same]].concat(), sought), "{sought}");
        }
    }

    #[test]
    fn a_foreign_text_is_harmless() {
        let arena = Interner::default().finish();
        assert_eq!(arena.get(Text { start: 7, len: u32::MAX }), "");
    }
}
