//! Who may look at the status page, and where it is.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::{Tokens, names};

/// The status page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusSettings {
    /// Its path.
    #[serde(default = "default_path", deserialize_with = "path")]
    pub path: String,
    /// Whoever has one of these tokens may see it; without tokens, clients on the proxy's own machine may.
    #[serde(default)]
    pub tokens: Tokens,
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
