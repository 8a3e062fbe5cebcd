//! Fetching the document: one callout at a time, conditional on the ETag, and what its answer means.

use std::time::Duration;

use turquoise_core::Source;

use crate::host::{self, CalloutError, Headers, Map};

/// Answers later than this after their timeout never come: the proxy lost them.
const GRACE_MILLISECONDS: u64 = 1000;

/// However often fetching failed, it is tried again after so long, in milliseconds, or after the interval if that is
/// longer.
const LONGEST_BACKOFF_MILLISECONDS: u64 = 10_000;

/// An answer within so many milliseconds came at once.
const AT_ONCE_MILLISECONDS: u64 = 5;

/// How many answers in a row may come at once before the source is asked at intervals, however new they say they are.
const MOST_AT_ONCE: u32 = 3;

/// A source that is being polled.
#[derive(Debug, Default)]
pub(crate) struct Poller {
    pending: Option<Pending>,
    /// Not before this time, in milliseconds.
    next: u64,
    /// How often fetching has failed since it last succeeded.
    failures: u32,
    /// How many answers in a row came at once.
    at_once: u32,
    /// The last document that came, refused or not: the same one need not come again.
    last: Option<Last>,
}

/// A document that came: its ETag, and its fingerprint, by which it is told what a 304 speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Last {
    pub(crate) etag: String,
    pub(crate) fingerprint: u64,
}

/// A callout under way.
#[derive(Clone, Copy, Debug)]
struct Pending {
    token: u32,
    since: u64,
    /// When it is given up.
    until: u64,
}

/// What an answer brought.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is not the answer that is awaited: too late, or somebody else's.
    Unknown,
    /// There is nothing newer than what came last.
    NotModified,
    /// A document, whose body the proxy still has: the answer's headers, and its ETag.
    Document(Headers, Option<String>),
    /// No document, and why.
    Failed(String),
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Poller {
    /// Asks for the document, unless an answer is awaited or it is too early.
    pub(crate) fn poll(&mut self, source: &Source, now: u64) -> Result<(), String> {
        // A clock that was set back must not stop the polling: what lies further ahead than it ever can is past.
        let longest = LONGEST_BACKOFF_MILLISECONDS.max(milliseconds(source.interval));
        let awaited = self.pending.is_some_and(|pending| pending.since <= now && now < pending.until);
        if awaited || (now < self.next && self.next - now <= longest) {
            return Ok(());
        }
        let wait = source.long_poll.map(|wait| format!("wait={}", wait.as_secs().max(1)));
        let authority = source.authority.as_deref().unwrap_or(&source.cluster);
        let mut headers = vec![
            (":method", "GET"),
            (":path", source.path.as_str()),
            (":authority", authority),
            (":scheme", "http"),
            ("accept", "application/json"),
        ];
        if let Some(Last { etag, .. }) = &self.last {
            headers.push(("if-none-match", etag));
            // Without an ETag there is nothing that the source could wait for to change.
            headers.extend(wait.as_deref().map(|wait| ("prefer", wait)));
        }
        headers.extend(source.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let timeout = deadline(source);
        match host::callout(&source.cluster, headers, timeout) {
            Ok(token) => {
                let until = now.saturating_add(milliseconds(timeout)).saturating_add(GRACE_MILLISECONDS);
                self.pending = Some(Pending { token, since: now, until });
                Ok(())
            }
            Err(error) => {
                self.pending = None;
                self.back_off(source, now);
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

    /// Reads the answer to the callout `token`, and settles when to ask next.
    pub(crate) fn answer(&mut self, source: &Source, token: u32, headers: usize, now: u64) -> Answer {
        let Some(pending) = self.pending.take_if(|pending| pending.token == token) else {
            return Answer::Unknown;
        };
        let waited = now.saturating_sub(pending.since);
        let answer = read_answer(headers, waited, milliseconds(deadline(source)));
        match &answer {
            Answer::Failed(_) => self.back_off(source, now),
            _ => {
                self.failures = 0;
                // A source that waited has shown that it can; so has one that says, by a new ETag, that it has
                // something newer. Any other that answers at once is asked at intervals.
                let long = |wait| waited >= milliseconds(wait) / 2;
                let newer = match &answer {
                    Answer::Document(_, Some(etag)) => {
                        self.last.as_ref().is_none_or(|last| last.etag != *etag)
                    }
                    _ => false,
                };
                let quick = waited < AT_ONCE_MILLISECONDS;
                self.at_once = if quick { self.at_once.saturating_add(1) } else { 0 };
                let again =
                    source.long_poll.is_some_and(|wait| newer || long(wait)) && self.at_once <= MOST_AT_ONCE;
                self.next =
                    if again { now } else { pending.since.saturating_add(milliseconds(source.interval)) };
            }
        }
        answer
    }

    /// Twice as long after each failure, and a random part of it, so that a fleet does not ask in step.
    fn back_off(&mut self, source: &Source, now: u64) {
        let interval = milliseconds(source.interval);
        let longest = LONGEST_BACKOFF_MILLISECONDS.max(interval);
        let wait = interval.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures = self.failures.saturating_add(1);
        let mut random = [0u8; 1];
        // Without randomness the longest wait does.
        let part = getrandom::fill(&mut random).map_or(u64::from(u8::MAX), |()| u64::from(random[0]));
        self.next = now.saturating_add(wait / 2).saturating_add(wait / 2 * part / 255);
    }

    /// Remembers a document that came, or that another VM fetched; one without an ETag cannot be asked about.
    pub(crate) fn remember(&mut self, etag: Option<String>, fingerprint: u64) {
        self.last = etag.map(|etag| Last { etag, fingerprint });
    }

    /// Forgets what came, and asks for the whole of it again, but not at once. After a signature was refused an ETag
    /// must not stand in the way: signing changes the headers, and many a source derives its ETag from the body alone.
    pub(crate) fn ask_anew(&mut self, source: &Source, now: u64) {
        self.forget();
        self.back_off(source, now);
    }

    /// The document that a 304 speaks of.
    pub(crate) fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }

    /// Forgets it, so that the document comes again.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }

    /// Forgets the callout under way: its answer does not matter any more.
    pub(crate) fn abandon(&mut self) {
        self.pending = None;
    }
}

/// How long an answer may take.
fn deadline(source: &Source) -> Duration {
    source.timeout.saturating_add(source.long_poll.unwrap_or_default())
}

/// An answer that came after `waited` milliseconds, where `deadline` were allowed.
fn read_answer(headers: usize, waited: u64, deadline: u64) -> Answer {
    // Once an answer has begun, the proxy has no status for one that takes too long. Its clock is not quite ours.
    if headers == 0 && waited >= deadline - deadline / 10 {
        return Answer::Failed(format!(
            "the answer was not complete after {deadline} ms: look at the source and at the way there, or raise \
             `source.timeout`"
        ));
    }
    if headers == 0 {
        return Answer::Failed(
            "the answer broke off, or is larger than the proxy takes (Envoy: about 32 MiB): look at the source's log, \
             or make the document smaller"
                .to_owned(),
        );
    }
    let headers = host::headers(Map::CalloutResponse);
    match headers.get(":status").unwrap_or_default() {
        b"200" => {
            let etag = headers.get("etag").and_then(|etag| std::str::from_utf8(etag).ok()).map(str::to_owned);
            Answer::Document(headers, etag)
        }
        b"304" => Answer::NotModified,
        status => {
            let advice = match status {
                b"401" | b"403" => "are the credentials in `source.headers` right?",
                b"404" => "is `source.path` right?",
                b"503" => "also the proxy's word for a source that nobody can reach: is it running?",
                b"504" => "also the proxy's word for an answer that takes longer than `source.timeout`",
                _ => "look at the source's log",
            };
            Answer::Failed(format!("it answered with status {}: {advice}", String::from_utf8_lossy(status)))
        }
    }
}
