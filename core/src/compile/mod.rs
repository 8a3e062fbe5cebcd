//! From a document to a snapshot.
//!
//! The document is read level by level ([`crate::json`]); each flag is read, compiled and dropped before the next, so
//! that memory stays near what the snapshot itself needs. Problems are collected, not thrown: whoever fixes a document
//! sees all of them at once.

mod budget;
mod compilation;
mod cover;
mod evaluators;
mod flag;
mod in_use;
mod metadata;
mod portable;
mod prerequisite;
mod route;
mod rule;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::str::Utf8Error;

use self::budget::Budget;
use self::evaluators::Evaluators;
use self::metadata::SetMetadata;
use self::rule::Known;
use crate::flag::{CompiledVariant, Flag, FlagId, State};
use crate::json::{Entries, Kind, Path, Position, entries, read};
use crate::names;
use crate::problem::{CompileError, Problems};
use crate::rule::{FractionalVersion, Node, Rules, reserve};
use crate::snapshot::{Snapshot, key_hash};
use crate::text::{Interner, Text, random_seed};
use crate::value::TARGETING_KEY;
use serde_json::value::RawValue;

pub use compilation::Compilation;
pub use portable::portability;

/// The largest document, in bytes. Positions in it must fit 32 bits, and a proxy must have room for it.
pub const MAX_DOCUMENT_BYTES: usize = 64 << 20;

/// The keys of a document. flagd ignores others, so they are no errors.
const SECTIONS: [&str; 5] = ["$schema", "metadata", "$evaluators", "flags", "routes"];

/// What a document may do, beyond what every document may.
#[derive(Clone, Copy, Debug, Default)]
pub struct CompileOptions<'a> {
    /// All upstreams that its routes may choose; any, when `None`.
    pub upstreams: Option<&'a [String]>,
    /// Leaves out the lines and columns of problems: they take another pass over the document, in one go.
    pub without_positions: bool,
    /// What the document probably resembles: memory is set aside for as much, which is faster than growing and leaves
    /// fewer gaps behind.
    pub like: Option<&'a Snapshot>,
}

impl Snapshot {
    /// Compiles a document.
    ///
    /// # Errors
    /// When the document is refused: it is not JSON, its shape is wrong, a default variant or a route names what does
    /// not exist, a route or a gate uses a flag whose targeting does not compile or names no variant. Where nothing uses
    /// it, such a flag is no error: it alone evaluates to `PARSE_ERROR`, and is among [`Snapshot::problems`].
    pub fn compile(document: &[u8]) -> Result<Self, CompileError> {
        Self::compile_with(document, CompileOptions::default())
    }

    /// Compiles a document that must also obey `options`.
    ///
    /// # Errors
    /// As [`Snapshot::compile`], and when a route could choose an upstream that the options do not list.
    pub fn compile_with(document: &[u8], options: CompileOptions<'_>) -> Result<Self, CompileError> {
        Compilation::new(document, options)?.finish()
    }

    /// The flags that fail alone: evaluating them gives `PARSE_ERROR`.
    pub fn failing_flags(&self) -> impl Iterator<Item = FlagId> {
        self.flags().filter(|flag| {
            matches!(self.flags.get(flag.0 as usize), Some(Flag { state: State::Broken(_), .. }))
        })
    }
}

/// The text of a document.
fn text_of(document: Cow<'_, [u8]>) -> Result<Cow<'_, str>, CompileError> {
    if document.len() > MAX_DOCUMENT_BYTES {
        let message =
            format!("{} bytes are more than a document may have ({MAX_DOCUMENT_BYTES})", document.len());
        return Err(CompileError::of(message, None));
    }
    match document {
        Cow::Borrowed(document) => {
            std::str::from_utf8(document).map(Cow::Borrowed).map_err(|error| not_text(document, error))
        }
        Cow::Owned(document) => String::from_utf8(document)
            .map(Cow::Owned)
            .map_err(|error| not_text(error.as_bytes(), error.utf8_error())),
    }
}

fn not_text(document: &[u8], error: Utf8Error) -> CompileError {
    let valid = document.get(..error.valid_up_to()).unwrap_or_default();
    let position = std::str::from_utf8(valid).ok().map(Position::of_end);
    CompileError::of(format!("not UTF-8 from byte {} on", error.valid_up_to()), position)
}

fn root_of(text: &str) -> Result<&RawValue, CompileError> {
    read::<&RawValue>(text)
        .map_err(|error| CompileError::of(format!("not JSON: {}", error.message), Some(error.position)))
}

/// The upstreams that routes may choose.
#[derive(Debug)]
struct Upstreams {
    list: Vec<String>,
    set: HashSet<String>,
}

/// A snapshot in the making.
#[derive(Debug)]
struct Compiler {
    /// All upstreams that routes may choose; any, when `None`.
    upstreams: Option<Upstreams>,
    problems: Problems,
    texts: Interner,
    evaluators: Evaluators,
    /// What the snapshot's rules have already.
    known: Known,
    /// Rules that are looked at and not kept: those of disabled flags, and evaluators that no flag refers to.
    looked_at: (Rules, Known),
    /// The last flag of each key that asks for others, and where in the list of prerequisites.
    asking: HashMap<Text, Range<usize>>,
    /// Flags that routes choose upstreams by, and how many of their variants are none.
    releases: HashMap<FlagId, usize>,
    /// The variants of flags that have guardrails, by the flag's key.
    guarded: HashMap<Text, HashSet<Text>>,
    set_metadata: SetMetadata,
    fractional: FractionalVersion,
    /// Some part could not be read; perhaps the document is no JSON at all.
    doubtful: bool,
    without_positions: bool,
    budget: Budget,
    in_use: in_use::InUse,
    snapshot: Snapshot,
}

impl Compiler {
    /// A compiler of a document of so many bytes.
    fn new(bytes: usize, options: CompileOptions<'_>) -> Self {
        let mut compiler = Self {
            upstreams: options.upstreams.map(|upstreams| Upstreams {
                list: upstreams.to_vec(),
                set: upstreams.iter().cloned().collect(),
            }),
            problems: Problems::default(),
            texts: Interner::default(),
            evaluators: Evaluators::default(),
            known: Known::default(),
            looked_at: (Rules::default(), Known::default()),
            asking: HashMap::new(),
            releases: HashMap::new(),
            guarded: HashMap::new(),
            set_metadata: SetMetadata::default(),
            fractional: FractionalVersion::default(),
            doubtful: false,
            without_positions: options.without_positions,
            budget: Budget::of(bytes),
            in_use: in_use::InUse::default(),
            snapshot: Snapshot { seed: random_seed(), ..Snapshot::default() },
        };
        // What is in force may be far larger than what this document may become.
        if let Some(like) = options.like.filter(|like| like.size() <= compiler.budget.most()) {
            compiler.reserve(like);
        }
        // An empty text is `Text::default`.
        compiler.texts.intern("");
        // Always the first attribute, whether or not a rule names it.
        let Self { snapshot, known, texts, looked_at: (rules, also_known), .. } = &mut compiler;
        known.attribute(&mut snapshot.rules, texts, TARGETING_KEY);
        also_known.attribute(rules, texts, TARGETING_KEY);
        compiler
    }

    fn reserve(&mut self, like: &Snapshot) {
        self.texts.reserve(&like.text, like.texts);
        self.snapshot.rules.reserve(&like.rules);
        reserve(&mut self.snapshot.flags, &like.flags);
        reserve(&mut self.snapshot.variants, &like.variants);
        reserve(&mut self.snapshot.overrides, &like.overrides);
    }

    fn unknown_section(&mut self, key: &str) {
        if !SECTIONS.contains(&key)
            && let Some(nearest) = names::nearest(key, SECTIONS)
        {
            let message = format!("unknown key `{key}` is ignored; did you mean `{nearest}`?");
            self.problems.warn(&Path::Root.key(key), message);
        }
    }

    fn evaluators(&mut self, raw: &RawValue, path: &Path<'_>) {
        match entries(raw) {
            Ok(Entries::Map(members)) => {
                for (name, raw) in members {
                    if self.budget.is_over() {
                        return;
                    }
                    if let Some(value) = self.value(raw.get(), &path.key(&name)) {
                        self.count_evaluator(raw.get(), &path.key(&name));
                        self.evaluators.push(name.into_owned(), value);
                    }
                }
            }
            _ => {
                let message =
                    format!("must be an object of rules by name, this is {}", Kind::of_text(raw.get()));
                self.problems.refuse(path, message);
            }
        }
    }

    fn flag_text(&mut self, key: &str, text: &str, path: &Path<'_>) {
        if let Some(value) = self.value(text, path) {
            self.flag(key, &value, path);
        }
        self.settle(path);
    }

    /// A flag in an array.
    fn flag_item(&mut self, text: &str, path: &Path<'_>) {
        let Some(value) = self.value(text, path) else { return };
        match value.get("key").and_then(serde_json::Value::as_str) {
            Some(key) => self.flag(key, &value, path),
            None => self.problems.refuse(path, "a flag in an array needs a `key`, a string"),
        }
        self.settle(path);
    }

    /// Reads a whole value; none, and a problem, where it is not JSON after all (numbers that are too large, surrogates
    /// that are alone, nesting beyond what anybody writes).
    fn value(&mut self, text: &str, path: &Path<'_>) -> Option<serde_json::Value> {
        if !self.has_room_for_tree(text, path) {
            return None;
        }
        match read(text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.doubtful = true;
                let message = format!("not JSON: {}", error.message);
                self.problems.refuse_within(path, error.position, message);
                None
            }
        }
    }

    /// Adds a compiled flag. Of a key that stands twice the last flag counts, as in every JSON parser.
    fn add_flag(&mut self, key: &str, flag: Flag, path: &Path<'_>) -> FlagId {
        if let Some(FlagId(index)) = self.find_flag(key) {
            let message = format!("the flag `{key}` stands here twice; only the last one counts");
            self.problems.warn(path, message);
            if let Some(slot) = self.snapshot.flags.get_mut(index as usize) {
                *slot = flag;
            }
            return FlagId(index);
        }
        let Self { texts, snapshot, .. } = self;
        let Snapshot { flags, by_key, seed, .. } = snapshot;
        let index = flags.len() as u32;
        flags.push(flag);
        by_key.insert_unique(key_hash(*seed, key), index, |index| {
            key_hash(*seed, flags.get(*index as usize).map_or("", |flag| texts.get(flag.key)))
        });
        FlagId(index)
    }

    fn find_flag(&self, key: &str) -> Option<FlagId> {
        let flags = &self.snapshot.flags;
        let matches =
            |index: &u32| flags.get(*index as usize).is_some_and(|flag| self.texts.get(flag.key) == key);
        self.snapshot.by_key.find(key_hash(self.snapshot.seed, key), matches).map(|index| FlagId(*index))
    }

    fn add_variants(&mut self, variants: impl Iterator<Item = CompiledVariant>) -> (u32, u32) {
        let first = self.snapshot.variants.len() as u32;
        self.snapshot.variants.extend(variants);
        (first, self.snapshot.variants.len() as u32 - first)
    }

    fn finish(mut self, document: &str, fingerprint: u64) -> Result<Snapshot, CompileError> {
        let (problems, refused) = self.problems.finish(document, !self.without_positions);
        if refused {
            return Err(CompileError { problems });
        }
        let snapshot = &mut self.snapshot;
        snapshot.reads_clock = snapshot
            .rules
            .nodes
            .iter()
            .any(|node| matches!(node, Node::Timestamp | Node::Ramp(_) | Node::Computed(_)));
        snapshot.fingerprint = fingerprint;
        snapshot.problems = problems;
        snapshot.texts = self.texts.count();
        snapshot.text = self.texts.finish();
        snapshot.flags.shrink_to_fit();
        snapshot.variants.shrink_to_fit();
        snapshot.overrides.shrink_to_fit();
        snapshot.rules.shrink_to_fit();
        Ok(self.snapshot)
    }
}

#[cfg(test)]
mod tests;
