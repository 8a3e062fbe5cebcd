//! Who signed a document, for whom, and until when: HTTP Message Signatures (RFC 9421) with Ed25519 (RFC 8032).
//!
//! Several signatures may stand in the fields and several keys may be configured, so that a key is replaced without an
//! hour in which nothing is accepted: one signature by one configured key is enough.
//!
//! Verification is strict: what some Ed25519 libraries take and others do not (keys of small order, numbers that are not
//! reduced) is refused. Time is an argument, as everywhere in the core.

mod key;
mod message;
mod trust;
mod untrusted;

pub use key::PublicKey;
pub use message::{
    AUDIENCE_FIELD, DIGEST_FIELD, DocumentDigest, MAX_AUDIENCE_BYTES, SIGNATURE_FIELD, SIGNATURE_INPUT_FIELD,
    SignedFields, Statement, check_audience,
};
pub use trust::{MAX_CLOCK_SKEW_SECONDS, Trust, Validity};
pub use untrusted::Untrusted;

#[cfg(test)]
mod tests;
