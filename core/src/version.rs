//! Versions of documents and their order: what keeps an old document, however well signed, from coming back.
//!
//! A version is whatever text its author likes (`2026-11-20.3`, `v10`, a build number), so the order is the natural one:
//! runs of ASCII digits compare as numbers of any length, what lies between them byte by byte, and of two versions of
//! which one begins with the other the longer one is newer. It is not SemVer's order: `1.2-rc1` is newer than `1.2`.

use std::cmp::Ordering;

use serde_json::Value;

use crate::json::{Entries, read};

/// Whether `version` is older than `than`, in natural order.
pub fn is_older(version: &str, than: &str) -> bool {
    compare(version.as_bytes(), than.as_bytes()) == Ordering::Less
}

/// Equal are texts that differ in leading zeros alone, so this is no `Ord`.
fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let ((left, rest_of_a), (right, rest_of_b)) = (first_run(a), first_run(b));
        let both = left.first().zip(right.first());
        let order = match both {
            Some((a, b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let (left, right) = (without_zeros(left), without_zeros(right));
                left.len().cmp(&right.len()).then_with(|| left.cmp(right))
            }
            _ => left.cmp(right),
        };
        if order.is_ne() || both.is_none() {
            return order;
        }
        (a, b) = (rest_of_a, rest_of_b);
    }
}

/// The longest beginning that is all digits or all other bytes.
fn first_run(text: &[u8]) -> (&[u8], &[u8]) {
    let digits = text.first().is_some_and(u8::is_ascii_digit);
    let length = text.iter().take_while(|byte| byte.is_ascii_digit() == digits).count();
    text.split_at_checked(length).unwrap_or((text, b""))
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

/// The `metadata.version` of a document, as [`Snapshot::version`](crate::Snapshot::version) has it once the document is
/// compiled. None as well for a document that does not compile, which compiling refuses with better reasons.
pub fn document_version(document: &[u8]) -> Option<String> {
    let Entries::Map(members) = read(std::str::from_utf8(document).ok()?).ok()? else { return None };
    // The last one counts, as in every JSON parser.
    let (_, metadata) = members.into_iter().rev().find(|(key, _)| key == "metadata")?;
    let metadata: Value = read(metadata.get()).ok()?;
    of_metadata(metadata.as_object()?)
}

/// The version in a document's metadata: a string, or a number as its text.
pub(crate) fn of_metadata(metadata: &serde_json::Map<String, Value>) -> Option<String> {
    match metadata.get("version")? {
        Value::String(version) => Some(version.clone()),
        Value::Number(version) => Some(version.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Snapshot;

    #[test]
    fn numbers_count_as_numbers_and_longer_is_newer() {
        let ascending = [
            "",
            "1",
            "1.2",
            "1.2-rc1",
            "1.2.1",
            "1.10",
            "2",
            "2026-11-20.3",
            "2026-11-20.12",
            "2026-12-1",
            "99999999999999999999999999",
            "100000000000000000000000000",
            "a",
            "a1",
            "a1b",
            "a2",
            "a10",
            "ab",
            "v9",
            "v10",
            "é",
        ];
        for (older, newer) in ascending.iter().zip(ascending.iter().skip(1)) {
            assert!(is_older(older, newer) && !is_older(newer, older), "{older} before {newer}");
        }
        for (a, b) in [("1.2", "1.02"), ("0", "000"), ("v1", "v1")] {
            assert!(!is_older(a, b) && !is_older(b, a), "{a} equals {b}");
        }
    }

    #[test]
    fn the_version_is_the_one_that_compiling_finds() {
        for (metadata, version) in [
            (r#""metadata": { "version": "2026-11-20.3" },"#, Some("2026-11-20.3")),
            (r#""metadata": { "version": 7 },"#, Some("7")),
            (r#""metadata": { "version": true },"#, None),
            (r#""metadata": { "version": "1" }, "metadata": { "version": "1", "version": "2" },"#, Some("2")),
            ("", None),
        ] {
            let document = format!(r#"{{ {metadata} "flags": {{}} }}"#);
            assert_eq!(document_version(document.as_bytes()).as_deref(), version, "{document}");
            assert_eq!(Snapshot::compile(document.as_bytes()).unwrap().version(), version, "{document}");
        }
        for broken in ["", "{", "[1]", "{ \"metadata\": 5 }"] {
            assert_eq!(document_version(broken.as_bytes()), None);
        }
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[0-2a.-]{0,6}", b in "[0-2a.-]{0,6}", c in "[0-2a.-]{0,6}") {
            let order = |a: &str, b: &str| compare(a.as_bytes(), b.as_bytes());
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
            if order(&a, &b).is_le() && order(&b, &c).is_le() {
                prop_assert!(order(&a, &c).is_le());
            }
        }
    }
}
