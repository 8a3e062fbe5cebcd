//! `turquoise serve`: an HTTP origin for one document.
//!
//! A thread watches the file ([`watch`]) and publishes each version that compiles ([`published`]: hashed and compressed
//! once), and reads tokens and keys again when they change ([`secrets`]). The server ([`connection`], [`routes`]) answers
//! with whatever was published last ([`resource`]), signed anew each second ([`signer`]), lets those wait who asked to be
//! told when something newer exists ([`prefer`]), and tells browsers by events ([`events`]).
//!
//! Nothing is computed for a single client: thousands may wait, and each costs a connection ([`places`]) and a timer.

mod arguments;
mod bounded;
mod connection;
mod encoding;
mod events;
mod metrics;
mod places;
mod prefer;
mod published;
mod resource;
mod routes;
mod secrets;
mod signer;
mod stable;
mod token;
mod watch;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch::{Receiver, Sender, channel};
use turquoise_core::Tokens;

use crate::failure::Failure;
use crate::key::Keys;
pub(crate) use arguments::Arguments;
use connection::Timeouts;
use metrics::Metrics;
use places::Places;
use published::{Published, Served};
use routes::Origin;
use secrets::{Change, Followed};
use signer::Signer;
use watch::{Event, Watcher};

/// What metrics and messages call the files that sign, and those that say who may read.
const KEYS: &str = "keys";
const TOKENS: &str = "tokens";

/// How long requests may take to end after we were told to stop.
const FAREWELL: Duration = Duration::from_secs(3);

/// Serves until a signal ends it.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (key_files, keys) = Followed::new(&arguments.keys, Keys::read)?;
    let token_file: Vec<_> = arguments.token_file.iter().cloned().collect();
    let (token_files, tokens) = Followed::new(&token_file, token::read)?;
    if !arguments.keys.is_empty() {
        say(&format!("signing with {}", keys.ids()));
    }
    let mut watcher = Watcher::new(&arguments.document, arguments.versions);
    let first = match watcher.first() {
        Ok(published) => Some(published),
        Err(_) if arguments.wait => None,
        Err(failure) => return Err(failure),
    };
    let places = Places::new(places::most_connections(arguments.max_connections));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Work(format!("cannot start the server: {error}")))?;
    let signer = Signer::new(keys, arguments.audiences.clone(), arguments.signature_lifetime);
    let (publish_tokens, tokens) = channel(Arc::new(tokens));
    let secrets = Secrets { key_files, token_files, tokens: publish_tokens, signer: Arc::new(signer) };
    runtime.block_on(serve(arguments, secrets, tokens, places, watcher, first))?;
    Ok(ExitCode::SUCCESS)
}

/// Tokens and keys, and where they are used.
struct Secrets {
    key_files: Followed<Keys>,
    token_files: Followed<Tokens>,
    tokens: Sender<Arc<Tokens>>,
    signer: Arc<Signer>,
}

impl Secrets {
    /// Tells the metrics that everything is as it should be.
    fn begin(&self, metrics: &Metrics) {
        for (kind, none) in [(KEYS, self.key_files.is_empty()), (TOKENS, self.token_files.is_empty())] {
            if !none {
                metrics.set_secrets_current(kind, true);
            }
        }
    }

    /// Reads what has changed.
    fn poll(&mut self, metrics: &Metrics) {
        if let Some(change) = self.key_files.poll() {
            let keys = settle(change, KEYS, &self.key_files.names(), metrics);
            if let Some(keys) = keys {
                say(&format!("signing with {} from now on", keys.ids()));
                self.signer.replace(keys);
            }
        }
        if let Some(change) = self.token_files.poll() {
            let tokens = settle(change, TOKENS, &self.token_files.names(), metrics);
            if let Some(tokens) = tokens {
                say(&format!("{} read again", self.token_files.names()));
                self.tokens.send_replace(Arc::new(tokens));
            }
        }
    }
}

/// What was read, unless it cannot be used.
fn settle<T>(change: Change<T>, kind: &'static str, names: &str, metrics: &Metrics) -> Option<T> {
    metrics.set_secrets_current(kind, matches!(change, Change::New(_)));
    match change {
        Change::New(value) => Some(value),
        Change::Broken(complaint) => {
            say(&format!("error: {complaint}; still using the {kind} that {names} held before"));
            None
        }
    }
}

async fn serve(
    arguments: &Arguments,
    secrets: Secrets,
    tokens: Receiver<Arc<Tokens>>,
    places: Arc<Places>,
    watcher: Watcher,
    first: Option<Published>,
) -> Result<(), Failure> {
    let taken = |error| Failure::Work(format!("cannot listen on `{}`: {error}", arguments.listen));
    let listener = TcpListener::bind(&arguments.listen).await.map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    // Before anybody is told that we listen, so that a signal that follows at once ends us in order.
    let mut stop = stop_signals()?;

    let metrics = Arc::new(Metrics::default());
    metrics.most_connections.store(places.most() as u64, Ordering::Relaxed);
    secrets.begin(&metrics);
    let signer = Arc::clone(&secrets.signer);
    match (&first, watcher.trouble()) {
        (Some(first), _) => {
            say(&format!("{}; serving it at http://{address}{}", first.summary, routes::DOCUMENT));
        }
        (None, Some(trouble)) => {
            say(&format!("error: {}\nlistening at http://{address}", trouble.complaint));
            metrics.count_trouble(trouble);
        }
        (None, None) => {}
    }
    let trouble = watcher.trouble().map(|trouble| trouble.complaint.clone());
    let (publish, served) = channel(Served { document: first.map(Arc::new), trouble });
    follow(watcher, publish, secrets, Arc::clone(&metrics));
    // Scripts read the address from here; a closed stdout is no reason not to serve.
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{address}").and_then(|()| stdout.flush());
    drop(stdout);

    let (stopping, stopped) = channel(false);
    let cors = arguments.cors_origin.clone();
    let most_streams = arguments.max_streams.unwrap_or(places.most().div_ceil(2)) as u64;
    let origin = Origin {
        served,
        stopped: stopped.clone(),
        metrics: Arc::clone(&metrics),
        tokens,
        signer,
        most_streams,
        cors,
    };
    let router = routes::router(Arc::new(origin));
    let timeouts = Timeouts {
        idle: Duration::from_secs(arguments.idle_timeout),
        head: Duration::from_secs(arguments.head_timeout.min(arguments.idle_timeout)),
    };
    let server = connection::serve(listener, router, timeouts, places, metrics, stopped);
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

/// Watches the files on a thread of its own, for as long as the process lives: reading and compiling block.
fn follow(mut watcher: Watcher, publish: Sender<Served>, mut secrets: Secrets, metrics: Arc<Metrics>) {
    std::thread::spawn(move || {
        let mut looked = Instant::now();
        loop {
            std::thread::sleep(watch::INTERVAL);
            if looked.elapsed() >= secrets::INTERVAL {
                looked = Instant::now();
                secrets.poll(&metrics);
            }
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
