use super::*;

const DOCUMENT: &[u8] = b"{ \"flags\": {} }";

/// The public keys of the secret keys 0707..07 and 0808..08, and what they sign [`DOCUMENT`] with.
const OLD: (&str, &str) = (
    "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=",
    "kea4a6c63e29c520a=:7J7tDAdhyELxFaoQlGGYE3fEzDUCj1Q5ySuS7UyIF+6X2h0T5DtVazEBkS1U/6u78YpHfKNY4EJM1TKBVzkpCQ==:",
);
const NEW: (&str, &str) = (
    "E5j2LG0aRXxRumpLXz29L2n8qTIWIY3ImX5Ba9F9k8o=",
    "k1398f62c6d1a457c=:S1p5rWzShzKBEhUXtaGWalMmk+U55alowLncWuAVUjDhxXsOGvIBmrQbpmqjsmq7pk0H+6qajl1APkNUGAYxAA==:",
);

fn keys(keys: &[&str]) -> Vec<PublicKey> {
    keys.iter().map(|key| PublicKey::parse(key).unwrap()).collect()
}

fn verify(by: &[&str], header: &str, document: &[u8]) -> Result<(), SignatureError> {
    verify_signature(&keys(by), Some(header.as_bytes()), document)
}

#[test]
fn the_vectors_of_rfc_8032_verify() {
    for (key, signature, message) in [
        (
            "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw==",
            &[][..],
        ),
        (
            "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=",
            "kqAJqfDUyrhyDoILX2QlQKKye1QWUD+Ps3YiI+vbadoIWsHkPhWZbkWPNhPQ8R2MOHsurrQwKu6wDSkWErsMAA==",
            &[0x72],
        ),
        (
            "/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=",
            "YpHWV97sJAJIJ+acOr4BowzlSKKEdDpEXjaA19taw6wY/5tTjRbykK5n92CYTcZZSnwV6XFu0o3AJ77O6h7ECg==",
            &[0xaf, 0x82],
        ),
    ] {
        let header = format!("{}=:{signature}:", keys(&[key])[0].id());
        assert_eq!(verify(&[key], &header, message), Ok(()));
        let mut longer = message.to_vec();
        longer.push(0);
        assert!(matches!(verify(&[key], &header, &longer), Err(SignatureError::Mismatch(_))));
    }
}

#[test]
fn one_signature_by_one_key_is_enough_so_keys_can_be_rotated() {
    let both = format!("{}, {}", OLD.1, NEW.1);
    for (keys, header) in [
        (&[OLD.0][..], OLD.1),
        (&[OLD.0, NEW.0], OLD.1),
        (&[OLD.0, NEW.0], NEW.1),
        (&[OLD.0], &both),
        (&[NEW.0], &both),
    ] {
        assert_eq!(verify(keys, header, DOCUMENT), Ok(()), "{header}");
    }
    let one_is_broken = format!("{}, kea4a6c63e29c520a=:AAAA:", NEW.1);
    assert_eq!(verify(&[OLD.0, NEW.0], &one_is_broken, DOCUMENT), Ok(()));
}

#[test]
fn refusals_say_what_is_wrong() {
    let error = |header: Option<&str>, document: &[u8]| {
        verify_signature(&keys(&[OLD.0]), header.map(str::as_bytes), document).unwrap_err().to_string()
    };
    assert!(error(None, DOCUMENT).contains("it is not signed"));
    assert!(error(Some("oops!"), DOCUMENT).contains("cannot be read"));
    assert!(error(Some(""), DOCUMENT).contains("holds no signature"));
    let unknown = error(Some(NEW.1), DOCUMENT);
    assert!(unknown.contains("`k1398f62c6d1a457c`, none of which is in `source.publicKeys`"), "{unknown}");
    let changed = error(Some(OLD.1), b"{ \"flags\": {}  }");
    assert!(changed.contains("by `kea4a6c63e29c520a` does not fit"), "{changed}");
    // Another key's signature under a known name, and one that is too short.
    for signature in
        [NEW.1.replace("1398f62c6d1a457c", "ea4a6c63e29c520a"), "kea4a6c63e29c520a=:AAAA:".into()]
    {
        assert!(error(Some(&signature), DOCUMENT).contains("does not fit"));
    }
}

#[test]
fn keys_that_tell_nothing_are_refused() {
    for (key, part) in [
        ("***", "not base64"),
        ("AAAA", "has 3 bytes"),
        // The neutral element: every signature would fit.
        ("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "not an Ed25519 public key"),
        // No point of the curve; of a secret key that stands here by mistake no more than this is shown.
        ("AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "not an Ed25519 public key"),
    ] {
        let error = PublicKey::parse(key).unwrap_err();
        let shown = key.get(..8).unwrap_or(key);
        assert!(error.contains(part) && error.contains(&format!("`{shown}…`")), "{error}");
    }
}
