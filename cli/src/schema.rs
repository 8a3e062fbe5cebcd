//! `turquoise schema`: the shape of a document, for editors.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::failure::Failure;

/// Prints a JSON Schema (draft-07) of documents
///
/// Editors that know the schema complete keys, explain them and mark mistakes while a document is written: save it
/// beside the document, and begin the document with `"$schema": "./document.schema.json"`. What a schema cannot see,
/// such as the name of a flag that does not exist, `turquoise validate` tells.
///
/// Parts of it, for other schemas to refer to: `#/definitions/document`, `#/definitions/flag`,
/// `#/definitions/targeting`, `#/definitions/routes`, and `#/definitions/providerDocument`, in which flags are an object,
/// as flagd's in-process providers want them.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {}

const EXAMPLES: &str = "\
Exit code: 0.

Examples:
  turquoise schema > document.schema.json
  turquoise schema | jq '.definitions.route'";

/// Prints the schema.
pub(crate) fn run() -> Result<ExitCode, Failure> {
    let schema = turquoise_core::DOCUMENT_SCHEMA.as_bytes();
    io::stdout().lock().write_all(schema).map_err(|error| Failure::output(&error))?;
    Ok(ExitCode::SUCCESS)
}
