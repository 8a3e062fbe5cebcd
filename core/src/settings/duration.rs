//! Durations as people write them: `250ms`, `5s`, `10m`, `2h`.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

/// Reads a duration as configurations have it: a whole number with its unit, such as `250ms`, `5s`, `10m` or `2h`.
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u32 = number.parse().ok()?;
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(3600),
        _ => return None,
    };
    unit.checked_mul(number)
}

pub(super) fn at_least_10_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = parse(&text).ok_or_else(|| {
        D::Error::custom(format!(
            "`{text}` is not a duration: write a whole number with ms, s, m or h, such as `5s`"
        ))
    })?;
    if duration < Duration::from_millis(10) {
        return Err(D::Error::custom(format!("`{text}` is too short: at least 10ms")));
    }
    Ok(duration)
}

/// Whole seconds, from 1 s to an hour: what `Prefer: wait` can say.
pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = parse(&text).filter(|duration| duration.subsec_nanos() == 0);
    match duration.filter(|duration| (1..=3600).contains(&duration.as_secs())) {
        Some(duration) => Ok(Some(duration)),
        None => Err(D::Error::custom(format!("`{text}` must be whole seconds from 1s to 1h, such as `30s`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_with_a_unit() {
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse("10m"), Some(Duration::from_secs(600)));
        for wrong in ["", "5", "s", "-1s", "1.5s", "5 s", "5d", "99999999999s", "٣s"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
