//! The one form of a path that all its spellings have in common.
//!
//! Servers do not agree which paths are the same: `/admin;v=1` is `/admin` for a servlet container, `/ADMIN` for IIS,
//! `/admin/` and `/%61dmin` nearly everywhere. A gate must hold for the path that the application sees, whichever
//! application that is. So the form here folds together whatever any common server does, and a gate compares it: that
//! closes too much rather than too little. docs/reference/gates.md says which server does what.
//!
//! Where a path goes up (`..`) or could begin with a host (`//x`), servers disagree so much that no single form covers
//! them. Then a pattern matches if its segments occur in the path in their order, whatever stands between them: each
//! `..` takes segments away and adds none, so what remains is always such a selection.

use std::char;
use std::ops::Range;

/// With more segments than this, a path that goes up is compared with no pattern: it meets all of them.
const MAX_SEGMENTS: usize = 64;

/// A path in the form that its spellings have in common.
#[derive(Debug)]
pub(crate) struct Spelling {
    /// Every segment behind a slash.
    text: String,
    /// Where the path ends for a server that takes an encoded `?`, `#` or NUL for its end.
    end: usize,
    /// Whether it goes up, or could begin with a host.
    is_ambiguous: bool,
    /// Where its segments lie in the text, if it is ambiguous; none where they are too many to be compared. It is compared
    /// with the pattern of every gate, so the text is looked through once.
    segments: Option<Vec<Range<usize>>>,
}

/// What a byte says of a path that has it. `Plain` stands for itself on every server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Dot,
    Slash,
    Odd,
}

#[expect(clippy::indexing_slicing, reason = "done while the crate is compiled, where a panic is an error")]
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Odd; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' => Class::Plain,
            b'-' | b'_' | b'~' | b'!' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':'
            | b'@' => Class::Plain,
            b'.' => Class::Dot,
            b'/' => Class::Slash,
            _ => Class::Odd,
        };
        byte += 1;
    }
    classes
};

/// Whether a path, without its query, is its own [`Spelling`], so that nothing need be folded. The root is, too.
#[inline]
pub(crate) fn is_canonical(path: &[u8]) -> bool {
    let mut before = Class::Plain;
    for byte in path {
        let class = CLASSES.get(usize::from(*byte)).copied().unwrap_or(Class::Odd);
        // No two of slash and dot may meet, nor two of either.
        if class == Class::Odd || (class != Class::Plain && before != Class::Plain) {
            return false;
        }
        before = class;
    }
    path.first() == Some(&b'/') && (before == Class::Plain || path.len() == 1)
}

impl Spelling {
    /// Folds a path, which may have a query.
    pub(crate) fn of(path: &[u8]) -> Self {
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        let path = without_authority(path);
        let rest = path.strip_prefix(b"/").unwrap_or(path);
        let mut spelling = Self {
            text: String::with_capacity(path.len()),
            end: usize::MAX,
            is_ambiguous: false,
            segments: None,
        };
        // Two slashes at the start may be followed by a host.
        spelling.is_ambiguous = path.starts_with(b"//") || path.starts_with(b"\\");
        let mut decoded = Vec::new();
        for (place, segment) in rest.split(|byte| *byte == b'/').enumerate() {
            decode(segment, &mut decoded);
            spelling.is_ambiguous |= place == 0 && matches!(*decoded, [b'/' | b'\\', ..]);
            spelling.push_all(&decoded);
        }
        spelling.end = spelling.end.min(spelling.text.len());
        if spelling.is_ambiguous {
            spelling.segments = segments(&spelling.text);
        }
        spelling
    }

    /// Appends what lies between two slashes: one segment, unless slashes or ends of the path were encoded in it.
    fn push_all(&mut self, mut rest: &[u8]) {
        let ends = |byte: &u8| matches!(byte, b'/' | b'\\' | b'?' | b'#' | 0);
        // Behind a semicolon they are a parameter's, for servers that cut parameters off before they decode.
        let parameters = rest.iter().position(|byte| *byte == b';').and_then(|at| rest.get(at..));
        self.is_ambiguous |= parameters.is_some_and(|parameters| parameters.iter().any(ends));
        loop {
            let end = rest.iter().position(ends);
            self.push(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
            let Some(end) = end else { return };
            if self.end == usize::MAX && !matches!(rest.get(end), Some(b'/' | b'\\')) {
                self.end = self.text.len();
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }

    /// Appends a segment, unless nothing remains of it.
    fn push(&mut self, segment: &[u8]) {
        // Servlet containers and others cut parameters off; NTFS takes what follows `:$` or `::$` for a stream's type.
        let segment = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        let segment = segment.windows(2).position(|pair| pair == b":$").map_or(segment, |at| {
            let name = segment.get(..at).unwrap_or_default();
            name.strip_suffix(b":").unwrap_or(name)
        });
        let blank = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
        let start = segment.iter().position(|byte| !blank(byte)).unwrap_or(segment.len());
        let segment = segment.get(start..).unwrap_or_default();
        let dots = segment.iter().filter(|byte| **byte == b'.').count();
        if segment.iter().all(|byte| *byte == b'.' || blank(byte)) {
            self.is_ambiguous |= dots > 1;
            return;
        }
        // Windows does not see dots and blanks at the end of a name, and `$` in a pattern not a newline.
        let last = segment.iter().rposition(|byte| *byte != b'.' && !blank(byte)).map_or(0, |last| last + 1);
        self.text.push('/');
        for c in String::from_utf8_lossy(segment.get(..last).unwrap_or_default()).chars() {
            push_folded(&mut self.text, c);
        }
    }

    /// The path without a slash at its end; the root is empty. For patterns, and for paths that are not ambiguous.
    pub(crate) fn path(&self) -> &str {
        self.text.get(..self.end).unwrap_or_default()
    }

    pub(crate) fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }

    /// Whether some server could take this path for one that a pattern matches; `pattern` is a [`path`](Self::path).
    pub(crate) fn meets(&self, is_exact: bool, pattern: &str) -> bool {
        if !self.is_ambiguous {
            let rest = self.path().strip_prefix(pattern);
            return rest.is_some_and(|rest| rest.is_empty() || (!is_exact && rest.starts_with('/')));
        }
        let Some(segments) = &self.segments else { return true };
        let mut segments = segments.iter().filter_map(|segment| self.text.get(segment.clone()));
        pattern.split('/').skip(1).all(|sought| segments.any(|segment| segment == sought))
    }
}

/// Where the segments of a text lie, each behind a slash; none where they are too many.
fn segments(text: &str) -> Option<Vec<Range<usize>>> {
    let mut parts = text.split('/');
    let mut start = parts.next().map_or(0, str::len) + 1;
    let mut segments = Vec::new();
    for segment in parts {
        if segments.len() == MAX_SEGMENTS {
            return None;
        }
        segments.push(start..start + segment.len());
        start += segment.len() + 1;
    }
    Some(segments)
}

/// What follows scheme and host, where a proxy passes the absolute form on (RFC 9112, section 3.2.2).
fn without_authority(path: &[u8]) -> &[u8] {
    if path.first() == Some(&b'/') {
        return path;
    }
    let Some(colon) = path.windows(3).position(|three| three == b"://") else { return path };
    let rest = path.get(colon + 3..).unwrap_or_default();
    let slash = rest.iter().position(|byte| matches!(byte, b'/' | b'\\'));
    slash.and_then(|slash| rest.get(slash..)).unwrap_or_default()
}

/// Decodes until nothing is left to decode: percent escapes, `%uXXXX`, and the longer forms of characters.
///
/// After each byte the end of what is there is looked at. As no two escapes overlap, the order makes no difference,
/// and as every one makes the text shorter, it is done in time that grows with the text alone.
fn decode(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    for byte in text {
        out.push(*byte);
        while let Some((length, c)) = escape(out) {
            out.truncate(out.len().saturating_sub(length));
            match c {
                Code::Byte(byte) => out.push(byte),
                Code::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
}

enum Code {
    Byte(u8),
    Char(char),
}

/// The escape at the end of a text: how long it is, and what it stands for.
fn escape(text: &[u8]) -> Option<(usize, Code)> {
    if let [.., b'%', high, low] = text
        && let (Some(high), Some(low)) = (digit(*high), digit(*low))
    {
        return Some((3, Code::Byte(high << 4 | low)));
    }
    if let [.., b'%', b'u' | b'U', a, b, c, d] = text
        && let Some(code) =
            [a, b, c, d].into_iter().try_fold(0, |sum, byte| Some(sum << 4 | u32::from(digit(*byte)?)))
    {
        return Some((6, Code::Char(narrow(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)))));
    }
    // UTF-8 with more bytes than a character needs, and the full-width forms of ASCII.
    let bits = |byte: &u8| u32::from(byte & 0x3f);
    let (length, code) = match text {
        [.., lead @ (0xc0 | 0xc1), a @ 0x80..=0xbf] => (2, u32::from(lead & 1) << 6 | bits(a)),
        [.., 0xe0, a @ 0x80..=0x9f, b @ 0x80..=0xbf] => (3, bits(a) << 6 | bits(b)),
        [.., 0xf0, a @ 0x80..=0x8f, b @ 0x80..=0xbf, c @ 0x80..=0xbf] => {
            (4, bits(a) << 12 | bits(b) << 6 | bits(c))
        }
        [.., 0xef, a @ (0xbc | 0xbd), b @ 0x80..=0xbf] => (3, 0xf000 | bits(a) << 6 | bits(b)),
        _ => return None,
    };
    let wide = char::from_u32(code)?;
    let c = narrow(wide);
    // What is neither too long nor full-width is as it should be.
    (c != wide || length != wide.len_utf8()).then_some((length, Code::Char(c)))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// The ASCII character of a full-width form.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// Appends a character so that all its cases are the same, as Unicode's upper and lower case and Java's
/// `equalsIgnoreCase` see them.
fn push_folded(text: &mut String, c: char) {
    match c {
        'İ' => text.push('i'),
        _ if c.is_ascii() => text.push(c.to_ascii_lowercase()),
        _ => text.extend(c.to_uppercase().flat_map(char::to_lowercase)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(path: &str) -> String {
        Spelling::of(path.as_bytes()).path().to_owned()
    }

    #[test]
    fn all_spellings_of_a_path_are_one() {
        for path in [
            "/api/summary",
            "/api/summary/",
            "//api/summary",
            "/api//summary",
            "/api/./summary",
            "/api/summary/.",
            "/api/summary?x=1",
            "/api/summary;x=1",
            "/api;v=1/summary",
            "/;a/api/summary",
            "/api/summary;",
            "/API/Summary",
            "/%61pi/summary",
            "/%41pi/summary",
            "/api%2fsummary",
            "/api%2Fsummary",
            "/api%5Csummary",
            "/api\\summary",
            "/api/%2573ummary",
            "/api/%25%37%33ummary",
            "/api/summary%00",
            "/api/summary%00.png",
            "/api/summary%3fx",
            "/api/summary%23x",
            "/api/summary#x",
            "/api/summary.",
            "/api/summary%20",
            "/api/summary%0a",
            "/api/%20summary",
            "/api./summary",
            "/api/summary::$DATA",
            "/api:$I30:$INDEX_ALLOCATION/summary",
            "/api%c0%afsummary",
            "/api%e0%80%afsummary",
            "/api%f0%80%80%afsummary",
            "/%c1%a1pi/summary",
            "/api%u002fsummary",
            "/%u0061pi/summary",
            "/api/\u{17f}ummary",
            "/ap\u{131}/summary",
            "/ap\u{130}/summary",
            "/api\u{ff0f}summary",
            "/api%EF%BC%8Fsummary",
            "/api%c0%25afsummary",
            "/api%3b%2fsummary",
            "http://host/api/summary",
            "http://host:80\\api/summary",
            "HTTPS://u@host/api/summary;x?y",
        ] {
            assert_eq!(folded(path), "/api/summary", "{path}");
        }
    }

    #[test]
    fn other_paths_stay_others() {
        for path in [
            "/api/summary2",
            "/api/summary.json",
            "/api/summary/x",
            "/api/summaries",
            "/apisummary",
            "/api-summary",
            "/api/sum%6dary/%78",
            "/api/summary:cancel",
            "/api/su mmary",
            "/api/summary%2",
            "/api/summary%zz",
            "/api",
        ] {
            assert_ne!(folded(path), "/api/summary", "{path}");
        }
        assert_eq!([folded("/"), folded(""), folded("/;x/%2e/"), folded("http://host")], [""; 4]);
        assert_eq!(folded("*"), "/*");
        assert_eq!(folded("/\u{dc}ber/%C3%9C"), "/über/ü");
        assert_eq!(folded("/%ff/x"), "/\u{fffd}/x");
    }

    #[test]
    fn what_goes_up_may_be_anywhere_that_its_segments_allow() {
        for path in [
            "/x/../admin",
            "/x/..;/admin",
            "/x/..;a=b/admin",
            "/x/%2e%2e/admin",
            "/x/%252e%252e/admin",
            "/x/..%2fadmin",
            "/x/..\\admin",
            "/x/.%2e/admin",
            "/x/..%00/admin",
            "/x/..%20/admin",
            "/x/%c0%ae%c0%ae/admin",
            "/x/\u{ff0e}./admin",
            "/x%3f/../admin",
            "/x%00/../admin",
            "/x#/../admin",
            "/a/..;/../admin",
            "/a//../admin",
            "/admin/../x",
            "//x/admin",
            "/admin;%2fx",
            "/;x%00/admin",
            "/;%23/admin",
            "/\\x/admin",
            "\\/x/admin",
            "/a/.../admin",
            "/a/. ./admin",
        ] {
            let spelling = Spelling::of(path.as_bytes());
            assert!(spelling.is_ambiguous(), "{path}");
            assert!(spelling.meets(true, "/admin") && spelling.meets(false, "/admin"), "{path}");
            assert!(spelling.meets(false, "") && !spelling.meets(false, "/other"), "{path}");
        }
        let spelling = Spelling::of(b"/a/..;/../admin/x");
        assert!(spelling.meets(true, "/a/admin") && spelling.meets(true, "/admin/x"));
        assert!(!spelling.meets(false, "/admin/a"), "in their order");
        let long = format!("/..{}", "/a".repeat(65));
        assert!(Spelling::of(long.as_bytes()).meets(true, "/admin"), "too many to say");
    }

    #[test]
    fn a_prefix_ends_where_a_segment_does() {
        let meets = |path: &str, pattern| Spelling::of(path.as_bytes()).meets(false, pattern);
        assert!(meets("/A;x/b", "/a") && meets("/a/", "/a") && meets("/x", ""));
        assert!(!meets("/ab", "/a") && !meets("/", "/a"));
        assert!(!Spelling::of(b"/a/b/").meets(true, "/a"));
    }

    #[test]
    fn canonical_paths_are_their_own_spelling() {
        for path in ["/", "/a", "/a/b-c_d~e", "/v1/items:cancel", "/a.b/c.tar.gz", "/@me/(x)", "/a=b&c"] {
            assert!(is_canonical(path.as_bytes()), "{path}");
            assert_eq!(folded(path), path.trim_end_matches('/'));
        }
        for path in [
            "", "*", "a", "/a/", "//a", "/a//b", "/./a", "/a/..", "/.git", "/a.", "/a./b", "/A", "/%61",
            "/a;b", "/a#b", "/\\a", "/a b", "/é", "/a:$b", "/a\u{7f}",
        ] {
            assert!(!is_canonical(path.as_bytes()), "{path}");
        }
        // Whatever the bytes: what is called canonical is not changed.
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let path = [b'/', first, second, b'x'];
                let spelling = Spelling::of(&path);
                if is_canonical(&path) {
                    assert_eq!(spelling.path().as_bytes(), path);
                    assert!(!spelling.is_ambiguous());
                }
            }
        }
    }

    #[test]
    fn long_paths_take_time_in_proportion_to_their_length() {
        // Done at all within a test's time: `%2525…25` decodes from its end to its beginning.
        let path = format!("/%{}", "25".repeat(500_000));
        assert_eq!(folded(&path), "/%");
        assert_eq!(folded(&"%25".repeat(300_000)).len(), 300_001);
    }
}
