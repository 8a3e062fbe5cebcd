//! A compiled document: immutable, complete, and swapped as a whole.

use std::fmt;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::flag::{CompiledVariant, Evaluation, Flag, FlagId, State, VariantId};
use crate::metadata::{Metadata, Override};
use crate::problem::Problem;
use crate::route::Routes;
use crate::rule::Rules;
use crate::text::{Arena, Text};

/// A compiled document. Made by [`Snapshot::compile`]; nothing changes it afterwards.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(crate) text: Arena,
    /// How many texts that are.
    pub(crate) texts: usize,
    pub(crate) flags: Vec<Flag>,
    /// Numbers of flags by the hash of their keys.
    pub(crate) by_key: HashTable<u32>,
    /// What keys are hashed with, a random number: nobody can write keys that share their places.
    pub(crate) seed: u64,
    pub(crate) variants: Vec<CompiledVariant>,
    pub(crate) rules: Rules,
    pub(crate) routes: Routes,
    /// The flag set's metadata as a JSON object; empty when there is none.
    pub(crate) metadata: Text,
    pub(crate) overrides: Vec<Override>,
    pub(crate) version: Option<Text>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) fingerprint: u64,
    /// Whether any rule reads the clock.
    pub(crate) reads_clock: bool,
}

/// A variant: its name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant<'a> {
    /// Its name in the flag's `variants`.
    pub name: &'a str,
    /// Its value, as JSON text.
    pub json: &'a str,
    /// Its value, if that is a string.
    pub string: Option<&'a str>,
}

impl Snapshot {
    /// The flag with this key.
    pub fn flag(&self, key: &str) -> Option<FlagId> {
        let matches =
            |index: &u32| self.flags.get(*index as usize).is_some_and(|flag| self.text.is(flag.key, key));
        self.by_key.find(key_hash(self.seed, key), matches).map(|index| FlagId(*index))
    }

    /// All flags, in the order of the document.
    pub fn flags(&self) -> impl Iterator<Item = FlagId> + use<> {
        (0..self.flags.len() as u32).map(FlagId)
    }

    /// The key of a flag.
    pub fn key(&self, flag: FlagId) -> &str {
        self.flags.get(flag.0 as usize).map_or("", |flag| self.text.get(flag.key))
    }

    /// A variant's name and value.
    pub fn variant(&self, variant: VariantId) -> Variant<'_> {
        let Some(variant) = self.variants.get(variant.0 as usize) else {
            return Variant { name: "", json: "null", string: None };
        };
        Variant {
            name: self.text.get(variant.name),
            json: self.text.get(variant.json),
            string: variant.string.map(|text| self.text.get(text)),
        }
    }

    /// The variants of a flag, in the order of the document.
    pub fn variants(&self, flag: FlagId) -> impl Iterator<Item = VariantId> + use<> {
        let range = self
            .flags
            .get(flag.0 as usize)
            .map_or(0..0, |flag| flag.first_variant..flag.first_variant.saturating_add(flag.variants));
        range.map(VariantId)
    }

    /// How many variants all flags have together.
    pub fn variant_count(&self) -> usize {
        self.variants.len()
    }

    /// The metadata that belongs to an evaluation, as a JSON object: the flag's over the flag set's, or the flag set's
    /// alone where there is no such flag. `None` when there is none.
    pub fn metadata(&self, flag: Option<FlagId>) -> Option<Metadata<'_>> {
        let flag = flag.and_then(|flag| self.flags.get(flag.0 as usize));
        Metadata::new(self, flag.map(|flag| flag.metadata).unwrap_or_default())
    }

    /// Whether a flag's metadata, or else the flag set's, says `"client": true`.
    pub(crate) fn is_for_clients(&self, flag: FlagId) -> bool {
        self.flags.get(flag.0 as usize).is_some_and(|flag| flag.client)
    }

    /// The document's `metadata.version`, if it is a string or a number.
    pub fn version(&self) -> Option<&str> {
        self.version.map(|text| self.text.get(text))
    }

    /// What went wrong in an evaluation of `key`, in a sentence for people; empty when nothing did.
    pub fn error_message<'a>(&'a self, evaluation: &Evaluation, key: &'a str) -> impl fmt::Display + 'a {
        let flag = evaluation.flag.and_then(|flag| self.flags.get(flag.0 as usize));
        let reason = match flag.map(|flag| flag.state) {
            Some(State::Broken(reason)) => self.text.get(reason),
            _ => "",
        };
        ErrorMessage { error: evaluation.error, key, reason }
    }

    /// The attributes that rules name, in the order of [`Attribute::index`](crate::Attribute::index).
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.rules.attributes.iter().map(|attribute| self.text.get(attribute.path))
    }

    /// A hash of the document's bytes (XXH3-64): equal for equal documents, in every VM and on every machine.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// What is wrong with the document without refusing it: flags that fail alone, and warnings.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Bytes of memory that the snapshot holds, without its problems.
    pub fn size(&self) -> usize {
        self.text.size()
            + self.flags.capacity() * size_of::<Flag>()
            + self.by_key.allocation_size()
            + self.variants.capacity() * size_of::<CompiledVariant>()
            + self.overrides.capacity() * size_of::<Override>()
            + self.rules.size()
            + self.routes.size()
    }
}

/// The hash by which a flag is found.
#[inline]
pub(crate) fn key_hash(seed: u64, key: &str) -> u64 {
    xxh3_64_with_seed(key.as_bytes(), seed)
}

struct ErrorMessage<'a> {
    error: Option<crate::EvaluationError>,
    key: &'a str,
    reason: &'a str,
}

impl fmt::Display for ErrorMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::EvaluationError as E;
        let Self { error, key, reason } = self;
        match error {
            None => Ok(()),
            Some(E::FlagNotFound) => write!(f, "flag `{key}` is not in the document"),
            Some(E::Parse) => write!(f, "flag `{key}` does not compile: {reason}"),
            Some(E::UnknownVariant) => {
                write!(f, "the targeting of `{key}` gave something that is none of its variants")
            }
            Some(E::NotANumber) => {
                write!(
                    f,
                    "the targeting of `{key}` calculates with a list, an object or another value that is not a number"
                )
            }
            Some(E::NotAList) => {
                write!(f, "the targeting of `{key}` needs an array or a string where it found another value")
            }
            Some(E::Arguments) => {
                write!(f, "the targeting of `{key}` has an operator with arguments that it cannot take")
            }
            Some(E::TooMuchWork) => {
                write!(f, "evaluating the targeting of `{key}` takes more steps or memory than is allowed")
            }
        }
    }
}
