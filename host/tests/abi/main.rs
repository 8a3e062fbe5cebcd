//! What the host promises its guests, shown with guests of a few lines of WAT.
//!
//! Each guest does one thing and says what came of it in its log; each test plays the proxy and reads the log. One
//! binary for all, because linking wasmtime takes longer than running them.

mod callouts;
mod caps;
mod contract;
mod environment;
mod exhaust;
mod guest;
mod headers;
mod lifecycle;
mod limits;
mod metrics;
mod own_proxy;
mod proposals;
mod shared;
mod streams;
mod timers;
