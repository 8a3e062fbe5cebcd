//! The keys that documents may be signed with.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ed25519_dalek::VerifyingKey;
use serde::de::{Deserialize, Deserializer, Error};

/// With padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A public key that documents may be signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(pub(super) VerifyingKey);

impl PublicKey {
    /// Reads the 32 bytes of a key in base64.
    ///
    /// # Errors
    /// When it is not base64, has another length, or is no key that could tell anything: the message says which. It
    /// shows the beginning alone, since messages go to logs, and a secret key may stand here by mistake.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown: String = text.chars().take(8).collect();
        let bytes = BASE64
            .decode(text)
            .map_err(|_| format!("`{shown}…` is not base64 (the standard alphabet, with `+` and `/`)"))?;
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

    /// The name of the key: a `k`, because labels of signatures begin with a letter, and the first eight bytes of the key.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_base64_with_padding_or_without() {
        let key = PublicKey::parse("6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=").unwrap();
        assert_eq!(key.id(), "kea4a6c63e29c520a");
        assert_eq!(PublicKey::parse("6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw"), Ok(key));
    }

    #[test]
    fn keys_that_tell_nothing_are_refused() {
        for (key, part) in [
            ("***", "not base64"),
            ("AAAA", "has 3 bytes"),
            // The neutral element: every signature would fit.
            ("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "not an Ed25519 public key"),
            // No point of the curve; of a secret key that stands here by mistake no more than this is shown.
            ("AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "not an Ed25519 public key"),
        ] {
            let error = PublicKey::parse(key).unwrap_err();
            let shown = key.get(..8).unwrap_or(key);
            assert!(error.contains(part) && error.contains(&format!("`{shown}…`")), "{error}");
        }
    }
}
