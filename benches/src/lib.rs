//! What is measured: rules, contexts and documents, the same for every engine and every target.
//!
//! The engines that Turquoise is measured against are dev-dependencies and live with the benches; this library knows
//! Turquoise alone, so that it builds to WebAssembly too.

pub mod alternate;
pub mod documents;
pub mod scenario;
