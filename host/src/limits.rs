//! How much time and memory a guest may use.
//!
//! Time is bounded by epochs, not by fuel. An operator thinks in milliseconds that a worker stands still, and an
//! epoch is just that: wall time, the host's own share included. Fuel counts instructions, which nobody can turn
//! into milliseconds, and its counter costs a few per cent at every branch, while an epoch costs one load. The price
//! is one thread per engine that counts, and a resolution of [`RESOLUTION`].

use std::time::Duration;

use crate::caps::MAX_TABLE_ELEMENTS;

/// How often an engine counts its epoch, and so how exactly it keeps a time limit.
pub const RESOLUTION: Duration = Duration::from_millis(10);

/// What one VM may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// How much the VM may have in bytes, all its linear memories and tables together. A guest that wants more sees
    /// `memory.grow` fail; what it makes of that is up to it, and a Rust guest aborts.
    pub memory: usize,
    /// How long one callback may take before the guest is stopped and its VM dead, in steps of [`RESOLUTION`];
    /// `None` for ever.
    pub time: Option<Duration>,
}

impl Limits {
    /// How many epochs may pass; the next count may come at once, hence one more.
    pub(crate) fn epochs(&self) -> u64 {
        match self.time {
            // Added to the current epoch: half the range neither overflows nor ever comes.
            None => u64::MAX / 2,
            Some(time) => {
                let ticks = time.as_nanos().div_ceil(RESOLUTION.as_nanos()).saturating_add(1);
                u64::try_from(ticks).unwrap_or(u64::MAX / 2).min(u64::MAX / 2)
            }
        }
    }
}

/// 256 MiB, and 10 s a callback: no limit that work ever meets, and yet an endless loop ends.
impl Default for Limits {
    fn default() -> Self {
        Self { memory: 256 << 20, time: Some(Duration::from_secs(10)) }
    }
}

/// What an element of a table takes in the host.
const ELEMENT_BYTES: usize = size_of::<usize>();

/// Answers wasmtime when a guest wants to grow, and remembers what it denied, so that the trap that follows can be
/// explained. Wasmtime asks for each memory and each table by itself, and knows of no sum: it is kept here.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    limit: usize,
    /// The bytes of all memories and tables.
    bytes: usize,
    /// The elements of all tables.
    elements: usize,
    /// What was granted last, in bytes and elements: taken back if wasmtime cannot provide it.
    granted: (usize, usize),
    /// How many bytes the VM would have had, had the last wish been granted.
    pub(crate) denied: Option<usize>,
}

impl Limiter {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    fn grow(&mut self, bytes: usize, elements: usize) -> bool {
        let (all_bytes, all_elements) =
            (self.bytes.saturating_add(bytes), self.elements.saturating_add(elements));
        let granted = all_bytes <= self.limit && all_elements <= MAX_TABLE_ELEMENTS;
        if granted {
            (self.bytes, self.elements, self.granted) = (all_bytes, all_elements, (bytes, elements));
        } else if all_bytes > self.limit {
            self.denied = Some(all_bytes);
        }
        granted
    }

    fn take_back(&mut self) {
        let (bytes, elements) = std::mem::take(&mut self.granted);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.elements = self.elements.saturating_sub(elements);
    }
}

impl wasmtime::ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current), 0))
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.take_back();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let elements = desired.saturating_sub(current);
        Ok(self.grow(elements.saturating_mul(ELEMENT_BYTES), elements))
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.take_back();
        Ok(())
    }

    // A VM is one instance, and the features that are on give it one memory and one table.
    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wasmtime::ResourceLimiter;

    use super::{ELEMENT_BYTES, Limiter, Limits};
    use crate::caps::MAX_TABLE_ELEMENTS;

    #[test]
    fn a_limit_is_never_shorter_than_asked() {
        let epochs = |time| Limits { memory: 0, time }.epochs();
        assert_eq!(epochs(Some(Duration::ZERO)), 1);
        assert_eq!(epochs(Some(Duration::from_nanos(1))), 2);
        assert_eq!(epochs(Some(Duration::from_millis(10))), 2);
        assert_eq!(epochs(Some(Duration::from_millis(11))), 3);
        assert_eq!(epochs(Some(Duration::MAX)), epochs(None), "no overflow");
    }

    #[test]
    fn memories_and_tables_share_one_limit() {
        let mut limiter = Limiter::new(1000);
        assert!(limiter.memory_growing(0, 600, None).unwrap());
        assert!(!limiter.memory_growing(0, 600, None).unwrap(), "another memory");
        assert_eq!(limiter.denied, Some(1200));
        assert!(limiter.memory_growing(600, 900, None).unwrap());
        assert!(!limiter.table_growing(0, 100 / ELEMENT_BYTES + 1, None).unwrap());
        assert!(limiter.table_growing(0, 100 / ELEMENT_BYTES, None).unwrap());
        assert!(!limiter.memory_growing(0, usize::MAX, None).unwrap(), "no overflow");
    }

    #[test]
    fn what_was_granted_and_could_not_be_provided_is_given_back() {
        let mut limiter = Limiter::new(1000);
        for _ in 0..10 {
            assert!(limiter.memory_growing(0, 1000, None).unwrap());
            limiter.memory_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
            assert!(limiter.table_growing(0, 1000 / ELEMENT_BYTES, None).unwrap());
            limiter.table_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
        }
        assert_eq!((limiter.bytes, limiter.elements), (0, 0));
    }

    #[test]
    fn elements_are_bounded_whatever_the_memory() {
        let mut limiter = Limiter::new(usize::MAX);
        assert!(limiter.table_growing(0, MAX_TABLE_ELEMENTS, None).unwrap());
        assert!(!limiter.table_growing(0, 1, None).unwrap(), "another table");
    }
}
