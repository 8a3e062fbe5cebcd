//! How much time and memory a guest may use.
//!
//! Time is bounded by epochs, not by fuel. An operator thinks in milliseconds that a worker stands still, and an
//! epoch is just that: wall time, the host's own share included. Fuel counts instructions, which nobody can turn
//! into milliseconds, and its counter costs a few per cent at every branch, while an epoch costs one load. The price
//! is one thread per engine that counts, and a resolution of [`RESOLUTION`].

use std::time::Duration;

/// How often an engine counts its epoch, and so how exactly it keeps a time limit.
pub const RESOLUTION: Duration = Duration::from_millis(10);

/// More table elements than any module of ours has functions; each takes the host a pointer.
const MAX_TABLE_ELEMENTS: usize = 100_000;

/// What one VM may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// How large the linear memory may grow, in bytes. A guest that wants more sees `memory.grow` fail; what it
    /// makes of that is up to it, and a Rust guest aborts.
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

/// Answers wasmtime when a guest wants to grow, and remembers what it denied, so that the trap that follows can be
/// explained.
#[derive(Debug)]
pub(crate) struct Limiter {
    pub(crate) memory: usize,
    pub(crate) denied: Option<usize>,
}

impl wasmtime::ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let granted = desired <= self.memory;
        if !granted {
            self.denied = Some(desired);
        }
        Ok(granted)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;
    use std::time::Duration;

    #[test]
    fn a_limit_is_never_shorter_than_asked() {
        let epochs = |time| Limits { memory: 0, time }.epochs();
        assert_eq!(epochs(Some(Duration::ZERO)), 1);
        assert_eq!(epochs(Some(Duration::from_nanos(1))), 2);
        assert_eq!(epochs(Some(Duration::from_millis(10))), 2);
        assert_eq!(epochs(Some(Duration::from_millis(11))), 3);
        assert_eq!(epochs(Some(Duration::MAX)), epochs(None), "no overflow");
    }
}
