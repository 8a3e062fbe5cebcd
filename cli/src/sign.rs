//! `turquoise sign`: a document's signature, for origins that are not `turquoise serve`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use turquoise_core::{DocumentDigest, Statement};

use crate::document::Source;
use crate::failure::Failure;
use crate::key::{self, Keys};
use crate::time;

/// Signs a document, and prints the header fields to send with it
///
/// The fields are HTTP Message Signatures (RFC 9421). The exact bytes are signed, whatever they are: an origin has to send
/// the same ones, and the fields with 200 and with 304. Sign again before the signature expires: proxies keep the document
/// after that, but new ones do not take it. `turquoise serve --key` does all of this by itself.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The document; `-` is stdin
    #[arg(value_name = "FILE")]
    document: String,

    /// A private key (PKCS#8 PEM); several while one key replaces another
    #[arg(long = "key", value_name = "KEY.pem", required = true)]
    keys: Vec<PathBuf>,

    /// Sign for the proxies with this `source.audience` alone; several times for several
    #[arg(long = "audience", value_name = "NAME", value_parser = key::audience)]
    audiences: Vec<String>,

    /// How long the signature holds
    #[arg(long, value_name = "DURATION", default_value = "720h", value_parser = key::lifetime)]
    lifetime: Duration,
}

const EXAMPLES: &str = "\
Exit code: 1 when a file cannot be used.

Examples:
  turquoise sign document.json --key key.pem
  turquoise sign document.json --key key.pem --audience production --lifetime 48h
  turquoise sign document.json --key old.pem --key new.pem";

/// Prints the fields, one on each line.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&arguments.keys)?;
    let document = Source::read(&arguments.document)?;
    let created = time::now().0 / 1000;
    let fields = keys.sign(&Statement {
        digest: DocumentDigest::of(&document.bytes),
        audiences: &arguments.audiences,
        created,
        expires: created.saturating_add(arguments.lifetime.as_secs()),
    });
    let mut text = String::new();
    for (name, value) in fields.fields() {
        let _ = writeln!(text, "{name}: {value}");
    }
    write!(std::io::stdout(), "{text}").map_err(|error| Failure::output(&error))?;
    Ok(ExitCode::SUCCESS)
}
