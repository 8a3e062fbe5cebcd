//! `Accept-Encoding` (RFC 9110, section 12.5.3): whether a client would rather have gzip.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;

/// Whether gzip is acceptable, and identity not wanted more. Who says nothing gets identity.
pub(super) fn wants_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity, mut others) = (None, None, None);
    let values = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    for element in values.flat_map(|value| value.split(',')) {
        let mut parts = element.split(';');
        let coding = parts.next().unwrap_or_default().trim();
        let weight = parts.find_map(weight).unwrap_or(1.0);
        match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(weight),
            "identity" => identity = Some(weight),
            "*" => others = Some(weight),
            _ => {}
        }
    }
    let gzip = gzip.or(others).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity.unwrap_or(0.0)
}

/// The weight that a parameter gives, if it is one. What is no number must not make us send what nobody can read.
fn weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn wants(values: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        wants_gzip(&headers)
    }

    #[test]
    fn gzip_is_sent_to_who_accepts_it() {
        for value in [
            "gzip",
            "GZIP",
            "x-gzip",
            "br, gzip",
            "gzip;q=0.5, br;q=1",
            "*",
            "gzip ; Q = 0.001",
            "identity, gzip",
        ] {
            assert!(wants(&[value]), "{value}");
        }
        assert!(wants(&["br", "gzip"]));
    }

    #[test]
    fn nobody_else_gets_it() {
        for value in [
            "",
            "br",
            "identity",
            "gzip;q=0",
            "gzip; q=0.000",
            "*;q=0",
            "gzip;q=0, *",
            "gzip;q=0.5, identity",
            "gzip;q=soon",
            "gzip;q=NaN",
            "gzipped",
        ] {
            assert!(!wants(&[value]), "{value}");
        }
        assert!(!wants(&[]));
    }
}
