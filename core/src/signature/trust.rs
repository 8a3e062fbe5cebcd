//! Whose signatures count, for whom, and when.

use sfv::{BareItem, Dictionary, FieldType as _, InnerList, List, ListEntry, Parser};

use ed25519_dalek::Signature;

use super::message::{
    ALGORITHM, AUDIENCE_FIELD, DIGEST_FIELD, DocumentDigest, SIGNATURE_FIELD, SIGNATURE_INPUT_FIELD,
    SignedFields, TAG, signature_base,
};
use super::{PublicKey, Untrusted};

/// How many signatures of ours an answer may carry: each that is by a key we know costs a verification.
const MAX_SIGNATURES: usize = 8;

/// How far a signer's clock may be ahead of ours, in seconds.
pub const MAX_CLOCK_SKEW_SECONDS: u64 = 300;

/// Whom a proxy believes.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// Whose signatures count.
    pub keys: &'a [PublicKey],
    /// Whom documents must be for; without it, they may be for anybody.
    pub audience: Option<&'a str>,
}

/// From when until when a signature holds, in seconds since the unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Validity {
    /// When it was signed.
    pub created: u64,
    /// Until when it holds.
    pub expires: u64,
}

impl Validity {
    /// Whether it does not hold any more.
    pub fn has_expired(&self, now: u64) -> bool {
        now > self.expires
    }

    /// Whether it holds now.
    ///
    /// # Errors
    /// When it has expired, or will only be made after a time that no difference between clocks explains.
    pub fn check(&self, now: u64) -> Result<(), Untrusted> {
        if self.created > now.saturating_add(MAX_CLOCK_SKEW_SECONDS) {
            return Err(Untrusted::Future { created: self.created });
        }
        match self.has_expired(now) {
            true => Err(Untrusted::Expired { expires: self.expires }),
            false => Ok(()),
        }
    }

    /// Whether what was signed so may replace what was signed `before`.
    ///
    /// # Errors
    /// When it was signed earlier: somebody sends again what was replaced since.
    pub fn follows(&self, before: Validity) -> Result<(), Untrusted> {
        if self.created < before.created {
            return Err(Untrusted::Replayed { created: self.created, before: before.created });
        }
        Ok(())
    }
}

impl Trust<'_> {
    /// A hash of who is believed: what was accepted under it need not be checked again.
    pub fn fingerprint(&self) -> u64 {
        let keys: Vec<_> = self.keys.iter().map(PublicKey::id).collect();
        // None of these holds a newline.
        crate::fingerprint(format!("{}\n{}", keys.join(","), self.audience.unwrap_or_default()).as_bytes())
    }

    /// Finds the newest signature of a document that may be believed. Without `now`, none is too old or too new: that is
    /// for what was accepted in its time.
    ///
    /// # Errors
    /// When there is none. Of several that fail, the one tells that came nearest.
    pub fn verify(
        &self,
        fields: &SignedFields,
        digest: &DocumentDigest,
        now: Option<u64>,
    ) -> Result<Validity, Untrusted> {
        if !fields.is_signed() {
            return Err(Untrusted::Missing);
        }
        let inputs = dictionary(&fields.input, SIGNATURE_INPUT_FIELD)?;
        let signatures = dictionary(&fields.signature, SIGNATURE_FIELD)?;
        let (mut found, mut failure, mut unknown) = (None, None, Vec::new());
        let ours = inputs.iter().filter_map(|(label, entry)| match entry {
            ListEntry::InnerList(list) if text(list, "tag") == Some(TAG) => Some((label.as_str(), list)),
            _ => None,
        });
        for (number, (label, list)) in ours.enumerate() {
            if number == MAX_SIGNATURES {
                return Err(Untrusted::Unsupported {
                    label: label.to_owned(),
                    why: format!("there are more than {MAX_SIGNATURES} signatures"),
                });
            }
            let id = text(list, "keyid").unwrap_or(label);
            let Some(key) = self.keys.iter().find(|key| key.id() == id) else {
                unknown.push(id.to_owned());
                continue;
            };
            let signature = match signatures.get(label) {
                Some(ListEntry::Item(item)) => item.bare_item.as_byte_sequence(),
                _ => None,
            };
            let checked = self.check(list, fields, digest, key, signature).and_then(|validity| {
                now.map_or(Ok(()), |now| validity.check(now))?;
                Ok(validity)
            });
            match checked {
                Ok(validity) => found = found.max(Some(validity)),
                Err(error) => failure = failure.filter(|other| *other >= error).or(Some(error)),
            }
        }
        found.ok_or_else(|| failure.unwrap_or(Untrusted::UnknownKeys(unknown)))
    }

    /// Checks one signature by a key that we know, in everything but time.
    fn check(
        &self,
        list: &InnerList,
        fields: &SignedFields,
        digest: &DocumentDigest,
        key: &PublicKey,
        signature: Option<&[u8]>,
    ) -> Result<Validity, Untrusted> {
        let unsupported = |why: String| Untrusted::Unsupported { label: key.id(), why };
        let covered = covered(list).map_err(unsupported)?;
        let validity = validity(list).map_err(unsupported)?;
        if DocumentDigest::read(&fields.digest) != Some(*digest) {
            return Err(Untrusted::Digest);
        }
        let params = List::from([ListEntry::InnerList(list.clone())]).serialize().unwrap_or_default();
        let components = covered.iter().filter_map(|name| Some((*name, fields.covered(name)?)));
        let base = signature_base(components, &params);
        let signature = signature.and_then(|signature| Signature::from_slice(signature).ok());
        let fits =
            signature.is_some_and(|signature| key.0.verify_strict(base.as_bytes(), &signature).is_ok());
        if !fits {
            return Err(Untrusted::Mismatch(key.id()));
        }
        let Some(audience) = self.audience else { return Ok(validity) };
        let named = match covered.contains(&AUDIENCE_FIELD) {
            true => audiences(&fields.audience)?,
            false => Vec::new(),
        };
        match named.iter().any(|name| name == audience) {
            true => Ok(validity),
            false => Err(Untrusted::Audience { named, wanted: audience.to_owned() }),
        }
    }
}

/// A dictionary of Structured Fields (RFC 9651).
fn dictionary(value: &str, field: &'static str) -> Result<Dictionary, Untrusted> {
    Parser::new(value).parse().map_err(|_| Untrusted::Malformed(field))
}

/// A parameter that is a string.
fn text<'a>(list: &'a InnerList, name: &str) -> Option<&'a str> {
    Some(list.params.get(name)?.as_string()?.as_str())
}

/// The components that a signature covers. One that we could not check would be believed unseen.
fn covered(list: &InnerList) -> Result<Vec<&'static str>, String> {
    let mut covered = Vec::new();
    for item in &list.items {
        let name = item.bare_item.as_string().map_or("", |name| name.as_str());
        let name =
            [DIGEST_FIELD, AUDIENCE_FIELD].into_iter().find(|known| *known == name).ok_or_else(|| {
                format!("it covers `{name}`, and may cover only `{DIGEST_FIELD}` and `{AUDIENCE_FIELD}`")
            })?;
        if !item.params.is_empty() || covered.contains(&name) {
            return Err(format!("it covers `{name}` with parameters, or twice"));
        }
        covered.push(name);
    }
    match covered.contains(&DIGEST_FIELD) {
        true => Ok(covered),
        false => Err(format!("it does not cover `{DIGEST_FIELD}`, so it says nothing about the document")),
    }
}

/// The time that a signature states. A parameter that we do not know may change what it means.
fn validity(list: &InnerList) -> Result<Validity, String> {
    let time = |name: &str| {
        let seconds = list.params.get(name).and_then(BareItem::as_integer);
        let seconds = seconds.and_then(|seconds| u64::try_from(i64::from(seconds)).ok());
        seconds.ok_or_else(|| format!("it lacks `{name}`, in whole seconds since 1970"))
    };
    let validity = Validity { created: time("created")?, expires: time("expires")? };
    for name in list.params.keys().map(|name| name.as_str()) {
        if !["created", "expires", "keyid", "alg", "tag"].contains(&name) {
            return Err(format!("its parameter `{name}` is not known here"));
        }
    }
    match list.params.get("alg") {
        Some(_) if text(list, "alg") != Some(ALGORITHM) => Err(format!("its `alg` is not `{ALGORITHM}`")),
        _ if validity.expires < validity.created => Err("it expires before it was created".to_owned()),
        _ => Ok(validity),
    }
}

/// Whom the document is for: a list of strings.
fn audiences(field: &str) -> Result<Vec<String>, Untrusted> {
    let list: List = Parser::new(field).parse().map_err(|_| Untrusted::Malformed(AUDIENCE_FIELD))?;
    let name = |entry: &ListEntry| match entry {
        ListEntry::Item(item) => Some(item.bare_item.as_string()?.as_str().to_owned()),
        ListEntry::InnerList(_) => None,
    };
    list.iter().map(name).collect::<Option<_>>().ok_or(Untrusted::Malformed(AUDIENCE_FIELD))
}
