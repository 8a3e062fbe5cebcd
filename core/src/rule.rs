//! Compiled rules: expressions as small copyable nodes that name one another by number.
//!
//! All rules of a snapshot lie in one list, so that ten thousand of them are a few allocations and evaluation reads
//! memory in order. Children come before their parents; a node never names a later one, hence no cycles.

use crate::text::Text;

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
    /// By its number in [`Rules::fractionals`].
    Fractional(u32),
    /// An operator with arguments that make no sense: flagd's own give null.
    Misuse,
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

/// A `fractional`: its key and its buckets.
#[derive(Debug)]
pub(crate) struct Fractional {
    pub(crate) by: BucketBy,
    pub(crate) buckets: Box<[Bucket]>,
    /// The sum of the weights, where all of them are constants.
    pub(crate) total: Option<u32>,
}

/// One bucket of a `fractional`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    pub(crate) variant: NodeId,
    pub(crate) weight: Weight,
}

/// A bucket's share of the total.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weight {
    Constant(u32),
    Computed(NodeId),
}

/// Everything that rules are made of.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) nodes: Vec<Node>,
    pub(crate) arguments: Vec<NodeId>,
    pub(crate) constants: Vec<serde_json::Value>,
    pub(crate) attributes: Vec<AttributePath>,
    pub(crate) fractionals: Vec<Fractional>,
}

/// An attribute's path with what lookups need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributePath {
    pub(crate) path: Text,
    pub(crate) head_hash: u64,
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

/// How long each list was, to go back to when a rule fails half-way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    nodes: usize,
    arguments: usize,
    constants: usize,
    fractionals: usize,
}

impl Rules {
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            nodes: self.nodes.len(),
            arguments: self.arguments.len(),
            constants: self.constants.len(),
            fractionals: self.fractionals.len(),
        }
    }

    /// Forgets what was added since `mark`. Attributes stay: their numbers may be known already, and they do no harm.
    pub(crate) fn reset(&mut self, mark: &Mark) {
        self.nodes.truncate(mark.nodes);
        self.arguments.truncate(mark.arguments);
        self.constants.truncate(mark.constants);
        self.fractionals.truncate(mark.fractionals);
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.nodes.shrink_to_fit();
        self.arguments.shrink_to_fit();
        self.constants.shrink_to_fit();
        self.attributes.shrink_to_fit();
        self.fractionals.shrink_to_fit();
    }

    /// Bytes on the heap, constants counted without what they hold themselves.
    pub(crate) fn size(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.arguments.capacity() * size_of::<NodeId>()
            + self.constants.capacity() * size_of::<serde_json::Value>()
            + self.attributes.capacity() * size_of::<AttributePath>()
            + self.fractionals.capacity() * size_of::<Fractional>()
            + self.fractionals.iter().map(|f| f.buckets.len() * size_of::<Bucket>()).sum::<usize>()
    }
}
