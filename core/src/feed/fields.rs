//! Records as bytes: fields, each a tag (one byte), a length (32 bits, little-endian) and so many bytes. A number is
//! 64 bits, little-endian. A field that stands there several times is a list.

/// Fields that are being written.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

/// The fields of a record.
#[derive(Debug)]
pub(super) struct Fields<'a>(Vec<(u8, &'a [u8])>);

impl Writer {
    pub(super) fn bytes(mut self, tag: u8, bytes: &[u8]) -> Self {
        // Nothing that a proxy shares comes near to 32 bits; what did would be left out, and the record with it.
        if let Ok(length) = u32::try_from(bytes.len()) {
            self.0.push(tag);
            self.0.extend(length.to_le_bytes());
            self.0.extend_from_slice(bytes);
        }
        self
    }

    pub(super) fn numbers(self, tag: u8, numbers: &[u64]) -> Self {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.bytes(tag, &bytes)
    }

    pub(super) fn number(self, tag: u8, number: u64) -> Self {
        self.numbers(tag, &[number])
    }

    /// A field for each of these.
    pub(super) fn list<const N: usize>(self, tag: u8, list: impl Iterator<Item = [u64; N]>) -> Self {
        list.fold(self, |writer, numbers| writer.numbers(tag, &numbers))
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

impl<'a> Fields<'a> {
    /// The fields of these bytes, if they are fields from the first byte to the last.
    pub(super) fn parse(mut bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Vec::new();
        while let Some((tag, rest)) = bytes.split_first() {
            let (length, rest) = rest.split_first_chunk()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (value, rest) = rest.split_at_checked(length)?;
            fields.push((*tag, value));
            bytes = rest;
        }
        Some(Self(fields))
    }

    /// The field of this tag; the first, if there are several.
    pub(super) fn bytes(&self, tag: u8) -> Option<&'a [u8]> {
        self.all(tag).next()
    }

    pub(super) fn all(&self, tag: u8) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(other, _)| *other == tag).map(|(_, value)| *value)
    }

    pub(super) fn number(&self, tag: u8) -> Option<u64> {
        self.bytes(tag).and_then(numbers).map(|[number]| number)
    }

    pub(super) fn text(&self, tag: u8) -> Option<String> {
        String::from_utf8(self.bytes(tag)?.to_vec()).ok()
    }

    /// All fields of this tag that are so many numbers.
    pub(super) fn list<const N: usize>(&self, tag: u8) -> impl Iterator<Item = [u64; N]> {
        self.all(tag).filter_map(numbers)
    }
}

/// So many numbers, if the bytes begin with them: a later version may have appended more.
fn numbers<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let (chunks, _) = bytes.as_chunks::<8>();
    let chunks: &[[u8; 8]; N] = chunks.first_chunk()?;
    Some(chunks.map(u64::from_le_bytes))
}
