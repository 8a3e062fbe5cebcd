//! MurmurHash3, x86, 32 bits (Austin Appleby, public domain), fed in pieces.
//!
//! flagd's `fractional` buckets by it with seed 0. In pieces, because the default key is the flag's key followed by
//! the targeting key, and joining them would allocate.

/// A hash under way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Murmur3 {
    hash: u32,
    /// Bytes that do not fill a block of four yet, in the low bytes.
    tail: u32,
    len: u32,
}

impl Murmur3 {
    /// Adds bytes; any way of cutting the input into pieces gives the same hash.
    pub(crate) fn update(mut self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks();
        // What is left over from before shifts every word, and as much of it is left over again.
        let shift = 8 * (self.len % 4);
        for word in words {
            let word = u64::from(u32::from_le_bytes(*word)) << shift | u64::from(self.tail);
            self.block(word as u32);
            self.tail = (word >> 32) as u32;
        }
        let word = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        let word = word << shift | u64::from(self.tail);
        self.tail = word as u32;
        if shift + 8 * rest.len() as u32 >= 32 {
            self.block(word as u32);
            self.tail = (word >> 32) as u32;
        }
        self.len = self.len.wrapping_add(bytes.len() as u32);
        self
    }

    /// The hash of all bytes added.
    pub(crate) fn finish(self) -> u32 {
        let mut hash = self.hash;
        if !self.len.is_multiple_of(4) {
            hash ^= scramble(self.tail);
        }
        hash ^= self.len;
        hash ^= hash >> 16;
        hash = hash.wrapping_mul(0x85eb_ca6b);
        hash ^= hash >> 13;
        hash = hash.wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }

    fn block(&mut self, block: u32) {
        self.hash = (self.hash ^ scramble(block)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
}

fn scramble(block: u32) -> u32 {
    block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published values of MurmurHash3_x86_32 with seed 0.
    #[test]
    fn known_hashes() {
        for (text, hash) in [
            ("", 0),
            ("test", 0xba6b_d213),
            ("Hello, world!", 0xc036_3e43),
            ("The quick brown fox jumps over the lazy dog", 0x2e4f_f723),
        ] {
            assert_eq!(Murmur3::default().update(text.as_bytes()).finish(), hash, "{text}");
        }
    }

    #[test]
    fn pieces_make_no_difference() {
        let text = "The quick brown fox jumps".as_bytes();
        let whole = Murmur3::default().update(text).finish();
        for (first, second) in (0..=text.len()).flat_map(|a| (a..=text.len()).map(move |b| (a, b))) {
            let (a, b, c) = (&text[..first], &text[first..second], &text[second..]);
            assert_eq!(Murmur3::default().update(a).update(b).update(c).finish(), whole, "{first} {second}");
        }
    }
}
