//! Entity tags: of everything that an answer depends on, so that one is known before anything is evaluated.

use xxhash_rust::xxh3::Xxh3;

/// Collects what an answer depends on. XXH3 of 128 bits: whoever made two contexts collide would fool nobody else.
pub(super) struct Tag(Xxh3);

impl Tag {
    pub(super) fn new() -> Self {
        let mut tag = Self(Xxh3::new());
        // Another version may answer the same question in other bytes.
        tag.part(env!("CARGO_PKG_VERSION").as_bytes());
        tag
    }

    /// Adds a part. Its length goes before it, so that no two lists of parts read alike.
    pub(super) fn part(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// Adds a part that may be absent.
    pub(super) fn optional(&mut self, part: Option<&[u8]>) {
        self.0.update(&[u8::from(part.is_some())]);
        self.part(part.unwrap_or_default());
    }

    /// A strong entity tag, quoted.
    pub(super) fn finish(&self) -> String {
        format!("\"{:032x}\"", self.0.digest128())
    }
}

/// What a client says it has (`If-None-Match`, RFC 9110, section 13.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known<'a> {
    /// Whatever there is.
    Anything,
    /// One of these.
    Tags(&'a [u8]),
}

impl<'a> Known<'a> {
    pub(super) fn of(if_none_match: &'a [u8]) -> Self {
        match if_none_match.trim_ascii() {
            b"*" => Self::Anything,
            tags => Self::Tags(tags),
        }
    }

    /// Whether `tag` is listed. The comparison is the weak one, as for every `If-None-Match`. Quotes may be missing:
    /// OFREP's own examples have none.
    pub(super) fn lists(self, tag: &str) -> bool {
        let Self::Tags(mut rest) = self else { return false };
        let bare = tag.trim_matches('"').as_bytes();
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                return false;
            }
            let entry = rest.strip_prefix(b"W/").unwrap_or(rest);
            // A comma may stand within quotes.
            let (entry, behind) = match entry.strip_prefix(b"\"") {
                Some(quoted) => cut(quoted, b'"'),
                None => cut(entry, b','),
            };
            if entry.trim_ascii_end() == bare {
                return true;
            }
            rest = behind.trim_ascii_start();
            rest = rest.strip_prefix(b",").unwrap_or(rest);
        }
    }
}

/// What stands before `end`, and what behind it.
fn cut(text: &[u8], end: u8) -> (&[u8], &[u8]) {
    let at = text.iter().position(|byte| *byte == end).unwrap_or(text.len());
    (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_every_form_of_the_header() {
        for header in [
            r#""abc""#,
            r#"W/"abc""#,
            r#""x", "abc""#,
            r#""x","y" , W/"abc""#,
            r#"  "abc"  "#,
            r#""a,b","abc""#,
            "abc",
            "x, abc ",
        ] {
            assert!(Known::of(header.as_bytes()).lists("\"abc\""), "{header}");
        }
        for header in ["", ",", r#""ab""#, r#""abcd""#, r#""ABC""#, r#""x,abc""#, r#"w/"abc""#, "\"", "*"] {
            assert!(!Known::of(header.as_bytes()).lists("\"abc\""), "{header}");
        }
        assert_eq!(Known::of(b" * "), Known::Anything);
    }

    #[test]
    fn parts_do_not_run_into_one_another() {
        let tag = |parts: &[&str]| {
            let mut tag = Tag::new();
            parts.iter().for_each(|part| tag.part(part.as_bytes()));
            tag.finish()
        };
        assert_ne!(tag(&["ab", "c"]), tag(&["a", "bc"]));
        assert_ne!(tag(&["a", ""]), tag(&["a"]));
        assert_eq!(tag(&["a"]), tag(&["a"]));
        let (mut none, mut empty) = (Tag::new(), Tag::new());
        none.optional(None);
        empty.optional(Some(b""));
        assert_ne!(none.finish(), empty.finish());
    }
}
