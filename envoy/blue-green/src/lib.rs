//! Blue/Green and feature flags in a real Envoy: the application, the story that `make demo` plays, and what its tests
//! share with it. The configuration that users copy is `envoy.yaml` beside this package.

pub mod chance;
pub mod document;
pub mod judge;
pub mod paint;
pub mod report;
pub mod scenario;
pub mod shop;
pub mod story;
pub mod up;
