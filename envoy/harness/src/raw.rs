//! A request as bytes, for what no client library lets one send.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back, as bytes.
#[derive(Clone, Debug)]
pub struct RawReply {
    /// Everything up to the end of the connection. Empty if the other side hung up without a word.
    pub bytes: Vec<u8>,
}

impl RawReply {
    /// The status in the first line, if there is one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let line = self.bytes.strip_prefix(b"HTTP/1.1 ")?;
        std::str::from_utf8(line.get(..3)?).ok()?.parse().ok()
    }

    /// What follows the headers, as it was sent.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        let end = self.bytes.windows(4).position(|window| window == b"\r\n\r\n");
        end.and_then(|end| self.bytes.get(end + 4..)).unwrap_or_default()
    }
}

/// Sends `request` on a connection of its own and reads until the other side closes it or `patience` ends. Write
/// `connection: close` into the request, or every call takes `patience`.
pub async fn send(address: SocketAddr, request: &[u8], patience: Duration) -> Result<RawReply> {
    let mut stream =
        TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
    let mut bytes = Vec::new();
    let exchange = async {
        // Whoever refuses a long request may hang up before it is sent whole: what it answered still counts.
        let _ = stream.write_all(request).await;
        while let Ok(read) = stream.read_buf(&mut bytes).await {
            if read == 0 {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(patience, exchange).await;
    Ok(RawReply { bytes })
}

/// A GET request for `target` that ends the connection, with these header lines as they are.
#[must_use]
pub fn get(target: &[u8], headers: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut request = [b"GET ".as_slice(), target, b" HTTP/1.1\r\nconnection: close\r\n"].concat();
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"host")) {
        request.extend_from_slice(b"host: localhost\r\n");
    }
    for (name, value) in headers {
        request.extend_from_slice(&[*name, b": ".as_slice(), *value, b"\r\n".as_slice()].concat());
    }
    request.extend_from_slice(b"\r\n");
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Origin;

    #[tokio::test]
    async fn a_value_that_is_not_utf8_is_sent_as_it_is() {
        let origin = Origin::start("hello").await.unwrap();
        let request = get(b"/", &[(b"x-odd", b"\xff\xfe")]);
        assert!(request.windows(2).any(|pair| pair == b"\xff\xfe"));
        let reply = send(origin.address(), &request, Duration::from_secs(5)).await.unwrap();
        assert_eq!((reply.status(), reply.body()), (Some(200), b"hello".as_slice()));
    }

    #[tokio::test]
    async fn a_silent_end_is_no_status() {
        let reply = RawReply { bytes: Vec::new() };
        assert_eq!((reply.status(), reply.body()), (None, b"".as_slice()));
    }
}
