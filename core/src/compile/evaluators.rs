//! The rules of `$evaluators`, and what it may cost to follow `$ref`s to them.
//!
//! Every flag has its own copy of what it refers to, so a few evaluators can make very much of a small document. What is
//! compiled by reference is counted, also where the copy is dropped again because the flag fails or is disabled.

use std::cell::Cell;
use std::collections::HashMap;

use serde_json::Value;

/// How many parts may be compiled by reference in a document, each with [`BYTES_A_PART`] of text.
pub(super) const MAX_EXPANSION: usize = 4_000_000;

/// How many bytes of text are copied or hashed in the time in which a part is compiled, roughly.
const BYTES_A_PART: usize = 64;

/// A rule of `$evaluators`.
#[derive(Debug)]
pub(super) struct Evaluator {
    pub(super) name: String,
    pub(super) rule: Value,
    /// Whether a flag refers to it.
    pub(super) used: Cell<bool>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Evaluators {
    list: Vec<Evaluator>,
    /// Positions by name: of a name that stands twice, the last.
    by_name: HashMap<String, usize>,
    /// How many parts may still be compiled by reference.
    left: Cell<usize>,
}

impl Default for Evaluators {
    fn default() -> Self {
        Self { list: Vec::new(), by_name: HashMap::new(), left: Cell::new(MAX_EXPANSION) }
    }
}

impl Evaluators {
    pub(super) fn push(&mut self, name: String, rule: Value) {
        self.by_name.insert(name.clone(), self.list.len());
        self.list.push(Evaluator { name, rule, used: Cell::new(false) });
    }

    pub(super) fn find(&self, name: &str) -> Option<&Evaluator> {
        self.list.get(*self.by_name.get(name)?)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|evaluator| evaluator.name.as_str())
    }

    pub(super) fn unused(&self) -> impl Iterator<Item = &Evaluator> {
        self.list.iter().filter(|evaluator| !evaluator.used.get())
    }

    /// Counts parts that are compiled by reference, and so many bytes of text; false when they are too many.
    pub(super) fn charge(&self, parts: usize, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(parts + bytes / BYTES_A_PART);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }
}
