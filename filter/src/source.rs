//! Fetching the document: one callout at a time, conditional on the ETag, and what its answer means.

use std::time::Duration;

use turquoise_core::Source;
use turquoise_core::feed::Bucket;

use crate::host::{self, CalloutError, Headers, Map};

/// Answers later than this after their timeout never come: the proxy lost them.
const GRACE_MILLISECONDS: u64 = 1000;

/// However often fetching failed, it is tried again after so long, in milliseconds, or after the interval if that is
/// longer.
const LONGEST_BACKOFF_MILLISECONDS: u64 = 10_000;

/// Whatever it answers, a source is asked once in so many milliseconds, or at its interval if that is shorter. A few
/// questions may follow each other faster.
const QUESTION_MILLISECONDS: u64 = 50;

/// A longer ETag counts as none: sent back, it could be more than the source takes of a header, for ever.
const MAX_ETAG_BYTES: usize = 512;

/// A source that is being polled.
#[derive(Debug, Default)]
pub(crate) struct Poller {
    pending: Option<Pending>,
    /// Not before this time, in milliseconds.
    next: u64,
    /// How often fetching has failed since it last succeeded.
    failures: u32,
    /// The questions that may still be asked at once.
    bucket: Bucket,
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
    /// The document that it asks about, by its fingerprint: a 304 speaks of it.
    about: Option<u64>,
}

/// What an answer brought.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is not the answer that is awaited: too late, or somebody else's.
    Unknown,
    /// There is nothing newer than the document with this fingerprint.
    NotModified(Option<u64>),
    /// A document, whose body the proxy still has: the answer's headers, and its ETag.
    Document(Headers, Option<String>),
    /// No document, and why.
    Failed(String),
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What came of the wish to ask.
#[derive(Debug)]
pub(crate) enum Polled {
    /// The source was asked, or need not be yet.
    Settled,
    /// It was asked so often that the next question has to wait so many milliseconds.
    Limited(u64),
    /// It cannot be asked, and why.
    Failed(String),
}

impl Poller {
    /// Asks for the document, unless an answer is awaited or it is too early.
    pub(crate) fn poll(&mut self, source: &Source, now: u64) -> Polled {
        // A clock that was set back must not stop the polling: what lies further ahead than it ever can is past.
        let longest = LONGEST_BACKOFF_MILLISECONDS.max(milliseconds(source.interval));
        let awaited = self.pending.is_some_and(|pending| pending.since <= now && now < pending.until);
        if awaited || (now < self.next && self.next - now <= longest) {
            return Polled::Settled;
        }
        if let Err(wait) = self.bucket.take(now, milliseconds(source.interval).min(QUESTION_MILLISECONDS)) {
            self.next = now.saturating_add(wait);
            return Polled::Limited(wait);
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
                let about = self.last.as_ref().map(|last| last.fingerprint);
                self.pending = Some(Pending { token, since: now, until, about });
                Polled::Settled
            }
            Err(error) => {
                self.pending = None;
                self.back_off(source, now);
                let cluster = &source.cluster;
                Polled::Failed(match error {
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
        let answer = read_answer(headers, waited, milliseconds(deadline(source)), pending.about);
        match &answer {
            Answer::Failed(_) => self.back_off(source, now),
            _ => {
                self.failures = 0;
                // A source that waited has shown that it can. Any other is asked at intervals, unless it turns out that
                // it had something new.
                let waits = source.long_poll.is_some_and(|wait| waited >= milliseconds(wait) / 2);
                let later = pending.since.saturating_add(milliseconds(source.interval));
                self.next = if waits { now } else { later };
            }
        }
        answer
    }

    /// The source had a new document, which is in force: with long polling, the next question follows at once. Without an
    /// ETag it could not wait for the next one.
    pub(crate) fn hurry(&mut self, source: &Source, now: u64) {
        if source.long_poll.is_some() && self.last.is_some() {
            self.next = now;
        }
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

/// Within how many milliseconds a source must go to and fro for it to be told: a minute, or what several questions take.
pub(crate) fn alternation_window(source: &Source) -> u64 {
    milliseconds(source.interval).saturating_mul(8).max(60_000)
}

/// How long an answer may take.
fn deadline(source: &Source) -> Duration {
    source.timeout.saturating_add(source.long_poll.unwrap_or_default())
}

/// An answer that came after `waited` milliseconds, where `deadline` were allowed.
fn read_answer(headers: usize, waited: u64, deadline: u64, about: Option<u64>) -> Answer {
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
            let etag = headers.get("etag").filter(|etag| etag.len() <= MAX_ETAG_BYTES);
            let etag = etag.and_then(|etag| std::str::from_utf8(etag).ok()).map(str::to_owned);
            Answer::Document(headers, etag)
        }
        b"304" => Answer::NotModified(about),
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
