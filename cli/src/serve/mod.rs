//! `turquoise serve`: an HTTP origin for one document.
//!
//! A thread watches the file ([`watch`]) and publishes each version that compiles ([`published`]: hashed, compressed and
//! signed once). The server ([`connection`], [`routes`]) answers with whatever was published last ([`resource`]), lets
//! those wait who asked to be told when something newer exists ([`prefer`]), and tells browsers by events ([`events`]).
//!
//! Nothing is computed for a single client: thousands may wait, and each costs a connection and a timer.

mod arguments;
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
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch::{Sender, channel};
use turquoise_core::Tokens;

use crate::failure::Failure;
use crate::key::Keys;
pub(crate) use arguments::Arguments;
use metrics::Metrics;
use published::{Published, Served};
use routes::Origin;
use watch::{Event, Watcher};

/// How long requests may take to end after we were told to stop.
const FAREWELL: Duration = Duration::from_secs(3);

/// Serves until a signal ends it.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&arguments.keys)?;
    let tokens = token::read(arguments.token_file.as_deref())?;
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
