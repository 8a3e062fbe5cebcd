//! A proxy-wasm host: runs modules of ABI 0.2.1 on wasmtime.
//!
//! The crate has three layers, and each knows only the one below it:
//!
//! - [`Engine`] and [`Module`]: a module is compiled once, and instantiated as often as one likes.
//! - [`Vm`]: one instance. It has a method for each callback of the ABI, and reaches its proxy through the traits
//!   [`Proxy`] (clock, callouts, shared data, ...) and [`HttpStream`] (one exchange). A production proxy implements
//!   these two and calls the methods. [`Limits`] bound a VM's memory, and the time of each callback; [`caps`] bound
//!   what it can make the host keep.
//! - [`simulated`]: a proxy for tests, in which the test plays the clients, the upstreams and the clock.
//!
//! There are no globals: two engines, two proxies or two VMs share nothing that they were not given. A guest cannot
//! make the host panic; what it can do is kill its own VM, and then every later call says of what it died. A function
//! that the host does not have (gRPC, for one) can be imported; calling it traps with its name.
//!
//! # Example
//!
//! ```
//! use turquoise_host::Module;
//! use turquoise_host::simulated::{Request, Response, SimulatedProxy};
//!
//! # fn main() -> Result<(), turquoise_host::Error> {
//! // A guest that adds `x: y` to each request. A test would read a `.wasm` file instead.
//! let guest = r#"(module
//!     (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
//!     (memory (export "memory") 1)
//!     (data (i32.const 0) "xy")
//!     (func (export "proxy_abi_version_0_2_1"))
//!     (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
//!     (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
//!         (call $add (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 1))))"#;
//! let module = Module::new(guest.as_bytes())?;
//!
//! let proxy = SimulatedProxy::new(&module);
//! let vm = proxy.start_vm("")?;
//! assert!(vm.configure(r#"{"any": "bytes"}"#)?.accepted());
//!
//! let exchange = vm.request(Request::get("shop.example.com", "/checkout").header("cookie", "a=b"))?;
//! assert_eq!(exchange.request_header("x").as_deref(), Some("y"));
//! let outcome = exchange.respond(Response::new(200).text("hello"))?;
//! assert_eq!(outcome.status(), 200);
//! exchange.finish()?;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod abi;
pub mod caps;
mod engine;
mod error;
mod headers;
mod hostcalls;
mod limits;
mod proxy;
pub mod simulated;
mod stream;
mod vm;
mod wire;

pub use abi::{Action, Direction, LogLevel, MetricKind, Status, StreamMap};
pub use engine::{Engine, Module};
pub use error::Error;
pub use headers::Headers;
pub use limits::{Limits, RESOLUTION};
pub use proxy::{
    CallResponse, Callouts, Clock, Environment, HttpCall, Log, Metrics, Proxy, Queues, Random, RootId,
    SharedData, Timers,
};
pub use stream::{HttpStream, LocalResponse};
pub use vm::{Configured, Vm, VmOptions};
