//! The time of an evaluation, as people and programs write it.

use std::time::{SystemTime, UNIX_EPOCH};

use turquoise_core::Timestamp;

/// Whole numbers from here on are milliseconds: as seconds they would lie after the year 5138, and as milliseconds
/// the smaller ones would lie before March 1973.
const FIRST_MILLISECONDS: u64 = 100_000_000_000;

/// How a time is written, for messages.
pub(crate) const FORMS: &str =
    "write RFC 3339 such as `2026-11-20T08:00:00Z`, or whole unix seconds or milliseconds, not before 1970";

/// Reads a time: RFC 3339 with its offset, or a number.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    let number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let time = match number {
        true => text.parse().ok().and_then(from_number),
        false => text
            .parse::<jiff::Timestamp>()
            .ok()
            .and_then(|time| u64::try_from(time.as_millisecond()).ok())
            .map(Timestamp),
    };
    time.ok_or_else(|| format!("`{text}` is not a time: {FORMS}"))
}

/// A whole number as unix seconds or milliseconds, by its size.
pub(crate) fn from_number(number: u64) -> Option<Timestamp> {
    let milliseconds = if number < FIRST_MILLISECONDS { number.checked_mul(1000) } else { Some(number) };
    milliseconds.map(Timestamp)
}

/// The time now.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_mean_the_same() {
        let eight = Ok(Timestamp(1_795_161_600_000));
        for text in [
            "2026-11-20T08:00:00Z",
            "2026-11-20T08:00:00.000+00:00",
            "2026-11-20T09:00:00+01:00",
            "1795161600",
            "1795161600000",
        ] {
            assert_eq!(parse(text), eight, "{text}");
        }
        assert_eq!(parse("0"), Ok(Timestamp(0)));
        assert_eq!(parse("99999999999"), Ok(Timestamp(99_999_999_999_000)), "the last that is seconds");
        assert_eq!(parse("100000000000"), Ok(Timestamp(100_000_000_000)), "the first that is milliseconds");
    }

    #[test]
    fn anything_else_is_refused_with_the_remedy() {
        for text in ["", "now", "-1", "1.5", "2026-11-20", "2026-11-20T08:00:00", "1969-12-31T23:59:59Z"] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(&format!("`{text}`")) && error.contains("RFC 3339"), "{error}");
        }
    }
}
