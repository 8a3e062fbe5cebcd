//! `turquoise sign`: a document's signature, for origins that are not `turquoise serve`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::document::Source;
use crate::failure::Failure;
use crate::key::Keys;

/// Signs a document, and prints the value of its `x-turquoise-signature` header
///
/// The exact bytes are signed, whatever they are: an origin has to send the same ones. `turquoise serve --key` does this
/// by itself.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The document; `-` is stdin
    #[arg(value_name = "FILE")]
    document: String,

    /// A private key (PKCS#8 PEM); several while one key replaces another
    #[arg(long = "key", value_name = "KEY.pem", required = true)]
    keys: Vec<PathBuf>,
}

const EXAMPLES: &str = "\
Exit code: 1 when a file cannot be used.

Examples:
  turquoise sign document.json --key key.pem
  turquoise sign document.json --key old.pem --key new.pem";

/// Prints the header's value.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&arguments.keys)?;
    let document = Source::read(&arguments.document)?;
    let header = keys.sign(&document.bytes).unwrap_or_default();
    writeln!(std::io::stdout(), "{header}").map_err(|error| Failure::output(&error))?;
    Ok(ExitCode::SUCCESS)
}
