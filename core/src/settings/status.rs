//! Who may look at the status page, and where it is.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::{Tokens, names};

/// The status page.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct StatusSettings {
    /// Its path.
    pub path: String,
    /// Whoever has one of these tokens may see it.
    pub tokens: Tokens,
    /// Whether clients on the proxy's own machine may see it without a token.
    pub allow_local: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Unchecked {
    #[serde(default = "default_path", deserialize_with = "path")]
    path: String,
    #[serde(default)]
    tokens: Tokens,
    #[serde(default)]
    allow_local: bool,
}

impl TryFrom<Unchecked> for StatusSettings {
    type Error = &'static str;

    /// Addresses are no proof of who asks: behind the PROXY protocol a client can state them. So nobody is let in by his
    /// address unless the operator says so.
    fn try_from(settings: Unchecked) -> Result<Self, Self::Error> {
        let Unchecked { path, tokens, allow_local } = settings;
        if tokens.is_empty() && !allow_local {
            return Err(
                "`tokens` is missing: who shows one of them sees the page; where addresses can be trusted, \
                        `\"allowLocal\": true` lets in who connects from the proxy's own machine",
            );
        }
        Ok(Self { path, tokens, allow_local })
    }
}

fn default_path() -> String {
    "/.turquoise/status".to_owned()
}

/// A path without a query, which requests are compared with.
fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = names::path(deserializer)?;
    if path.contains(['?', '#']) {
        return Err(D::Error::custom(format!("`{path}` must be a path alone, without `?` and `#`")));
    }
    Ok(path)
}
