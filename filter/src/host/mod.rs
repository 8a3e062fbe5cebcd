//! What the filter asks of the proxy, without a path that panics.
//!
//! The SDK's `hostcalls` panic on every status that they do not expect, and its `String` getters on every value that is
//! not UTF-8; a panic kills the proxy's VM. So the filter declares the calls it uses itself and takes whatever comes
//! back. Only the callout goes through the SDK, whose dispatcher must know its token.

mod ffi;
mod headers;

use std::time::Duration;

use proxy_wasm::hostcalls;
pub(crate) use proxy_wasm::types::LogLevel;

pub(crate) use headers::Headers;

/// Which headers are meant. The numbers are proxy-wasm's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Map {
    Request = 0,
    Response = 2,
    CalloutResponse = 6,
}

/// Which bytes are meant. The numbers are proxy-wasm's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Buffer {
    RequestBody = 0,
    CalloutBody = 4,
    PluginConfiguration = 7,
}

/// What a metric does. The numbers are proxy-wasm's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MetricKind {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

/// A metric that the proxy knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metric(u32);

/// Why a callout could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CalloutError {
    /// The proxy has no cluster of that name.
    UnknownCluster,
    /// The cluster has nowhere to send it.
    NoEndpoint,
}

/// Nobody may keep an answer: it speaks of this moment.
pub(crate) const NO_STORE: (&str, &[u8]) = ("cache-control", b"no-store");

/// Writes a line to the proxy's log.
pub(crate) fn log(level: LogLevel, message: &str) {
    ffi::log(level as u32, message);
}

/// All headers, in one call: in Envoy it costs what three single ones do.
pub(crate) fn headers(map: Map) -> Headers {
    Headers::parse(ffi::header_map(map as u32).unwrap_or_default())
}

/// Adds a header.
pub(crate) fn add_header(map: Map, name: &str, value: &[u8]) {
    ffi::add_header(map as u32, name, value);
}

/// Removes every header of this name.
pub(crate) fn remove_header(map: Map, name: &[u8]) {
    ffi::remove_header(map as u32, name);
}

/// The bytes of a buffer.
pub(crate) fn buffer(buffer: Buffer) -> Vec<u8> {
    ffi::buffer(buffer as u32).unwrap_or_default()
}

/// Answers the request; `details` goes to the access log.
pub(crate) fn answer(status: u16, headers: &[(&str, &[u8])], body: &[u8], details: &str) {
    ffi::send_local_response(u32::from(status), &headers::serialize(headers), body, details);
}

/// Makes the proxy choose its route again, by the headers as they are now.
pub(crate) fn clear_route_cache() {
    ffi::call_foreign_function("clear_route_cache");
}

/// A property as text: `source.address` and the like. Numbers and booleans are written out.
pub(crate) fn property(path: &str) -> Option<String> {
    let value = ffi::property(&path.replace('.', "\0"))?;
    match *value.as_slice() {
        [0] => Some("false".to_owned()),
        [1] => Some("true".to_owned()),
        // An integer has eight bytes, and unless it is enormous one of them is zero, which no text here has.
        [a, b, c, d, e, f, g, h] if value.contains(&0) => {
            Some(i64::from_le_bytes([a, b, c, d, e, f, g, h]).to_string())
        }
        _ => String::from_utf8(value).ok(),
    }
}

/// Milliseconds since the unix epoch.
pub(crate) fn now() -> u64 {
    ffi::current_time_nanoseconds() / 1_000_000
}

/// Microseconds since the unix epoch, to measure by.
pub(crate) fn now_microseconds() -> u64 {
    ffi::current_time_nanoseconds() / 1000
}

/// Asks for ticks.
pub(crate) fn set_tick_period(period: Duration) {
    ffi::set_tick_period(u32::try_from(period.as_millis()).unwrap_or(u32::MAX));
}

/// The metric of this name, made if there is none. Every VM of a proxy gets the same one.
pub(crate) fn metric(kind: MetricKind, name: &str) -> Option<Metric> {
    ffi::define_metric(kind as u32, name).map(Metric)
}

/// Counts.
pub(crate) fn increment(metric: Option<Metric>) {
    if let Some(Metric(id)) = metric {
        ffi::increment_metric(id, 1);
    }
}

/// Sets a gauge, or gives a histogram what was observed.
pub(crate) fn record(metric: Option<Metric>, value: u64) {
    if let Some(Metric(id)) = metric {
        ffi::record_metric(id, value);
    }
}

/// What a counter or a gauge has come to, over all VMs.
pub(crate) fn metric_value(metric: Option<Metric>) -> Option<u64> {
    metric.and_then(|Metric(id)| ffi::metric(id))
}

/// Data that all VMs of the proxy share: the value, and the number by which to change it.
pub(crate) fn shared_data(key: &str) -> (Option<Vec<u8>>, u32) {
    ffi::shared_data(key)
}

/// Changes shared data, unless somebody else did since `cas` was read. Whether it was changed.
pub(crate) fn set_shared_data(key: &str, value: &[u8], cas: u32) -> bool {
    ffi::set_shared_data(key, value, cas)
}

/// A queue of our own, by which other VMs wake this one; none where the proxy has no queues.
pub(crate) fn register_queue(name: &str) -> Option<u32> {
    ffi::register_queue(name)
}

/// Wakes the VM that registered this queue, if it still lives.
pub(crate) fn wake(queue: u32) {
    ffi::enqueue(queue, b"!");
}

/// Takes out everything that lies in a queue.
pub(crate) fn drain(queue: u32) {
    while ffi::dequeue(queue).is_some() {}
}

/// Sends a GET request by the proxy's `cluster`. The token comes back with the answer.
pub(crate) fn callout(
    cluster: &str,
    headers: Vec<(&str, &str)>,
    timeout: Duration,
) -> Result<u32, CalloutError> {
    hostcalls::dispatch_http_call(cluster, headers, None, Vec::new(), timeout).map_err(
        |status| match status {
            proxy_wasm::types::Status::BadArgument => CalloutError::UnknownCluster,
            _ => CalloutError::NoEndpoint,
        },
    )
}
