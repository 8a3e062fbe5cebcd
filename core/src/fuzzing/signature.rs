//! Signed documents, and what becomes of signatures on the way: mixed, cut, repeated, changed in one place or another.
//! Whatever arrives, nothing is believed that was not signed.

use ed25519_dalek::{Signer, SigningKey};

use crate::signature::{
    AUDIENCE_FIELD, DIGEST_FIELD, DocumentDigest, PublicKey, SIGNATURE_FIELD, SIGNATURE_INPUT_FIELD,
    SignedFields, Statement, Trust, Validity,
};

/// The time, in seconds since the unix epoch.
const NOW: u64 = 1_795_161_600;

/// Seeds of keys: the first two are trusted, the third is a stranger's.
const KEYS: [u8; 3] = [7, 8, 9];
const TRUSTED: usize = 2;

const DOCUMENTS: [&[u8]; 2] = [b"{ \"flags\": {} }", b""];

/// What was signed: document, audiences, from when until when, by which keys.
struct Signed {
    document: &'static [u8],
    audiences: Vec<String>,
    validity: Validity,
    keys: &'static [usize],
    fields: SignedFields,
}

thread_local! {
    static PUBLIC: Vec<PublicKey> = KEYS.iter().map(|seed| PublicKey::of(secret(*seed).verifying_key())).collect();
    static SIGNED: [Signed; 5] = [
        sign(0, &[], NOW - 60, NOW + 240, &[0]),
        sign(0, &["production", "staging"], NOW - 30, NOW + 600, &[0, 1]),
        sign(1, &["production"], NOW + 200, NOW + 100_000, &[1]),
        sign(1, &["staging"], NOW - 1000, NOW - 10, &[0]),
        sign(0, &["production"], NOW - 5, NOW + 5000, &[2]),
    ];
}

fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn sign(document: usize, audiences: &[&str], created: u64, expires: u64, keys: &'static [usize]) -> Signed {
    let document = DOCUMENTS.get(document).copied().unwrap_or_default();
    let audiences: Vec<_> = audiences.iter().map(|name| (*name).to_owned()).collect();
    let statement =
        Statement { digest: DocumentDigest::of(document), audiences: &audiences, created, expires };
    let signers = keys.iter().filter_map(|key| KEYS.get(*key)).map(|seed| {
        let key = secret(*seed);
        (PublicKey::of(key.verifying_key()), move |base: &[u8]| key.sign(base).to_bytes())
    });
    let fields = statement.sign(signers);
    Signed { document, audiences, validity: Validity { created, expires }, keys, fields }
}

/// A byte that says whom and when, a line for each field, and the document. `$0` to `$4` in a field stand for this field
/// of something that was signed, and in the place of the document for that document.
pub fn signature(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    SIGNED.with(|signed| {
        let mut lines = rest.splitn(5, |byte| *byte == b'\n');
        let names = [DIGEST_FIELD, AUDIENCE_FIELD, SIGNATURE_INPUT_FIELD, SIGNATURE_FIELD];
        let values = names.map(|name| (name, field(signed, name, lines.next().unwrap_or_default())));
        let document = lines.next().unwrap_or_default();
        let document = match number(document) {
            Some(index) => signed.get(index).map_or(document, |signed| signed.document),
            None => document,
        };
        let fields = SignedFields::read(|wanted| {
            values.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone())
        });
        let audience = [None, Some("production"), Some("staging"), Some("elsewhere")];
        let audience = audience.get(usize::from(*choice) % 4).copied().flatten();
        let now = [Some(NOW), None, Some(NOW + 5000), Some(0), Some(u64::MAX)];
        let now = now.get(usize::from(*choice) / 4 % 5).copied().flatten();
        check(signed, &fields, document, audience, now);
    });
}

/// The value of a field, with what was signed in the place of its number.
fn field(signed: &[Signed], name: &str, line: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    let mut rest = line;
    while let Some((first, behind)) = rest.split_first() {
        let known = number(rest.get(..2).unwrap_or_default()).and_then(|index| signed.get(index));
        match known {
            Some(signed) => {
                let found = signed.fields.fields().find(|(other, _)| *other == name);
                value.extend_from_slice(found.map_or("", |(_, value)| value).as_bytes());
                rest = rest.get(2..).unwrap_or_default();
            }
            None => {
                value.push(*first);
                rest = behind;
            }
        }
    }
    value
}

/// The number of something that was signed.
fn number(text: &[u8]) -> Option<usize> {
    match text {
        [b'$', digit @ b'0'..=b'9'] => Some(usize::from(digit - b'0')),
        _ => None,
    }
}

fn check(
    signed: &[Signed],
    fields: &SignedFields,
    document: &[u8],
    audience: Option<&str>,
    now: Option<u64>,
) {
    let found = PUBLIC.with(|keys| {
        let trust = Trust { keys: keys.get(..TRUSTED).unwrap_or_default(), audience };
        let digest = DocumentDigest::of(document);
        let found = trust.verify(fields, &digest, now);
        assert_eq!(found, trust.verify(fields, &digest, now), "it is found the same again");
        let strangers = Trust { keys: &[], audience };
        assert!(
            strangers.verify(fields, &digest, now).is_err(),
            "nobody is trusted, and something is believed"
        );
        found
    });
    let by_trusted = |signed: &&Signed| signed.keys.iter().any(|key| *key < TRUSTED);
    let is_for =
        |signed: &Signed| audience.is_none_or(|name| signed.audiences.iter().any(|other| other == name));
    match found {
        Ok(validity) => {
            assert!(now.is_none_or(|now| validity.check(now).is_ok()), "{validity:?} at {now:?}");
            let is_this = |signed: &Signed| {
                signed.document == document && signed.validity == validity && is_for(signed)
            };
            let was_signed = signed.iter().filter(by_trusted).any(is_this);
            assert!(
                was_signed,
                "believed, and never signed: {fields:?} for {audience:?}: {}",
                document.escape_ascii()
            );
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let reasons = ["audience", "expired", "future", "signature"];
            assert!(reasons.contains(&error.reason()), "{}", error.reason());
            let whole = signed.iter().filter(by_trusted).find(|signed| signed.fields == *fields);
            let refused = whole.filter(|signed| signed.document == document && is_for(signed));
            let holds = |signed: &Signed| now.is_none_or(|now| signed.validity.check(now).is_ok());
            assert!(!refused.is_some_and(holds), "signed, and not believed: {error}");
        }
    }
}
