//! Reading a cookie from the `cookie` header (RFC 6265, section 4.2).

/// The values of the cookies named `name` in one `cookie` header.
pub(super) fn values<'a>(header: &'a [u8], name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    header.split(|byte| *byte == b';').filter_map(move |pair| {
        let pair = pair.trim_ascii();
        let value = pair.strip_prefix(name)?.strip_prefix(b"=")?;
        // A value may be quoted, and means the same.
        let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        Some(unquoted.unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let header = b"uid2=no; uid=yes;  theme=\"dark\" ; uid=again; flag; =x";
        let get = |name: &'static str| values(header, name.as_bytes()).next();
        assert_eq!(get("uid"), Some(&b"yes"[..]));
        assert_eq!(get("theme"), Some(&b"dark"[..]));
        assert_eq!(get("flag"), None);
        assert_eq!(get("id"), None);
    }
}
