//! Evaluations as JSON: the response object, and the header that carries flags upstream.

use std::fmt::Write as _;

use super::MAX_FLAG_HEADER_BYTES;

use crate::flag::{Evaluation, FlagId, Reason};
use crate::metadata::Metadata;
use crate::snapshot::Snapshot;
use crate::value::Attributes;
use crate::{Scratch, Timestamp};

/// Writes the OFREP 0.3.0 response object of an evaluation of `key` to `out`: key, reason, value, variant and metadata,
/// or key, errorCode, errorDetails and metadata.
pub fn write_evaluation(out: &mut String, snapshot: &Snapshot, key: &str, evaluation: &Evaluation) {
    write_with(out, snapshot, key, evaluation, snapshot.metadata(evaluation.flag));
}

/// Writes as [`write_evaluation`] does, but nothing if `out` would be longer than `most` bytes then. Whether it wrote. An
/// error goes without its metadata where only that is too long.
pub(super) fn write_within(
    out: &mut String,
    most: usize,
    snapshot: &Snapshot,
    key: &str,
    evaluation: &Evaluation,
) -> bool {
    let start = out.len();
    let value = evaluation.variant.map_or(0, |variant| snapshot.variant(variant).json.len());
    let mut metadata = snapshot.metadata(evaluation.flag);
    let has_room = |metadata: Option<Metadata<'_>>| {
        let metadata = metadata.map_or(0, Metadata::size);
        start.saturating_add(key.len()).saturating_add(value).saturating_add(metadata) <= most
    };
    if evaluation.error.is_some() && !has_room(metadata) {
        metadata = None;
    }
    // Nothing is written that is known to be too long; what escapes and names add shows afterwards.
    if has_room(metadata) {
        write_with(out, snapshot, key, evaluation, metadata);
    }
    let fits = out.len() > start && out.len() <= most;
    if !fits {
        out.truncate(start);
    }
    fits
}

fn write_with(
    out: &mut String,
    snapshot: &Snapshot,
    key: &str,
    evaluation: &Evaluation,
    metadata: Option<Metadata<'_>>,
) {
    out.push_str("{\"key\":");
    write_string(out, key);
    match evaluation.error {
        Some(error) => {
            out.push_str(",\"errorCode\":\"");
            out.push_str(error.code());
            out.push_str("\",\"errorDetails\":");
            write_string(out, &snapshot.error_message(evaluation, key).to_string());
        }
        None => {
            out.push_str(",\"reason\":\"");
            out.push_str(evaluation.reason.as_str());
            out.push('"');
            if let Some(variant) = evaluation.variant {
                let variant = snapshot.variant(variant);
                out.push_str(",\"value\":");
                out.push_str(variant.json);
                out.push_str(",\"variant\":");
                write_string(out, variant.name);
            }
        }
    }
    if let Some(metadata) = metadata {
        out.push_str(",\"metadata\":");
        metadata.write(out);
    }
    out.push('}');
}

/// Writes the values of `flags` by key as one JSON object in ASCII, fit for a header. Flags without a value (disabled,
/// in error, without default) are left out: the upstream's own default holds. So are those for which there is no room
/// left within [`MAX_FLAG_HEADER_BYTES`]; a later one that is shorter may still find some.
pub fn write_flag_header<A: Attributes + ?Sized>(
    out: &mut String,
    snapshot: &Snapshot,
    flags: impl IntoIterator<Item = FlagId>,
    attributes: &A,
    now: Timestamp,
    scratch: &mut Scratch,
) {
    let begin = out.len();
    out.push('{');
    for flag in flags {
        let evaluation = snapshot.evaluate_flag(flag, attributes, now, scratch);
        let Some(variant) = evaluation.variant.filter(|_| evaluation.reason != Reason::Error) else {
            continue;
        };
        write_member(out, begin, snapshot.key(flag), snapshot.variant(variant).json);
    }
    out.push('}');
}

/// Adds a member to the object that begins at `begin`, if the flag header has room for it.
fn write_member(out: &mut String, begin: usize, key: &str, value: &str) {
    let (start, most) = (out.len(), begin.saturating_add(MAX_FLAG_HEADER_BYTES));
    if start.saturating_add(key.len()).saturating_add(value.len()) > most {
        return;
    }
    if start > begin + 1 {
        out.push(',');
    }
    write_string(out, key);
    out.push(':');
    out.push_str(value);
    escape_non_ascii(out, start);
    // The closing brace follows.
    if out.len() >= most {
        out.truncate(start);
    }
}

pub(super) fn write_string(out: &mut String, text: &str) {
    // Nearly every key and variant stands for itself.
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
        return;
    }
    // Writing a string to a string cannot fail.
    let _ = write!(out, "{}", serde_json::Value::from(text));
}

/// Replaces what is not ASCII, and DEL, from `start` on by JSON escapes. Outside of strings, JSON is ASCII.
fn escape_non_ascii(out: &mut String, start: usize) {
    if out.get(start..).is_none_or(|tail| tail.bytes().all(|byte| byte < 0x7f)) {
        return;
    }
    let tail = out.split_off(start);
    for c in tail.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Context;

    const DOCUMENT: &[u8] = r#"{ "metadata": { "set": 1, "owner": "set" }, "flags": {
        "big": { "state": "ENABLED", "variants": { "v": { "n": 12345678901234567890, "t": "é😀" } },
                 "defaultVariant": "v", "metadata": { "owner": "flag" } },
        "thème": { "state": "ENABLED", "variants": { "dark": "d\"\u007fk" }, "defaultVariant": "dark" },
        "off": { "state": "DISABLED", "variants": { "v": 1 }, "defaultVariant": "v" },
        "bad": { "state": "ENABLED", "variants": { "v": 1 }, "targeting": { "no_such": [] } }
    } }"#
        .as_bytes();

    fn evaluate(key: &str) -> String {
        let snapshot = Snapshot::compile(DOCUMENT).unwrap();
        let context = Context::new(serde_json::Value::Null);
        let evaluation = snapshot.evaluate(key, &context, Timestamp(0), &mut Scratch::default());
        let mut out = String::new();
        write_evaluation(&mut out, &snapshot, key, &evaluation);
        out
    }

    #[test]
    fn values_keep_every_digit_and_the_flags_metadata_wins() {
        assert_eq!(
            evaluate("big"),
            r#"{"key":"big","reason":"STATIC","value":{"n":12345678901234567890,"t":"é😀"},"variant":"v","metadata":{"set":1,"owner":"flag"}}"#
        );
    }

    #[test]
    fn disabled_flags_have_neither_value_nor_variant() {
        assert_eq!(
            evaluate("off"),
            r#"{"key":"off","reason":"DISABLED","metadata":{"set":1,"owner":"set"}}"#
        );
    }

    #[test]
    fn errors_say_what_and_where() {
        let broken = evaluate("bad");
        assert!(broken.contains(r#""errorCode":"PARSE_ERROR""#), "{broken}");
        assert!(broken.contains("$.flags.bad.targeting: `no_such` is no operator"), "{broken}");
        assert!(evaluate("none").contains(r#""errorCode":"FLAG_NOT_FOUND""#));
    }

    #[test]
    fn the_header_is_ascii_and_leaves_out_what_has_no_value() {
        let snapshot = Snapshot::compile(DOCUMENT).unwrap();
        let context = Context::new(serde_json::Value::Null);
        let mut out = String::new();
        let (now, mut scratch) = (Timestamp(0), Scratch::default());
        write_flag_header(&mut out, &snapshot, snapshot.flags(), &context, now, &mut scratch);
        assert_eq!(
            out,
            r#"{"big":{"n":12345678901234567890,"t":"\u00e9\ud83d\ude00"},"th\u00e8me":"d\"\u007fk"}"#
        );
    }
}
