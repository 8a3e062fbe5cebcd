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

/// Compares two values, as ECMAScript does but for lists and objects, which are no numbers (as in flagd's Go). It never
/// fails: what is no number is unequal to everything, and neither less nor more than anything.
pub(crate) fn compare(comparison: Comparison, a: View<'_>, b: View<'_>) -> bool {
    let equality = match comparison {
        Comparison::StrictEqual => return same(a, b),
        Comparison::StrictNotEqual => return !same(a, b),
        Comparison::Equal | Comparison::NotEqual => true,
        _ => false,
    };
    let order = match (a, b) {
        // Null equals null alone; in order it is 0.
        (View::Null, View::Null) => Some(Ordering::Equal),
        (View::Null, _) | (_, View::Null) if equality => None,
        (View::Text(a), View::Text(b)) if equality => (a == b).then_some(Ordering::Equal),
        (View::Text(a), View::Text(b)) => Some(by_utf16(a, b)),
        _ => number(a).partial_cmp(&number(b)),
    };
    ordered(comparison, order)
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

/// ECMAScript orders strings by UTF-16 code units, which differs from UTF-8's order above U+FFFF.
fn by_utf16(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// A value as a number; NaN where it is none.
fn number(value: View<'_>) -> f64 {
    match value {
        View::Null => 0.0,
        View::Bool(value) => f64::from(u8::from(value)),
        View::Number(number) => number,
        View::Text(text) => text_to_number(text),
        View::Array(_) | View::Object(_) | View::List(_) => f64::NAN,
    }
}

/// A value to calculate with: a text that is no number counts as 0, as in flagd's Go; a list or an object is an error.
pub(super) fn numeric(value: View<'_>) -> Result<f64, Fault> {
    match value {
        View::Text(text) => Some(text_to_number(text)).filter(|number| !number.is_nan()).map_or(Ok(0.0), Ok),
        View::Array(_) | View::Object(_) | View::List(_) => Err(Fault::NotANumber),
        value => Ok(number(value)),
    }
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

/// ECMAScript's `includes`: of a string, a part; of an array, an item of the same type and value; of anything else none.
pub(super) fn contains<'a, A: Attributes + ?Sized>(
    machine: &Machine<'a, '_, A>,
    needle: &Operand<'a>,
    haystack: &Operand<'a>,
) -> bool {
    let is_needle = |item: View<'_>| {
        let needle = machine.view(needle);
        same(needle, item)
            || matches!((needle, item), (View::Number(a), View::Number(b)) if a.is_nan() && b.is_nan())
    };
    match machine.view(haystack) {
        View::Text(haystack) => {
            let contains = |needle: &str| text_contains(haystack, needle);
            match machine.view(needle) {
                View::Null => contains("null"),
                _ => machine.with_name(*needle, contains).unwrap_or(false),
            }
        }
        View::Array(items) => items.iter().any(|item| is_needle(View::from(item))),
        View::List(items) => items.iter().any(|item| is_needle(machine.view(item))),
        // As in flagd's Go: nothing is in what holds nothing.
        _ => false,
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
    fn what_is_no_number_equals_nothing_and_has_no_order() {
        use Comparison as C;
        let (list, object) = ([serde_json::Value::from(1)], serde_json::Map::new());
        let nothing = [View::Text("abc"), View::Number(f64::NAN), View::Array(&list), View::Object(&object)];
        let others = [
            View::Null,
            View::Bool(true),
            View::Number(1.0),
            View::Text("1"),
            View::Array(&[]),
            View::Object(&object),
        ];
        for (a, b) in nothing.iter().flat_map(|a| others.iter().map(move |b| (*a, *b))) {
            for comparison in
                [C::Equal, C::Less, C::LessOrEqual, C::Greater, C::GreaterOrEqual, C::StrictEqual]
            {
                if !matches!(
                    (a, b, comparison),
                    (View::Text(_), View::Text(_), C::Greater | C::GreaterOrEqual)
                ) {
                    assert!(!compare(comparison, a, b), "{a:?} {comparison:?} {b:?}");
                    let turned = matches!(
                        (a, b, comparison),
                        (View::Text(_), View::Text(_), C::Less | C::LessOrEqual)
                    );
                    assert!(turned || !compare(comparison, b, a), "{b:?} {comparison:?} {a:?}");
                }
            }
            assert!(compare(C::NotEqual, a, b) && compare(C::StrictNotEqual, b, a), "{a:?} {b:?}");
        }
    }

    #[test]
    fn order_of_strings_is_that_of_utf16() {
        assert_eq!(by_utf16("\u{ff5e}", "\u{1f600}"), Ordering::Greater);
        assert_eq!(by_utf16("Ab", "ab"), Ordering::Less);
    }
}
