//! Headers that only we may set: a client that sends one is trying something.

use super::Settings;

/// Every header under this prefix is reserved.
const PREFIX: &str = "x-turquoise-";

impl Settings {
    /// The request header that tells the upstream who is bucketed.
    pub const TARGETING_KEY_HEADER: &str = "x-turquoise-targeting-key";

    /// Whether a request header is reserved: it lies under `x-turquoise-`, or it is one of the configured headers for
    /// upstream and flags, or lies under one of them (`x-up-...` under `x-up`).
    ///
    /// Case makes no difference, and every byte that is neither a letter nor a digit counts as a hyphen: what passes
    /// headers on as variables (CGI, WSGI, FastCGI, PHP) puts `_` in its place, so that `X_Turquoise.Flags` is
    /// `HTTP_X_TURQUOISE_FLAGS` as well. Pseudo-headers are never reserved: they are the request itself.
    pub fn is_reserved(&self, header: &[u8]) -> bool {
        let flag_header = self.flag_header.as_ref().map(|header| header.name.as_str());
        let ours = [Some(PREFIX), Some(self.upstream_header.as_str()), flag_header];
        !header.starts_with(b":") && ours.into_iter().flatten().any(|ours| is_under(header, ours.as_bytes()))
    }
}

fn is_under(header: &[u8], ours: &[u8]) -> bool {
    let Some((whole, rest)) = header.split_at_checked(ours.len()) else { return false };
    let is_separated = ours.ends_with(b"-") || rest.first().is_none_or(|byte| !byte.is_ascii_alphanumeric());
    is_separated && whole.iter().zip(ours).all(|(a, b)| folded(*a) == folded(*b))
}

/// Whether an application could take two names of headers for the same.
pub(crate) fn is_same_header(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| folded(*a) == folded(*b))
}

fn folded(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_reserved_and_what_only_resembles_it_is_not() {
        let settings = Settings::parse(
            br#"{ "upstreamHeader": "x_up", "flagHeader": { "name": "features", "flags": [] } }"#,
        );
        let settings = settings.unwrap();
        for header in [
            "x-turquoise-upstream",
            "X-Turquoise-Anything",
            "x_turquoise_flags",
            "x_up",
            "X-Up",
            "x-up-2",
            "features",
            "Features_x",
            "features.x",
        ] {
            assert!(settings.is_reserved(header.as_bytes()), "{header}");
        }
        for header in
            ["x-turquoise", "x-turquoisex", "my-x-turquoise-flags", "x-upper", "feature", "featuresx", ""]
        {
            assert!(!settings.is_reserved(header.as_bytes()), "{header}");
        }
    }

    #[test]
    fn every_byte_but_letters_and_digits_counts_as_a_hyphen() {
        let settings = Settings::parse(br#"{ "upstreamHeader": "where" }"#).unwrap();
        for byte in 0..=u8::MAX {
            let names = [
                [b"x".as_slice(), b"turquoise-flags"].join(&byte),
                [b"x-turquoise".as_slice(), b"flags"].join(&byte),
                [b"where".as_slice(), b"2"].join(&byte),
            ];
            for name in names {
                let name = name.as_slice();
                assert_eq!(
                    settings.is_reserved(name),
                    !byte.is_ascii_alphanumeric(),
                    "{}",
                    name.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn pseudo_headers_are_never_reserved() {
        let settings = Settings::parse(br#"{ "upstreamHeader": "-path" }"#).unwrap();
        assert!(settings.is_reserved(b"_path") && !settings.is_reserved(b":path"));
    }
}
