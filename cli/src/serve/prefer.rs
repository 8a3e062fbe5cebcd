//! `Prefer: wait=30` (RFC 7240): how long a client wants to wait for something newer.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};

/// The header that says which preferences were honoured.
pub(super) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The longest wait: proxies and load balancers in between cut quiet connections soon after.
const MOST: u64 = 60;

/// The wait that is asked for, in whole seconds, as far as we grant it. Of several, the first counts (section 2).
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(PREFER).into_iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(','));
    let seconds = preferences.find_map(|preference| {
        // Parameters of a preference follow a semicolon; `wait` has none.
        let preference = preference.split(';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
    })?;
    let digits = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than a number holds are a very long wait, not a mistake.
    digits.then(|| Duration::from_secs(seconds.parse().unwrap_or(MOST).min(MOST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_of(lines: &[&'static str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PREFER, axum::http::HeaderValue::from_static(line));
        }
        wait(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn the_first_wait_counts_and_is_capped() {
        assert_eq!(wait_of(&["wait=30"]), Some(30));
        assert_eq!(wait_of(&["respond-async, WAIT = \"5\" ; x=1"]), Some(5));
        assert_eq!(wait_of(&["return=minimal", "wait=7, wait=9"]), Some(7));
        assert_eq!(wait_of(&["wait=3600"]), Some(60));
        assert_eq!(wait_of(&["wait=99999999999999999999999"]), Some(60));
        assert_eq!(wait_of(&["wait=0"]), Some(0));
    }

    #[test]
    fn what_is_no_number_of_seconds_is_ignored() {
        for value in ["wait", "wait=", "wait=-1", "wait=1.5", "wait=soon", "waiting=5", "handling=lenient"] {
            assert_eq!(wait_of(&[value]), None, "{value}");
        }
        assert_eq!(wait_of(&[]), None);
    }
}
