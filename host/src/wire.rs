//! How header maps and property paths cross the boundary.
//!
//! A map is the number of pairs, then for each pair the lengths of name and value, then for each pair the name
//! and the value, each followed by a NUL. All numbers are 32 bits, little endian. The NULs are in addition to the
//! lengths, which is why a value may hold a NUL itself.

use crate::caps::{MAX_MAP_BYTES, MAX_MAP_PAIRS};
use crate::headers::Headers;

/// Builds the bytes of a map while its pairs are visited, so that no copy of the map is needed first.
#[derive(Default)]
pub(crate) struct Encoder {
    lengths: Vec<u8>,
    data: Vec<u8>,
    count: u32,
}

impl Encoder {
    pub(crate) fn push(&mut self, name: &[u8], value: &[u8]) {
        // A header of 4 GiB cannot exist: every proxy refuses far smaller ones.
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        self.count += 1;
        self.lengths.extend(length(name));
        self.lengths.extend(length(value));
        for bytes in [name, value] {
            self.data.extend_from_slice(bytes);
            self.data.push(0);
        }
    }

    /// The encoded map. No pairs are no bytes at all, as Envoy has it: the guest then gets a null pointer.
    pub(crate) fn finish(self) -> Vec<u8> {
        if self.count == 0 {
            return Vec::new();
        }
        let mut bytes = Vec::with_capacity(4 + self.lengths.len() + self.data.len());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.lengths);
        bytes.extend(self.data);
        bytes
    }
}

/// Reads a map that the guest wrote; `None` if it is malformed or beyond all measure.
pub(crate) fn decode(bytes: &[u8]) -> Option<Headers> {
    if bytes.is_empty() {
        return Some(Headers::new());
    }
    if bytes.len() > MAX_MAP_BYTES {
        return None;
    }
    let count = number(bytes, 0)?;
    if count > MAX_MAP_PAIRS {
        return None;
    }
    let mut headers = Headers::new();
    let mut at = 4 + count * 8;
    for pair in 0..count {
        let name = terminated(bytes, &mut at, number(bytes, 4 + pair * 8)?)?;
        let value = terminated(bytes, &mut at, number(bytes, 8 + pair * 8)?)?;
        headers.add(name, value);
    }
    (at == bytes.len()).then_some(headers)
}

/// The segments of a property path, which NULs separate.
pub(crate) fn path(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split(|byte| *byte == 0).collect()
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(four.try_into().ok()?)).ok()
}

/// The `length` bytes at `at`, which a NUL must follow; moves `at` behind it.
fn terminated<'a>(bytes: &'a [u8], at: &mut usize, length: usize) -> Option<&'a [u8]> {
    let end = at.checked_add(length)?;
    let value = bytes.get(*at..end)?;
    if bytes.get(end) != Some(&0) {
        return None;
    }
    *at = end + 1;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::{Encoder, decode, path};
    use crate::headers::Headers;

    fn encode(headers: &Headers) -> Vec<u8> {
        let mut encoder = Encoder::default();
        for (name, value) in headers.iter() {
            encoder.push(name, value);
        }
        encoder.finish()
    }

    #[test]
    fn the_bytes_are_those_of_the_abi() {
        let bytes = encode(&Headers::from([("ab", "c"), ("d", "")]));
        let expected =
            [&[2, 0, 0, 0][..], &[2, 0, 0, 0, 1, 0, 0, 0], &[1, 0, 0, 0, 0, 0, 0, 0], b"ab\0c\0", b"d\0\0"];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let headers = Headers::from([(&b"a"[..], &b"\0\xff"[..]), (b"", b""), (b"a", b"again")]);
        assert_eq!(decode(&encode(&headers)), Some(headers));
        assert_eq!(encode(&Headers::new()), b"");
        assert_eq!(decode(b""), Some(Headers::new()));
        assert_eq!(decode(&[0, 0, 0, 0]), Some(Headers::new()), "SDKs write an empty map as a zero");
    }

    #[test]
    fn malformed_maps_are_refused() {
        let good = encode(&Headers::from([("name", "value"), ("x", "y")]));
        for end in 1..good.len() {
            assert_eq!(decode(&good[..end]), None, "truncated to {end} bytes");
        }
        let mut trailing = good.clone();
        trailing.push(0);
        assert_eq!(decode(&trailing), None, "bytes left over");
        let mut unterminated = good.clone();
        *unterminated.last_mut().unwrap() = 1;
        assert_eq!(decode(&unterminated), None, "no NUL at the end");
        assert_eq!(decode(&u32::MAX.to_le_bytes()), None, "four billion pairs");
        let mut overlong = good;
        overlong[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(decode(&overlong), None, "a name that runs past the end");
    }

    #[test]
    fn a_path_is_split_at_nuls() {
        assert_eq!(path(b"request\0headers\0a.b"), [&b"request"[..], b"headers", b"a.b"]);
    }
}
