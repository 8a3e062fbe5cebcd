//! What a document from the source must be like before anybody looks into it.

use serde::de::{Deserialize, Deserializer, Error};

use crate::compile::MAX_DOCUMENT_BYTES;
use crate::signature::{PublicKey, check_audience};

pub(super) fn default_max_bytes() -> usize {
    16 << 20
}

pub(super) fn max_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let bytes = value.as_u64().and_then(|bytes| usize::try_from(bytes).ok());
    bytes.filter(|bytes| (1..=MAX_DOCUMENT_BYTES).contains(bytes)).ok_or_else(|| {
        D::Error::custom(format!(
            "must be a whole number of bytes from 1 to {MAX_DOCUMENT_BYTES}, this is `{value}`"
        ))
    })
}

/// An empty list could be meant as "nobody" or as "anybody", so it is neither.
pub(super) fn public_keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PublicKey>, D::Error> {
    let keys = Vec::<PublicKey>::deserialize(deserializer)?;
    if keys.is_empty() {
        return Err(D::Error::custom("must hold a key; leave it out to take documents that nobody signed"));
    }
    Ok(keys)
}

pub(super) fn audience<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    check_audience(&name).map_err(D::Error::custom)?;
    Ok(Some(name))
}
