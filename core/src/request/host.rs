//! Which host a request asks for, and what is no host at all.

use std::io::Write as _;
use std::net::Ipv6Addr;

/// The longest host name. DNS allows 255 bytes, two of which are no characters of the name.
const MAX_HOST: usize = 255;

/// The host of an `:authority` or `Host` without its port and without the dot that ends a fully qualified name; `None`
/// where there is none, or where what stands there is no host.
///
/// A host is a name of letters, digits, `-` and `_` between single dots, or an IPv6 address in brackets; a port is digits
/// behind the last colon (RFC 9110, section 4.2). Everything else (`user@host`, `[x].example.com`, `host..`, percent
/// escapes, bytes outside ASCII) servers read in different ways, so nobody may say which host it is.
pub(crate) fn host_name(host: &[u8]) -> Option<&[u8]> {
    let colon = host.iter().rposition(|byte| *byte == b':');
    let name = match colon.and_then(|colon| Some((host.get(..colon)?, host.get(colon + 1..)?))) {
        Some((name, port)) if port.iter().all(u8::is_ascii_digit) && !is_cut(name) => name,
        _ => host,
    };
    if name.first() == Some(&b'[') {
        return address(name).map(|_| name);
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_label = |label: &[u8]| {
        !label.is_empty()
            && label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    (name.len() <= MAX_HOST && name.split(|byte| *byte == b'.').all(is_label)).then_some(name)
}

/// Whether a bracket is left open: the last colon was one of the address.
fn is_cut(name: &[u8]) -> bool {
    name.first() == Some(&b'[') && name.last() != Some(&b']')
}

fn address(name: &[u8]) -> Option<Ipv6Addr> {
    let inner = name.strip_prefix(b"[")?.strip_suffix(b"]")?;
    std::str::from_utf8(inner).ok()?.parse().ok()
}

/// A host name as routes compare it: in lower case, an address in its one canonical form (RFC 5952).
#[derive(Debug)]
pub(crate) struct Host {
    bytes: [u8; MAX_HOST],
    len: usize,
}

impl Host {
    /// The host that a request asks for; `None` where that is no host.
    pub(crate) fn of(host: &[u8]) -> Option<Self> {
        let name = host_name(host)?;
        let mut bytes = [0; MAX_HOST];
        let len = match address(name) {
            Some(address) => {
                let mut rest = bytes.as_mut_slice();
                write!(rest, "[{address}]").ok()?;
                MAX_HOST - rest.len()
            }
            None => {
                let copy = bytes.get_mut(..name.len())?;
                copy.copy_from_slice(name);
                copy.make_ascii_lowercase();
                name.len()
            }
        };
        Some(Self { bytes, len })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_port_and_dot() {
        for (host, name) in [
            ("shop.example.com", "shop.example.com"),
            ("Shop.EXAMPLE.com:8080", "shop.example.com"),
            ("shop.example.com.:80", "shop.example.com"),
            ("shop_1.example.com:", "shop_1.example.com"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("localhost", "localhost"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("[0:0::0001]:443", "[::1]"),
            ("[2001:DB8::A]", "[2001:db8::a]"),
        ] {
            let found = Host::of(host.as_bytes()).unwrap();
            assert_eq!(found.as_bytes(), name.as_bytes(), "{host}");
        }
        assert_eq!(Host::of(&[b'a'; 255]).unwrap().as_bytes(), [b'a'; 255]);
    }

    #[test]
    fn what_is_no_host_has_no_name() {
        for host in [
            "",
            ":80",
            ".",
            "..",
            "host..",
            ".host",
            "a..b",
            "[x].example.com",
            "[::1].example.com",
            "[::1",
            "::1",
            "[]",
            "[::1]x",
            "[::1]:x",
            "[fe80::1%25eth0]",
            "x:y.example.com",
            "host:80:90",
            "host:+80",
            "u@host",
            "u:p@host",
            "host/",
            "host/..",
            "ho st",
            "host,other",
            "%68ost",
            "h\u{f6}st",
            "host\0",
            "host:80 ",
            "*",
            "*.example.com",
            "http://host",
        ] {
            assert!(Host::of(host.as_bytes()).is_none(), "{host}");
        }
        assert!(Host::of(&[b'a'; 256]).is_none());
        assert!(Host::of(b"\xff.example.com").is_none());
    }
}
