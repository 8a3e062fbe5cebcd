//! A dictionary of Structured Fields (RFC 9651, section 4.2.2) as far as signatures need it: its members that are byte
//! sequences. Members of other kinds, inner lists and parameters are read and passed over, as the RFC wants it of what a
//! reader does not know; text that is no dictionary is none as a whole.

use super::plain_base64 as base64;

/// The byte sequences of a dictionary by key, in order. Of a key that stands twice, the last one counts.
pub(super) fn byte_sequences(text: &[u8]) -> Option<Vec<(&str, Vec<u8>)>> {
    let mut rest = Reader(text);
    let mut members: Vec<(&str, Vec<u8>)> = Vec::new();
    rest.skip(|byte| byte == b' ');
    while !rest.0.is_empty() {
        let key = rest.key()?;
        let value = if rest.eat(b'=') { rest.member()? } else { None };
        rest.parameters()?;
        members.retain(|(known, _)| *known != key);
        members.extend(value.map(|value| (key, value)));
        rest.skip(is_blank);
        if rest.0.is_empty() {
            break;
        }
        if !rest.eat(b',') {
            return None;
        }
        rest.skip(is_blank);
        if rest.0.is_empty() {
            return None;
        }
    }
    Some(members)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What has not been read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.next();
        }
        found
    }

    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.0.iter().take_while(|byte| wanted(**byte)).count();
        let (taken, rest) = self.0.split_at_checked(length).unwrap_or((self.0, b""));
        self.0 = rest;
        taken
    }

    fn skip(&mut self, unwanted: impl Fn(u8) -> bool) {
        self.take(unwanted);
    }

    fn key(&mut self) -> Option<&'a str> {
        let first = *self.0.first()?;
        if !first.is_ascii_lowercase() && first != b'*' {
            return None;
        }
        let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte);
        std::str::from_utf8(self.take(rest)).ok()
    }

    /// An item or an inner list; its bytes if it is a byte sequence.
    fn member(&mut self) -> Option<Option<Vec<u8>>> {
        if !self.eat(b'(') {
            return self.item();
        }
        loop {
            self.skip(|byte| byte == b' ');
            if self.eat(b')') {
                return Some(None);
            }
            self.item()?;
            self.parameters()?;
            if !matches!(self.0.first(), Some(b' ' | b')')) {
                return None;
            }
        }
    }

    fn item(&mut self) -> Option<Option<Vec<u8>>> {
        match *self.0.first()? {
            b':' => {
                self.next();
                let text = self.take(|byte| byte != b':');
                return (self.next() == Some(b':')).then(|| base64::decode(text))?.map(Some);
            }
            b'"' => self.string()?,
            // Numbers, dates, booleans, tokens: what is in them does not matter here, only where they end.
            b'-' | b'0'..=b'9' | b'@' | b'?' | b'*' | b'A'..=b'Z' | b'a'..=b'z' => {
                self.skip(|byte| byte.is_ascii_graphic() && !b",;()\"=".contains(&byte));
            }
            _ => return None,
        }
        Some(None)
    }

    fn string(&mut self) -> Option<()> {
        self.next();
        loop {
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => _ = self.next().filter(|byte| matches!(byte, b'"' | b'\\'))?,
                b' '..=b'~' => {}
                _ => return None,
            }
        }
    }

    fn parameters(&mut self) -> Option<()> {
        while self.eat(b';') {
            self.skip(|byte| byte == b' ');
            self.key()?;
            if self.eat(b'=') {
                self.item()?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<(&str, String)>> {
        let members = byte_sequences(text.as_bytes())?;
        Some(members.into_iter().map(|(key, bytes)| (key, String::from_utf8(bytes).unwrap())).collect())
    }

    #[test]
    fn byte_sequences_are_found_among_whatever_else_there_is() {
        assert_eq!(read("a=:Zm9v:, b=:Zg:"), Some(vec![("a", "foo".to_owned()), ("b", "f".to_owned())]));
        assert_eq!(read("  a=:Zm9v: \t,\tb"), Some(vec![("a", "foo".to_owned())]));
        let others =
            r#"i=-1.5;p, t=to/ken;x="a,\"b";y=:Zg==:, s=", a=:Zg:", l=(1 "x");q, n=?0, d=@5, a=:Zm9v:;t=1"#;
        assert_eq!(read(others), Some(vec![("a", "foo".to_owned())]));
        assert_eq!(read("a=:Zg:, a=:Zm9v:"), Some(vec![("a", "foo".to_owned())]));
        assert_eq!(read("a=:Zg:, a"), Some(vec![]), "the last one counts, whatever it is");
        assert_eq!(read(""), Some(vec![]));
    }

    #[test]
    fn what_is_no_dictionary_is_none() {
        for wrong in [
            "a=:Zm9v:,",
            "a=:Zm9v: b=:Zg:",
            "A=:Zg:",
            "a=",
            "a=:Zg",
            "a=:Z:",
            ",a",
            "a=\"x",
            "a=(1",
            "a=(1\"x\")",
            "=:Zg:",
            "a=:Zg:;",
            "a=\"\u{e9}\"",
            "a=:Zg:b",
            "a=\"\\x\"",
            "a;=1",
            "a=[1]",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
