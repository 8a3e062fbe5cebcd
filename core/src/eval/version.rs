//! flagd's `sem_ver`: Semantic Versioning 2.0.0, read leniently.
//!
//! One `v` or `V` in front is ignored, `1` and `1.2` are `1.0.0` and `1.2.0`, a number is its text, build metadata does
//! not count. What is no version, or an operator that does not exist, gives null.

use std::cmp::Ordering;

use super::operand::{Operand, Span, View};
use super::{Machine, Outcome};
use crate::rule::{NodeId, VersionOperator};
use crate::value::Attributes;

/// The largest number that ECMAScript's versions may hold; flagd's evaluators refuse larger ones.
const MOST_NUMBER: u64 = (1 << 53) - 1;

/// The longest version.
const MOST_BYTES: usize = 256;

/// A version, borrowing its pre-release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version<'t> {
    pub(crate) numbers: [u64; 3],
    pub(crate) pre_release: &'t str,
}

/// Reads a version.
pub(crate) fn parse(text: &str) -> Option<Version<'_>> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    if text.len() > MOST_BYTES {
        return None;
    }
    let (numbers, count, suffix) = numbers(text)?;
    if suffix.is_empty() {
        return Some(Version { numbers, pre_release: "" });
    }
    let (pre_release, build) =
        suffix.split_once('+').map_or((suffix, None), |(pre, build)| (pre, Some(build)));
    let pre_release = pre_release.strip_prefix('-');
    // Only a bare `1` or `1.2` is completed.
    if count < 3 || !build.is_none_or(|build| build.split('.').all(is_identifier)) {
        return None;
    }
    let is_pre = |part: &str| is_identifier(part) && (number(part).is_some() || !is_numeric(part));
    if !pre_release.is_none_or(|pre| pre.split('.').all(is_pre)) {
        return None;
    }
    Some(Version { numbers, pre_release: pre_release.unwrap_or_default() })
}

/// Up to three numbers between dots, how many there were, and what follows them from a `-` or `+` on.
fn numbers(text: &str) -> Option<([u64; 3], usize, &str)> {
    let mut numbers = [0u64; 3];
    let (mut count, mut digits) = (0, 0);
    for (position, byte) in text.bytes().enumerate() {
        let number = numbers.get_mut(count)?;
        match byte {
            b'0'..=b'9' if digits == 0 || *number > 0 => {
                *number = *number * 10 + u64::from(byte - b'0');
                digits += 1;
                if *number > MOST_NUMBER {
                    return None;
                }
            }
            b'.' if digits > 0 => (count, digits) = (count + 1, 0),
            b'-' | b'+' if digits > 0 => return Some((numbers, count + 1, text.get(position..)?)),
            _ => return None,
        }
    }
    (digits > 0).then_some((numbers, count + 1, ""))
}

/// A number without leading zeros.
fn number(text: &str) -> Option<u64> {
    if !is_numeric(text) || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok().filter(|number| *number <= MOST_NUMBER)
}

fn is_numeric(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

impl Version<'_> {
    /// Precedence, as Semantic Versioning's section 11 has it.
    fn order(&self, other: &Version<'_>) -> Ordering {
        let pre_release = || match (self.pre_release, other.pre_release) {
            (a, b) if a == b => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (a, b) => {
                let (mut a, mut b) = (a.split('.'), b.split('.'));
                loop {
                    match (a.next(), b.next()) {
                        (None, None) => return Ordering::Equal,
                        (None, Some(_)) => return Ordering::Less,
                        (Some(_), None) => return Ordering::Greater,
                        (Some(a), Some(b)) => match identifiers(a, b) {
                            Ordering::Equal => {}
                            order => return order,
                        },
                    }
                }
            }
        };
        self.numbers.cmp(&other.numbers).then_with(pre_release)
    }

    fn satisfies(&self, operator: VersionOperator, other: &Version<'_>) -> bool {
        let [major, minor, _] = self.numbers;
        let [other_major, other_minor, _] = other.numbers;
        match operator {
            VersionOperator::Equal => self.order(other).is_eq(),
            VersionOperator::NotEqual => self.order(other).is_ne(),
            VersionOperator::Less => self.order(other).is_lt(),
            VersionOperator::LessOrEqual => self.order(other).is_le(),
            VersionOperator::Greater => self.order(other).is_gt(),
            VersionOperator::GreaterOrEqual => self.order(other).is_ge(),
            VersionOperator::Caret => major == other_major,
            VersionOperator::Tilde => major == other_major && minor == other_minor,
        }
    }
}

/// Numbers below texts, numbers by value, texts by ASCII.
fn identifiers(a: &str, b: &str) -> Ordering {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// The operator that a document means.
pub(crate) fn parse_operator(text: &str) -> Option<VersionOperator> {
    Some(match text {
        "=" => VersionOperator::Equal,
        "!=" => VersionOperator::NotEqual,
        "<" => VersionOperator::Less,
        "<=" => VersionOperator::LessOrEqual,
        ">" => VersionOperator::Greater,
        ">=" => VersionOperator::GreaterOrEqual,
        "^" => VersionOperator::Caret,
        "~" => VersionOperator::Tilde,
        _ => return None,
    })
}

impl<'a, A: Attributes + ?Sized> Machine<'a, '_, A> {
    /// `sem_ver` with an operator and a version that the document states.
    pub(super) fn version(&mut self, version: NodeId, index: u32) -> Outcome<'a> {
        let value = match self.eval(version)? {
            value @ Operand::Text(_) => value,
            value => self.in_text(value)?,
        };
        let Some(test) = self.snapshot.rules.versions.get(index as usize) else { return Ok(Operand::Null) };
        let right = Version { numbers: test.numbers, pre_release: self.snapshot.text.get(test.pre_release) };
        Ok(match self.view(&value) {
            View::Text(text) => parse(text).map(|left| left.satisfies(test.operator, &right)),
            View::Number(number) => {
                parse(ryu_js::Buffer::new().format(number)).map(|left| left.satisfies(test.operator, &right))
            }
            _ => None,
        }
        .map_or(Operand::Null, Operand::Bool))
    }

    /// `sem_ver` with everything evaluated.
    pub(super) fn sem_ver(&mut self, values: Span) -> Outcome<'a> {
        let [left, operator, right] = *values.of(&self.items) else { return Ok(Operand::Null) };
        let (left, right) = (self.in_text(left)?, self.in_text(right)?);
        let View::Text(operator) = self.view(&operator) else { return Ok(Operand::Null) };
        Ok(match parse_operator(operator) {
            Some(operator) => self.versions(self.view(&left), operator, self.view(&right)),
            None => Operand::Null,
        })
    }

    fn versions(&self, left: View<'_>, operator: VersionOperator, right: View<'_>) -> Operand<'a> {
        let (mut left_number, mut right_number) = (ryu_js::Buffer::new(), ryu_js::Buffer::new());
        let text = |view, number| match view {
            View::Text(text) => parse(text),
            View::Number(value) => parse(ryu_js::Buffer::format(number, value)),
            _ => None,
        };
        match (text(left, &mut left_number), text(right, &mut right_number)) {
            (Some(left), Some(right)) => Operand::Bool(left.satisfies(operator, &right)),
            _ => Operand::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_leniently_but_not_guessed() {
        for (text, numbers) in [
            ("1.2.3", [1, 2, 3]),
            ("v1.2.3", [1, 2, 3]),
            ("V1", [1, 0, 0]),
            ("1.2", [1, 2, 0]),
            ("1.2.3-rc.1+build.05", [1, 2, 3]),
            ("1.2.3+b", [1, 2, 3]),
        ] {
            assert_eq!(parse(text).map(|version| version.numbers), Some(numbers), "{text}");
        }
        for text in [
            "",
            "v",
            "1.",
            ".1",
            "1.2.3.4",
            "01.2.3",
            "1.2-rc",
            "1-rc",
            "1.2.3-",
            "1.2.3-01",
            "1.2.3-a..b",
            "1.2.3+",
            "a.b.c",
            "-1.0.0",
            "9007199254740992.0.0",
            "1.2.3 ",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    /// The chain of precedence that Semantic Versioning's section 11 gives.
    #[test]
    fn precedence_is_that_of_the_specification() {
        let chain = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.10.0",
            "2.0.0",
        ];
        for (i, a) in chain.iter().enumerate() {
            for (j, b) in chain.iter().enumerate() {
                assert_eq!(parse(a).unwrap().order(&parse(b).unwrap()), i.cmp(&j), "{a} {b}");
            }
        }
    }
}
