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

/// A name that may become the `:authority` of a request.
pub(super) fn cluster<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    match name.bytes().any(|byte| byte.is_ascii_control()) {
        true => {
            Err(D::Error::custom(format!("the name `{}` holds a control character", name.escape_debug())))
        }
        false => Ok(name),
    }
}

pub(super) fn authority<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let authority = Option::<String>::deserialize(deserializer)?;
    let is_wrong = |name: &&String| name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic());
    match authority.as_ref().filter(is_wrong) {
        Some(wrong) => Err(D::Error::custom(format!(
            "`{}` is not an authority: write a host name, possibly with a port, such as `config.internal:8080`",
            wrong.escape_debug()
        ))),
        None => Ok(authority),
    }
}

pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(path);
    }
    Err(D::Error::custom(format!("`{path}` is not a path: it begins with `/` and holds no spaces")))
}
