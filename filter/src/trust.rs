//! Which documents of the source are taken: size, signature and version, before anybody compiles them.

use turquoise_core::feed::Provenance;
use turquoise_core::{
    CompileError, DocumentDigest, SignedFields, Source, Untrusted, Validity, Versions, document_version,
    fingerprint, is_older,
};

use crate::host::{self, Buffer, Headers};

/// How many problems of one document are told; `turquoise validate` shows all of them.
pub(crate) const MOST_LISTED: usize = 10;

/// Why a document was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Nobody who is trusted signed it.
    Signature,
    /// It was signed for others.
    Audience,
    /// Its signature holds no longer.
    Expired,
    /// It was signed in the future.
    Future,
    /// It was signed before the one in force.
    Replayed,
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
    pub(crate) const ALL: [Self; 10] = [
        Self::Signature,
        Self::Audience,
        Self::Expired,
        Self::Future,
        Self::Replayed,
        Self::Size,
        Self::Version,
        Self::NotJson,
        Self::Invalid,
        Self::Fatal,
    ];

    /// Whether it is about the fields by which a document is signed, and not about its bytes.
    pub(crate) fn is_trust(self) -> bool {
        matches!(self, Self::Signature | Self::Audience | Self::Expired | Self::Future | Self::Replayed)
    }

    /// As metrics and the status page have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::Future => "future",
            Self::Replayed => "replayed",
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

    /// A document that is not believed.
    pub(crate) fn untrusted(error: &Untrusted) -> Self {
        let named = |reason: &&Reason| reason.is_trust() && reason.name() == error.reason();
        let reason = Reason::ALL.iter().find(named).copied().unwrap_or(Reason::Signature);
        Self::new(reason, error.to_string())
    }

    /// A document over which a VM died.
    pub(crate) fn fatal(fingerprint: u64) -> Self {
        let message = format!(
            "a VM of this proxy died while it compiled it, or took over a second for one part of it (fingerprint \
             {fingerprint:016x}), so it is not tried again: serve another one, or make its largest flag, evaluator or \
             route smaller, and tell those who make Turquoise"
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

/// A document that may be compiled.
pub(crate) struct Accepted {
    pub(crate) document: Vec<u8>,
    pub(crate) provenance: Provenance,
    /// Its digest and until when that holds, where it had to be signed.
    pub(crate) verified: Option<(DocumentDigest, Validity)>,
}

/// What a document that comes is compared with.
pub(crate) struct Known<'a> {
    /// The versions of what the source gave before.
    pub(crate) versions: [Option<&'a str>; 2],
    /// The document in force, by its fingerprint.
    pub(crate) live: u64,
    /// When the newest that was believed was signed.
    pub(crate) newest: Option<Validity>,
}

/// The document that a callout brought, if it may be compiled: it must not have been signed before what is in force, and
/// where versions increase, it must be no older.
pub(crate) fn accept(
    source: &Source,
    headers: &Headers,
    known: &Known<'_>,
    now: u64,
) -> Result<Accepted, Refusal> {
    // The proxy has the body; what is too large is not copied into the VM.
    let announced =
        headers.get("content-length").and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
    fits(source, announced.unwrap_or(0))?;
    let document = host::buffer(Buffer::CalloutBody);
    fits(source, document.len())?;
    let fields = fields(headers);
    let digest = source.is_signed().then(|| DocumentDigest::of(&document));
    let validity = match &digest {
        Some(digest) => Some(verify(source, &fields, digest, Some(now))?),
        None => None,
    };
    // What is in force may come again, signed earlier by another origin.
    if let (Some(validity), Some(newest)) = (validity, known.newest)
        && fingerprint(&document) != known.live
    {
        validity.follows(newest).map_err(|error| Refusal::untrusted(&error))?;
    }
    if source.versions == Versions::Increasing
        && known.versions != [None; 2]
        && let Some(version) = document_version(&document)
        && let Some(newer) = known.versions.into_iter().flatten().find(|known| is_older(&version, known))
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
    let provenance = Provenance { trust: source.trust().fingerprint(), fields, validity };
    Ok(Accepted { document, provenance, verified: digest.zip(validity) })
}

/// Whether a document that another configuration of this proxy accepted may be taken under this one, too, where `newest`
/// is when the newest was signed that this VM believed. One that has expired since stays in force. What was found out, where
/// it had to be looked at.
pub(crate) fn still(
    source: &Source,
    provenance: &Provenance,
    document: &[u8],
    newest: Option<Validity>,
) -> Result<Option<(DocumentDigest, Validity)>, Refusal> {
    fits(source, document.len())?;
    if !source.is_signed() || provenance.trust == source.trust().fingerprint() {
        return Ok(None);
    }
    let digest = DocumentDigest::of(document);
    let validity = verify(source, &provenance.fields, &digest, None)?;
    if let Some(newest) = newest {
        validity.follows(newest).map_err(|error| Refusal::untrusted(&error))?;
    }
    Ok(Some((digest, validity)))
}

/// The fields by which an answer is signed.
pub(crate) fn fields(headers: &Headers) -> SignedFields {
    SignedFields::read(|name| headers.joined(name))
}

/// The newest signature that is believed, of the document with this digest; without `now` (in milliseconds), whenever that
/// was.
pub(crate) fn verify(
    source: &Source,
    fields: &SignedFields,
    digest: &DocumentDigest,
    now: Option<u64>,
) -> Result<Validity, Refusal> {
    let now = now.map(|now| now / 1000);
    source.trust().verify(fields, digest, now).map_err(|error| Refusal::untrusted(&error))
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
