//! How large answers and headers may become, and how large a snapshot's could be.

use crate::flag::{FlagId, VariantId};
use crate::json::Path;
use crate::metadata::Metadata;
use crate::problem::{Problem, Severity};
use crate::settings::{Settings, VisibleFlags};
use crate::snapshot::Snapshot;

/// The most bytes of an answer's body. The proxy holds each answer until its client has taken it, so what many clients
/// ask for at once must fit its memory.
pub const MAX_ANSWER_BYTES: usize = 8 << 20;

/// The most bytes of the flag header's value: half of what many servers allow for all headers of a request together
/// (Tomcat, Jetty), or for one of them (nginx, Apache, gunicorn). They refuse a request with more.
pub const MAX_FLAG_HEADER_BYTES: usize = 4096;

/// What stands around each flag of an answer: names of members, quotes, brackets, the longest reason.
const AROUND_FLAG: usize = 80;

/// What a document makes too large under a configuration (by default, one that serves all flags under OFREP and has no
/// flag header), as warnings: answers for all flags that would be errors, and flags that would be left out of the header.
pub fn size_warnings(snapshot: &Snapshot, settings: Option<&Settings>) -> Vec<Problem> {
    let serves = settings.is_none_or(|settings| settings.ofrep.enabled);
    let visible = settings.map_or(&VisibleFlags::All, |settings| &settings.ofrep.flags);
    let answer = serves.then(|| largest_answer(snapshot, visible)).filter(|size| *size > MAX_ANSWER_BYTES);
    let answer = answer.map(|size| {
        format!(
            "OFREP's answer for all flags could have {size} bytes and may have {MAX_ANSWER_BYTES}: callers who ask for \
             all would get an error; let them see fewer (`ofrep.flags`), or make values and metadata smaller"
        )
    });
    [answer, settings.and_then(|settings| header_warning(snapshot, settings))]
        .into_iter()
        .flatten()
        .map(|message| Problem {
            severity: Severity::Warning,
            path: Path::Root.key("flags").to_json_path(),
            position: None,
            message,
        })
        .collect()
}

/// What to tell whoever runs a configuration whose flag header could leave flags out.
pub fn header_warning(snapshot: &Snapshot, settings: &Settings) -> Option<String> {
    let keys = &settings.flag_header.as_ref()?.flags;
    let size = largest_flag_header(snapshot, keys.iter().filter_map(|key| snapshot.flag(key)));
    (size > MAX_FLAG_HEADER_BYTES).then(|| {
        format!(
            "the flag header could have {size} bytes and may have {MAX_FLAG_HEADER_BYTES}: flags for which there is no \
             room would be left out; list fewer (`flagHeader.flags`), or make their values smaller"
        )
    })
}

/// Bytes of the largest answer for all flags that callers may see, whatever they state. One with errors may be a little
/// larger: what a rule's error says is not counted.
fn largest_answer(snapshot: &Snapshot, visible: &VisibleFlags) -> usize {
    let flags = super::service::visible(visible, snapshot);
    let one = |flag: FlagId| {
        let size = |variant: VariantId| {
            let variant = snapshot.variant(variant);
            quoted(variant.name).saturating_add(variant.json.len())
        };
        let variant = snapshot.variants(flag).map(size).max().unwrap_or_default();
        least_of_flag(snapshot, flag).saturating_add(AROUND_FLAG).saturating_add(variant)
    };
    let sizes = of_each(snapshot, flags.as_deref(), one);
    sizes.saturating_add(metadata(snapshot, None))
}

/// Bytes that an answer for these flags has at least (all of them, when `None`).
pub(super) fn least_answer(snapshot: &Snapshot, flags: Option<&[FlagId]>) -> usize {
    of_each(snapshot, flags, |flag| least_of_flag(snapshot, flag)).saturating_add(metadata(snapshot, None))
}

fn of_each(snapshot: &Snapshot, flags: Option<&[FlagId]>, size: impl Fn(FlagId) -> usize) -> usize {
    match flags {
        Some(flags) => flags.iter().map(|flag| size(*flag)).fold(0, usize::saturating_add),
        None => snapshot.flags().map(size).fold(0, usize::saturating_add),
    }
}

fn least_of_flag(snapshot: &Snapshot, flag: FlagId) -> usize {
    snapshot.key(flag).len().saturating_add(metadata(snapshot, Some(flag)))
}

fn metadata(snapshot: &Snapshot, flag: Option<FlagId>) -> usize {
    snapshot.metadata(flag).map_or(0, Metadata::size)
}

/// Bytes of the largest value that the flag header could have for these flags, if it were not limited.
fn largest_flag_header(snapshot: &Snapshot, flags: impl IntoIterator<Item = FlagId>) -> usize {
    let one = |flag: FlagId| {
        let values = snapshot.variants(flag).map(|variant| in_ascii(snapshot.variant(variant).json));
        let value = values.max().unwrap_or_default();
        // The key's quotes, a colon and a comma.
        in_ascii(snapshot.key(flag)).saturating_add(value).saturating_add(4)
    };
    flags.into_iter().map(one).fold(2, usize::saturating_add)
}

/// Bytes of a text as a JSON string.
fn quoted(text: &str) -> usize {
    let escaped = text.bytes().filter(|byte| *byte < b' ' || matches!(byte, b'"' | b'\\')).count();
    text.len().saturating_add(escaped.saturating_mul(5)).saturating_add(2)
}

/// Bytes of a text whose characters beyond ASCII are escaped: six for each unit of UTF-16.
fn in_ascii(text: &str) -> usize {
    let size = |c: char| if c.is_ascii() && c != '\u{7f}' { 1 } else { 6 * c.len_utf16() };
    text.chars().map(size).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Asked, Endpoint, Service, write_flag_header};
    use super::*;
    use crate::{Bindings, Context, Request, Scratch, Timestamp};

    /// A request with nothing in it.
    struct Empty;

    impl Request for Empty {
        fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
            std::iter::empty()
        }

        fn method(&self) -> &[u8] {
            b"POST"
        }

        fn host(&self) -> &[u8] {
            b""
        }

        fn path(&self) -> &[u8] {
            b""
        }

        fn property(&self, _: &str) -> Option<&str> {
            None
        }
    }

    fn document(flags: usize, value: &Value, metadata: usize) -> String {
        let flag = json!({ "state": "ENABLED", "variants": { "v": value, "w": "" }, "defaultVariant": "v" });
        let flags: serde_json::Map<_, _> =
            (0..flags).map(|number| (format!("f{number}"), flag.clone())).collect();
        json!({ "metadata": { "text": "x".repeat(metadata) }, "flags": flags }).to_string()
    }

    /// The status and the body that `endpoint` answers with.
    fn answer(document: &str, endpoint: &Endpoint) -> (u16, String) {
        let settings = Settings::parse(br#"{ "ofrep": { "enabled": true } }"#).unwrap();
        let snapshot = Snapshot::compile(document.as_bytes()).unwrap();
        let service = Service::new(&settings, &snapshot).unwrap();
        let bindings = Bindings::new(&snapshot, &settings.context);
        let (snapshot, bindings, now) = (&snapshot, &bindings, Timestamp(0));
        let asked = Asked { endpoint, request: &Empty, settings: &settings, snapshot, bindings, now };
        let answer = service.answer(&asked, b"", &mut Scratch::default());
        (answer.status, answer.body)
    }

    fn one(key: &str) -> Endpoint {
        Endpoint::Flag(key.to_owned())
    }

    #[test]
    fn an_answer_for_all_flags_that_is_too_large_is_an_error() {
        let large = Value::from("v".repeat(1000));
        for (name, document, fits) in [
            ("metadata", document(200, &json!(1), 100_000), false),
            ("metadata that fits", document(80, &json!(1), 100_000), true),
            ("values", document(9000, &large, 0), false),
            ("values that fit", document(7000, &large, 0), true),
        ] {
            let (status, body) = answer(&document, &Endpoint::Flags);
            assert_eq!(status, if fits { 200 } else { 400 }, "{name}");
            assert!(body.len() <= if fits { MAX_ANSWER_BYTES } else { 500 }, "{name}: {}", body.len());
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["errorCode"], if fits { json!(null) } else { json!("GENERAL") }, "{name}");
            let snapshot = Snapshot::compile(document.as_bytes()).unwrap();
            assert_eq!(size_warnings(&snapshot, None).len(), usize::from(!fits), "{name}");
            let (status, _) = answer(&document, &one("f7"));
            assert_eq!(status, 200, "{name}: one flag alone");
        }
    }

    #[test]
    fn no_answer_is_larger_than_was_foreseen() {
        let value = json!({ "é\u{7f}": ["\n", 1.5e300, null] });
        let document = document(50, &value, 10);
        let (_, body) = answer(&document, &Endpoint::Flags);
        let foreseen = largest_answer(&Snapshot::compile(document.as_bytes()).unwrap(), &VisibleFlags::All);
        assert!((body.len()..body.len() + 50 * AROUND_FLAG).contains(&foreseen), "{} {foreseen}", body.len());
    }

    #[test]
    fn an_answer_for_one_flag_that_is_too_large_is_an_error() {
        let document = document(1, &Value::from("v".repeat(MAX_ANSWER_BYTES)), 10);
        let (status, body) = answer(&document, &one("f0"));
        assert!(status == 400 && body.starts_with(r#"{"key":"f0","errorCode":"GENERAL""#), "{status} {body}");
        assert!(body.len() < 500);
    }

    #[test]
    fn an_error_goes_without_metadata_that_is_too_large() {
        let document = document(1, &json!(1), MAX_ANSWER_BYTES);
        let (status, body) = answer(&document, &one("none"));
        assert!(status == 404 && body.len() < 500, "{status}");
        assert_eq!(answer(&document, &one("f0")).0, 400);
    }

    #[test]
    fn the_flag_header_leaves_out_what_has_no_room() {
        let long = |length: usize| Value::from("v".repeat(length));
        let flag =
            |value: Value| json!({ "state": "ENABLED", "variants": { "v": value }, "defaultVariant": "v" });
        let document = json!({ "flags": {
            "a": flag(long(1000)), "b": flag(long(MAX_FLAG_HEADER_BYTES)), "c": flag(Value::from("é".repeat(600))),
            "d": flag(json!(true)), "e": flag(long(MAX_FLAG_HEADER_BYTES - 1016 - 8)), "f": flag(json!(1))
        } });
        let snapshot = Snapshot::compile(document.to_string().as_bytes()).unwrap();
        let mut out = String::new();
        let (context, mut scratch) = (Context::default(), Scratch::default());
        write_flag_header(&mut out, &snapshot, snapshot.flags(), &context, Timestamp(0), &mut scratch);
        let header: Value = serde_json::from_str(&out).unwrap();
        let keys: Vec<_> = header.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((keys, out.len()), (vec!["a", "d", "e"], MAX_FLAG_HEADER_BYTES));

        for (flags, warnings) in
            [(r#"["a", "d"]"#, 0), (r#"["a", "b"]"#, 1), (r#"["c", "none"]"#, 0), (r#"["c", "a"]"#, 1)]
        {
            let settings = format!(r#"{{ "flagHeader": {{ "flags": {flags} }} }}"#);
            let settings = Settings::parse(settings.as_bytes()).unwrap();
            assert_eq!(size_warnings(&snapshot, Some(&settings)).len(), warnings, "{flags}");
        }
    }
}
