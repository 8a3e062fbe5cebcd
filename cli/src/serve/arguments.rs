//! The command line of `turquoise serve`.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use turquoise_core::Versions;

use crate::key;
use crate::key::audience;

/// Serves a document over HTTP, and again whenever the file changes
///
/// `GET /document.json` answers with a strong ETag, and with 304 to `If-None-Match`. With `Prefer: wait=30` (RFC 7240)
/// as well, the answer waits until the document is another one than the one known, at most so many seconds, and at
/// most 60. Who accepts gzip gets gzip. `GET /ofrep/v1/stream` sends OFREP's events, `/metrics` is for Prometheus, and
/// `/healthz` (also `/readyz`) says whether there is a document.
///
/// A change is served within about 50 ms. A file that does not compile is not served: stderr says what is wrong, and the
/// last good document stays. The first line of stdout is the address that it listens on.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The document
    #[arg(value_name = "FILE")]
    pub(super) document: PathBuf,

    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8099", value_parser = address)]
    pub(super) listen: String,

    /// Sign with this private key (PKCS#8 PEM, see `turquoise keygen`); several while one key replaces another
    #[arg(long = "key", value_name = "KEY.pem")]
    pub(super) keys: Vec<PathBuf>,

    /// Sign for the proxies with this `source.audience` alone; several times for several
    #[arg(long = "audience", value_name = "NAME", value_parser = audience, requires = "keys")]
    pub(super) audiences: Vec<String>,

    /// How long a signature holds; each answer carries a new one, so this is how long proxies believe a source that is
    /// held back
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = key::lifetime)]
    pub(super) signature_lifetime: Duration,

    /// Who reads the document or the events needs a bearer token out of this file, which has one on each line
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,

    /// The web origin whose pages may read the events, such as `https://shop.example.com`; `*` is any
    #[arg(long, value_name = "ORIGIN", default_value = "*", value_parser = web_origin)]
    pub(super) cors_origin: HeaderValue,

    /// Close connections on which nothing is asked for so long; more than the interval of proxies
    #[arg(long, value_name = "SECONDS", default_value_t = 75, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) idle_timeout: u64,

    /// Close connections that take longer to send a request, from its first byte (or from the connection) to the end of
    /// its head
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) head_timeout: u64,

    /// The most connections; by default as many as file descriptors allow, at most 16384
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    pub(super) max_connections: Option<usize>,

    /// The most event streams; by default half of the connections
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    pub(super) max_streams: Option<usize>,

    /// What `metadata.version` means to the proxies, as `source.versions` of theirs has it: with `increasing`, a document that
    /// is older than the one served before is not served, since they would refuse it
    #[arg(long, value_name = "MEANING", default_value = "label", value_parser = versions)]
    pub(super) versions: Versions,

    /// Start without a document too, and answer 503 until the file is there and compiles
    #[arg(long)]
    pub(super) wait: bool,
}

const EXAMPLES: &str = "\
Exit code: 0 after SIGTERM or SIGINT, 1 when the document does not compile at the start or the address is taken.

Examples:
  turquoise serve document.json --listen 127.0.0.1:8099
  turquoise serve document.json --key key.pem --audience production --token-file tokens
  curl -i http://127.0.0.1:8099/document.json
  curl -i -H 'If-None-Match: \"...\"' -H 'Prefer: wait=30' http://127.0.0.1:8099/document.json
  curl -N http://127.0.0.1:8099/ofrep/v1/stream";

fn number(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("`{text}` is not a whole number from 1 on")),
    }
}

fn versions(text: &str) -> Result<Versions, String> {
    match text {
        "label" => Ok(Versions::Label),
        "increasing" => Ok(Versions::Increasing),
        _ => Err(format!("`{text}` must be `label` or `increasing`")),
    }
}

/// Checks the shape only: names are looked up when listening.
fn address(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is not an address: write `127.0.0.1:8099`, or port 0 for a free one")),
    }
}

/// As browsers send it in `Origin`: a scheme and a host, perhaps with a port.
fn web_origin(text: &str) -> Result<HeaderValue, String> {
    let is_origin = text.split_once("://").is_some_and(|(scheme, host)| {
        let is_scheme = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_scheme && !host.is_empty() && !host.contains(['/', ',', ' ', '*'])
    });
    match HeaderValue::from_str(text) {
        Ok(value) if text == "*" || is_origin => Ok(value),
        _ => {
            Err(format!("`{text}` is no web origin: write `https://shop.example.com` without a path, or `*`"))
        }
    }
}
