//! `turquoise serve`: an HTTP origin for one document.
//!
//! A thread watches the file ([`watch`]) and publishes each version that compiles; the server ([`http`]) answers with
//! whatever was published last, and lets those wait who asked to be told when something newer exists ([`prefer`]).

mod http;
mod prefer;
mod watch;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch::{Sender, channel};

use crate::failure::Failure;
use watch::{Event, Watcher};

/// How long requests may take to end after we were told to stop.
const FAREWELL: Duration = Duration::from_secs(3);

/// Serves a document over HTTP, and again whenever the file changes
///
/// `GET /document.json` answers with a strong ETag, and with 304 to `If-None-Match`. With `Prefer: wait=30` (RFC 7240)
/// as well, the answer waits until the document is another one than the one known, at most so many seconds, and at
/// most 60. A change is served within about 50 ms. A file that does not compile is not served: stderr says what is
/// wrong, and the last good document stays. The first line of stdout is the address that it listens on.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The document
    #[arg(value_name = "FILE")]
    document: PathBuf,

    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8099", value_parser = address)]
    listen: String,
}

const EXAMPLES: &str = "\
Exit code: 0 after SIGTERM or SIGINT, 1 when the document does not compile at the start or the address is taken.

Examples:
  turquoise serve document.json --listen 127.0.0.1:8099
  curl -i http://127.0.0.1:8099/document.json
  curl -i -H 'If-None-Match: \"...\"' -H 'Prefer: wait=30' http://127.0.0.1:8099/document.json";

/// Checks the shape only: names are looked up when listening.
fn address(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is not an address: write `127.0.0.1:8099`, or port 0 for a free one")),
    }
}

/// Serves until a signal ends it.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (watcher, published) = Watcher::start(&arguments.document)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Work(format!("cannot start the server: {error}")))?;
    runtime.block_on(serve(arguments, watcher, published))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(arguments: &Arguments, watcher: Watcher, first: watch::Published) -> Result<(), Failure> {
    let taken = |error| Failure::Work(format!("cannot listen on `{}`: {error}", arguments.listen));
    let listener = TcpListener::bind(&arguments.listen).await.map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    // Before anybody is told that we listen, so that a signal that follows at once ends us in order.
    let mut stop = stop_signals()?;

    eprintln!("{}; serving it at http://{address}{}", first.summary, http::PATH);
    let (publish, published) = channel(Arc::new(first));
    follow(watcher, publish);
    // Scripts read the address from here; a closed stdout is no reason not to serve.
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{address}").and_then(|()| stdout.flush());
    drop(stdout);

    let (stopping, stopped) = channel(false);
    let server = http::serve(listener, published, stopped);
    tokio::pin!(server);
    tokio::select! {
        ended = &mut server => return ended.map_err(|error| Failure::Work(format!("the server failed: {error}"))),
        () = stop.received() => {}
    }
    let _ = stopping.send(true);
    // Whoever still hangs on after that is cut off.
    let _ = tokio::time::timeout(FAREWELL, server).await;
    Ok(())
}

/// Watches the file on a thread of its own, for as long as the process lives: reading and compiling block.
fn follow(mut watcher: Watcher, publish: Sender<Arc<watch::Published>>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(watch::INTERVAL);
            match watcher.poll() {
                Some(Event::Changed(document)) => {
                    eprintln!("{}; serving it from now on", document.summary);
                    publish.send_replace(Arc::new(document));
                }
                Some(Event::Complaint(text)) => eprintln!("{text}"),
                None => {}
            }
        }
    });
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
