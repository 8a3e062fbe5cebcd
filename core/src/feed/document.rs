//! What a proxy knows of a source: the document that it gave, the one before, and where their bytes lie.
//!
//! A document lies in pieces, since reading a long one as a whole takes longer than a request should wait. Its pieces lie
//! in a *place* that nobody else writes to: whoever brings a document reserves one first. So configurations that publish
//! at the same time cannot overwrite each other's pieces. Places have small numbers and are used again, because what a
//! proxy shares cannot be deleted, only overwritten. Each piece begins with the fingerprint of its document: a reader
//! that is late finds out.

use super::fields::{Fields, Writer};
use crate::compile::MAX_DOCUMENT_BYTES;
use crate::signature::{SignedFields, Validity};

/// Documents lie in pieces of so many bytes.
pub const PIECE_BYTES: usize = 64 << 10;

/// More places than this are never in use at once: two documents, and what is being written and emptied.
const MAX_PLACES: usize = 32;

/// Of these, so many can be reserved: a document that goes out of force needs one without being asked.
const MAX_RESERVED: usize = MAX_PLACES - 2;

/// A place that nobody has finished with after so many rounds was left behind by a VM that died.
const MAX_PLACE_ROUNDS: u64 = 2;

/// How many pieces a document of so many bytes has. An empty one has a piece, too: that there is none would mean that it
/// is gone.
pub fn piece_count(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PIECE_BYTES).max(1)).unwrap_or(u32::MAX)
}

/// Why a document was accepted, for those who trust others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// A hash of whom the one who accepted it trusts.
    pub trust: u64,
    /// The header fields by which it is signed.
    pub fields: SignedFields,
    /// From when until when the newest signature holds, where one was required.
    pub validity: Option<Validity>,
}

impl Provenance {
    fn decode(fields: &Fields<'_>) -> Option<Self> {
        let text = |tag| fields.text(tag).unwrap_or_default();
        let signed =
            SignedFields { digest: text(8), audience: text(10), input: text(11), signature: text(12) };
        let validity = fields.list(13).next().map(|[created, expires]| Validity { created, expires });
        Some(Self { trust: fields.number(7)?, fields: signed, validity })
    }

    fn encode(&self, writer: Writer) -> Writer {
        let SignedFields { digest, audience, input, signature } = &self.fields;
        let writer = [(8, digest), (10, audience), (11, input), (12, signature)]
            .into_iter()
            .fold(writer.number(7, self.trust), |writer, (tag, text)| writer.bytes(tag, text.as_bytes()));
        writer.list(13, self.validity.iter().map(|validity| [validity.created, validity.expires]))
    }
}

/// What is known of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentRecord {
    /// Counts the documents that the proxy has had.
    pub generation: u64,
    /// The document's fingerprint.
    pub fingerprint: u64,
    /// When the source last confirmed it, in milliseconds since the epoch.
    pub confirmed: u64,
    /// The document's bytes.
    pub length: usize,
    /// The number of the place where its pieces lie.
    pub place: u32,
    /// The ETag that the source gave it.
    pub etag: Option<String>,
    /// Why it was accepted.
    pub provenance: Provenance,
    /// The version that it carries.
    pub version: Option<String>,
}

impl DocumentRecord {
    /// When it was last confirmed, in milliseconds since the epoch: by the signer where its signature was required, else by
    /// the source.
    pub fn confirmed_at(&self, signed: bool) -> u64 {
        match self.provenance.validity {
            Some(validity) if signed => validity.created.saturating_mul(1000).min(self.confirmed),
            _ => self.confirmed,
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let fields = Fields::parse(bytes)?;
        Some(Self {
            generation: fields.number(1)?,
            fingerprint: fields.number(2)?,
            confirmed: fields.number(3)?,
            length: usize::try_from(fields.number(4)?).ok().filter(|length| *length <= MAX_DOCUMENT_BYTES)?,
            place: u32::try_from(fields.number(5)?).ok()?,
            etag: fields.text(6),
            provenance: Provenance::decode(&fields)?,
            version: fields.text(9),
        })
    }

    fn encode(&self) -> Vec<u8> {
        let writer = Writer::default()
            .number(1, self.generation)
            .number(2, self.fingerprint)
            .number(3, self.confirmed)
            .number(4, self.length as u64)
            .number(5, self.place.into());
        let writer = self.provenance.encode(writer);
        let optional = [(6, &self.etag), (9, &self.version)];
        let present = optional.into_iter().filter_map(|(tag, text)| Some((tag, text.as_deref()?)));
        present.fold(writer, |writer, (tag, text)| writer.bytes(tag, text.as_bytes())).finish()
    }
}

/// A place that holds neither the document in force nor the one before: it is being written, or emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number.
    pub number: u32,
    /// How many pieces may lie there.
    pub pieces: u32,
    /// For how many rounds nobody has finished with it.
    rounds: u64,
}

/// What is known of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRecord {
    /// The document that the proxy has from it.
    pub current: Option<DocumentRecord>,
    /// The one before, to which the proxy goes back if a VM dies of this one.
    pub previous: Option<DocumentRecord>,
    /// When the source was last seen to go to and fro between two documents, in milliseconds since the epoch.
    pub alternated: Option<u64>,
    places: Vec<Place>,
}

impl SourceRecord {
    /// Reads a record; bytes that are none are as good as none.
    pub fn decode(bytes: &[u8]) -> Self {
        let Some(fields) = Fields::parse(bytes) else { return Self::default() };
        let places = fields.list(4).filter_map(|[number, pieces, rounds]| {
            Some(Place { number: number.try_into().ok()?, pieces: pieces.try_into().ok()?, rounds })
        });
        Self {
            current: fields.bytes(1).and_then(DocumentRecord::decode),
            previous: fields.bytes(2).and_then(DocumentRecord::decode),
            alternated: fields.number(3),
            places: places.take(MAX_PLACES).collect(),
        }
    }

    /// The bytes that [`SourceRecord::decode`] reads.
    pub fn encode(&self) -> Vec<u8> {
        let documents = [(1, &self.current), (2, &self.previous)].into_iter();
        let writer = documents.fold(Writer::default(), |writer, (tag, document)| match document {
            Some(document) => writer.bytes(tag, &document.encode()),
            None => writer,
        });
        let writer = match self.alternated {
            Some(time) => writer.number(3, time),
            None => writer,
        };
        let places = self.places.iter();
        writer.list(4, places.map(|place| [place.number.into(), place.pieces.into(), place.rounds])).finish()
    }

    /// A place for a document of so many pieces, which belongs to who asked until it is published or released. None if
    /// too many are reserved.
    pub fn reserve(&mut self, pieces: u32) -> Option<Place> {
        if self.places.len() >= MAX_RESERVED {
            return None;
        }
        let documents = [&self.current, &self.previous].into_iter().flatten().map(|document| document.place);
        let taken: Vec<u32> = documents.chain(self.places.iter().map(|place| place.number)).collect();
        let number = (0..=u32::MAX).find(|number| !taken.contains(number))?;
        let place = Place { number, pieces, rounds: 0 };
        self.places.push(place);
        Some(place)
    }

    /// Brings a document into force whose pieces lie in a reserved place. What lies in the place that is returned is of
    /// no use to anybody: empty it, then [release](Self::release) it.
    pub fn publish(&mut self, document: DocumentRecord) -> Option<Place> {
        self.release(document.place);
        let before = self.current.replace(document);
        let retired = std::mem::replace(&mut self.previous, before)?;
        self.retire(&retired)
    }

    /// Goes back from this document to the one before, as another generation. `None` if there is nothing to go back to.
    pub fn withdraw(&mut self, fingerprint: u64) -> Option<Place> {
        let current = self.current.as_ref().filter(|current| current.fingerprint == fingerprint)?;
        let previous = self.previous.as_ref().filter(|previous| previous.fingerprint != fingerprint)?;
        let generation = current.generation.saturating_add(1);
        let restored = DocumentRecord { generation, ..previous.clone() };
        self.previous = None;
        let withdrawn = self.current.replace(restored)?;
        self.retire(&withdrawn)
    }

    fn retire(&mut self, document: &DocumentRecord) -> Option<Place> {
        let place = Place { number: document.place, pieces: piece_count(document.length), rounds: 0 };
        self.places.push(place);
        Some(place)
    }

    /// A place is empty, and whoever needs one may have it.
    pub fn release(&mut self, number: u32) {
        self.places.retain(|place| place.number != number);
    }

    /// A round has passed: the places that were left behind, to be emptied and released by who asks.
    pub fn next_round(&mut self) -> Vec<Place> {
        let mut left = Vec::new();
        for place in &mut self.places {
            place.rounds = place.rounds.saturating_add(1);
            if place.rounds > MAX_PLACE_ROUNDS {
                place.rounds = 0;
                left.push(*place);
            }
        }
        left
    }

    /// All places where pieces may lie.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        let documents = [&self.current, &self.previous].into_iter().flatten();
        let used = documents.map(|document| Place {
            number: document.place,
            pieces: piece_count(document.length),
            rounds: 0,
        });
        used.chain(self.places.iter().copied())
    }
}
