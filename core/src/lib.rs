//! Turquoise's rules: a document is compiled to a snapshot, and a snapshot decides.
//!
//! ```
//! use turquoise_core::{Context, Reason, Scratch, Snapshot, Timestamp};
//!
//! let snapshot = Snapshot::compile(br#"{ "flags": { "new-summary": {
//!     "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
//!     "targeting": { "if": [ { "ends_with": [ { "var": "email" }, "@example.com" ] }, "on" ] } } } }"#)?;
//! let context = Context::new(serde_json::json!({ "email": "ada@example.com" }));
//! let evaluation = snapshot.evaluate("new-summary", &context, Timestamp(0), &mut Scratch::default());
//! assert_eq!(evaluation.reason, Reason::TargetingMatch);
//! assert_eq!(evaluation.variant.map(|variant| snapshot.variant(variant).json), Some("true"));
//! # Ok::<(), turquoise_core::CompileError>(())
//! ```
//!
//! This crate knows no proxy, no browser, no clock, no randomness and no I/O: the time and the targeting key are
//! arguments. It has no path that panics, and evaluating allocates nothing.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod compile;
mod decision;
mod eval;
mod explain;
pub mod feed;
mod flag;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod json;
mod metadata;
mod names;
pub mod ofrep;
mod problem;
mod request;
mod route;
mod rule;
mod settings;
mod signature;
mod snapshot;
pub mod status;
mod text;
mod value;
mod version;

pub use compile::{Compilation, CompileOptions, MAX_DOCUMENT_BYTES, portability};
pub use decision::Decision;
pub use eval::{Scratch, Timestamp};
pub use explain::{
    Bucketing, Explanation, GateExplanation, Height, KeyExplanation, ReadAttribute, RequestExplanation,
    RouteExplanation, Share, Step,
};
pub use flag::{Evaluation, EvaluationError, FlagId, Reason, VariantId};
pub use json::{JsonPath, Position};
pub use metadata::Metadata;
pub use problem::{CompileError, Problem, Severity};
pub use request::{Bindings, Request, RequestContext, TargetingKey};
pub use route::RouteId;
pub use settings::{
    AttributeSource, ContextSettings, EventStream, FlagHeader, Host, InvalidToken, KeySource, OfrepSettings,
    Settings, SettingsError, Source, Startup, StatusSettings, StreamEndpoint, StreamKind, Tokens, Versions,
    VisibleFlags, parse_duration,
};
pub use signature::{
    AUDIENCE_FIELD, DIGEST_FIELD, DocumentDigest, MAX_AUDIENCE_BYTES, MAX_CLOCK_SKEW_SECONDS, PublicKey,
    SIGNATURE_FIELD, SIGNATURE_INPUT_FIELD, SignedFields, Statement, Trust, Untrusted, Validity,
    check_audience,
};
pub use snapshot::{Snapshot, Variant};
pub use value::{Attribute, Attributes, Context, Value};
pub use version::{document_version, is_older};

/// A JSON Schema (draft-07) of documents, for editors. It cannot see everything that compiling refuses, such as the name
/// of a flag that does not exist.
pub const DOCUMENT_SCHEMA: &str = include_str!("../schema/document.schema.json");

/// A hash of a document's bytes, as [`Snapshot::fingerprint`] has it.
pub fn fingerprint(document: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(document)
}
