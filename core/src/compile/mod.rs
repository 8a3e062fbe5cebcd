//! From a document to a snapshot.
//!
//! The document is read level by level ([`crate::json`]); each flag is read, compiled and dropped before the next, so
//! that memory stays near what the snapshot itself needs. Problems are collected, not thrown: whoever fixes a document
//! sees all of them at once.

mod budget;
mod compilation;
mod cover;
mod flag;
mod metadata;
mod portable;
mod prerequisite;
mod route;
mod rule;

use std::borrow::Cow;
use std::cell::Cell;
use std::str::Utf8Error;

use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use self::budget::Budget;
use self::metadata::SetMetadata;
use crate::flag::{CompiledVariant, Flag, FlagId, State};
use crate::json::{Entries, Kind, Path, Position, entries, read};
use crate::names;
use crate::problem::{CompileError, Problems};
use crate::rule::{FractionalVersion, Node, Rules, reserve};
use crate::snapshot::Snapshot;
use crate::text::Interner;
use crate::value::TARGETING_KEY;

pub use compilation::Compilation;
pub use portable::portability;

/// The largest document, in bytes. Positions in it must fit 32 bits, and a proxy must have room for it.
pub(crate) const MOST_BYTES: usize = 64 << 20;

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
    /// not exist. A flag whose targeting does not compile is no error: it alone evaluates to `PARSE_ERROR`, and is
    /// among [`Snapshot::problems`].
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
    if document.len() > MOST_BYTES {
        let message = format!("{} bytes are more than a document may have ({MOST_BYTES})", document.len());
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

/// A rule of `$evaluators`.
#[derive(Debug)]
struct Evaluator {
    name: String,
    rule: serde_json::Value,
    /// Whether a flag refers to it.
    used: Cell<bool>,
}

/// A snapshot in the making.
#[derive(Debug)]
struct Compiler {
    /// All upstreams that routes may choose; any, when `None`.
    upstreams: Option<Vec<String>>,
    problems: Problems,
    texts: Interner,
    evaluators: Vec<Evaluator>,
    set_metadata: SetMetadata,
    fractional: FractionalVersion,
    /// Some part could not be read; perhaps the document is no JSON at all.
    doubtful: bool,
    without_positions: bool,
    budget: Budget,
    snapshot: Snapshot,
}

impl Compiler {
    /// A compiler of a document of so many bytes.
    fn new(bytes: usize, options: CompileOptions<'_>) -> Self {
        let mut compiler = Self {
            upstreams: options.upstreams.map(<[String]>::to_vec),
            problems: Problems::default(),
            texts: Interner::default(),
            evaluators: Vec::new(),
            set_metadata: SetMetadata::default(),
            fractional: FractionalVersion::default(),
            doubtful: false,
            without_positions: options.without_positions,
            budget: Budget::of(bytes),
            snapshot: Snapshot { rules: Rules::default(), ..Snapshot::default() },
        };
        // What is in force may be far larger than what this document may become.
        if let Some(like) = options.like.filter(|like| like.size() <= compiler.budget.most()) {
            compiler.reserve(like);
        }
        // An empty text is `Text::default`.
        compiler.texts.intern("");
        // Always the first attribute, whether or not a rule names it.
        rule::attribute(&mut compiler.snapshot.rules, &mut compiler.texts, TARGETING_KEY);
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
                        let name = name.into_owned();
                        self.evaluators.push(Evaluator { name, rule: value, used: Cell::new(false) });
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
    fn add_flag(&mut self, key: &str, flag: Flag, path: &Path<'_>) {
        let Self { texts, snapshot, problems, .. } = self;
        let hash = xxh3_64(key.as_bytes());
        let flags = &mut snapshot.flags;
        let known = |index: &u32| flags.get(*index as usize).is_some_and(|flag| texts.get(flag.key) == key);
        if let Some(index) = snapshot.by_key.find(hash, known) {
            problems.warn(path, format!("the flag `{key}` stands here twice; only the last one counts"));
            if let Some(slot) = flags.get_mut(*index as usize) {
                *slot = flag;
            }
            return;
        }
        let index = flags.len() as u32;
        flags.push(flag);
        snapshot.by_key.insert_unique(hash, index, |index| {
            xxh3_64(flags.get(*index as usize).map_or("", |flag| texts.get(flag.key)).as_bytes())
        });
    }

    fn find_flag(&self, key: &str) -> Option<FlagId> {
        let flags = &self.snapshot.flags;
        let matches =
            |index: &u32| flags.get(*index as usize).is_some_and(|flag| self.texts.get(flag.key) == key);
        self.snapshot.by_key.find(xxh3_64(key.as_bytes()), matches).map(|index| FlagId(*index))
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
