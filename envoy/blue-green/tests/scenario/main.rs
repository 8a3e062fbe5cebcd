//! The scenario in a real Envoy with two workers, as users run it. Every group of tests starts its own, on free ports.
//!
//! They need Envoy (`make tools`), the module (`make wasm`) and the command line (`cargo build --release -p
//! turquoise-cli`), and fail, saying so, where one of them is missing.

mod forging;
mod odd_requests;
mod ofrep;
mod refusals;
mod routing;
mod support;
mod switches;
