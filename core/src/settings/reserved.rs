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
    /// Case makes no difference, and underscores count as hyphens, because many applications cannot tell
    /// `X_Turquoise_Flags` from `X-Turquoise-Flags` (CGI and WSGI name both `HTTP_X_TURQUOISE_FLAGS`).
    pub fn is_reserved(&self, header: &[u8]) -> bool {
        let flag_header = self.flag_header.as_ref().map(|header| header.name.as_str());
        let ours = [Some(PREFIX), Some(self.upstream_header.as_str()), flag_header];
        ours.into_iter().flatten().any(|ours| is_under(header, ours.as_bytes()))
    }
}

fn is_under(header: &[u8], ours: &[u8]) -> bool {
    let Some((whole, rest)) = header.split_at_checked(ours.len()) else { return false };
    let separated = ours.ends_with(b"-") || rest.first().is_none_or(|byte| matches!(byte, b'-' | b'_'));
    separated && whole.iter().zip(ours).all(|(a, b)| folded(*a) == folded(*b))
}

fn folded(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
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
        ] {
            assert!(settings.is_reserved(header.as_bytes()), "{header}");
        }
        for header in
            ["x-turquoise", "x-turquoisex", "my-x-turquoise-flags", "x-upper", "feature", "featuresx", ""]
        {
            assert!(!settings.is_reserved(header.as_bytes()), "{header}");
        }
    }
}
