//! Base64 (RFC 4648, section 4): the standard alphabet.

/// The bytes that `text` stands for. Padding may be missing, as RFC 9651 wants it of those who read; bits that stand for
/// nothing must be zero, so that no two texts stand for the same bytes.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = text.get(..text.len().checked_sub(padding)?)?;
    let complete = padding == 0 || (padding <= 2 && text.len().is_multiple_of(4));
    if !complete || digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let (mut pending, mut bits) = (0u32, 0u32);
    for digit in digits {
        pending = pending << 6 | sextet(*digit)?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((pending >> bits) as u8);
            pending &= (1 << bits) - 1;
        }
    }
    (pending == 0).then_some(bytes)
}

fn sextet(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zg", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode(b"+/+/").as_deref(), Some(&[0xfb, 0xff, 0xbf][..]));
    }

    #[test]
    fn what_is_no_base64_is_told() {
        for wrong in ["Z", "Zh==", "Zg=", "Zg===", "====", "=", "Zm9v=", "Zm-_", "Zm 9", "Z=g=", "Zm9vZ"] {
            assert_eq!(decode(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
