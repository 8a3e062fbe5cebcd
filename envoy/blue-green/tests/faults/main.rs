//! Faults in a real Envoy with four workers under load: requests go on being answered, by the last good rules.
//!
//! What each fault looks like to users and operators is in docs/reference/faults.md; these tests hold it to that. They
//! need what the scenario's tests need, and `trap` builds a module of its own.

mod changes;
mod documents;
mod endure;
mod fixture;
mod listener;
mod memory;
mod signatures;
mod sources;
mod start;
mod status;
mod trap;
mod yaml;
