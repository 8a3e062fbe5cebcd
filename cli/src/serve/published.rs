//! A document as it is served: everything that can be done once for all who ask is done here.

use std::io::Write as _;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::http::HeaderValue;
use flate2::Compression;
use flate2::write::GzEncoder;
use turquoise_core::{CompileError, DocumentDigest, Snapshot};

use crate::report;

/// What is served at present, and what is wrong with the file that it comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct Served {
    /// The last good document.
    pub(super) document: Option<std::sync::Arc<Published>>,
    /// Why the file is not served as it is now.
    pub(super) trouble: Option<String>,
}

/// A document in every coding that we offer.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) identity: Representation,
    /// Only where it is smaller.
    pub(super) gzip: Option<Representation>,
    /// What signatures are of.
    pub(super) digest: DocumentDigest,
    /// The hash of the bytes in hexadecimal: the same for the same bytes, also after a restart.
    pub(super) version: String,
    /// When it was first served, in seconds since 1970.
    pub(super) since: u64,
    /// The same, on a clock that nobody sets.
    pub(super) at: Instant,
    /// The file and what is in it, for people.
    pub(super) summary: String,
}

/// One coding of a document. RFC 9110 wants a strong entity tag of its own for each (section 8.8.3.3).
#[derive(Debug)]
pub(super) struct Representation {
    pub(super) body: Bytes,
    pub(super) etag: HeaderValue,
}

impl Published {
    /// Makes bytes a document that can be served, if they compile.
    pub(super) fn new(name: &str, bytes: Vec<u8>, hash: u128) -> Result<Self, CompileError> {
        let snapshot = Snapshot::compile(&bytes)?;
        // Nothing of this refuses the document, but nobody else tells whoever just saved it.
        for problem in snapshot.problems() {
            super::say(&report::Line { file: name, problem, refused: false }.to_string());
        }
        let failing = match snapshot.failing_flags().count() {
            0 => String::new(),
            some => format!(", {} failing", report::count(some, "flag")),
        };
        let version = format!("{hash:032x}");
        let summary = format!("`{name}` ({}{failing}, etag \"{version}\")", report::size(&snapshot));
        let gzip = gzip(&bytes).filter(|gzip| gzip.len() < bytes.len());
        Ok(Self {
            digest: DocumentDigest::of(&bytes),
            gzip: gzip.map(|body| Representation {
                body: body.into(),
                etag: value(&format!("\"{version}-gzip\"")),
            }),
            identity: Representation { body: bytes.into(), etag: value(&format!("\"{version}\"")) },
            version,
            at: Instant::now(),
            since: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            summary,
        })
    }

    /// Every coding there is.
    pub(super) fn representations(&self) -> impl Iterator<Item = &Representation> {
        [Some(&self.identity), self.gzip.as_ref()].into_iter().flatten()
    }
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail; if it did, the identity coding would be served to all.
    encoder.write_all(bytes).and_then(|()| encoder.finish()).ok()
}

/// Hexadecimal, base64 and quotes are always a header's value.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
