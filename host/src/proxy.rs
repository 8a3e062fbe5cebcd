//! What a proxy provides to its guests: one small trait for each thing, so that a proxy is assembled from parts.
//!
//! None of these can reach a VM. That is deliberate: a host call runs while the guest is inside a callback, and a
//! guest must never be entered twice. What has to happen in a VM because of a call (a queue's reader woken, a
//! callout's answer delivered) is kept by the proxy and done once the callback has returned.
//!
//! Methods take `&self` because all VMs of a worker share one proxy; implementations bring their own cells or locks.

use std::time::Duration;

use crate::abi::{LogLevel, MetricKind, Status};
use crate::headers::Headers;

/// A root context: one configuration of one VM. Ticks, queues and callouts belong to root contexts.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RootId {
    /// The number that the embedder gave the VM when starting it.
    pub vm: u32,
    /// The root context's number inside the VM.
    pub context: u32,
}

/// Tells the time.
pub trait Clock {
    /// The wall clock, since the Unix epoch.
    fn now(&self) -> Duration;

    /// A clock that never jumps back; its zero is arbitrary.
    fn monotonic(&self) -> Duration;
}

/// Fills buffers with random bytes: keys of the guest's hash maps, anonymous ids.
pub trait Random {
    /// Fills all of `buffer`.
    fn fill_random(&self, buffer: &mut [u8]);
}

/// Takes what guests log.
pub trait Log {
    /// The lowest level that is kept; guests ask in order not to build what nobody reads.
    fn level(&self) -> LogLevel;

    /// Logs a message, which need not be UTF-8, of the VM `vm`.
    fn log(&self, vm: u32, level: LogLevel, message: &[u8]);
}

/// Values that all VMs share.
pub trait SharedData {
    /// The value under `key` and its version, which is never 0.
    ///
    /// # Errors
    /// [`Status::NotFound`] if there is none.
    fn get_shared_data(&self, key: &[u8]) -> Result<(Vec<u8>, u32), Status>;

    /// Sets the value, and with it a new version. A `cas` of 0 overwrites whatever is there.
    ///
    /// # Errors
    /// [`Status::CasMismatch`] if there is a value whose version is not `cas`.
    fn set_shared_data(&self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status>;
}

/// Queues by which VMs reach each other.
pub trait Queues {
    /// The queue of this name, made if need be. From now on `reader`, and nobody else, is woken by it.
    ///
    /// # Errors
    /// Whatever the proxy's own limits make of it.
    fn register_queue(&self, reader: RootId, name: &[u8]) -> Result<u32, Status>;

    /// A queue that the VMs named `vm_id` registered; an empty `vm_id` means the caller's own name.
    ///
    /// # Errors
    /// [`Status::NotFound`] if there is none.
    fn resolve_queue(&self, vm_id: &[u8], name: &[u8]) -> Result<u32, Status>;

    /// Appends to a queue; its reader is woken after the current callback.
    ///
    /// # Errors
    /// [`Status::NotFound`] if there is no such queue.
    fn enqueue(&self, queue: u32, value: &[u8]) -> Result<(), Status>;

    /// Takes the oldest value.
    ///
    /// # Errors
    /// [`Status::NotFound`] if there is no such queue, [`Status::Empty`] if it holds nothing.
    fn dequeue(&self, queue: u32) -> Result<Vec<u8>, Status>;
}

/// Metrics that all VMs share by name.
pub trait Metrics {
    /// A number for the metric of this kind and name, made if need be.
    ///
    /// # Errors
    /// Whatever the proxy's own limits make of it.
    fn define_metric(&self, kind: MetricKind, name: &[u8]) -> Result<u32, Status>;

    /// Adds to a counter or a gauge.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an unknown metric, [`Status::BadArgument`] for a histogram, or a counter that is
    /// not to grow.
    fn increment_metric(&self, metric: u32, offset: i64) -> Result<(), Status>;

    /// Sets a gauge, adds to a counter, or adds an observation to a histogram.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an unknown metric.
    fn record_metric(&self, metric: u32, value: u64) -> Result<(), Status>;

    /// A counter's or gauge's value.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an unknown metric, [`Status::BadArgument`] for a histogram.
    fn metric(&self, metric: u32) -> Result<u64, Status>;
}

/// Calls root contexts back at intervals.
pub trait Timers {
    /// From now on ticks `root` every `period`; a period of zero ends it.
    fn set_tick_period(&self, root: RootId, period: Duration);
}

/// An HTTP request that a guest sends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpCall {
    /// Whom to ask: in Envoy the name of a cluster.
    pub upstream: Vec<u8>,
    /// The headers; `:method`, `:path` and `:authority` are there.
    pub headers: Headers,
    /// The body, often empty.
    pub body: Vec<u8>,
    /// The trailers, nearly always none.
    pub trailers: Headers,
    /// How long to wait for the answer; zero for ever.
    pub timeout: Duration,
}

/// What came back for an [`HttpCall`]. A connection that was refused or a timeout is an answer too, made by the
/// proxy: `:status` 503 or 504.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CallResponse {
    /// The headers, `:status` among them.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Headers,
}

/// Sends HTTP requests for guests.
pub trait Callouts {
    /// Starts a call for `root` and returns its token, which is not 0 and which no other open call of this VM
    /// has (the SDK for Rust keeps one table of them for all root contexts). The answer arrives by [`Vm::on_http_call_response`](crate::Vm::on_http_call_response), later.
    ///
    /// # Errors
    /// [`Status::BadArgument`] for an unknown upstream, [`Status::InternalFailure`] for one without endpoints.
    fn dispatch(&self, root: RootId, call: HttpCall) -> Result<u32, Status>;
}

/// Functions and properties that have nothing to do with one stream.
pub trait Environment {
    /// A property, such as `xds.node.id`, by its path.
    ///
    /// # Errors
    /// [`Status::NotFound`] if there is none.
    fn property(&self, path: &[&[u8]]) -> Result<Vec<u8>, Status>;

    /// Calls a function that only this proxy has, outside of any stream.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an unknown function, and what the function itself answers.
    fn call_foreign_function(&self, name: &[u8], arguments: &[u8]) -> Result<Vec<u8>, Status>;
}

/// All that a proxy provides. Implemented by whatever implements the parts.
pub trait Proxy:
    Clock + Random + Log + SharedData + Queues + Metrics + Timers + Callouts + Environment
{
}

impl<P> Proxy for P where
    P: Clock + Random + Log + SharedData + Queues + Metrics + Timers + Callouts + Environment
{
}
