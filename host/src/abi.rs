//! The numbers of proxy-wasm ABI 0.2.1.
//!
//! Only what crosses the boundary as a number lives here; what the numbers make a proxy do is in `hostcalls`.

/// What a host call answers. The guest's SDK turns all but a few into a panic, so a proxy that answers with a
/// status that Envoy would not give kills guests that Envoy would not kill.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Status {
    /// The call did what was asked.
    Ok = 0,
    /// What was named is not there: a header, a property, a shared key, a queue, a metric.
    NotFound = 1,
    /// An argument is out of range, or names what the current phase does not have.
    BadArgument = 2,
    /// The value cannot be turned into bytes.
    SerializationFailure = 3,
    /// The bytes given cannot be understood.
    ParseFailure = 4,
    /// A range given is not inside the guest's memory.
    InvalidMemoryAccess = 6,
    /// The queue holds nothing.
    Empty = 7,
    /// The shared value has changed since the guest read it.
    CasMismatch = 8,
    /// The proxy itself failed: no endpoint to call, for one.
    InternalFailure = 10,
    /// The proxy does not offer this.
    Unimplemented = 12,
}

/// How important a log line is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u32)]
pub enum LogLevel {
    /// Every step.
    Trace = 0,
    /// For whoever develops the guest.
    Debug = 1,
    /// Normal events; what the guest prints to standard output.
    Info = 2,
    /// Something is off, and served all the same.
    Warn = 3,
    /// Something failed; what the guest prints to standard error.
    Error = 4,
    /// The guest is about to die; SDKs log panics with it.
    Critical = 5,
}

impl LogLevel {
    /// The level with this number, if there is one.
    pub fn from_u32(number: u32) -> Option<Self> {
        [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Critical]
            .into_iter()
            .find(|level| *level as u32 == number)
    }
}

/// Whether the proxy goes on after a callback.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// On to the next filter.
    Continue,
    /// Wait until the guest resumes the stream, or answers it.
    Pause,
}

/// The half of an exchange: towards the upstream, or back to the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the client to the upstream.
    Request,
    /// From the upstream, or from the filter itself, to the client.
    Response,
}

/// A header map of an HTTP stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamMap {
    /// The request's headers, pseudo headers (`:path`) among them.
    RequestHeaders,
    /// The request's trailers.
    RequestTrailers,
    /// The response's headers, `:status` among them.
    ResponseHeaders,
    /// The response's trailers.
    ResponseTrailers,
}

/// What a metric does with the numbers that it gets.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u32)]
pub enum MetricKind {
    /// Only grows.
    Counter = 0,
    /// Goes up and down, or is set.
    Gauge = 1,
    /// Collects a distribution.
    Histogram = 2,
}

impl MetricKind {
    /// The kind with this number, if there is one.
    pub fn from_u32(number: u32) -> Option<Self> {
        [Self::Counter, Self::Gauge, Self::Histogram].into_iter().find(|kind| *kind as u32 == number)
    }
}

/// Any header map of the ABI.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MapType {
    Stream(StreamMap),
    CallResponseHeaders,
    CallResponseTrailers,
    /// Valid numbers that only gRPC fills; this host has none, so they are always absent.
    Grpc,
}

impl MapType {
    pub(crate) fn from_u32(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Stream(StreamMap::RequestHeaders),
            1 => Self::Stream(StreamMap::RequestTrailers),
            2 => Self::Stream(StreamMap::ResponseHeaders),
            3 => Self::Stream(StreamMap::ResponseTrailers),
            4 | 5 => Self::Grpc,
            6 => Self::CallResponseHeaders,
            7 => Self::CallResponseTrailers,
            _ => return None,
        })
    }
}

/// Any buffer of the ABI.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BufferType {
    Body(Direction),
    CallResponseBody,
    VmConfiguration,
    PluginConfiguration,
    /// Valid numbers for TCP, gRPC and foreign calls into the guest, which this host has none of.
    Other,
}

impl BufferType {
    pub(crate) fn from_u32(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Body(Direction::Request),
            1 => Self::Body(Direction::Response),
            4 => Self::CallResponseBody,
            6 => Self::VmConfiguration,
            7 => Self::PluginConfiguration,
            2 | 3 | 5 | 8 => Self::Other,
            _ => return None,
        })
    }
}
