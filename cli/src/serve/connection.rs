//! Connections: as many as the system allows, each bounded in what it may cost us.
//!
//! hyper is driven here rather than by `axum::serve`, which sets no timeouts. The bounds: a request's head has to be
//! complete within the idle timeout (which also ends connections that nobody uses) and fit into [`HEAD`]; what we send
//! has to be taken within [`UNSENT`], else the system drops the connection.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::Receiver;

use super::metrics::Metrics;

/// The most bytes that a request's head may have.
const HEAD: usize = 16 * 1024;

/// How long a client may take none of what we sent.
const UNSENT: Duration = Duration::from_secs(60);

/// Serves until `stopped` turns true and all requests are answered.
pub(super) async fn serve(
    mut listener: TcpListener,
    router: Router,
    idle: Duration,
    metrics: Arc<Metrics>,
    mut stopped: Receiver<bool>,
) {
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(idle).max_buf_size(HEAD);
    let connections = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            // It tries again when there are too many connections, and never fails.
            (stream, _) = Listener::accept(&mut listener) => stream,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        bound(&stream);
        let service = TowerToHyperService::new(router.clone());
        let connection = connections.watch(protocol.serve_connection(TokioIo::new(stream), service));
        let held = metrics.connections.hold();
        tokio::spawn(async move {
            // However it ends, it is the client's affair.
            let _ = connection.await;
            drop(held);
        });
    }
    drop(listener);
    connections.shutdown().await;
}

/// Lets us have as many connections as we may: the soft limit is 1,024 in most places, for the sake of `select`.
pub(super) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // Where the hard limit is not granted (macOS), we go on with what there is.
        let _ = setrlimit(Resource::Nofile, limit);
    }
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
