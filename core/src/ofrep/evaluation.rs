//! Evaluations as JSON: the response object, and the header that carries flags upstream.

use std::fmt::Write as _;

use crate::flag::{Evaluation, FlagId, Reason};
use crate::snapshot::Snapshot;
use crate::value::Attributes;
use crate::{Scratch, Timestamp};

/// Writes the OFREP 0.3.0 response object of an evaluation of `key` to `out`: key, reason, value, variant and metadata,
/// or key, errorCode, errorDetails and metadata.
pub fn write_evaluation(out: &mut String, snapshot: &Snapshot, key: &str, evaluation: &Evaluation) {
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
    if let Some(metadata) = snapshot.metadata(evaluation.flag) {
        out.push_str(",\"metadata\":");
        out.push_str(metadata);
    }
    out.push('}');
}

/// Writes the values of `flags` by key as one JSON object in ASCII, fit for a header. Flags without a value (disabled,
/// in error, without default) are left out: the upstream's own default holds.
pub fn write_flag_header<A: Attributes + ?Sized>(
    out: &mut String,
    snapshot: &Snapshot,
    flags: impl IntoIterator<Item = FlagId>,
    attributes: &A,
    now: Timestamp,
    scratch: &mut Scratch,
) {
    out.push('{');
    let empty = out.len();
    for flag in flags {
        let evaluation = snapshot.evaluate_flag(flag, attributes, now, scratch);
        let Some(variant) = evaluation.variant.filter(|_| evaluation.reason != Reason::Error) else {
            continue;
        };
        if out.len() > empty {
            out.push(',');
        }
        let start = out.len();
        write_string(out, snapshot.key(flag));
        out.push(':');
        out.push_str(snapshot.variant(variant).json);
        escape_non_ascii(out, start);
    }
    out.push('}');
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
