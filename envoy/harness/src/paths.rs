//! Where the things are that a scenario starts. Each can be set by an environment variable; what is missing is an error
//! that says how to get it, never a reason to skip.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Without `..`, for messages that people read.
    root.canonicalize().unwrap_or(root)
}

/// The Envoy to run: `$ENVOY_BIN`, else the one that `make tools` installs.
pub fn envoy() -> Result<PathBuf> {
    find("Envoy", "ENVOY_BIN", ".tools/venv/bin/envoy", "run `make tools`")
}

/// The module: `$TURQUOISE_WASM`, else where `make wasm` leaves it.
pub fn module() -> Result<PathBuf> {
    find("the module", "TURQUOISE_WASM", "dist/turquoise.wasm", "run `make wasm`")
}

/// The command line `turquoise`: `$TURQUOISE_BIN`, else the release build.
pub fn turquoise() -> Result<PathBuf> {
    let remedy = "run `cargo build --release -p turquoise-cli`";
    find("the command line", "TURQUOISE_BIN", "target/release/turquoise", remedy)
}

fn find(what: &str, variable: &str, default: &str, remedy: &str) -> Result<PathBuf> {
    let path = match env::var_os(variable) {
        // Relative to the root, as the default is: tests run in their package's directory, not in the root.
        Some(path) => workspace().join(path),
        None => workspace().join(default),
    };
    if !path.is_file() {
        bail!("{what} is not at `{}`: {remedy}, or set {variable}", path.display());
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_remedy() {
        let error = find("Envoy", "TURQUOISE_TEST_UNSET", "nowhere/envoy", "run `make tools`")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("Envoy is not at `") && error.contains("nowhere/envoy`"), "{error}");
        assert!(error.ends_with("run `make tools`, or set TURQUOISE_TEST_UNSET"), "{error}");
    }

    #[test]
    fn the_workspace_is_found() {
        assert!(workspace().join("envoy/harness/Cargo.toml").is_file());
    }
}
