//! The proxy's header map: one buffer, and where each name and value lies in it.
//!
//! The format (proxy-wasm ABI 0.2.1): a count, then for each header the sizes of name and value, all as 32-bit
//! little-endian numbers, then for each header name, NUL, value, NUL.

use std::ops::Range;

/// Headers as the proxy gave them. Values are bytes and need not be text.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    bytes: Vec<u8>,
    entries: Vec<(Range<usize>, Range<usize>)>,
}

impl Headers {
    /// Reads a serialized map; one that is not whole is read as far as it goes. Names become lower-case, which in
    /// Envoy they are already.
    pub(super) fn parse(mut bytes: Vec<u8>) -> Self {
        let number = |index: usize| {
            let four = bytes.get(index * 4..)?.first_chunk()?;
            Some(u32::from_le_bytes(*four) as usize)
        };
        let count = number(0).unwrap_or(0).min(bytes.len() / 8);
        let mut entries = Vec::with_capacity(count);
        let mut at = 4 + count * 8;
        for entry in 0..count {
            let (Some(name), Some(value)) = (number(1 + entry * 2), number(2 + entry * 2)) else { break };
            let name = at..at.saturating_add(name);
            let value_start = name.end.saturating_add(1);
            let value = value_start..value_start.saturating_add(value);
            if value.end > bytes.len() {
                break;
            }
            at = value.end.saturating_add(1);
            entries.push((name, value));
        }
        for (name, _) in &entries {
            bytes.get_mut(name.clone()).unwrap_or_default().make_ascii_lowercase();
        }
        Self { bytes, entries }
    }

    /// All values of the header `name`, in lower case, as one: a header that may be repeated reads the same when it is
    /// joined (RFC 9110, section 5.3).
    pub(crate) fn joined(&self, name: &str) -> Option<Vec<u8>> {
        let values: Vec<_> =
            self.iter().filter(|(header, _)| *header == name.as_bytes()).map(|(_, value)| value).collect();
        (!values.is_empty()).then(|| values.join(&b", "[..]))
    }

    /// Every header, pseudo-headers included, in the order the proxy gave them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|(name, value)| (self.slice(name), self.slice(value)))
    }

    /// The first value of the header `name`, in lower case.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(header, _)| *header == name.as_bytes()).map(|(_, value)| value)
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

/// The map of these headers in the same format.
pub(super) fn serialize(headers: &[(&str, &[u8])]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = number(headers.len()).to_vec();
    for (name, value) in headers {
        bytes.extend(number(name.len()));
        bytes.extend(number(value.len()));
    }
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(value);
        bytes.push(0);
    }
    bytes
}
