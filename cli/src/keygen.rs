//! `turquoise keygen`: a key that signs documents.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::document::reason;
use crate::failure::Failure;
use crate::key;

/// Makes an Ed25519 key that signs documents
///
/// The private key goes to a new file that only its owner can read (PKCS#8 PEM, as `openssl genpkey -algorithm ed25519`
/// writes it). Stdout is the public key: base64 of its 32 bytes, as `source.publicKeys` of the plugin configuration
/// lists it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Where the private key goes; the file must not exist
    #[arg(long, value_name = "FILE", default_value = "turquoise-key.pem")]
    out: PathBuf,
}

const EXAMPLES: &str = "\
Exit code: 1 when the file exists or cannot be written.

Examples:
  turquoise keygen --out key.pem
  turquoise sign document.json --key key.pem
  turquoise serve document.json --key key.pem";

/// Writes the private key, prints the public one.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (pem, public) = key::generate()?;
    let name = arguments.out.display();
    // Created by us and with its final mode: there is no moment at which others could open it.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&arguments.out).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::Work(format!(
            "`{name}` exists already, and a key that is lost cannot be made again: move it away, or choose another \
             --out"
        )),
        _ => Failure::Work(format!("cannot write `{name}`: {}", reason(&error))),
    })?;
    let written = file.write_all(pem.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| Failure::Work(format!("cannot write `{name}`: {error}")))?;
    writeln!(std::io::stdout(), "{public}").map_err(|error| Failure::output(&error))?;
    Ok(ExitCode::SUCCESS)
}
