//! Fetching the document: one callout at a time, conditional on the ETag, and what its answer means.

use turquoise_core::Source;

use crate::host::{self, Buffer, CalloutError, Map};

/// Answers later than this after their timeout never come: the proxy lost them (a canary VM's never return).
const GRACE_MILLISECONDS: u64 = 1000;

/// A source that is being polled.
#[derive(Debug, Default)]
pub(crate) struct Poller {
    /// The callout under way, and when it is given up.
    pending: Option<(u32, u64)>,
    /// The ETag of the last document that came, refused or not: the same one need not come again.
    etag: Option<String>,
}

/// What an answer brought.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is not the answer that is awaited: too late, or somebody else's.
    Unknown,
    /// There is nothing newer than what came last.
    NotModified,
    /// A document, with its ETag.
    Document(Vec<u8>, Option<String>),
    /// No document, and why.
    Failed(String),
}

impl Poller {
    /// Asks for the document, unless an answer is still awaited.
    pub(crate) fn poll(&mut self, source: &Source, now: u64) -> Result<(), String> {
        if self.pending.is_some_and(|(_, until)| now < until) {
            return Ok(());
        }
        let authority = source.authority.as_deref().unwrap_or(&source.cluster);
        let mut headers = vec![
            (":method", "GET"),
            (":path", source.path.as_str()),
            (":authority", authority),
            (":scheme", "http"),
            ("accept", "application/json"),
        ];
        if let Some(etag) = &self.etag {
            headers.push(("if-none-match", etag));
        }
        headers.extend(source.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        match host::callout(&source.cluster, headers, source.timeout) {
            Ok(token) => {
                let timeout = u64::try_from(source.timeout.as_millis()).unwrap_or(u64::MAX);
                self.pending = Some((token, now.saturating_add(timeout).saturating_add(GRACE_MILLISECONDS)));
                Ok(())
            }
            Err(error) => {
                self.pending = None;
                let cluster = &source.cluster;
                Err(match error {
                    CalloutError::UnknownCluster => {
                        format!(
                            "the proxy has no cluster `{cluster}`: define it, or correct `source.cluster`"
                        )
                    }
                    CalloutError::NoEndpoint => {
                        format!("the cluster `{cluster}` has no endpoint: is the config source running?")
                    }
                })
            }
        }
    }

    /// Reads the answer to the callout `token`.
    pub(crate) fn answer(&mut self, token: u32, headers: usize) -> Answer {
        if self.pending.is_none_or(|(pending, _)| pending != token) {
            return Answer::Unknown;
        }
        self.pending = None;
        if headers == 0 {
            return Answer::Failed("the answer broke off or was too large".to_owned());
        }
        let headers = host::headers(Map::CalloutResponse);
        match headers.get(":status").unwrap_or_default() {
            b"200" => {
                let etag =
                    headers.get("etag").and_then(|etag| std::str::from_utf8(etag).ok()).map(str::to_owned);
                Answer::Document(host::buffer(Buffer::CalloutBody), etag)
            }
            b"304" => Answer::NotModified,
            status => Answer::Failed(format!("it answered with status {}", String::from_utf8_lossy(status))),
        }
    }

    /// Remembers the ETag of a document that came.
    pub(crate) fn received(&mut self, etag: Option<String>) {
        self.etag = etag;
    }
}
