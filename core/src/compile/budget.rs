//! What a snapshot, and compiling it, may take of memory.
//!
//! A proxy's VM that asks for more than there is dies, and with it every request on its worker. So memory is counted while
//! a document compiles, and a document that would take more than [`Budget::of`] allows is refused where it passes that.
//!
//! Counted is what a list has room for (lists double as they grow) at the sizes of 64-bit machines, wherever it compiles:
//! a document that `turquoise validate` accepts is accepted by a proxy, whose VM takes about half as much. While a list
//! moves to twice its room the old one is still there, so memory can be half as much again as what is counted.

use serde_json::Value;

use super::Compiler;
use crate::json::Path;
use crate::rule::Rules;

/// How many times its own size a document may take. Ordinary ones take 2 to 8 times, very short flags up to 20.
const MAX_TIMES: usize = 64;

/// What every document may take, however short it is.
const LEAST_BYTES: usize = 4 << 20;

/// What no document may pass. A VM holds the one in force and the one that is compiled.
const MAX_BYTES: usize = 256 << 20;

// Positions have 32 bits, and whatever is counted takes at least one byte.
const _: () = assert!(MAX_BYTES < u32::MAX as usize);

/// Sizes on a 64-bit machine, those in hash tables with what the tables need. `sizes_are_those_of_64_bits` compares them.
mod size {
    pub(super) const FLAG: usize = 72;
    pub(super) const VARIANT: usize = 28;
    pub(super) const OVERRIDE: usize = 16;
    pub(super) const NODE: usize = 16;
    pub(super) const NODE_ID: usize = 4;
    pub(super) const LISTED: usize = 16;
    pub(super) const VALUE: usize = 72;
    /// With a look-up by name, a binding to what a request has, and its names.
    pub(super) const ATTRIBUTE: usize = 24 + 160;
    pub(super) const FRACTIONAL: usize = 56;
    pub(super) const BUCKET: usize = 20;
    pub(super) const VERSION: usize = 48;
    pub(super) const SPLIT: usize = 40;
    pub(super) const SPLIT_BUCKET: usize = 8;
    pub(super) const RAMP: usize = 48;
    pub(super) const RAMP_POINT: usize = 16;
    /// With what looking for cycles takes.
    pub(super) const PREREQUISITE: usize = 24 + 80;
    pub(super) const NETWORKS: usize = 16;
    pub(super) const NETWORK: usize = 32;
    /// With a look-up by text.
    pub(super) const PATTERN: usize = 24 + 400;
    /// An entry that finds a text, or a flag by its key.
    pub(super) const FOUND: usize = 13;
    /// A member of a JSON object as it is read: hash, key, value.
    pub(super) const MEMBER: usize = 104;
    /// A JSON object as it is read, without its members.
    pub(super) const OBJECT: usize = 3 * MEMBER + 64;
    /// What an allocation takes beyond what is asked for.
    pub(super) const ALLOCATION: usize = 16;
    /// Why a flag gives what is no variant, besides the text.
    pub(super) const MISNAMED: usize = 80;
    /// A rule of `$evaluators` besides its own tree.
    pub(super) const EVALUATOR: usize = 300;
    /// A route, with what finding its name, reading it, looking for routes that cover it and at its flags takes.
    pub(super) const ROUTE: usize = 1000;
    /// A host of a route: in the index by itself and with its path, and where covering routes are looked for.
    pub(super) const HOST: usize = 350;
    pub(super) const METHOD: usize = 24;
    pub(super) const HEADER: usize = 60;
    /// A member of the document that is found before any is read.
    pub(super) const SECTION: usize = 40;
}

/// What a document's rules hold outside of their lists, as far as it was looked at.
#[derive(Debug, Default)]
struct Boxed {
    bytes: usize,
    constants: usize,
    fractionals: usize,
    splits: usize,
    ramps: usize,
    networks: usize,
}

/// What a document may take, and what it takes.
#[derive(Debug)]
pub(super) struct Budget {
    most: usize,
    /// Bytes of the document.
    document: usize,
    /// What is counted one by one: evaluators, routes.
    counted: usize,
    rules: Boxed,
    /// Of rules that are looked at and not kept.
    looked_at: Boxed,
    is_over: bool,
}

impl Budget {
    /// The budget of a document of so many bytes.
    pub(super) fn of(document: usize) -> Self {
        let most = document.saturating_mul(MAX_TIMES).saturating_add(LEAST_BYTES).min(MAX_BYTES);
        Self {
            most,
            document,
            counted: 0,
            rules: Boxed::default(),
            looked_at: Boxed::default(),
            is_over: false,
        }
    }

    /// What the document may take.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Whether more is needed than may be: nothing more is compiled then.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}

impl Compiler {
    /// Refuses the document at `path` if it takes too much by now.
    pub(super) fn settle(&mut self, path: &Path<'_>) {
        self.require(0, path);
    }

    /// Counts a rule of `$evaluators`, which is kept while the document compiles.
    pub(super) fn count_evaluator(&mut self, text: &str, path: &Path<'_>) {
        self.count(tree(text).saturating_add(size::EVALUATOR), path);
    }

    /// Counts why a flag gives what is no variant.
    pub(super) fn count_misnamed(&mut self, reason: &str, path: &Path<'_>) {
        self.count(reason.len().saturating_add(size::MISNAMED), path);
    }

    pub(super) fn count_route(&mut self, hosts: usize, methods: usize, headers: usize, path: &Path<'_>) {
        let hosts = hosts.saturating_mul(size::HOST);
        let methods = methods.saturating_mul(size::METHOD);
        let headers = headers.saturating_mul(size::HEADER);
        self.count(size::ROUTE.saturating_add(hosts).saturating_add(methods).saturating_add(headers), path);
    }

    fn count(&mut self, bytes: usize, path: &Path<'_>) {
        self.budget.counted = self.budget.counted.saturating_add(bytes);
        self.settle(path);
    }

    /// Whether there is memory to read `text` whole, for as long as it is compiled; else the document is refused.
    pub(super) fn has_room_for_tree(&mut self, text: &str, path: &Path<'_>) -> bool {
        // Most are so short that what they could take at worst is known to be there.
        let worst = text.len().saturating_mul(size::OBJECT);
        match self.held().saturating_add(worst) <= self.budget.most {
            true => true,
            false => self.require(tree(text), path),
        }
    }

    /// Whether there is memory for so many members of the document itself; else it is refused.
    pub(super) fn has_room_for_sections(&mut self, count: usize) -> bool {
        self.require(list(count, size::SECTION), &Path::Root)
    }

    /// Whether there is memory for so many bytes more; else the document is refused, once.
    fn require(&mut self, more: usize, path: &Path<'_>) -> bool {
        let needed = self.held().saturating_add(more);
        let Budget { most, document, is_over, .. } = &mut self.budget;
        if needed <= *most {
            return true;
        }
        if !std::mem::replace(is_over, true) {
            let message = format!(
                "compiling up to here takes {needed} bytes of memory, and a document of {document} bytes may take {most} \
                 ({MAX_TIMES} times its size and {LEAST_BYTES} more, at most {MAX_BYTES}): make it smaller"
            );
            self.problems.refuse(path, message);
        }
        false
    }

    /// Bytes that the snapshot in the making has by now, with what is needed to make it.
    fn held(&mut self) -> usize {
        let Self { snapshot, texts, budget, looked_at: (looked_at, _), .. } = self;
        budget.rules.look_at(&snapshot.rules);
        budget.looked_at.look_at(looked_at);
        [
            budget.counted,
            budget.rules.bytes,
            lists(&snapshot.rules),
            budget.looked_at.bytes,
            lists(looked_at),
            list(snapshot.flags.len(), size::FLAG),
            table(snapshot.flags.len(), size::FOUND),
            list(snapshot.variants.len(), size::VARIANT),
            list(snapshot.overrides.len(), size::OVERRIDE),
            list(texts.size(), 1),
            table(texts.count(), size::FOUND),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}

/// What a list of so many items has room for.
fn list(items: usize, size: usize) -> usize {
    items.checked_next_power_of_two().unwrap_or(usize::MAX).saturating_mul(size)
}

/// What a hash table with so many entries has room for: an eighth of it stays free.
fn table(entries: usize, size: usize) -> usize {
    list(entries.saturating_add(entries / 7), size)
}

fn lists(rules: &Rules) -> usize {
    [
        list(rules.nodes.len(), size::NODE),
        list(rules.arguments.len(), size::NODE_ID),
        list(rules.texts.len(), size::LISTED),
        list(rules.constants.len(), size::VALUE),
        list(rules.attributes.len(), size::ATTRIBUTE),
        list(rules.fractionals.len(), size::FRACTIONAL),
        list(rules.versions.len(), size::VERSION),
        list(rules.splits.len(), size::SPLIT),
        list(rules.ramps.len(), size::RAMP),
        list(rules.prerequisites.len(), size::PREREQUISITE),
        list(rules.networks.len(), size::NETWORKS),
        list(rules.patterns.len(), size::PATTERN),
        rules.pattern_bytes,
    ]
    .into_iter()
    .fold(0, usize::saturating_add)
}

impl Boxed {
    /// Counts what came since it last looked.
    fn look_at(&mut self, rules: &Rules) {
        let Self { bytes, constants, fractionals, splits, ramps, networks } = self;
        let boxed = |items: usize, size: usize| size::ALLOCATION + items * size;
        add(bytes, constants, &rules.constants, heap);
        add(bytes, fractionals, &rules.fractionals, |fractional| {
            boxed(fractional.buckets.len(), size::BUCKET)
        });
        add(bytes, splits, &rules.splits, |split| boxed(split.buckets.len(), size::SPLIT_BUCKET));
        add(bytes, ramps, &rules.ramps, |ramp| boxed(ramp.points.len(), size::RAMP_POINT));
        add(bytes, networks, &rules.networks, |networks| boxed(networks.len(), size::NETWORK));
    }
}

fn add<T>(bytes: &mut usize, seen: &mut usize, list: &[T], size: impl Fn(&T) -> usize) {
    let new = list.get(*seen..).unwrap_or_default();
    *bytes = new.iter().map(size).fold(*bytes, usize::saturating_add);
    *seen = list.len();
}

/// What a JSON value has on the heap.
fn heap(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => size::ALLOCATION + text.len(),
        Value::Array(items) => {
            let items = items.iter().map(|item| size::VALUE.saturating_add(heap(item)));
            items.fold(size::ALLOCATION, usize::saturating_add)
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| size::MEMBER + size::FOUND + size::ALLOCATION + key.len() + heap(value));
            members.fold(size::OBJECT, usize::saturating_add)
        }
    }
}

/// What reading a JSON text whole takes, by a look at its brackets, commas and quotes.
fn tree(text: &str) -> usize {
    let (mut values, mut arrays, mut objects) = (1usize, 0usize, 0usize);
    let (mut members, mut strings) = (0usize, 0usize);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b',' => values += 1,
            b'[' => arrays += 1,
            b'{' => objects += 1,
            b':' => members += 1,
            b'"' => {
                strings += 1;
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => _ = bytes.next(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    // Arrays and objects double as they grow, and begin with room for four and three.
    let arrays = arrays.saturating_mul(4 * size::VALUE);
    let items = values.saturating_mul(2 * size::VALUE);
    let members = members.saturating_mul(2 * (size::MEMBER + size::FOUND - size::VALUE));
    let objects = objects.saturating_mul(size::OBJECT);
    let strings = strings.saturating_mul(size::ALLOCATION);
    [text.len(), arrays, items, members, objects, strings].into_iter().fold(0, usize::saturating_add)
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;
    use crate::flag::{CompiledVariant, Flag};
    use crate::metadata::Override;
    use crate::rule::{
        AttributePath, Bucket, Fractional, Network, Node, NodeId, Pattern, Prerequisite, Ramp, Split,
        VersionTest,
    };
    use crate::text::{Listed, Text};

    #[test]
    fn sizes_are_those_of_64_bits() {
        for (name, counted, real) in [
            ("FLAG", size::FLAG, size_of::<Flag>()),
            ("VARIANT", size::VARIANT, size_of::<CompiledVariant>()),
            ("OVERRIDE", size::OVERRIDE, size_of::<Override>()),
            ("NODE", size::NODE, size_of::<Node>()),
            ("NODE_ID", size::NODE_ID, size_of::<NodeId>()),
            ("LISTED", size::LISTED, size_of::<Listed>()),
            ("VALUE", size::VALUE, size_of::<Value>()),
            ("ATTRIBUTE", size::ATTRIBUTE, size_of::<AttributePath>()),
            ("FRACTIONAL", size::FRACTIONAL, size_of::<Fractional>()),
            ("BUCKET", size::BUCKET, size_of::<Bucket>()),
            ("VERSION", size::VERSION, size_of::<VersionTest>()),
            ("SPLIT", size::SPLIT, size_of::<Split>()),
            ("SPLIT_BUCKET", size::SPLIT_BUCKET, size_of::<(NodeId, u32)>()),
            ("RAMP", size::RAMP, size_of::<Ramp>()),
            ("RAMP_POINT", size::RAMP_POINT, size_of::<(u64, u32)>()),
            ("PREREQUISITE", size::PREREQUISITE, size_of::<Prerequisite>()),
            ("NETWORKS", size::NETWORKS, size_of::<Box<[Network]>>()),
            ("NETWORK", size::NETWORK, size_of::<Network>()),
            ("PATTERN", size::PATTERN, size_of::<Pattern>()),
            ("FOUND", size::FOUND, size_of::<(u32, Text)>() + 1),
            ("MEMBER", size::MEMBER, size_of::<(usize, String, Value)>()),
        ] {
            assert!(real <= counted, "{name}: {real} bytes, {counted} are counted");
        }
    }

    #[test]
    fn a_tree_is_not_larger_than_is_counted() {
        for text in [
            "[]",
            "[[[[0]]]]",
            r#"{"a":{"b":{"c":[1,2,3,4,5]}},"d":"ä\"[[[{{{,,,"}"#,
            r#"[{"a":1,"b":2,"c":3,"d":4},{"a":"\\"}]"#,
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            let (counted, real) = (tree(text), size::VALUE + heap(&value));
            assert!((real..500 * text.len()).contains(&counted), "{text}: {real} bytes, {counted} counted");
        }
        let brackets = r#""[[[{{{,,,""#;
        assert!(tree(brackets) < 300, "what stands in a string is no structure");
    }

    #[test]
    fn a_short_document_may_take_what_every_one_may_and_a_long_one_no_more_than_any() {
        assert_eq!(Budget::of(0).most(), 4 << 20);
        assert_eq!(Budget::of(1 << 20).most(), 68 << 20);
        assert_eq!(Budget::of(64 << 20).most(), 256 << 20);
        assert_eq!(Budget::of(usize::MAX).most(), 256 << 20);
    }
}
