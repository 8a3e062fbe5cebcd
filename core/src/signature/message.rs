//! What is signed: the signature base of HTTP Message Signatures (RFC 9421), and the header fields that carry a signature.
//!
//! ```text
//! Unencoded-Digest: sha-256=:...:
//! Turquoise-Audience: "production"
//! Signature-Input: kID=("unencoded-digest" "turquoise-audience");created=N;expires=N;keyid="kID";alg="ed25519";tag="turquoise-document"
//! Signature: kID=:...:
//! ```
//!
//! `@status` is not covered: the same signature serves for 200 and 304. Nor is anything of the request: a static file
//! server sends what was signed elsewhere.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sfv::{Dictionary, ListEntry, Parser};
use sha2::{Digest as _, Sha256};

use super::PublicKey;

/// The field with the digest of the document, before any content coding.
pub const DIGEST_FIELD: &str = "unencoded-digest";
/// The field that names whom the document is for.
pub const AUDIENCE_FIELD: &str = "turquoise-audience";
/// The field that says what is signed, and how (RFC 9421, section 4.1).
pub const SIGNATURE_INPUT_FIELD: &str = "signature-input";
/// The field with the signatures themselves (RFC 9421, section 4.2).
pub const SIGNATURE_FIELD: &str = "signature";

/// What our signatures are for: others in the same fields are none of ours.
pub(super) const TAG: &str = "turquoise-document";
/// The name of Ed25519 in HTTP Message Signatures.
pub(super) const ALGORITHM: &str = "ed25519";
/// The digest that we look at (RFC 9530).
pub(super) const DIGEST_ALGORITHM: &str = "sha-256";

/// The longest name of an audience, in bytes.
pub const MAX_AUDIENCE_BYTES: usize = 128;

/// The SHA-256 digest of a document's bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DocumentDigest(pub(super) [u8; 32]);

impl DocumentDigest {
    /// Hashes a document, as it is before any content coding.
    pub fn of(document: &[u8]) -> Self {
        Self(Sha256::digest(document).into())
    }

    /// The digest that a field has, whether it is the document's or not.
    pub fn read(field: &str) -> Option<Self> {
        let digests: Dictionary = Parser::new(field).parse().ok()?;
        match digests.get(DIGEST_ALGORITHM)? {
            ListEntry::Item(item) => Some(Self(item.bare_item.as_byte_sequence()?.try_into().ok()?)),
            ListEntry::InnerList(_) => None,
        }
    }

    /// As the field has it.
    fn field(&self) -> String {
        format!("{DIGEST_ALGORITHM}=:{}:", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for DocumentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentDigest({})", self.field())
    }
}

/// Checks the name of an audience: it has to fit into a header field as it is.
///
/// # Errors
/// When it is empty, too long, or holds something else than visible ASCII without quotes, backslashes and commas.
pub fn check_audience(name: &str) -> Result<(), String> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\,".contains(&byte));
    if !is_plain || !(1..=MAX_AUDIENCE_BYTES).contains(&name.len()) {
        return Err(format!(
            "`{name}` is no name of an audience: write 1 to {MAX_AUDIENCE_BYTES} visible ASCII characters other than \
             quotes, backslashes and commas, such as `production`"
        ));
    }
    Ok(())
}

/// The header fields by which a document is signed; empty where an answer has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedFields {
    /// `unencoded-digest`
    pub digest: String,
    /// `turquoise-audience`
    pub audience: String,
    /// `signature-input`
    pub input: String,
    /// `signature`
    pub signature: String,
}

impl SignedFields {
    /// Reads the fields of an answer; `field` gives all values of one, joined by commas (RFC 9110, section 5.3).
    pub fn read(field: impl Fn(&str) -> Option<Vec<u8>>) -> Self {
        // What is not ASCII is no structured field, whatever it reads as. A line break would end a field in shared data.
        let read = |name| {
            let value = field(name).unwrap_or_default();
            String::from_utf8_lossy(value.trim_ascii()).replace(['\n', '\r'], "\u{fffd}")
        };
        Self {
            digest: read(DIGEST_FIELD),
            audience: read(AUDIENCE_FIELD),
            input: read(SIGNATURE_INPUT_FIELD),
            signature: read(SIGNATURE_FIELD),
        }
    }

    /// Every field by its name, but those that are not there.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let fields = [
            (DIGEST_FIELD, self.digest.as_str()),
            (AUDIENCE_FIELD, &self.audience),
            (SIGNATURE_INPUT_FIELD, &self.input),
            (SIGNATURE_FIELD, &self.signature),
        ];
        fields.into_iter().filter(|(_, value)| !value.is_empty())
    }

    /// Whether there is any signature, of whatever kind.
    pub fn is_signed(&self) -> bool {
        !self.input.is_empty() || !self.signature.is_empty()
    }

    /// By whom and for whom it is signed, whenever that was: who did not believe it before, still does not where this is
    /// the same.
    pub fn signers(&self) -> String {
        let inputs: Dictionary = Parser::new(&self.input).parse().unwrap_or_default();
        let key = |entry: &ListEntry| match entry {
            ListEntry::InnerList(list) => Some(list.params.get("keyid")?.as_string()?.as_str().to_owned()),
            ListEntry::Item(_) => None,
        };
        let mut keys: Vec<_> = inputs.values().filter_map(key).collect();
        keys.sort_unstable();
        format!("{} {}", keys.join(" "), self.audience)
    }

    /// The value of a field that a signature may cover.
    pub(super) fn covered(&self, name: &str) -> Option<&str> {
        match name {
            DIGEST_FIELD => Some(&self.digest),
            AUDIENCE_FIELD => Some(&self.audience),
            _ => None,
        }
    }
}

/// What a signature states.
#[derive(Clone, Debug)]
pub struct Statement<'a> {
    /// Of which document.
    pub digest: DocumentDigest,
    /// Whom it is for; for everybody when empty.
    pub audiences: &'a [String],
    /// When it was signed, in seconds since the unix epoch.
    pub created: u64,
    /// Until when it holds, likewise.
    pub expires: u64,
}

impl Statement<'_> {
    /// Signs it with each of these keys, whose secret parts `sign` holds.
    pub fn sign<S: Fn(&[u8]) -> [u8; 64]>(
        &self,
        keys: impl IntoIterator<Item = (PublicKey, S)>,
    ) -> SignedFields {
        let names: Vec<_> = self.audiences.iter().map(|name| format!("\"{name}\"")).collect();
        let mut fields = SignedFields {
            digest: self.digest.field(),
            audience: names.join(", "),
            ..SignedFields::default()
        };
        let covered: &[&str] = match self.audiences {
            [] => &[DIGEST_FIELD],
            _ => &[DIGEST_FIELD, AUDIENCE_FIELD],
        };
        let (mut inputs, mut signatures) = (Vec::new(), Vec::new());
        for (key, sign) in keys {
            let id = key.id();
            let params = self.params(covered, &id);
            let components = covered.iter().filter_map(|name| Some((*name, fields.covered(name)?)));
            let signature = sign(signature_base(components, &params).as_bytes());
            signatures.push(format!("{id}=:{}:", STANDARD.encode(signature)));
            inputs.push(format!("{id}={params}"));
        }
        (fields.input, fields.signature) = (inputs.join(", "), signatures.join(", "));
        fields
    }

    /// The parameters of a signature, as they are signed themselves.
    fn params(&self, covered: &[&str], key: &str) -> String {
        let Self { created, expires, .. } = self;
        let covered: Vec<_> = covered.iter().map(|name| format!("\"{name}\"")).collect();
        let covered = covered.join(" ");
        format!(
            "({covered});created={created};expires={expires};keyid=\"{key}\";alg=\"{ALGORITHM}\";tag=\"{TAG}\""
        )
    }
}

/// The text that is signed (RFC 9421, section 2.5): a line for each component, and one for the parameters.
pub(super) fn signature_base<'a>(
    components: impl Iterator<Item = (&'a str, &'a str)>,
    params: &str,
) -> String {
    let mut base = String::new();
    for (name, value) in components {
        base.push_str(&format!("\"{name}\": {value}\n"));
    }
    base.push_str(&format!("\"@signature-params\": {params}"));
    base
}
