//! Names that end up in HTTP messages, checked before they get there.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, Error};

/// RFC 9110, section 5.6.2: the characters of header and cookie names.
pub(crate) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn checked<E: Error>(name: String) -> Result<String, E> {
    if is_token(&name) {
        return Ok(name);
    }
    Err(E::custom(format!("`{name}` is not a name: letters, digits, `-` and `_` are allowed")))
}

pub(super) fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(String::deserialize(deserializer)?)
}

pub(super) fn header<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(String::deserialize(deserializer)?.to_ascii_lowercase())
}

pub(super) fn headers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let headers = BTreeMap::<String, String>::deserialize(deserializer)?;
    headers
        .into_iter()
        .map(|(name, value)| {
            if value.bytes().any(|byte| byte.is_ascii_control()) {
                return Err(D::Error::custom(format!("the value of `{name}` holds a control character")));
            }
            Ok((checked(name.to_ascii_lowercase())?, value))
        })
        .collect()
}

pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(path);
    }
    Err(D::Error::custom(format!("`{path}` is not a path: it begins with `/` and holds no spaces")))
}
