//! One level of a JSON text, member by member and with pauses, for documents that are too long to be read in one go.
//!
//! It finds where members begin and end and no more: brackets, quotes and commas. What is between is for `serde_json`,
//! which every member must pass afterwards. A text that this calls broken is no JSON; one that it passes may still be
//! none.

use std::ops::Range;

/// A member of an object, or an item of an array, by its bytes in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// The key with its quotes; none in an array.
    pub(crate) key: Option<Range<usize>>,
    pub(crate) value: Range<usize>,
}

/// What a step of a scan found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Member(Member),
    /// The budget is used up.
    Pause,
    /// The level's closing bracket; it ends before this byte.
    End(usize),
    /// This is no JSON.
    Broken,
}

/// A scan of one level under way.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    at: usize,
    closing: u8,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Before the opening bracket.
    Open,
    /// After the opening bracket, or after a comma.
    Entry { first: bool },
    /// In a value.
    Value(Value),
    /// After a value.
    After,
}

/// A value that is being skipped.
#[derive(Clone, Debug)]
struct Value {
    key: Option<Range<usize>>,
    start: usize,
    /// How many brackets are open.
    depth: usize,
    in_text: bool,
}

impl Scan {
    /// A scan of the object or array that begins at `start`, perhaps after spaces.
    pub(crate) fn at(start: usize) -> Self {
        Self { at: start, closing: 0, state: State::Open }
    }

    /// The next member. Bytes that are looked at come off the budget.
    pub(crate) fn step(&mut self, text: &str, budget: &mut usize) -> Found {
        let bytes = text.as_bytes();
        loop {
            match &mut self.state {
                State::Open => {
                    self.closing = match self.next_byte(bytes) {
                        Some(b'{') => b'}',
                        Some(b'[') => b']',
                        _ => return Found::Broken,
                    };
                    self.state = State::Entry { first: true };
                }
                State::Entry { first } => {
                    let first = *first;
                    let key = match (self.next_byte(bytes), self.closing) {
                        (Some(byte), closing) if byte == closing && first => return Found::End(self.at),
                        (Some(b'"'), b'}') => {
                            let start = self.at - 1;
                            let Some(end) = end_of_text(bytes, self.at) else { return Found::Broken };
                            *budget = budget.saturating_sub(end - start);
                            self.at = end;
                            if self.next_byte(bytes) != Some(b':') {
                                return Found::Broken;
                            }
                            Some(start..end)
                        }
                        (Some(_), b']') => {
                            self.at -= 1;
                            None
                        }
                        _ => return Found::Broken,
                    };
                    self.skip_spaces(bytes);
                    let start = self.at;
                    self.state = State::Value(Value { key, start, depth: 0, in_text: false });
                }
                State::Value(value) => {
                    let from = self.at;
                    let limit = from.saturating_add(*budget).min(bytes.len());
                    let done = skip(bytes, &mut self.at, limit, value);
                    *budget = budget.saturating_sub(self.at - from);
                    match done {
                        Some(true) => {
                            let member = Member { key: value.key.take(), value: value.start..self.at };
                            self.state = State::After;
                            return Found::Member(member);
                        }
                        Some(false) if self.at >= bytes.len() => return Found::Broken,
                        Some(false) => return Found::Pause,
                        None => return Found::Broken,
                    }
                }
                State::After => match self.next_byte(bytes) {
                    Some(b',') => self.state = State::Entry { first: false },
                    Some(byte) if byte == self.closing => return Found::End(self.at),
                    _ => return Found::Broken,
                },
            }
        }
    }

    fn skip_spaces(&mut self, bytes: &[u8]) {
        let rest = bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| is_space(**byte)).count();
    }

    /// Takes the next byte that is no space.
    fn next_byte(&mut self, bytes: &[u8]) -> Option<u8> {
        self.skip_spaces(bytes);
        let byte = bytes.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// The byte after the quote that ends the text around `at`.
fn end_of_text(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Skips a value up to `limit`, or a byte beyond: whether it ended. None where no value can be.
fn skip(bytes: &[u8], at: &mut usize, limit: usize, value: &mut Value) -> Option<bool> {
    while *at < limit {
        let byte = *bytes.get(*at)?;
        if value.in_text {
            match byte {
                b'\\' => *at += 1,
                b'"' => {
                    value.in_text = false;
                    if value.depth == 0 {
                        *at += 1;
                        return Some(true);
                    }
                }
                _ => {}
            }
        } else {
            match byte {
                b'"' if value.depth > 0 || *at == value.start => value.in_text = true,
                b'{' | b'[' if value.depth > 0 || *at == value.start => value.depth += 1,
                b'}' | b']' if value.depth > 0 => {
                    value.depth -= 1;
                    if value.depth == 0 {
                        *at += 1;
                        return Some(true);
                    }
                }
                // A number, or one of the three words, ends where something else begins.
                b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' if value.depth == 0 => {
                    return (*at > value.start).then_some(true);
                }
                b'"' | b'{' | b'[' | b':' if value.depth == 0 => return None,
                _ => {}
            }
        }
        *at += 1;
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str, slice: usize) -> Result<Vec<(String, String)>, usize> {
        let mut scan = Scan::at(0);
        let mut members = Vec::new();
        let show = |range: Range<usize>| text[range].to_owned();
        for _ in 0..10 * text.len() + 10 {
            let mut budget = slice;
            match scan.step(text, &mut budget) {
                Found::Member(Member { key, value }) => {
                    members.push((key.map(show).unwrap_or_default(), show(value)));
                }
                Found::Pause => {}
                Found::End(end) => {
                    let bracket = if text.trim_start().starts_with('{') { "}" } else { "]" };
                    assert_eq!(&text[end - 1..end], bracket);
                    return Ok(members);
                }
                Found::Broken => return Err(members.len()),
            }
        }
        panic!("a scan of {text} does not end");
    }

    #[test]
    fn members_are_found_whatever_the_slices() {
        let text = r#" { "a" : {"x":["}",{"\"]":"\\"}]} ,"\"é\\": -1.5e3,"":"t\"\\" , "n":null }"#;
        let expected = [
            (r#""a""#, r#"{"x":["}",{"\"]":"\\"}]}"#),
            (r#""\"é\\""#, "-1.5e3"),
            (r#""""#, r#""t\"\\""#),
            (r#""n""#, "null"),
        ];
        let expected: Vec<_> = expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        for slice in [1, 2, 3, 7, 1000] {
            assert_eq!(scan(text, slice).as_ref(), Ok(&expected), "in slices of {slice}");
        }
        let items = scan("[1,\"a\" , [2 ]]", 1).unwrap();
        assert_eq!(items.iter().map(|(_, item)| item.as_str()).collect::<Vec<_>>(), ["1", "\"a\"", "[2 ]"]);
        assert_eq!(scan("{ }", 1), Ok(vec![]));
        assert_eq!(scan("[]", 1), Ok(vec![]));
    }

    #[test]
    fn what_is_no_level_is_broken() {
        for text in [
            "",
            " ",
            "1",
            "{",
            "[",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\" 1}",
            "{a:1}",
            "{\"a\":1,}",
            "[1,]",
            "[,1]",
            "{,}",
            "[1 2]",
            "[\"a]",
            "[\"a\\\"]",
            "{\"a\":}",
            "{\"a\":1]",
            "[[1]",
            "{\"a\":1\"b\":2}",
            "[1\"a\"]",
            "[1{}]",
            "[a:1]",
        ] {
            for slice in [1, 1000] {
                assert!(scan(text, slice).is_err(), "{text}");
            }
        }
    }
}
