//! MurmurHash3_x86_32 once more, byte by byte, from its description: for comparison, not for speed.

/// The hash of `bytes` with seed 0.
pub(crate) fn hash(bytes: &[u8]) -> u32 {
    let mix = |block: u32| block.wrapping_mul(0xcc9e2d51).rotate_left(15).wrapping_mul(0x1b873593);
    let mut hash = 0u32;
    for chunk in bytes.chunks(4) {
        let block = chunk.iter().rev().fold(0u32, |block, byte| block << 8 | u32::from(*byte));
        hash ^= mix(block);
        if chunk.len() == 4 {
            hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe6546b64);
        }
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85ebca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2ae35);
    hash ^ hash >> 16
}

/// Published values.
#[test]
fn known_hashes() {
    for (text, expected) in [
        ("", 0),
        ("test", 0xba6bd213),
        ("Hello, world!", 0xc0363e43),
        ("The quick brown fox jumps over the lazy dog", 0x2e4ff723),
    ] {
        assert_eq!(hash(text.as_bytes()), expected, "{text}");
    }
}
