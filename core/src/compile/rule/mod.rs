//! A rule: JsonLogic to nodes.
//!
//! An object with one member is an operator with its arguments, an object without members and every scalar is itself,
//! an array is an array of rules. An object with several members is no operator: flagd's evaluators refuse it.
//!
//! Whatever is wrong is noted and compiling goes on with null in its place, so that one run shows every problem of a
//! rule; who compiled it asks [`RuleCompiler::findings`] whether the nodes are worth keeping.

mod bucket;
mod known;
mod logic;
mod own;
mod result;
mod variable;

use serde_json::Value;

use super::evaluators::{Evaluators, MAX_EXPANSION};
use crate::eval::Murmur3;
use crate::json::Path;
use crate::names::nearest;
use crate::problem::{Problems, Severity};
use crate::rule::{Arguments, Comparison, FractionalVersion, Node, NodeId, Operator, Rules};
use crate::text::{Interner, Text};

pub(super) use known::Known;
pub(super) use result::Variants;

/// Every operator: JsonLogic's, flagd's, and ours.
const OPERATORS: [&str; 44] = [
    "var",
    "missing",
    "missing_some",
    "if",
    "?:",
    "==",
    "===",
    "!=",
    "!==",
    "!",
    "!!",
    "or",
    "and",
    ">",
    ">=",
    "<",
    "<=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "max",
    "min",
    "map",
    "filter",
    "reduce",
    "all",
    "none",
    "some",
    "merge",
    "in",
    "cat",
    "substr",
    "$ref",
    "fractional",
    "sem_ver",
    "starts_with",
    "ends_with",
    "split",
    "ramp",
    "flag",
    "cidr",
    "matches",
];

/// How deep a rule may nest, with `$ref`s followed. Evaluating recurses this far, in a proxy's small stack.
pub(crate) const MOST_DEPTH: usize = 64;

/// How many parts one flag's rule may have, with `$ref`s followed: a rule that names itself twice doubles with each.
pub(crate) const MOST_PARTS: usize = 10_000;

/// How many parts all rules of a document may have together, with `$ref`s followed: each flag has its own copy of what
/// it refers to, and memory in a proxy's VM is never given back.
pub(crate) const MOST_PARTS_OF_ALL: usize = 1_000_000;

/// Compiles one rule into the snapshot's lists.
pub(super) struct RuleCompiler<'a> {
    rules: &'a mut Rules,
    texts: &'a mut Interner,
    problems: &'a mut Problems,
    evaluators: &'a Evaluators,
    known: &'a mut Known,
    /// The key of the flag that the rule belongs to.
    flag: &'a str,
    fractional: FractionalVersion,
    most_bytes: usize,
    /// What a problem costs: the flag, or nothing where the rule is only looked at.
    severity: Severity,
    /// How many parts there are so far.
    parts: usize,
    /// Whether names mean parts of an item here, inside `map` and the like.
    scoped: bool,
    /// Whether what is compiled stands in `$evaluators`: then its values stay where they are.
    shared: bool,
    /// Whether it is compiled by reference.
    referred: bool,
    hashes: FlagHashes,
    /// The first problem that fails the flag.
    failure: Option<String>,
    /// The first result that somebody gets and that names no variant.
    misnamed: Option<String>,
    /// How many parts were looked at for that.
    looked: usize,
}

/// What is wrong with a rule, in a sentence with its place.
pub(super) struct Findings {
    /// The first problem that fails the flag.
    pub(super) failure: Option<String>,
    /// The first result that somebody gets and that names no variant.
    pub(super) misnamed: Option<String>,
}

/// What every rule of a document shares while it is compiled.
pub(super) struct Shared<'a> {
    pub(super) rules: &'a mut Rules,
    pub(super) texts: &'a mut Interner,
    pub(super) problems: &'a mut Problems,
    pub(super) evaluators: &'a Evaluators,
    pub(super) known: &'a mut Known,
    pub(super) fractional: FractionalVersion,
    /// What the document may take of memory.
    pub(super) most_bytes: usize,
}

/// What operators make of the flag's key, once for all of them.
#[derive(Default)]
struct FlagHashes {
    key: Option<Text>,
    /// For `fractional`.
    murmur: Option<Murmur3>,
    /// For `split` and `ramp`.
    seed: Option<u64>,
}

/// The arguments of an operator: what is no array counts as one argument.
fn arguments(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        other => std::slice::from_ref(other),
    }
}

impl<'a> RuleCompiler<'a> {
    pub(super) fn new(shared: Shared<'a>, flag: &'a str, severity: Severity) -> Self {
        let Shared { rules, texts, problems, evaluators, known, fractional, most_bytes } = shared;
        Self {
            rules,
            texts,
            problems,
            evaluators,
            known,
            flag,
            fractional,
            most_bytes,
            severity,
            parts: 0,
            scoped: false,
            shared: false,
            referred: false,
            hashes: FlagHashes::default(),
            failure: None,
            misnamed: None,
            looked: 0,
        }
    }

    /// The same, for a rule that stands in `$evaluators` itself.
    pub(super) fn of_evaluator(shared: Shared<'a>) -> Self {
        Self { shared: true, ..Self::new(shared, "", Severity::Warning) }
    }

    /// What was found, if anything.
    pub(super) fn findings(self) -> Findings {
        Findings { failure: self.failure, misnamed: self.misnamed }
    }

    /// Notes a problem. What stands in its place is null.
    fn problem(&mut self, path: &Path<'_>, message: impl Into<String>) -> Node {
        if !self.is_told(path, self.severity) {
            return Node::Null;
        }
        let (path, message) = (path.to_json_path(), message.into());
        self.charge(1, path.bytes() + message.len());
        self.failure.get_or_insert_with(|| format!("{path}: {message}"));
        self.problems.of_rule(self.severity, path, message, self.flag);
        Node::Null
    }

    /// Notes what is probably not meant.
    fn warn(&mut self, path: &Path<'_>, message: impl Into<String>) {
        if !path.begins_with("$evaluators") && !self.problems.has_room(Severity::Warning) {
            return self.problems.skip();
        }
        let (path, message) = (path.to_json_path(), message.into());
        self.charge(1, path.bytes() + message.len());
        self.problems.of_rule(Severity::Warning, path, message, self.flag);
    }

    /// Whether a problem is listed, or is the flag's own error; else it is counted.
    fn is_told(&mut self, path: &Path<'_>, severity: Severity) -> bool {
        let is_told =
            self.failure.is_none() || path.begins_with("$evaluators") || self.problems.has_room(severity);
        if !is_told {
            self.problems.skip();
        }
        is_told
    }

    /// What was probably meant by a name; nothing where the problem finds no room in the list, because that takes longer
    /// than all the rest.
    fn meant<'n>(&self, name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
        self.problems.has_room(self.severity).then(|| nearest(name, known)).flatten()
    }

    /// Counts parts and bytes of text that are compiled by reference; false when that is too much, and then the
    /// document is refused.
    fn charge(&mut self, parts: usize, bytes: usize) -> bool {
        if !self.referred || self.evaluators.charge(parts, bytes) {
            return true;
        }
        // Said once.
        if !std::mem::replace(&mut self.known.is_too_much, true) {
            let message = format!(
                "the rules that flags refer to by `$ref` come to more than {MAX_EXPANSION} parts in all: refer to fewer \
                 or shorter ones"
            );
            self.problems.refuse(&Path::Root, message);
        }
        false
    }

    /// Compiles a value at `depth`.
    pub(super) fn rule(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> NodeId {
        self.parts += 1;
        let node = match value {
            _ if self.rules.nodes.len() >= MOST_PARTS_OF_ALL => self.too_many_in_all(),
            _ if !self.charge(1, 0) => Node::Null,
            _ if self.parts > MOST_PARTS => self.too_many(path),
            _ if depth > MOST_DEPTH => {
                self.problem(path, format!("the rule nests deeper than {MOST_DEPTH} levels"))
            }
            Value::Null => Node::Null,
            Value::Bool(value) => Node::Bool(*value),
            Value::Number(number) => Node::Number(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => Node::Text(self.intern(text)),
            Value::Array(items) => self.list(items, value, path, depth),
            Value::Object(members) => {
                let mut members = members.iter();
                match (members.next(), members.next()) {
                    (None, _) => self.constant(value),
                    (Some((operator, value)), None) => return self.operator(operator, value, path, depth),
                    (Some((first, value)), Some((second, _))) => {
                        self.operator(first, value, path, depth);
                        self.problem(path, format!("a rule has one operator; `{second}` is one too many"))
                    }
                }
            }
        };
        self.node(node)
    }

    /// Says it once: the parts that follow are too many as well.
    fn too_many(&mut self, path: &Path<'_>) -> Node {
        match self.parts == MOST_PARTS + 1 {
            true => self.problem(path, format!("the rule has more than {MOST_PARTS} parts")),
            false => Node::Null,
        }
    }

    /// Refuses the document, once: the node that stands for this part makes the list longer.
    fn too_many_in_all(&mut self) -> Node {
        if self.rules.nodes.len() == MOST_PARTS_OF_ALL {
            let message =
                format!("the rules have more than {MOST_PARTS_OF_ALL} parts in all, with `$ref`s followed");
            self.problems.refuse(&Path::Root, message);
        }
        Node::Null
    }

    fn node(&mut self, node: Node) -> NodeId {
        self.rules.nodes.push(node);
        NodeId((self.rules.nodes.len() - 1) as u32)
    }

    fn constant(&mut self, value: &Value) -> Node {
        if let Some(known) = self.known_constant(value) {
            return known;
        }
        let address = self.address(value);
        self.rules.constants.push(value.clone());
        let number = (self.rules.constants.len() - 1) as u32;
        self.known.constants.extend(address.map(|address| (address, number)));
        Node::Constant(number)
    }

    fn known_constant(&self, value: &Value) -> Option<Node> {
        self.address(value)
            .and_then(|address| self.known.constants.get(&address))
            .map(|number| Node::Constant(*number))
    }

    /// Where a value stands that flags may share: once compiled, it is known by that.
    fn address(&self, value: &Value) -> Option<usize> {
        self.shared.then(|| std::ptr::from_ref(value).addr())
    }

    fn intern(&mut self, text: &str) -> Text {
        self.charge(0, text.len());
        self.texts.intern(text)
    }

    fn push_arguments(&mut self, nodes: &[NodeId]) -> Arguments {
        let start = self.rules.arguments.len() as u32;
        self.rules.arguments.extend_from_slice(nodes);
        Arguments { start, len: nodes.len() as u32 }
    }

    /// Compiles each of an operator's arguments.
    fn all(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Vec<NodeId> {
        // Past the limit, only the problem of the first part that is too many is still missing.
        let most = (MOST_PARTS + 2).saturating_sub(self.parts);
        let compile = |(index, value)| self.rule(value, &path.index(index), depth + 1);
        values.iter().take(most).enumerate().map(compile).collect()
    }

    /// An array: a constant where all of it is, else a list of nodes.
    fn list(&mut self, items: &[Value], value: &Value, path: &Path<'_>, depth: usize) -> Node {
        if let Some(known) = self.known_constant(value) {
            return known;
        }
        self.charge(items.len(), 0);
        let is_constant = |item: &Value| !matches!(item, Value::Object(_) | Value::Array(_));
        if items.iter().all(is_constant) {
            return self.constant(value);
        }
        let nodes = self.all(items, path, depth);
        Node::List(self.push_arguments(&nodes))
    }

    fn operator(&mut self, operator: &str, value: &Value, path: &Path<'_>, depth: usize) -> NodeId {
        let here = &path.key(operator);
        let values = arguments(value);
        let node = match operator {
            "$ref" => return self.reference(value, here, depth),
            "var" => return self.var(values, here, depth),
            "if" | "?:" => Node::If(self.listed(values, here, depth)),
            "and" => Node::And(self.listed(values, here, depth)),
            "or" => Node::Or(self.listed(values, here, depth)),
            "!" => Node::Not(self.first(values, here, depth)),
            "!!" => Node::Truthy(self.first(values, here, depth)),
            "==" => self.comparison(Comparison::Equal, value, here, depth),
            "!=" => self.comparison(Comparison::NotEqual, value, here, depth),
            "===" => self.comparison(Comparison::StrictEqual, value, here, depth),
            "!==" => self.comparison(Comparison::StrictNotEqual, value, here, depth),
            "<" => self.comparison(Comparison::Less, value, here, depth),
            "<=" => self.comparison(Comparison::LessOrEqual, value, here, depth),
            ">" => self.comparison(Comparison::Greater, value, here, depth),
            ">=" => self.comparison(Comparison::GreaterOrEqual, value, here, depth),
            "in" => self.contained(value, here, depth),
            "+" => self.values(Operator::Add, value, here, depth),
            "-" => self.values(Operator::Subtract, value, here, depth),
            "*" => self.values(Operator::Multiply, value, here, depth),
            "/" => self.values(Operator::Divide, value, here, depth),
            "%" => self.values(Operator::Remainder, value, here, depth),
            "max" => self.values(Operator::Max, value, here, depth),
            "min" => self.values(Operator::Min, value, here, depth),
            "merge" => self.values(Operator::Merge, value, here, depth),
            "cat" => self.values(Operator::Cat, value, here, depth),
            "substr" => self.values(Operator::Substr, value, here, depth),
            "missing" => self.values(Operator::Missing, value, here, depth),
            "missing_some" => self.values(Operator::MissingSome, value, here, depth),
            "map" => self.iteration(values, here, depth, Node::Map),
            "filter" => self.iteration(values, here, depth, Node::Filter),
            "all" => self.iteration(values, here, depth, Node::All),
            "some" => self.iteration(values, here, depth, Node::Some),
            "none" => self.iteration(values, here, depth, Node::None),
            "reduce" => self.reduction(values, here, depth),
            "starts_with" => self.affix(Operator::StartsWith, Node::StartsWith, value, here, depth),
            "ends_with" => self.affix(Operator::EndsWith, Node::EndsWith, value, here, depth),
            "sem_ver" => self.version(value, here, depth),
            "fractional" => self.fractional(value, here, depth),
            "split" => self.split(value, here, depth),
            "ramp" => self.ramp(value, here, depth),
            "flag" => self.prerequisite(values, here),
            "cidr" => self.cidr(values, here, depth),
            "matches" => self.matches(values, here, depth),
            unknown => {
                let meant = self.meant(unknown, OPERATORS);
                let hint = meant.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
                let node = self.problem(path, format!("`{unknown}` is no operator{hint}"));
                // What it was given may be wrong as well; only these take what is no rule.
                if !matches!(meant, Some("split" | "ramp")) {
                    self.all(values, here, depth);
                }
                node
            }
        };
        self.node(node)
    }

    fn first(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> NodeId {
        self.rule(values.first().unwrap_or(&Value::Null), path, depth + 1)
    }

    fn listed(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Arguments {
        let nodes = self.all(values, path, depth);
        self.push_arguments(&nodes)
    }

    /// An operator that takes values: each listed one, or the items of what a rule gives.
    fn values(&mut self, operator: Operator, value: &Value, path: &Path<'_>, depth: usize) -> Node {
        match value {
            Value::Object(_) => Node::Spread(operator, self.rule(value, path, depth + 1)),
            listed => Node::Operator(operator, self.listed(arguments(listed), path, depth)),
        }
    }
}
