//! What arguments hold: JSON inline or from a file, and plugin configurations.

use serde_json::Value;
use turquoise_core::{Context, Settings};

use crate::document::Source;
use crate::failure::Failure;
use crate::report;

/// An argument's text: itself, or with `@FILE` what the file holds (`@-`: stdin).
pub(crate) fn text(option: &str, value: &str) -> Result<Source, Failure> {
    match value.strip_prefix('@') {
        Some(file) => Source::read(file),
        None => Ok(Source { name: option.to_owned(), bytes: value.as_bytes().to_vec() }),
    }
}

/// A message about an argument that should hold a JSON object and does not.
pub(crate) fn not_object(option: &str, source: &Source, reason: &str) -> Failure {
    let place = if source.name == option { String::new() } else { format!(" (`{}`)", source.name) };
    Failure::Usage(format!("{option}{place}: {reason}: write a JSON object inline, or `@FILE` to read one"))
}

/// The evaluation context that `--context` gives; without it, an empty one.
pub(crate) fn context(value: Option<&str>) -> Result<Context, Failure> {
    const OPTION: &str = "--context";
    let Some(value) = value else { return Ok(Context::default()) };
    let source = text(OPTION, value)?;
    match serde_json::from_slice(&source.bytes) {
        Ok(json @ Value::Object(_)) => Ok(Context::new(json)),
        Ok(_) => Err(not_object(OPTION, &source, "this is JSON, but no object")),
        Err(error) => Err(not_object(OPTION, &source, &format!("not JSON: {error}"))),
    }
}

/// The plugin configuration that `--config` gives: a JSON object inline, `@FILE`, or the path of a file. Without it,
/// every default.
pub(crate) fn settings(value: Option<&str>) -> Result<Settings, Failure> {
    let source = match value {
        None => return Ok(Settings::default()),
        Some(inline) if inline.trim_start().starts_with('{') => text("--config", inline)?,
        Some(file) => Source::read(file.strip_prefix('@').unwrap_or(file))?,
    };
    Settings::parse(&source.bytes).map_err(|error| {
        eprintln!("{}", report::settings_error(&source.name, &error));
        Failure::Told
    })
}

/// Refuses to read stdin for two things at once.
pub(crate) fn one_stdin(document: &str, others: &[Option<&str>]) -> Result<(), Failure> {
    let readers = usize::from(document == "-") + others.iter().filter(|value| **value == Some("@-")).count();
    match readers {
        0 | 1 => Ok(()),
        _ => {
            Err(Failure::Usage("only one thing can be read from stdin: give the others as files".to_owned()))
        }
    }
}
