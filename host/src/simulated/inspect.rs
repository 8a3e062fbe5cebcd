//! What a test reads of a simulated proxy, and what it sets beside requests and time.

use std::collections::BTreeMap;

use super::environment::{ForeignCall, key};
use super::{LogLine, SimulatedProxy};
use crate::abi::{LogLevel, MetricKind};
use crate::proxy::SharedData;

impl SimulatedProxy {
    /// The shared value under `key`.
    pub fn shared_data(&self, key: &str) -> Option<Vec<u8>> {
        self.world().get_shared_data(key.as_bytes()).ok().map(|(value, _)| value)
    }

    /// The keys of all shared values, in order, with what is not UTF-8 replaced.
    pub fn shared_data_keys(&self) -> Vec<String> {
        self.world().shared_data_keys()
    }

    /// Overwrites a shared value, as another VM might.
    pub fn set_shared_data(&self, key: &str, value: impl AsRef<[u8]>) {
        let overwritten = self.world().set_shared_data(key.as_bytes(), value.as_ref(), 0);
        debug_assert_eq!(overwritten, Ok(()), "a cas of 0 always overwrites");
    }

    /// A counter's value; `None` if nobody has defined it.
    pub fn counter(&self, name: &str) -> Option<u64> {
        self.world().metrics.borrow().value(MetricKind::Counter, name)
    }

    /// A gauge's value; `None` if nobody has defined it.
    pub fn gauge(&self, name: &str) -> Option<u64> {
        self.world().metrics.borrow().value(MetricKind::Gauge, name)
    }

    /// What a histogram was given, in order; `None` if nobody has defined it.
    pub fn histogram(&self, name: &str) -> Option<Vec<u64>> {
        self.world().metrics.borrow().observations(name)
    }

    /// All counters and gauges by name.
    pub fn metrics(&self) -> BTreeMap<String, u64> {
        self.world().metrics.borrow().values()
    }

    /// All that was logged so far.
    pub fn logs(&self) -> Vec<LogLine> {
        self.world().logs.borrow().lines.clone()
    }

    /// Whether a line of this level or above contains `text`.
    pub fn logged(&self, level: LogLevel, text: &str) -> bool {
        self.world().logs.borrow().lines.iter().any(|line| line.level >= level && line.message.contains(text))
    }

    /// Forgets what was logged so far.
    pub fn clear_logs(&self) {
        self.world().logs.take();
    }

    /// Drops lines below this level. Without, everything is kept.
    pub fn set_log_level(&self, level: LogLevel) {
        self.world().log_level.set(level);
    }

    /// Sets a property that is there in any context: `&["xds", "node", "id"]`.
    pub fn set_property(&self, path: &[&str], value: impl AsRef<[u8]>) {
        self.world().properties.borrow_mut().insert(key(path), value.as_ref().to_vec());
    }

    /// Adds a foreign function that always returns `result`. `clear_route_cache` is there from the start.
    pub fn add_foreign_function(&self, name: &str, result: impl AsRef<[u8]>) {
        self.world().foreign_functions.borrow_mut().insert(name.into(), result.as_ref().to_vec());
    }

    /// Takes a foreign function away, as a proxy that lacks it would.
    pub fn remove_foreign_function(&self, name: &str) {
        self.world().foreign_functions.borrow_mut().remove(name.as_bytes());
    }

    /// All foreign functions that were called, in order.
    pub fn foreign_calls(&self) -> Vec<ForeignCall> {
        self.world().foreign_calls.borrow().calls.clone()
    }

    /// Seeds what guests get for random bytes.
    pub fn seed_random(&self, seed: u64) {
        self.world().random.set(seed);
    }
}
