//! A proxy that a test plays: its clock, its upstreams, its clients.
//!
//! It follows Envoy, also where Envoy is odd, because the guests that are tested with it run there: what a guest may
//! not do in Envoy (read the request's headers while it handles the response, resume a stream and then change it)
//! fails here in the same way.
//!
//! Everything happens in the test's own thread, and only while the test calls: nothing ticks, answers or wakes by
//! itself. What follows from a call, such as a queue's reader being woken, has happened when the call returns.

mod callouts;
mod environment;
mod exchange;
mod half;
mod inspect;
mod message;
mod metrics;
mod proxy;
mod settle;
mod shared;
mod stream;
mod vm;
mod world;

pub use callouts::{Callout, CalloutFailure};
pub use environment::ForeignCall;
pub use exchange::{Exchange, Outcome, Progress};
pub use message::{Request, Response};
pub use proxy::SimulatedProxy;
pub use vm::{Plugin, SimulatedVm};

use crate::abi::LogLevel;

/// The name that all VMs of a simulated proxy have: the property `plugin_vm_id`.
pub const VM_ID: &str = "simulated";

/// A line that a guest logged or printed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogLine {
    /// The VM's number.
    pub vm: u32,
    /// How important it is.
    pub level: LogLevel,
    /// The text, with what is not UTF-8 replaced.
    pub message: String,
}
