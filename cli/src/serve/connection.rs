//! Connections: as many as there are places for, each bounded in what it may cost us.
//!
//! hyper is driven here rather than by `axum::serve`, which sets no timeouts. The bounds: connections that nobody uses end
//! after the idle timeout; a request's head has to be complete within a shorter time, and fit into [`HEAD`]; what we send
//! has to be taken ([`bounded`](super::bounded)), and the system drops a connection whose other end is gone.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::Receiver;

use super::bounded::Bounded;
use super::events;
use super::metrics::{Closed, Metrics};
use super::places::Places;

/// The most bytes that a request's head may have.
const HEAD: usize = 16 * 1024;

/// How long a client may acknowledge none of what we sent.
const UNSENT: Duration = Duration::from_secs(60);

/// How long connections may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// Between two requests.
    pub(super) idle: Duration,
    /// For the head of a request.
    pub(super) head: Duration,
}

/// Serves until `stopped` turns true and all requests are answered.
pub(super) async fn serve(
    mut listener: TcpListener,
    router: Router,
    timeouts: Timeouts,
    places: Arc<Places>,
    metrics: Arc<Metrics>,
    mut stopped: Receiver<bool>,
) {
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(timeouts.idle).max_buf_size(HEAD);
    let connections = GracefulShutdown::new();
    loop {
        let (stream, client) = tokio::select! {
            // It tries again when there are too many connections, and never fails.
            accepted = Listener::accept(&mut listener) => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        let Some((held, evicted)) = places.take(client.ip().to_canonical()).await else {
            metrics.count_closed(Closed::Refused);
            continue;
        };
        if evicted {
            metrics.count_closed(Closed::Evicted);
        }
        bound(&stream);
        let router = TowerToHyperService::new(router.clone());
        let place = Arc::clone(&held.place);
        let service = service_fn(move |request| {
            place.served();
            let (place, answer) = (Arc::clone(&place), router.call(request));
            async move {
                let answer = answer.await?;
                // A stream of events goes on.
                if !events::is_stream(&answer) {
                    place.answered();
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let stream = Bounded::new(stream, Arc::clone(&held.place), timeouts.head, Arc::clone(&metrics));
        let connection = connections.watch(protocol.serve_connection(TokioIo::new(stream), service));
        let open = metrics.connections.hold();
        tokio::spawn(async move {
            // However it ends, it is the client's affair.
            tokio::select! {
                _ = connection => {}
                () = held.place.evicted() => {}
            }
            drop((open, held));
        });
    }
    drop(listener);
    connections.shutdown().await;
}

fn bound(stream: &TcpStream) {
    // Answers are small and somebody waits for them.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    {
        let milliseconds = u32::try_from(UNSENT.as_millis()).unwrap_or(u32::MAX);
        let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, milliseconds);
    }
}
