//! One keep-alive HTTP/1.1 connection, and single requests.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderMap};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A whole response.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The response's status.
    pub status: StatusCode,
    /// The response's headers.
    pub headers: HeaderMap,
    /// The response's body.
    pub body: Bytes,
}

impl Reply {
    /// The body as text, whatever it holds.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, if there is one and it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no response at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoReply {
    /// No connection came about.
    Connect(String),
    /// The connection ended before the response was complete.
    Reset(String),
    /// Nothing complete within this time.
    Timeout(Duration),
}

impl fmt::Display for NoReply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(reason) => write!(out, "cannot connect: {reason}"),
            Self::Reset(reason) => write!(out, "connection lost: {reason}"),
            Self::Timeout(patience) => write!(out, "no complete response within {patience:?}"),
        }
    }
}

impl std::error::Error for NoReply {}

/// A connection that is opened when it is first needed and kept for as long as both sides wish.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    patience: Duration,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// Nothing is opened yet. A request that takes longer than `patience`, connecting included, has failed.
    #[must_use]
    pub fn new(address: SocketAddr, patience: Duration) -> Self {
        Self { address, patience, sender: None }
    }

    /// Sends a request and reads the response to its end. After a failure the next request opens a new connection.
    /// Nothing is retried: a request that a proxy lost is what this client is there to see.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, NoReply> {
        let answer = tokio::time::timeout(self.patience, self.exchange(request)).await;
        let answer = answer.unwrap_or(Err(NoReply::Timeout(self.patience)));
        if answer.is_err() {
            self.sender = None;
        }
        answer
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, NoReply> {
        let mut sender = match self.kept().await {
            Some(sender) => sender,
            None => connect(self.address).await?,
        };
        let lost = |error: hyper::Error| NoReply::Reset(with_causes(&error));
        let (head, body) = sender.send_request(request).await.map_err(lost)?.into_parts();
        let body = body.collect().await.map_err(lost)?.to_bytes();
        self.sender = Some(sender);
        Ok(Reply { status: head.status, headers: head.headers, body })
    }

    /// The open connection. A server may close an idle one at any time: what it closed before we sent is no failure.
    async fn kept(&mut self) -> Option<SendRequest<Full<Bytes>>> {
        let mut sender = self.sender.take()?;
        sender.ready().await.is_ok().then_some(sender)
    }
}

/// A GET request for `path` with these headers. `host` is set unless it is among them.
pub fn request(path: &str, headers: &[(String, String)]) -> Result<Request<Full<Bytes>>> {
    let mut builder = Request::get(path);
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        builder = builder.header(HOST, "localhost");
    }
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::default()).with_context(|| format!("cannot make a request for `{path}`"))
}

/// One GET on a connection of its own.
pub async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Reply> {
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut client = Client::new(address, Duration::from_secs(10));
    let reply = client.send(request(path, &headers)?).await;
    reply.map_err(|error| anyhow!("GET http://{address}{path}: {error}"))
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, NoReply> {
    let failed = |error: &dyn std::error::Error| NoReply::Connect(with_causes(error));
    let stream = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
    stream.set_nodelay(true).map_err(|error| failed(&error))?;
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    // It ends when the sender is dropped; what goes wrong on it reaches the sender as well.
    tokio::spawn(connection);
    Ok(sender)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Origin;

    #[tokio::test]
    async fn a_connection_is_kept() {
        let origin = Origin::start("hello").await.unwrap();
        let mut client = Client::new(origin.address(), Duration::from_secs(5));
        for _ in 0..3 {
            let reply = client.send(request("/", &[]).unwrap()).await.unwrap();
            assert_eq!((reply.status, reply.text().as_str()), (StatusCode::OK, "hello"));
        }
        assert_eq!(origin.connections(), 1);
    }

    #[tokio::test]
    async fn each_failure_has_its_kind() {
        let nobody = crate::ports::free().unwrap();
        let mut client = Client::new(nobody, Duration::from_secs(5));
        let answer = client.send(request("/", &[]).unwrap()).await;
        assert!(matches!(answer, Err(NoReply::Connect(_))), "{answer:?}");

        let origin = Origin::start("hello").await.unwrap();
        origin.behave(crate::origin::Behaviour::Hang);
        let mut client = Client::new(origin.address(), Duration::from_millis(50));
        let answer = client.send(request("/", &[]).unwrap()).await;
        assert_eq!(answer.unwrap_err(), NoReply::Timeout(Duration::from_millis(50)));

        origin.behave(crate::origin::Behaviour::HangUp);
        let answer = client.send(request("/", &[]).unwrap()).await;
        assert!(matches!(answer, Err(NoReply::Reset(_))), "{answer:?}");
    }
}
