//! Everything that the VMs of a simulated proxy share, and what it notes for the proxy to do between callbacks.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::LogLine;
use super::callouts::CalloutBook;
use super::environment::ForeignCalls;
use super::metrics::MetricBook;
use super::shared::{QueueBook, SharedBook};
use crate::abi::LogLevel;
use crate::caps::MAX_KEPT_BYTES;
use crate::proxy::{Clock, Log, Random, RootId, Timers};

/// 2026-01-01T00:00:00Z: a moment like any other, and always the same.
const START: Duration = Duration::from_secs(1_767_225_600);

/// A root context's timer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    pub(super) period: Duration,
    pub(super) due: Duration,
}

/// What guests have logged since the test last forgot it.
#[derive(Default)]
pub(super) struct LogBook {
    pub(super) lines: Vec<LogLine>,
    bytes: usize,
}

impl LogBook {
    fn push(&mut self, mut line: LogLine) {
        if self.bytes > MAX_KEPT_BYTES {
            return;
        }
        self.bytes += line.message.len() + size_of::<LogLine>();
        if self.bytes > MAX_KEPT_BYTES {
            line.level = LogLevel::Critical;
            line.message = format!("the log is full: lines beyond {MAX_KEPT_BYTES} bytes are not kept");
        }
        self.lines.push(line);
    }
}

/// The shared state. Its parts are borrowed for the length of one method, never across a callback.
pub(super) struct World {
    pub(super) now: Cell<Duration>,
    /// How far the wall clock was set back.
    pub(super) set_back: Cell<Duration>,
    /// How far the wall clock moves each time a guest looks at it, and how far it has moved by that.
    pub(super) pace: Cell<Duration>,
    pub(super) paced: Cell<Duration>,
    pub(super) random: Cell<u64>,
    pub(super) log_level: Cell<LogLevel>,
    pub(super) logs: RefCell<LogBook>,
    pub(super) timers: RefCell<BTreeMap<RootId, Timer>>,
    pub(super) shared: RefCell<SharedBook>,
    pub(super) queues: RefCell<QueueBook>,
    /// Queues that got something, and the root contexts to be told so.
    pub(super) wakes: RefCell<VecDeque<(RootId, u32)>>,
    pub(super) metrics: RefCell<MetricBook>,
    pub(super) callouts: RefCell<CalloutBook>,
    pub(super) properties: RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
    pub(super) foreign_functions: RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
    pub(super) foreign_calls: RefCell<ForeignCalls>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            now: Cell::new(START),
            set_back: Cell::default(),
            pace: Cell::default(),
            paced: Cell::default(),
            random: Cell::new(1),
            log_level: Cell::new(LogLevel::Trace),
            logs: RefCell::default(),
            timers: RefCell::default(),
            shared: RefCell::default(),
            queues: RefCell::default(),
            wakes: RefCell::default(),
            metrics: RefCell::default(),
            callouts: RefCell::default(),
            properties: RefCell::default(),
            foreign_functions: RefCell::new(BTreeMap::from([(b"clear_route_cache".to_vec(), Vec::new())])),
            foreign_calls: RefCell::default(),
        }
    }

    /// The earliest timer that is due at `until`.
    pub(super) fn next_timer(&self, until: Duration) -> Option<(Duration, RootId)> {
        let timers = self.timers.borrow();
        timers.iter().map(|(root, timer)| (timer.due, *root)).filter(|(due, _)| *due <= until).min()
    }

    /// Forgets all that belongs to a VM.
    pub(super) fn forget_vm(&self, vm: u32) {
        self.timers.borrow_mut().retain(|root, _| root.vm != vm);
        self.wakes.borrow_mut().retain(|(root, _)| root.vm != vm);
        self.callouts.borrow_mut().pending.retain(|callout| callout.root.vm != vm);
    }
}

impl Clock for World {
    fn now(&self) -> Duration {
        let paced = self.paced.get() + self.pace.get();
        self.paced.set(paced);
        (self.now.get() + paced).saturating_sub(self.set_back.get())
    }

    /// The time since the proxy was made.
    fn monotonic(&self) -> Duration {
        self.now.get().saturating_sub(START)
    }
}

/// SplitMix64: each run of a test sees the same bytes, and they pass for random.
impl Random for World {
    fn fill_random(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            self.random.set(state);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            for (byte, random) in chunk.iter_mut().zip((mixed ^ (mixed >> 31)).to_le_bytes()) {
                *byte = random;
            }
        }
    }
}

impl Log for World {
    fn level(&self) -> LogLevel {
        self.log_level.get()
    }

    fn log(&self, vm: u32, level: LogLevel, message: &[u8]) {
        let message = String::from_utf8_lossy(message).into_owned();
        self.logs.borrow_mut().push(LogLine { vm, level, message });
    }
}

impl Timers for World {
    fn set_tick_period(&self, root: RootId, period: Duration) {
        let mut timers = self.timers.borrow_mut();
        if period.is_zero() {
            timers.remove(&root);
        } else {
            timers.insert(root, Timer { period, due: self.now.get() + period });
        }
    }
}
