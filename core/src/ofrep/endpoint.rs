//! The two paths of the protocol.

use std::borrow::Cow;

use crate::request::path_only;

const FLAGS: &[u8] = b"/ofrep/v1/evaluate/flags";

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/ofrep/v1/evaluate/flags/{key}`: one flag, by its key.
    Flag(String),
    /// `/ofrep/v1/evaluate/flags`: all flags that the caller may see.
    Flags,
}

impl Endpoint {
    /// What the path, possibly with a query, asks for; `None` where it is none of the protocol's.
    ///
    /// Everything behind `flags/` is the key: a proxy may have decoded `%2F` before us, so slashes belong to it, except
    /// one at the end.
    pub fn of(path: &[u8]) -> Option<Self> {
        match path_only(path).strip_prefix(FLAGS)? {
            b"" | b"/" => Some(Self::Flags),
            [b'/', key @ ..] => {
                let key = decoded(key.strip_suffix(b"/").unwrap_or(key));
                Some(Self::Flag(String::from_utf8_lossy(&key).into_owned()))
            }
            _ => None,
        }
    }

    /// Its name in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Flag(_) => "flag",
            Self::Flags => "flags",
        }
    }
}

/// RFC 3986, section 2.1. A percent sign without two digits behind it stands for itself.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        let code = match rest {
            [b'%', high, low, ..] => digit(*high).zip(digit(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        out.push(code.unwrap_or(*first));
        rest = if code.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
    }
    Cow::Owned(out)
}

fn digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_and_slashes_at_the_end_do_not_count() {
        for (path, key) in [
            ("/ofrep/v1/evaluate/flags/new-greeting", "new-greeting"),
            ("/ofrep/v1/evaluate/flags/new-greeting/", "new-greeting"),
            ("/ofrep/v1/evaluate/flags/new-greeting?flagConfigEtag=a", "new-greeting"),
            ("/ofrep/v1/evaluate/flags/th%C3%A8me%20d%2Fg", "thème d/g"),
            ("/ofrep/v1/evaluate/flags/a/b", "a/b"),
            ("/ofrep/v1/evaluate/flags/%zz%4", "%zz%4"),
            ("/ofrep/v1/evaluate/flags/100%", "100%"),
            ("/ofrep/v1/evaluate/flags/a+b", "a+b"),
            ("/ofrep/v1/evaluate/flags/%ff", "\u{fffd}"),
            ("/ofrep/v1/evaluate/flags/%3F%23", "?#"),
        ] {
            assert_eq!(Endpoint::of(path.as_bytes()), Some(Endpoint::Flag(key.to_owned())), "{path}");
        }
    }

    #[test]
    fn only_the_two_paths_are_the_protocols() {
        for path in ["/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/", "/ofrep/v1/evaluate/flags?a=b"]
        {
            assert_eq!(Endpoint::of(path.as_bytes()), Some(Endpoint::Flags), "{path}");
        }
        for path in ["/", "/ofrep/v1/evaluate/flagsx", "/ofrep/v1/stream", "/OFREP/v1/evaluate/flags", ""] {
            assert_eq!(Endpoint::of(path.as_bytes()), None, "{path}");
        }
    }
}
