//! Truth, equality and order of values that may be of different types: ECMAScript's rules, as JsonLogic has them.

use std::cmp::Ordering;

use super::operand::{Operand, View};
use super::{Fault, Machine};
use crate::rule::Comparison;
use crate::text::equal;
use crate::value::Attributes;

/// JsonLogic's truth: empty arrays and empty objects are false as well as what ECMAScript calls falsy.
pub(crate) fn truthy(value: View<'_>) -> bool {
    match value {
        View::Null => false,
        View::Bool(value) => value,
        View::Number(number) => number != 0.0 && !number.is_nan(),
        View::Text(text) => !text.is_empty(),
        View::Array(items) => !items.is_empty(),
        View::List(items) => !items.is_empty(),
        View::Object(members) => !members.is_empty(),
    }
}

/// ECMAScript's `===`; arrays and objects equal nothing, since each is another one.
fn same(a: View<'_>, b: View<'_>) -> bool {
    match (a, b) {
        (View::Null, View::Null) => true,
        (View::Bool(a), View::Bool(b)) => a == b,
        (View::Number(a), View::Number(b)) => a == b,
        (View::Text(a), View::Text(b)) => a == b,
        _ => false,
    }
}

/// Compares two values. Unlike ECMAScript, JsonLogic fails on what is not comparable instead of answering false.
pub(crate) fn compare(comparison: Comparison, a: View<'_>, b: View<'_>) -> Result<bool, Fault> {
    match comparison {
        Comparison::StrictEqual => return Ok(same(a, b)),
        Comparison::StrictNotEqual => return Ok(!same(a, b)),
        _ => {}
    }
    let order = match (a, b) {
        (View::Text(a), View::Text(b)) => {
            if matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
                return Ok((a == b) == (comparison == Comparison::Equal));
            }
            Some(by_utf16(a, b))
        }
        (View::Null, View::Null) => Some(Ordering::Equal),
        // Null is unequal to every string, and otherwise compares as 0.
        (View::Null, View::Text(text)) => null_and(comparison, text),
        (View::Text(text), View::Null) => null_and(comparison, text).map(Ordering::reverse),
        _ => numeric(a)?.partial_cmp(&numeric(b)?),
    };
    Ok(ordered(comparison, order))
}

/// What a comparison makes of an order.
#[inline]
pub(super) fn ordered(comparison: Comparison, order: Option<Ordering>) -> bool {
    match comparison {
        Comparison::Equal | Comparison::StrictEqual => order == Some(Ordering::Equal),
        Comparison::NotEqual | Comparison::StrictNotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

fn null_and(comparison: Comparison, text: &str) -> Option<Ordering> {
    match comparison {
        Comparison::Equal | Comparison::NotEqual => None,
        _ => 0.0f64.partial_cmp(&text_to_number(text)),
    }
}

/// ECMAScript orders strings by UTF-16 code units, which differs from UTF-8's order above U+FFFF.
fn by_utf16(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// A value as a number; an error where it is none.
pub(super) fn numeric(value: View<'_>) -> Result<f64, Fault> {
    let number = match value {
        View::Null => 0.0,
        View::Bool(value) => f64::from(u8::from(value)),
        View::Number(number) => number,
        View::Text(text) => text_to_number(text),
        View::Array(_) | View::Object(_) | View::List(_) => return Err(Fault::NotANumber),
    };
    if number.is_nan() { Err(Fault::NotANumber) } else { Ok(number) }
}

/// ECMAScript's `Number(text)`: spaces around are ignored, an empty text is 0, `0x`, `0o` and `0b` are understood.
pub(super) fn text_to_number(text: &str) -> f64 {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let prefixed = |radix, digits: &str| {
        let valid = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
        if valid {
            digits.chars().fold(0.0, |sum, d| sum * f64::from(radix) + digit(d, radix))
        } else {
            f64::NAN
        }
    };
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.get(1).map(u8::to_ascii_lowercase)) {
        (None, _) => 0.0,
        (Some(b'0'), Some(b'x')) => prefixed(16, text.get(2..).unwrap_or_default()),
        (Some(b'0'), Some(b'o')) => prefixed(8, text.get(2..).unwrap_or_default()),
        (Some(b'0'), Some(b'b')) => prefixed(2, text.get(2..).unwrap_or_default()),
        _ => match text {
            "Infinity" | "+Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            // Rust also reads `inf`, `nan` and `infinity`; ECMAScript reads digits only.
            _ if bytes
                .iter()
                .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')) =>
            {
                text.parse().unwrap_or(f64::NAN)
            }
            _ => f64::NAN,
        },
    }
}

fn digit(digit: char, radix: u32) -> f64 {
    f64::from(digit.to_digit(radix).unwrap_or(0))
}

/// The longest needle that is looked for byte by byte; the standard library's search takes longer to prepare than such a
/// one to find, but for longer ones its time does not grow with the product of both lengths.
const SHORT_NEEDLE: usize = 16;

/// Whether a text is part of another. An empty one has no parts, not even an empty one: it is falsy, and what is falsy
/// counts as an empty list.
#[inline]
pub(super) fn text_contains(haystack: &str, needle: &str) -> bool {
    match needle.as_bytes() {
        [] => !haystack.is_empty(),
        bytes @ [first, ..] if bytes.len() <= SHORT_NEEDLE => {
            let mut parts = haystack.as_bytes().windows(bytes.len());
            parts.any(|part| part.first() == Some(first) && equal(part, bytes))
        }
        _ => haystack.contains(needle),
    }
}

/// ECMAScript's `includes`: of a string, a part; of an array, an item of the same type and value.
pub(super) fn contains<'a, A: Attributes + ?Sized>(
    machine: &Machine<'a, '_, A>,
    needle: &Operand<'a>,
    haystack: &Operand<'a>,
) -> Result<bool, Fault> {
    let is_needle = |item: View<'_>| {
        let needle = machine.view(needle);
        same(needle, item)
            || matches!((needle, item), (View::Number(a), View::Number(b)) if a.is_nan() && b.is_nan())
    };
    match machine.view(haystack) {
        View::Text(haystack) => {
            let contains = |needle: &str| text_contains(haystack, needle);
            Ok(match machine.view(needle) {
                View::Null => contains("null"),
                _ => machine.with_name(*needle, contains).unwrap_or(false),
            })
        }
        View::Array(items) => Ok(items.iter().any(|item| is_needle(View::from(item)))),
        View::List(items) => Ok(items.iter().any(|item| is_needle(machine.view(item)))),
        other if !truthy(other) && !matches!(other, View::Object(_)) => Ok(false),
        _ => Err(Fault::NotAList),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_numbers_as_in_ecmascript() {
        for (text, number) in [
            ("", 0.0),
            (" 12\n", 12.0),
            ("0x1F", 31.0),
            ("0b101", 5.0),
            ("1e3", 1000.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("+1", 1.0),
            ("-Infinity", f64::NEG_INFINITY),
        ] {
            assert_eq!(text_to_number(text), number, "{text:?}");
        }
        for text in ["abc", "1 2", "0x", "0xg", "inf", "nan", "1_000", "e", "--1"] {
            assert!(text_to_number(text).is_nan(), "{text:?}");
        }
    }

    #[test]
    fn order_of_strings_is_that_of_utf16() {
        assert_eq!(by_utf16("\u{ff5e}", "\u{1f600}"), Ordering::Greater);
        assert_eq!(by_utf16("Ab", "ab"), Ordering::Less);
    }
}
