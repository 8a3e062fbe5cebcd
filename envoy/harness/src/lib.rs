//! Starts a real Envoy, applications, document sources and load on loopback, and watches them.
//!
//! What the scenario tests and the demos of `envoy/` are built from. It knows proxies, processes and HTTP; it knows
//! nothing of Turquoise's documents, and whatever a scenario means by a right answer it passes in.
//!
//! Nothing outlives the program that started it: see [`process`].

pub mod envoy;
pub mod http;
pub mod load;
pub mod log;
pub mod metrics;
pub mod origin;
pub mod paths;
pub mod ports;
pub mod process;
pub mod raw;
pub mod window;
