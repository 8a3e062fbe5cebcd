use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey};

use super::message::signature_base;
use super::*;

const DOCUMENT: &[u8] = b"{ \"flags\": {} }";
const NOW: u64 = 1_795_161_600;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(seed: u8) -> PublicKey {
    PublicKey::parse(&STANDARD.encode(key(seed).verifying_key().as_bytes())).unwrap()
}

/// The document, signed by these keys a minute ago for five.
fn signed(seeds: &[u8], audiences: &[&str]) -> SignedFields {
    let audiences: Vec<_> = audiences.iter().map(|name| (*name).to_owned()).collect();
    let digest = DocumentDigest::of(DOCUMENT);
    let statement = Statement { digest, audiences: &audiences, created: NOW - 60, expires: NOW + 240 };
    statement.sign(seeds.iter().map(|seed| {
        let key = key(*seed);
        (public(*seed), move |base: &[u8]| key.sign(base).to_bytes())
    }))
}

/// Fields with these parameters and components, signed by the first key as RFC 9421 wants it.
fn stated(covered: &[(&str, &str)], params: &str) -> SignedFields {
    let names: Vec<_> = covered.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let params = format!("({}){params}", names.join(" "));
    let signature = key(7).sign(signature_base(covered.iter().copied(), &params).as_bytes());
    let value =
        |name| covered.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value).to_owned();
    SignedFields {
        digest: value(DIGEST_FIELD),
        audience: value(AUDIENCE_FIELD),
        input: format!("sig={params}"),
        signature: format!("sig=:{}:", STANDARD.encode(signature.to_bytes())),
    }
}

fn verify(
    seeds: &[u8],
    audience: Option<&str>,
    fields: &SignedFields,
    now: u64,
) -> Result<Validity, Untrusted> {
    let keys: Vec<_> = seeds.iter().copied().map(public).collect();
    Trust { keys: &keys, audience }.verify(fields, &DocumentDigest::of(DOCUMENT), Some(now))
}

const VALIDITY: Validity = Validity { created: NOW - 60, expires: NOW + 240 };

/// RFC 9421, appendix B.2.6.
#[test]
fn the_signature_base_is_that_of_rfc_9421() {
    let components = [
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("@method", "POST"),
        ("@path", "/foo"),
        ("@authority", "example.com"),
        ("content-type", "application/json"),
        ("content-length", "18"),
    ];
    let params = "(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
                  ;created=1618884473;keyid=\"test-key-ed25519\"";
    let base = signature_base(components.into_iter(), params);
    assert_eq!(
        base,
        "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\
         \"@method\": POST\n\
         \"@path\": /foo\n\
         \"@authority\": example.com\n\
         \"content-type\": application/json\n\
         \"content-length\": 18\n\
         \"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
         ;created=1618884473;keyid=\"test-key-ed25519\""
    );
    let public = PublicKey::parse("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=").unwrap();
    let signature =
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";
    let signature = Signature::from_slice(&STANDARD.decode(signature).unwrap()).unwrap();
    assert!(public.0.verify_strict(base.as_bytes(), &signature).is_ok());
    let secret = STANDARD.decode("n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU=").unwrap();
    let secret = SigningKey::from_bytes(&secret.try_into().unwrap());
    assert_eq!(secret.sign(base.as_bytes()), signature, "Ed25519 is deterministic");
}

#[test]
fn the_digest_is_that_of_rfc_9530() {
    // Its example, `{"hello": "world"}` and a line feed.
    let fields = Statement {
        digest: DocumentDigest::of(b"{\"hello\": \"world\"}\n"),
        audiences: &[],
        created: 0,
        expires: 0,
    }
    .sign([(public(7), |_: &[u8]| [0; 64])]);
    assert_eq!(fields.digest, "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
}

#[test]
fn the_fields_look_as_documented() {
    let fields = signed(&[7], &["production", "staging"]);
    let names: Vec<_> = fields.fields().map(|(name, _)| name).collect();
    assert_eq!(names, ["unencoded-digest", "turquoise-audience", "signature-input", "signature"]);
    assert_eq!(fields.audience, "\"production\", \"staging\"");
    assert_eq!(
        fields.input,
        "kea4a6c63e29c520a=(\"unencoded-digest\" \"turquoise-audience\");created=1795161540;expires=1795161840\
         ;keyid=\"kea4a6c63e29c520a\";alg=\"ed25519\";tag=\"turquoise-document\""
    );
    assert!(signed(&[7], &[]).fields().all(|(name, _)| name != AUDIENCE_FIELD));
}

#[test]
fn one_signature_by_one_key_is_enough_so_keys_can_be_rotated() {
    for (keys, signers) in
        [(&[7][..], &[7][..]), (&[7, 8], &[7]), (&[7, 8], &[8]), (&[7], &[8, 7]), (&[8], &[8, 7])]
    {
        assert_eq!(verify(keys, None, &signed(signers, &[]), NOW), Ok(VALIDITY), "{keys:?} {signers:?}");
    }
    // One that is broken does not spoil the other.
    let (mut fields, broken) = (signed(&[7], &[]), signed(&[8], &[]));
    fields.input = format!("{}, {}", broken.input, fields.input);
    assert_eq!(verify(&[7, 8], None, &fields, NOW), Ok(VALIDITY));
}

#[test]
fn signatures_of_others_for_other_ends_are_passed_over() {
    let mut fields = signed(&[7], &[]);
    fields.input = format!("proxy=(\"@status\");created=1;keyid=\"x\", a=1, {}", fields.input);
    fields.signature = format!("proxy=:AAAA:, {}", fields.signature);
    assert_eq!(verify(&[7], None, &fields, NOW), Ok(VALIDITY));
}

#[test]
fn every_bit_of_what_is_signed_counts() {
    let fields = signed(&[7], &["production"]);
    assert_eq!(verify(&[7], Some("production"), &fields, NOW), Ok(VALIDITY));
    let trust = Trust { keys: &[public(7)], audience: None };
    let other = DocumentDigest::of(b"{ \"flags\": {}  }");
    assert_eq!(trust.verify(&fields, &other, Some(NOW)), Err(Untrusted::Digest));
    let digest = SignedFields { digest: format!("{}, md5=:AAAA:", fields.digest), ..fields.clone() };
    let mismatch = Err(Untrusted::Mismatch(public(7).id()));
    assert_eq!(verify(&[7], None, &digest, NOW), mismatch);
    let audience = SignedFields { audience: "\"staging\"".to_owned(), ..fields.clone() };
    assert_eq!(verify(&[7], None, &audience, NOW), mismatch);
    for (from, to) in [
        ("created=1795161540", "created=1795161541"),
        ("expires=1795161840", "expires=1795161841"),
        (" \"turquoise-audience\"", ""),
        ("alg=\"ed25519\";", ""),
    ] {
        let input = SignedFields { input: fields.input.replacen(from, to, 1), ..fields.clone() };
        assert_ne!(input, fields);
        assert_eq!(verify(&[7], None, &input, NOW), mismatch, "{from}");
    }
    for position in 0..fields.signature.len() {
        let mut bytes = fields.signature.clone().into_bytes();
        bytes[position] ^= 1;
        let signature = SignedFields { signature: String::from_utf8(bytes).unwrap(), ..fields.clone() };
        assert!(verify(&[7], None, &signature, NOW).is_err(), "{signature:?}");
    }
}

#[test]
fn a_document_for_others_is_not_believed() {
    let audience = |wanted, named: &[&str]| verify(&[7], Some(wanted), &signed(&[7], named), NOW);
    assert_eq!(audience("production", &["staging", "production"]), Ok(VALIDITY));
    for named in [&[][..], &["staging"], &["Production"], &["production2"]] {
        let error = audience("production", named).unwrap_err();
        assert_eq!(error.reason(), "audience", "{named:?}");
        assert!(error.to_string().contains("`source.audience` is `production`"), "{error}");
    }
    // A field that no signature covers says nothing.
    let mut fields = signed(&[7], &[]);
    fields.audience = "\"production\"".to_owned();
    assert_eq!(verify(&[7], Some("production"), &fields, NOW).unwrap_err().reason(), "audience");
    // Who names no audience takes what is for anybody.
    assert_eq!(verify(&[7], None, &signed(&[7], &["staging"]), NOW), Ok(VALIDITY));
}

#[test]
fn a_signature_holds_for_its_time() {
    let fields = signed(&[7], &[]);
    let at = |now| verify(&[7], None, &fields, now);
    assert_eq!(at(VALIDITY.expires), Ok(VALIDITY));
    assert_eq!(at(VALIDITY.expires + 1), Err(Untrusted::Expired { expires: VALIDITY.expires }));
    assert_eq!(at(VALIDITY.created - MAX_CLOCK_SKEW_SECONDS), Ok(VALIDITY), "clocks differ");
    let error = at(VALIDITY.created - MAX_CLOCK_SKEW_SECONDS - 1).unwrap_err();
    assert_eq!(error, Untrusted::Future { created: VALIDITY.created });
    assert!(error.to_string().contains("signed at 2026-11-20T07:59:00Z"), "{error}");
    let trust = Trust { keys: &[public(7)], audience: None };
    assert_eq!(
        trust.verify(&fields, &DocumentDigest::of(DOCUMENT), None),
        Ok(VALIDITY),
        "accepted in its time"
    );
    assert_eq!(at(u64::MAX).unwrap_err().reason(), "expired");
}

#[test]
fn what_was_signed_before_is_a_replay() {
    let later = Validity { created: VALIDITY.created + 1, ..VALIDITY };
    assert_eq!(later.follows(VALIDITY), Ok(()));
    assert_eq!(VALIDITY.follows(VALIDITY), Ok(()));
    assert_eq!(VALIDITY.follows(later).unwrap_err().reason(), "replayed");
}

#[test]
fn the_newest_of_several_signatures_counts() {
    let (old, mut new) = (signed(&[7], &[]), SignedFields::default());
    let statement =
        Statement { digest: DocumentDigest::of(DOCUMENT), audiences: &[], created: NOW, expires: NOW + 300 };
    let newer = statement.sign([(public(8), |base: &[u8]| key(8).sign(base).to_bytes())]);
    new.digest = newer.digest;
    new.input = format!("{}, {}", newer.input, old.input);
    new.signature = format!("{}, {}", old.signature, newer.signature);
    let newest = Validity { created: NOW, expires: NOW + 300 };
    assert_eq!(verify(&[7, 8], None, &new, NOW), Ok(newest));
    assert_eq!(verify(&[7], None, &new, NOW), Ok(VALIDITY));
}

#[test]
fn what_cannot_be_checked_is_not_believed() {
    let digest = signed(&[7], &[]).digest;
    let digest = (DIGEST_FIELD, digest.as_str());
    let params = format!(
        ";created={};expires={};keyid=\"{}\";alg=\"ed25519\";tag=\"turquoise-document\"",
        NOW - 60,
        NOW + 240,
        public(7).id()
    );
    assert_eq!(verify(&[7], None, &stated(&[digest], &params), NOW), Ok(VALIDITY), "any label will do");
    let without_alg = params.replace(";alg=\"ed25519\"", "");
    assert_eq!(verify(&[7], None, &stated(&[digest], &without_alg), NOW), Ok(VALIDITY));
    for (fields, why) in [
        (stated(&[digest, ("@status", "200")], &params), "it covers `@status`"),
        (stated(&[("content-type", "application/json")], &params), "it covers `content-type`"),
        (stated(&[(AUDIENCE_FIELD, "\"a\"")], &params), "it does not cover `unencoded-digest`"),
        (stated(&[], &params), "it does not cover `unencoded-digest`"),
        (stated(&[digest, digest], &params), "with parameters, or twice"),
        (stated(&[digest], &format!("{params};nonce=\"x\"")), "its parameter `nonce` is not known"),
        (stated(&[digest], &params.replace("ed25519", "hmac-sha256")), "its `alg` is not `ed25519`"),
        (stated(&[digest], &params.replace(";expires=", ";expired=")), "it lacks `expires`"),
        (stated(&[digest], &params.replace(";created=", ";created=-")), "it lacks `created`"),
        (stated(&[digest], &params.replace(";created=1", ";created=9")), "it expires before it was created"),
    ] {
        let error = verify(&[7], None, &fields, NOW).unwrap_err();
        assert!(
            matches!(error, Untrusted::Unsupported { .. }) && error.to_string().contains(why),
            "{error}: {why}"
        );
    }
    let mut strict = stated(&[digest], &params);
    strict.input = strict.input.replace("\"unencoded-digest\"", "\"unencoded-digest\";sf");
    assert!(verify(&[7], None, &strict, NOW).unwrap_err().to_string().contains("with parameters"));
}

#[test]
fn refusals_say_what_is_wrong() {
    let fields = signed(&[7], &[]);
    let error = |fields: &SignedFields| verify(&[7], None, fields, NOW).unwrap_err().to_string();
    assert!(error(&SignedFields::default()).contains("it is not signed"));
    let unsigned = SignedFields { input: String::new(), signature: String::new(), ..fields.clone() };
    assert!(error(&unsigned).contains("it is not signed"));
    for (input, signature) in [("oops!", ""), ("", "oops!"), ("k=(", "")] {
        let (input, signature) = (input.to_owned(), signature.to_owned());
        let malformed = SignedFields { input, signature, ..fields.clone() };
        assert!(error(&malformed).contains("cannot be read"), "{malformed:?}");
    }
    let none = SignedFields { input: "a=1".to_owned(), ..fields.clone() };
    assert!(error(&none).contains("holds no signature of a document"));
    let unknown = error(&signed(&[8], &[]));
    assert!(unknown.contains("`k1398f62c6d1a457c`, none of which is in `source.publicKeys`"), "{unknown}");
    let swapped = SignedFields { signature: signed(&[7], &["x"]).signature, ..fields.clone() };
    assert!(error(&swapped).contains("by `kea4a6c63e29c520a` does not fit"));
    let missing = SignedFields { signature: "x=:AAAA:".to_owned(), ..fields.clone() };
    assert!(error(&missing).contains("by `kea4a6c63e29c520a` does not fit"));
}

#[test]
fn a_flood_of_signatures_is_not_verified() {
    let mut fields = signed(&[7], &[]);
    let broken: Vec<_> = (0..100).map(|n| fields.input.replacen("kea", &format!("x{n}"), 1)).collect();
    fields.input = format!("{}, {}", broken.join(", "), fields.input);
    assert!(verify(&[7], None, &fields, NOW).unwrap_err().to_string().contains("more than 8 signatures"));
}

#[test]
fn fields_are_read_from_whatever_an_answer_has() {
    let fields = signed(&[7], &["a"]);
    let read = SignedFields::read(|name| {
        let (_, value) = fields.fields().find(|(known, _)| *known == name)?;
        Some(format!(" {value}\t").into_bytes())
    });
    assert_eq!(read, fields);
    let odd = SignedFields::read(|_| Some(b"a\nb\xff".to_vec()));
    assert!(odd.fields().all(|(_, value)| !value.contains('\n')));
    assert!(matches!(verify(&[7], None, &odd, NOW), Err(Untrusted::Malformed(_))));
}

#[test]
fn an_audience_is_a_plain_word() {
    for good in ["production", "https://shop.example.com/eu", "a"] {
        assert_eq!(check_audience(good), Ok(()));
    }
    for bad in ["", "two words", "a\"b", "a\\b", "a,b", "\u{e4}", &"x".repeat(129)] {
        assert!(check_audience(bad).unwrap_err().contains("is no name of an audience"), "{bad}");
    }
}

#[test]
fn who_signed_is_known_without_looking_at_when() {
    let mut later = signed(&[7, 8], &["a"]);
    assert_eq!(later.signers(), "k1398f62c6d1a457c kea4a6c63e29c520a \"a\"");
    later.input = later.input.replace("created=1", "created=2");
    assert_eq!(later.signers(), signed(&[8, 7], &["a"]).signers());
    assert_ne!(later.signers(), signed(&[7], &["a"]).signers());
    assert_eq!(SignedFields::default().signers(), " ");
}
