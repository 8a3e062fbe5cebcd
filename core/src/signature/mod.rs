//! Signatures of documents: plain Ed25519 (RFC 8032) over the exact bytes of the body, in a response header that is a
//! dictionary of Structured Fields (RFC 9651): `k0123456789abcdef=:BASE64:`.
//!
//! Several signatures may stand there and several keys may be configured, so that a key is replaced without an hour in
//! which nothing is accepted: one signature by one configured key is enough. A member's key is `k` and the first sixteen
//! hexadecimal digits of the public key (a dictionary's keys begin with a letter).
//!
//! Verification is strict: what some Ed25519 libraries take and others do not (keys of small order, numbers that are not
//! reduced) is refused.

mod dictionary;
mod message;
mod plain_base64;
mod trust;
mod untrusted;

pub use message::{
    AUDIENCE_FIELD, DIGEST_FIELD, DocumentDigest, MAX_AUDIENCE_BYTES, SIGNATURE_FIELD, SIGNATURE_INPUT_FIELD,
    SignedFields, Statement, check_audience,
};
pub use trust::{MAX_CLOCK_SKEW_SECONDS, Trust, Validity};
pub use untrusted::Untrusted;

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};
use serde::de::{Deserialize, Deserializer, Error};

/// The response header that carries the signatures.
pub const SIGNATURE_HEADER: &str = "x-turquoise-signature";

/// A public key that documents may be signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads the 32 bytes of a key in base64.
    ///
    /// # Errors
    /// When it is not base64, has another length, or is no key that could tell anything: the message says which. It
    /// shows the beginning alone, since messages go to logs, and a secret key may stand here by mistake.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown: String = text.chars().take(8).collect();
        let bytes = plain_base64::decode(text.as_bytes())
            .ok_or_else(|| format!("`{shown}…` is not base64 (the standard alphabet, with `+` and `/`)"))?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|bytes: Vec<u8>| {
            format!("`{shown}…` has {} bytes; an Ed25519 public key has 32", bytes.len())
        })?;
        match VerifyingKey::from_bytes(&bytes) {
            Ok(key) if !key.is_weak() => Ok(Self(key)),
            _ => Err(format!("`{shown}…` is not an Ed25519 public key; `turquoise keygen` makes one")),
        }
    }

    /// The public part of a key that signs.
    pub fn of(key: VerifyingKey) -> Self {
        Self(key)
    }

    /// The name under which its signatures stand in the header.
    pub fn id(&self) -> String {
        let mut id = "k".to_owned();
        for byte in self.0.as_bytes().iter().take(8) {
            id.push_str(&format!("{byte:02x}"));
        }
        id
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Why no signature was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// There is no header.
    Missing,
    /// The header is no dictionary.
    Malformed,
    /// None of the signatures is by a configured key: the ids that there are.
    UnknownKeys(Vec<String>),
    /// Signatures by configured keys, of other bytes than these: the ids.
    Mismatch(Vec<String>),
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ids: &[String]| ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
        match self {
            Self::Missing => write!(
                f,
                "it is not signed: the answer has no `{SIGNATURE_HEADER}`, which `source.publicKeys` requires; \
                 `turquoise sign` signs it"
            ),
            Self::Malformed => write!(
                f,
                "its `{SIGNATURE_HEADER}` cannot be read: it must look like `k0123456789abcdef=:BASE64:`, several \
                 separated by commas"
            ),
            Self::UnknownKeys(ids) if ids.is_empty() => {
                write!(f, "its `{SIGNATURE_HEADER}` holds no signature; `turquoise sign` makes one")
            }
            Self::UnknownKeys(ids) => write!(
                f,
                "it is signed with {}, none of which is in `source.publicKeys`: add that key there if it is yours",
                list(ids)
            ),
            Self::Mismatch(ids) => write!(
                f,
                "the signature by {} does not fit its bytes: it was changed after it was signed, or somebody else \
                 signed; sign it again and serve exactly these bytes",
                list(ids)
            ),
        }
    }
}

impl std::error::Error for SignatureError {}

/// Whether one of `keys` has signed `document`, as `header` has it.
///
/// # Errors
/// When no signature by one of the keys verifies.
pub fn verify_signature(
    keys: &[PublicKey],
    header: Option<&[u8]>,
    document: &[u8],
) -> Result<(), SignatureError> {
    let header = header.ok_or(SignatureError::Missing)?;
    let signatures = dictionary::byte_sequences(header).ok_or(SignatureError::Malformed)?;
    let mut failed = Vec::new();
    for key in keys {
        let id = key.id();
        let Some((_, bytes)) = signatures.iter().find(|(name, _)| *name == id) else { continue };
        let signature = Signature::from_slice(bytes);
        if signature.is_ok_and(|signature| key.0.verify_strict(document, &signature).is_ok()) {
            return Ok(());
        }
        failed.push(id);
    }
    Err(match failed.is_empty() {
        true => SignatureError::UnknownKeys(signatures.iter().map(|(id, _)| (*id).to_owned()).collect()),
        false => SignatureError::Mismatch(failed),
    })
}

#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod tests;
