//! An HTTP origin for one document, inside the test, that does what the test tells it to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use self::body::Told;

mod body;

/// How the origin answers from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// 200 with the document and its ETag, or 304 if the client has it.
    Serve,
    /// 200 with the document, each time under another ETag: replicas that make their ETags up.
    Replicas,
    /// This status, with a body that is no document.
    Status(StatusCode),
    /// 200 with a page for people, as a captive portal or a gateway's login does.
    Page(&'static str),
    /// As [`Behaviour::Serve`], but the connection breaks in the middle of the document.
    Truncate,
    /// As [`Behaviour::Serve`], but with a byte of the document at a time and so long between two of them.
    Drip(Duration),
    /// Never.
    Hang,
    /// By closing the connection in the middle of the request.
    HangUp,
}

/// The origin. It stops when it is dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    version: u64,
    behaviour: Behaviour,
    requests: u64,
    connections: u64,
}

impl Origin {
    /// Serves `document` on a free port.
    pub async fn start(document: impl Into<Bytes>) -> Result<Self> {
        let state = State {
            body: document.into(),
            headers: Vec::new(),
            version: 1,
            behaviour: Behaviour::Serve,
            requests: 0,
            connections: 0,
        };
        let mut origin =
            Self { address: crate::ports::free()?, state: Arc::new(Mutex::new(state)), server: None };
        origin.resume().await?;
        Ok(origin)
    }

    /// Where it listens, also while it is stopped.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Another document, with another ETag, from now on.
    pub fn publish(&self, document: impl Into<Bytes>) {
        let mut state = lock(&self.state);
        state.body = document.into();
        state.version += 1;
    }

    /// The same, with these headers (`name: value` on each line), which come in the place of those before.
    pub fn publish_with(&self, document: impl Into<Bytes>, headers: &str) -> Result<()> {
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").with_context(|| format!("`{line}` is no header"))?;
            Ok((name.parse()?, value.parse()?))
        };
        let headers = headers.lines().map(header).collect::<Result<_>>()?;
        let mut state = lock(&self.state);
        state.body = document.into();
        state.headers = headers;
        state.version += 1;
        Ok(())
    }

    /// Answers like this from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        lock(&self.state).behaviour = behaviour;
    }

    /// How many requests came so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        lock(&self.state).requests
    }

    /// How many connections came so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        lock(&self.state).connections
    }

    /// Stops listening and resets every connection, as a dead machine does.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
        }
    }

    /// Listens again, on the same port.
    pub async fn resume(&mut self) -> Result<()> {
        let listener = TcpListener::bind(self.address).await;
        let listener = listener.with_context(|| format!("cannot listen on {}", self.address))?;
        self.server = Some(tokio::spawn(serve(listener, Arc::clone(&self.state))));
        Ok(())
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

/// Owns its connections, so that aborting it ends them too.
async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        lock(&state).connections += 1;
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer(request, Arc::clone(&state)));
        connections.spawn(async move {
            // A client that goes away, or one that is hung up on, is nobody's error.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>) -> Result<Response<Told>> {
    let (behaviour, body, headers, etag, requests) = {
        let mut state = lock(&state);
        state.requests += 1;
        let etag = format!("\"{}\"", state.version);
        (state.behaviour, state.body.clone(), state.headers.clone(), etag, state.requests)
    };
    let pace = match behaviour {
        Behaviour::Serve => Told::whole,
        Behaviour::Replicas => {
            return Ok(document(format!("\"answer-{requests}\""), headers, Told::whole(body))?);
        }
        Behaviour::Truncate => Told::half,
        Behaviour::Drip(period) => return Ok(document(etag, headers, Told::drip(body, period))?),
        Behaviour::Hang => loop {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        },
        Behaviour::HangUp => bail!("told to hang up"),
        Behaviour::Status(status) => {
            return Ok(Response::builder().status(status).body(Told::whole("told to fail".into()))?);
        }
        Behaviour::Page(html) => {
            return Ok(Response::builder()
                .header(CONTENT_TYPE, "text/html")
                .body(Told::whole(html.into()))?);
        }
    };
    let known = request.headers().get(IF_NONE_MATCH).is_some_and(|sent| sent.as_bytes() == etag.as_bytes());
    if known {
        let response = Response::builder().header(ETAG, etag).status(StatusCode::NOT_MODIFIED);
        let response = headers.iter().fold(response, |response, (name, value)| response.header(name, value));
        return Ok(response.body(Told::whole(Bytes::new()))?);
    }
    Ok(document(etag, headers, pace(body))?)
}

fn document(
    etag: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Told,
) -> hyper::http::Result<Response<Told>> {
    let mut response =
        Response::builder().header(ETAG, etag).header(CONTENT_TYPE, "application/json").body(body)?;
    response.headers_mut().extend(headers);
    Ok(response)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::get;

    #[tokio::test]
    async fn the_same_document_is_not_sent_twice() {
        let origin = Origin::start("one").await.unwrap();
        let first = get(origin.address(), "/document.json", &[]).await.unwrap();
        let etag = first.header("etag").unwrap();
        let again = get(origin.address(), "/document.json", &[("if-none-match", etag)]).await.unwrap();
        assert_eq!((again.status, again.text().as_str()), (StatusCode::NOT_MODIFIED, ""));
        origin.publish("two");
        let changed = get(origin.address(), "/document.json", &[("if-none-match", etag)]).await.unwrap();
        assert_eq!((changed.status, changed.text().as_str()), (StatusCode::OK, "two"));
        assert_eq!(origin.requests(), 3);
    }

    #[tokio::test]
    async fn it_comes_back_on_the_same_port() {
        let mut origin = Origin::start("one").await.unwrap();
        origin.stop().await;
        assert!(get(origin.address(), "/", &[]).await.is_err());
        origin.resume().await.unwrap();
        assert_eq!(get(origin.address(), "/", &[]).await.unwrap().text(), "one");
        origin.behave(Behaviour::Status(StatusCode::INTERNAL_SERVER_ERROR));
        assert_eq!(get(origin.address(), "/", &[]).await.unwrap().status, 500);
    }

    #[tokio::test]
    async fn a_document_that_breaks_off_or_drips_is_no_whole_reply() {
        let origin = Origin::start("a document").await.unwrap();
        origin.behave(Behaviour::Truncate);
        assert!(get(origin.address(), "/", &[]).await.unwrap_err().to_string().contains("connection lost"));
        origin.behave(Behaviour::Drip(Duration::from_millis(20)));
        let start = std::time::Instant::now();
        assert_eq!(get(origin.address(), "/", &[]).await.unwrap().text(), "a document");
        assert!(start.elapsed() >= Duration::from_millis(9 * 20), "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn a_header_goes_with_its_document() {
        let origin = Origin::start("one").await.unwrap();
        origin.publish_with("two", "x-signed: by me").unwrap();
        let reply = get(origin.address(), "/", &[]).await.unwrap();
        assert_eq!((reply.text().as_str(), reply.header("x-signed")), ("two", Some("by me")));
        origin.behave(Behaviour::Page("<html>"));
        let page = get(origin.address(), "/", &[]).await.unwrap();
        assert_eq!((page.header("content-type"), page.header("etag")), (Some("text/html"), None));
    }
}
