//! Compiled rules: expressions as small copyable nodes that name one another by number.
//!
//! All rules of a snapshot lie in one list, so that ten thousand of them are a few allocations and evaluation reads
//! memory in order. Children come before their parents; a node never names a later one, hence no cycles.

use crate::flag::FlagId;
use crate::text::{Listed, Text};

/// The number of a node in [`Rules::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(pub(crate) u32);

/// Consecutive entries of [`Rules::arguments`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// One expression.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(f64),
    Text(Text),
    /// A constant array or object, by its number in [`Rules::constants`].
    Constant(u32),
    /// An array of which at least one item must be evaluated.
    List(Arguments),
    /// An attribute, by its number in [`Rules::attributes`].
    Attribute(u32),
    /// A part of what `map`, `reduce` and the like are at, by its path; all of it when the path is empty.
    Member(Text),
    /// The whole evaluation context.
    Whole,
    /// An attribute, or a part of what an iteration is at, whose path must be evaluated.
    Computed(NodeId),
    /// `$flagd.flagKey`.
    FlagKey,
    /// `$flagd.timestamp`: unix seconds.
    Timestamp,
    /// The first, or the second where the first is null.
    Or0(NodeId, NodeId),
    If(Arguments),
    And(Arguments),
    Or(Arguments),
    Not(NodeId),
    Truthy(NodeId),
    Compare(Comparison, Arguments),
    In(NodeId, NodeId),
    /// Whether a value is one of these texts, all of which are [`Node::Text`].
    OneOf(NodeId, Arguments),
    StartsWith(NodeId, NodeId),
    EndsWith(NodeId, NodeId),
    /// An operator on the values of its arguments.
    Operator(Operator, Arguments),
    /// An operator on the items of one value; on the value itself where it is no array.
    Spread(Operator, NodeId),
    Map(NodeId, NodeId),
    Filter(NodeId, NodeId),
    All(NodeId, NodeId),
    Some(NodeId, NodeId),
    None(NodeId, NodeId),
    /// The list, what is done with each item, and what to begin with, if that is given.
    Reduce(Arguments),
    /// By its number in [`Rules::versions`].
    Version(NodeId, u32),
    /// By its number in [`Rules::fractionals`].
    Fractional(u32),
    /// By its number in [`Rules::splits`].
    Split(u32),
    /// By its number in [`Rules::ramps`].
    Ramp(u32),
    /// Another flag's variant, by its number in [`Rules::prerequisites`].
    Prerequisite(u32),
    /// Whether an address is in one of these networks, by their number in [`Rules::networks`].
    Cidr(NodeId, u32),
    /// By its number in [`Rules::patterns`].
    Matches(NodeId, u32),
    /// An operator with arguments that make no sense: flagd's own give null.
    Misuse,
}

/// An operator that takes the values of all its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Compare(Comparison),
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Max,
    Min,
    Merge,
    Cat,
    Substr,
    Missing,
    MissingSome,
    SemVer,
    /// Its key and its buckets are known only when it is evaluated.
    Fractional,
    StartsWith,
    EndsWith,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    StrictEqual,
    StrictNotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is bucketed by a `fractional`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BucketBy {
    /// The flag's key followed by the targeting key.
    TargetingKey,
    /// The value of an expression, if it is a string; the targeting key if it is null.
    Value(NodeId),
}

/// Which `fractional` a document asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FractionalVersion {
    /// Hashes text.
    #[default]
    V2,
    /// Hashes the deterministic CBOR of any value.
    V3,
}

/// A `fractional`: its key and its buckets.
#[derive(Debug)]
pub(crate) struct Fractional {
    pub(crate) by: BucketBy,
    pub(crate) buckets: Box<[Bucket]>,
    /// The sum of the weights, where all of them are constants.
    pub(crate) total: Option<u32>,
    /// Whether some variant is an expression.
    pub(crate) computed: bool,
    /// The flag's key, hashed.
    pub(crate) start: crate::eval::Murmur3,
    pub(crate) version: FractionalVersion,
}

/// One bucket of a `fractional`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    pub(crate) variant: NodeId,
    pub(crate) weight: Weight,
    /// Whether the variant is an expression.
    pub(crate) computed: bool,
}

/// A bucket's share of the total.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weight {
    Constant(u32),
    Computed(NodeId),
}

/// A comparison of a version with a constant one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VersionTest {
    pub(crate) operator: VersionOperator,
    pub(crate) numbers: [u64; 3],
    pub(crate) pre_release: Text,
    pub(crate) version: Text,
}

/// flagd's operators on versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionOperator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Same major version.
    Caret,
    /// Same major and minor version.
    Tilde,
}

/// Who is where in a `split` or a `ramp`: XXH3-64 of the key, seeded by XXH3-64 of the salt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    pub(crate) seed: u64,
    /// What is hashed; the targeting key when `None`.
    pub(crate) by: Option<NodeId>,
}

/// A `split`: variants and where, in thousandths of a percent, the share of each ends.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) position: Position,
    pub(crate) buckets: Box<[(NodeId, u32)]>,
}

/// A `ramp`: its schedule in ascending order of time, shares in thousandths of a percent.
#[derive(Debug)]
pub(crate) struct Ramp {
    pub(crate) position: Position,
    pub(crate) points: Box<[(u64, u32)]>,
    pub(crate) linear: bool,
}

/// Everything that rules are made of.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) nodes: Vec<Node>,
    pub(crate) arguments: Vec<NodeId>,
    pub(crate) texts: Vec<Listed>,
    pub(crate) constants: Vec<serde_json::Value>,
    pub(crate) attributes: Vec<AttributePath>,
    pub(crate) fractionals: Vec<Fractional>,
    pub(crate) versions: Vec<VersionTest>,
    pub(crate) splits: Vec<Split>,
    pub(crate) ramps: Vec<Ramp>,
    /// Flags by key, and by number once all flags are known.
    pub(crate) prerequisites: Vec<Prerequisite>,
    pub(crate) networks: Vec<Box<[Network]>>,
    pub(crate) patterns: Vec<Pattern>,
    /// What the patterns take, as [`Pattern::memory`] has it.
    pub(crate) pattern_bytes: usize,
}

/// A pattern of `matches`.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) regex: regex_lite::Regex,
    /// How many bytes it has at most, compiled.
    pub(crate) size: usize,
    /// What a match may cost for each byte of the text, in steps.
    pub(crate) steps: u32,
}

impl Pattern {
    /// Bytes that it takes on a 64-bit machine, with what matching keeps: for each state of at least 24 bytes the places in
    /// two sets, and two ends for each group in two tables.
    pub(crate) fn memory(&self) -> usize {
        let groups = self.regex.captures_len();
        let states = self.size / 24;
        states.saturating_mul(16 + 32 * groups).saturating_add(self.size)
    }
}

/// A flag that another flag's rule asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prerequisite {
    /// The flag whose rule asks; none when another flag of the same key took its place.
    pub(crate) asker: Option<Text>,
    pub(crate) key: Text,
    pub(crate) flag: Option<FlagId>,
}

/// A network: the addresses that agree with `address` in their first `bits`, IPv4 mapped into IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) address: u128,
    pub(crate) bits: u32,
}

/// An attribute's path with what lookups need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributePath {
    pub(crate) path: Text,
    pub(crate) head_hash: u64,
    pub(crate) head: u32,
}

/// Sets memory aside for as many items as `other` holds, and a few more.
pub(crate) fn reserve<T>(list: &mut Vec<T>, other: &[T]) {
    list.reserve_exact(other.len() + other.len() / 16);
}

impl Rules {
    pub(crate) fn node(&self, id: NodeId) -> Node {
        self.nodes.get(id.0 as usize).copied().unwrap_or(Node::Null)
    }

    pub(crate) fn arguments(&self, arguments: Arguments) -> &[NodeId] {
        let start = arguments.start as usize;
        self.arguments.get(start..start.saturating_add(arguments.len as usize)).unwrap_or_default()
    }
}

/// How long the lists were, to go back to when a rule fails half-way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    nodes: usize,
    arguments: usize,
    fractionals: usize,
    versions: usize,
    splits: usize,
    ramps: usize,
    prerequisites: usize,
}

impl Rules {
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            nodes: self.nodes.len(),
            arguments: self.arguments.len(),
            fractionals: self.fractionals.len(),
            versions: self.versions.len(),
            splits: self.splits.len(),
            ramps: self.ramps.len(),
            prerequisites: self.prerequisites.len(),
        }
    }

    /// Forgets most of what was added since `mark`. The rest (attributes, patterns and literals) does no harm, and the next
    /// rule that has the same finds it.
    pub(crate) fn reset(&mut self, mark: &Mark) {
        self.nodes.truncate(mark.nodes);
        self.arguments.truncate(mark.arguments);
        self.fractionals.truncate(mark.fractionals);
        self.versions.truncate(mark.versions);
        self.splits.truncate(mark.splits);
        self.ramps.truncate(mark.ramps);
        self.prerequisites.truncate(mark.prerequisites);
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.nodes.shrink_to_fit();
        self.arguments.shrink_to_fit();
        self.texts.shrink_to_fit();
        self.constants.shrink_to_fit();
        self.attributes.shrink_to_fit();
        self.fractionals.shrink_to_fit();
    }

    /// Sets memory aside for as much as `other` holds, and a little more.
    pub(crate) fn reserve(&mut self, other: &Self) {
        reserve(&mut self.nodes, &other.nodes);
        reserve(&mut self.arguments, &other.arguments);
        reserve(&mut self.texts, &other.texts);
        reserve(&mut self.constants, &other.constants);
        reserve(&mut self.attributes, &other.attributes);
        reserve(&mut self.fractionals, &other.fractionals);
    }

    /// Bytes on the heap; constants and patterns are counted without what they hold themselves.
    pub(crate) fn size(&self) -> usize {
        fn list<T>(list: &Vec<T>) -> usize {
            list.capacity() * size_of::<T>()
        }
        list(&self.nodes)
            + list(&self.arguments)
            + list(&self.texts)
            + list(&self.constants)
            + list(&self.attributes)
            + list(&self.fractionals)
            + self.fractionals.iter().map(|f| size_of_val(&*f.buckets)).sum::<usize>()
            + list(&self.versions)
            + list(&self.splits)
            + self.splits.iter().map(|s| size_of_val(&*s.buckets)).sum::<usize>()
            + list(&self.ramps)
            + self.ramps.iter().map(|r| size_of_val(&*r.points)).sum::<usize>()
            + list(&self.prerequisites)
            + list(&self.networks)
            + self.networks.iter().map(|n| size_of_val(&**n)).sum::<usize>()
            + list(&self.patterns)
    }
}
