//! Which documents of the source are taken: size, signature and version, before anybody compiles them.

use turquoise_core::feed::Provenance;
use turquoise_core::{
    CompileError, PublicKey, SIGNATURE_HEADER, Source, Versions, document_version, fingerprint, is_older,
    verify_signature,
};

use crate::host::{self, Buffer, Headers};

/// How many problems of one document are told; `turquoise validate` shows all of them.
pub(crate) const MOST_LISTED: usize = 10;

/// Why a document was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Nobody who is trusted signed it.
    Signature,
    /// It is larger than allowed.
    Size,
    /// It is older than the one that the source gave before, and versions must not fall here.
    Version,
    /// It is not JSON.
    NotJson,
    /// It is JSON, but no document that may be in force here.
    Invalid,
    /// A VM died over it.
    Fatal,
}

impl Reason {
    /// In the order of their numbers.
    pub(crate) const ALL: [Self; 6] =
        [Self::Signature, Self::Size, Self::Version, Self::NotJson, Self::Invalid, Self::Fatal];

    /// As metrics and the status page have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Size => "size",
            Self::Version => "version",
            Self::NotJson => "not_json",
            Self::Invalid => "invalid",
            Self::Fatal => "fatal",
        }
    }
}

/// A document that was refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    /// Where in the document.
    pub(crate) path: Option<String>,
    /// What is wrong, and what to do.
    pub(crate) message: String,
}

impl Refusal {
    fn new(reason: Reason, message: String) -> Self {
        Self { reason, path: None, message }
    }

    /// A document over which a VM died.
    pub(crate) fn fatal(fingerprint: u64) -> Self {
        let message = format!(
            "a VM of this proxy died while it compiled it (fingerprint {fingerprint:016x}), so it is not tried again: serve \
             another one, and tell those who make Turquoise"
        );
        Self::new(Reason::Fatal, message)
    }

    /// What does not compile.
    pub(crate) fn of(error: &CompileError) -> Self {
        let reason = if error.is_syntax() { Reason::NotJson } else { Reason::Invalid };
        let path = error.causes().next().map(|problem| problem.path.to_string());
        Self { reason, path, message: format!("{}; `turquoise validate` shows more", list(error)) }
    }
}

/// The problems that refused a document, in one line.
pub(crate) fn list(error: &CompileError) -> String {
    let causes: Vec<_> = error.causes().take(MOST_LISTED).map(ToString::to_string).collect();
    match error.causes().count().saturating_sub(MOST_LISTED) {
        0 => causes.join("; "),
        more => format!("{}; and {more} more", causes.join("; ")),
    }
}

/// The document that a callout brought, if it may be compiled: where versions increase, it must be no older than these.
pub(crate) fn accept(
    source: &Source,
    headers: &Headers,
    known: [Option<&str>; 2],
) -> Result<(Vec<u8>, Provenance), Refusal> {
    // The proxy has the body; what is too large is not copied into the VM.
    let announced =
        headers.get("content-length").and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
    fits(source, announced.unwrap_or(0))?;
    let document = host::buffer(Buffer::CalloutBody);
    fits(source, document.len())?;
    let provenance = Provenance { keys: keys(&source.public_keys), signature: signature(headers) };
    verify(source, &provenance, &document)?;
    if source.versions == Versions::Increasing
        && known != [None; 2]
        && let Some(version) = document_version(&document)
        && let Some(newer) = known.into_iter().flatten().find(|known| is_older(&version, known))
    {
        let message = format!(
            "its version `{version}` is older than `{newer}`, which the source gave before, and `source.versions` is \
             `increasing`: give what you release a newer `metadata.version`"
        );
        return Err(Refusal {
            path: Some("$.metadata.version".to_owned()),
            ..Refusal::new(Reason::Version, message)
        });
    }
    Ok((document, provenance))
}

/// Whether a document that another configuration of this proxy accepted may be taken under this one, too.
pub(crate) fn still(source: &Source, provenance: &Provenance, document: &[u8]) -> Result<(), Refusal> {
    fits(source, document.len())?;
    if provenance.keys == keys(&source.public_keys) {
        return Ok(());
    }
    verify(source, provenance, document)
}

/// The signatures that an answer carries.
pub(crate) fn signature(headers: &Headers) -> Vec<u8> {
    headers.joined(SIGNATURE_HEADER).unwrap_or_default()
}

/// A number for which keys are trusted.
fn keys(keys: &[PublicKey]) -> u64 {
    fingerprint(keys.iter().map(PublicKey::id).collect::<Vec<_>>().join(",").as_bytes())
}

fn verify(source: &Source, provenance: &Provenance, document: &[u8]) -> Result<(), Refusal> {
    if source.public_keys.is_empty() {
        return Ok(());
    }
    let header = Some(provenance.signature.as_slice()).filter(|signature| !signature.is_empty());
    verify_signature(&source.public_keys, header, document)
        .map_err(|error| Refusal::new(Reason::Signature, error.to_string()))
}

fn fits(source: &Source, bytes: usize) -> Result<(), Refusal> {
    if bytes <= source.max_bytes {
        return Ok(());
    }
    let most = source.max_bytes;
    let message = format!(
        "it has {bytes} bytes, and `source.maxBytes` allows {most}: raise that, or make the document smaller"
    );
    Err(Refusal::new(Reason::Size, message))
}
