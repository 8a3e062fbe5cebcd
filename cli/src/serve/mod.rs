//! `turquoise serve`: an HTTP origin for one document.
//!
//! A thread watches the file ([`watch`]) and publishes each version that compiles ([`published`]: hashed, compressed and
//! signed once). The server ([`connection`], [`routes`]) answers with whatever was published last ([`resource`]), lets
//! those wait who asked to be told when something newer exists ([`prefer`]), and tells browsers by events ([`events`]).
//!
//! Nothing is computed for a single client: thousands may wait, and each costs a connection and a timer.

mod connection;
mod encoding;
mod events;
mod metrics;
mod prefer;
mod published;
mod resource;
mod routes;
mod token;
mod watch;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch::{Sender, channel};

use crate::failure::Failure;
use crate::key::Keys;
use metrics::Metrics;
use published::{Published, Served};
use routes::Origin;
use token::Tokens;
use watch::{Event, Watcher};

/// How long requests may take to end after we were told to stop.
const FAREWELL: Duration = Duration::from_secs(3);

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
    document: PathBuf,

    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8099", value_parser = address)]
    listen: String,

    /// Sign with this private key (PKCS#8 PEM, see `turquoise keygen`); several while one key replaces another
    #[arg(long = "key", value_name = "KEY.pem")]
    keys: Vec<PathBuf>,

    /// Who reads the document or the events needs a bearer token out of this file, which has one on each line
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The web origin whose pages may read the events, such as `https://shop.example.com`; `*` is any
    #[arg(long, value_name = "ORIGIN", default_value = "*", value_parser = web_origin)]
    cors_origin: HeaderValue,

    /// Close connections that take longer to send a request, also one after another; more than the interval of proxies
    #[arg(long, value_name = "SECONDS", default_value_t = 75, value_parser = clap::value_parser!(u64).range(1..=3600))]
    idle_timeout: u64,

    /// Start without a document too, and answer 503 until the file is there and compiles
    #[arg(long)]
    wait: bool,
}

const EXAMPLES: &str = "\
Exit code: 0 after SIGTERM or SIGINT, 1 when the document does not compile at the start or the address is taken.

Examples:
  turquoise serve document.json --listen 127.0.0.1:8099
  turquoise serve document.json --key key.pem --token-file tokens
  curl -i http://127.0.0.1:8099/document.json
  curl -i -H 'If-None-Match: \"...\"' -H 'Prefer: wait=30' http://127.0.0.1:8099/document.json
  curl -N http://127.0.0.1:8099/ofrep/v1/stream";

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

/// Serves until a signal ends it.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&arguments.keys)?;
    let tokens = Tokens::read(arguments.token_file.as_deref())?;
    if !arguments.keys.is_empty() {
        say(&format!("signing with {}", keys.ids()));
    }
    let mut watcher = Watcher::new(&arguments.document, keys);
    let first = match watcher.first() {
        Ok(published) => Some(published),
        Err(_) if arguments.wait => None,
        Err(failure) => return Err(failure),
    };
    connection::raise_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Work(format!("cannot start the server: {error}")))?;
    runtime.block_on(serve(arguments, tokens, watcher, first))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(
    arguments: &Arguments,
    tokens: Tokens,
    watcher: Watcher,
    first: Option<Published>,
) -> Result<(), Failure> {
    let taken = |error| Failure::Work(format!("cannot listen on `{}`: {error}", arguments.listen));
    let listener = TcpListener::bind(&arguments.listen).await.map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    // Before anybody is told that we listen, so that a signal that follows at once ends us in order.
    let mut stop = stop_signals()?;

    let metrics = Arc::new(Metrics::default());
    match (&first, watcher.trouble()) {
        (Some(first), _) => {
            say(&format!("{}; serving it at http://{address}{}", first.summary, routes::DOCUMENT))
        }
        (None, Some(trouble)) => {
            say(&format!("error: {}\nlistening at http://{address}", trouble.complaint));
            metrics.count_trouble(trouble);
        }
        (None, None) => {}
    }
    let trouble = watcher.trouble().map(|trouble| trouble.complaint.clone());
    let (publish, served) = channel(Served { document: first.map(Arc::new), trouble });
    follow(watcher, publish, Arc::clone(&metrics));
    // Scripts read the address from here; a closed stdout is no reason not to serve.
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{address}").and_then(|()| stdout.flush());
    drop(stdout);

    let (stopping, stopped) = channel(false);
    let cors = arguments.cors_origin.clone();
    let origin = Origin { served, stopped: stopped.clone(), metrics: Arc::clone(&metrics), tokens, cors };
    let router = routes::router(Arc::new(origin));
    let idle = Duration::from_secs(arguments.idle_timeout);
    let server = connection::serve(listener, router, idle, metrics, stopped);
    tokio::pin!(server);
    tokio::select! {
        () = &mut server => return Ok(()),
        () = stop.received() => {}
    }
    let _ = stopping.send(true);
    // Whoever still hangs on after that is cut off.
    let _ = tokio::time::timeout(FAREWELL, server).await;
    Ok(())
}

/// Watches the file on a thread of its own, for as long as the process lives: reading and compiling block.
fn follow(mut watcher: Watcher, publish: Sender<Served>, metrics: Arc<Metrics>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(watch::INTERVAL);
            match watcher.poll() {
                Some(Event::Changed(document)) => {
                    say(&format!("{}; serving it from now on", document.summary));
                    metrics.count_change();
                    publish.send_replace(Served { document: Some(Arc::new(document)), trouble: None });
                }
                Some(Event::Trouble(trouble)) => {
                    say(&format!("error: {}", trouble.complaint));
                    metrics.count_trouble(&trouble);
                    publish.send_modify(|served| served.trouble = Some(trouble.complaint));
                }
                Some(Event::Recovered(text)) => {
                    say(&text);
                    publish.send_modify(|served| served.trouble = None);
                }
                None => {}
            }
        }
    });
}

/// A line on stderr. A closed one must not end the thread that would write there, as `eprintln` does.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

fn stop_signals() -> Result<StopSignals, Failure> {
    let listen =
        |kind| signal(kind).map_err(|error| Failure::Work(format!("cannot listen to signals: {error}")));
    Ok(StopSignals {
        terminate: listen(SignalKind::terminate())?,
        interrupt: listen(SignalKind::interrupt())?,
    })
}

impl StopSignals {
    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
