//! How much a guest may hand over, and how much may lie on its behalf outside of its own memory.
//!
//! The limit on a VM's memory ([`Limits`](crate::Limits)) is worth nothing if its guest can fill the host's. So
//! every length that a guest states is compared with a cap, and with the guest's memory, before a byte is copied; and
//! whatever outlives the call is counted.
//!
//! | What | Cap | What more of it gets |
//! |---|---|---|
//! | a name: property path, key, header, metric, queue, VM, function, upstream | [`MAX_NAME_BYTES`], 16 KiB | `BadArgument` |
//! | a value: header, property, queue item, arguments of a function, details of an answer | [`MAX_VALUE_BYTES`], 1 MiB | `BadArgument` |
//! | a map of headers or trailers | [`MAX_MAP_BYTES`], 4 MiB, and [`MAX_MAP_PAIRS`], 4,096 | `BadArgument` |
//! | a body: of a callout, an answer, an exchange; a shared value | [`MAX_BODY_BYTES`], 32 MiB | `BadArgument` |
//! | a log line | [`MAX_LOG_BYTES`], 64 KiB | is cut, since SDKs panic where a line is refused |
//! | what one call prints, or gets at random | [`MAX_WASI_BYTES`], 64 KiB | a short write; `INVAL` |
//! | pieces of what one call prints | [`MAX_WASI_VECTORS`], 1,024 | `INVAL` |
//! | a module | [`MAX_MODULE_BYTES`], 64 MiB | [`Error::Compile`](crate::Error::Compile) |
//! | HTTP contexts of a VM | [`MAX_HTTP_CONTEXTS`], 262,144 | [`Error::Exhausted`](crate::Error::Exhausted) |
//! | root contexts of a VM, draining ones included | [`MAX_ROOT_CONTEXTS`], 1,024 | [`Error::Exhausted`](crate::Error::Exhausted) |
//! | callouts of a VM that wait for their answer | [`MAX_CALLOUTS`], 1,024, and [`MAX_CALLOUT_BYTES`], 64 MiB | `InternalFailure` |
//! | the stack of a VM | [`MAX_STACK_BYTES`], 512 KiB | a trap |
//! | elements of all tables of a VM | [`MAX_TABLE_ELEMENTS`], 100,000; their bytes count as memory | they do not grow |
//!
//! The host sees to all of these, whatever the proxy is. What VMs share is the proxy's: the host cannot know whether a
//! key is new. A [`Proxy`](crate::Proxy) has to bound it itself, and the simulated one does so by these:
//!
//! | What | Cap | What more of it gets |
//! |---|---|---|
//! | shared values | [`MAX_SHARED_KEYS`], 65,536, and [`MAX_SHARED_BYTES`], 256 MiB with their keys | `InternalFailure` |
//! | queues | [`MAX_QUEUES`], 1,024 | `InternalFailure` |
//! | what waits in all queues | [`MAX_QUEUE_ITEMS`], 65,536, and [`MAX_QUEUE_BYTES`], 64 MiB | `InternalFailure` |
//! | readers of queues that are to be woken | [`MAX_WAKES`], 10,000 | `InternalFailure` |
//! | metrics | [`MAX_METRICS`], 16,384 | `InternalFailure` |
//! | headers, properties and body of an exchange, each | as what is handed over at once | `InternalFailure` |
//! | what is kept for the test: log lines, observations, foreign calls | [`MAX_KEPT_BYTES`], 64 MiB each | a last log line says so; not kept; `InternalFailure` |
//!
//! A thread that runs VMs needs [`MAX_STACK_BYTES`] and as much again for the host's own calls.

/// A property path, a key of shared data, or the name of a header, metric, queue, VM, function or upstream.
pub const MAX_NAME_BYTES: usize = 16 << 10;

/// The value of a header or property, an item for a queue, what a foreign function is passed, why a guest answered.
pub const MAX_VALUE_BYTES: usize = 1 << 20;

/// A map of headers or trailers, as its bytes cross the boundary: four times what Envoy's host takes.
pub const MAX_MAP_BYTES: usize = 4 << 20;

/// The pairs of one map: four times what Envoy's host takes.
pub const MAX_MAP_PAIRS: usize = 4096;

/// A body, or a shared value: what Envoy itself takes of a callout's answer.
pub const MAX_BODY_BYTES: usize = 32 << 20;

/// A log line. The rest of a longer one is dropped.
pub const MAX_LOG_BYTES: usize = 64 << 10;

/// What one call of WASI writes or fills: a guest could name the same memory a million times over.
pub const MAX_WASI_BYTES: usize = 64 << 10;

/// The pieces that one `fd_write` is made of: `IOV_MAX` of most systems.
pub const MAX_WASI_VECTORS: u32 = 1024;

/// A module, as binary or text.
pub const MAX_MODULE_BYTES: usize = 64 << 20;

/// HTTP contexts of one VM: exchanges in progress.
pub const MAX_HTTP_CONTEXTS: usize = 262_144;

/// Root contexts of one VM. A guest may refuse to let go of one whose configuration has been replaced.
pub const MAX_ROOT_CONTEXTS: usize = 1024;

/// Callouts of one VM that wait for their answer.
pub const MAX_CALLOUTS: usize = 1024;

/// What all callouts of one VM that wait for their answer were given: upstream, headers, body, trailers.
pub const MAX_CALLOUT_BYTES: usize = 64 << 20;

/// The stack of a VM. Deeper recursion is a trap.
pub const MAX_STACK_BYTES: usize = 512 << 10;

/// The elements of all tables of a VM: more than any module of ours has functions.
pub const MAX_TABLE_ELEMENTS: usize = 100_000;

/// Keys of shared data.
pub const MAX_SHARED_KEYS: usize = 65_536;

/// All shared values and their keys.
pub const MAX_SHARED_BYTES: usize = 256 << 20;

/// Shared queues.
pub const MAX_QUEUES: usize = 1024;

/// What waits in all queues together.
pub const MAX_QUEUE_ITEMS: usize = 65_536;

/// The bytes of what waits in all queues together.
pub const MAX_QUEUE_BYTES: usize = 64 << 20;

/// Readers of queues that are to be woken once the current callback has returned; also how many may be woken in turn
/// by each other before a test is told that there is no end to it.
pub const MAX_WAKES: usize = 10_000;

/// Metrics of all kinds.
pub const MAX_METRICS: usize = 16_384;

/// What a simulated proxy keeps for its test of each kind: log lines, a histogram's observations, foreign calls.
pub const MAX_KEPT_BYTES: usize = 64 << 20;
