//! A rule: JsonLogic to nodes.
//!
//! An object with one member is an operator with its arguments, an object without members and every scalar is itself,
//! an array is an array of rules. An object with several members is no operator: flagd's evaluators refuse it.

mod bucket;
mod own;

use std::borrow::Cow;

use serde_json::Value;

use crate::eval::{parse_version, parse_version_operator};
use crate::json::{Kind, Path};
use crate::names::nearest;
use crate::problem::{Problem, Severity};
use crate::rule::{
    Arguments, AttributePath, Comparison, FractionalVersion, Node, NodeId, Operator, Rules, VersionTest,
};
use crate::text::Interner;
use crate::value::head_hash;

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
const MOST_DEPTH: usize = 64;

/// How many nodes one flag's rule may have, with `$ref`s followed: a rule that names itself twice doubles with each.
const MOST_NODES: usize = 10_000;

type Compiled<T> = Result<T, Box<Problem>>;

/// Compiles one rule into the snapshot's lists.
pub(super) struct RuleCompiler<'a> {
    rules: &'a mut Rules,
    texts: &'a mut Interner,
    evaluators: &'a [(Cow<'a, str>, Value)],
    /// The key of the flag that the rule belongs to.
    flag: &'a str,
    fractional: FractionalVersion,
    first_node: usize,
    /// Whether names mean parts of an item here, inside `map` and the like.
    scoped: bool,
}

/// The number of the attribute at `path`; each path has one.
pub(super) fn attribute(rules: &mut Rules, texts: &mut Interner, path: &str) -> u32 {
    let text = texts.intern(path);
    if let Some(index) = rules.attributes.iter().position(|attribute| attribute.path == text) {
        return index as u32;
    }
    rules.attributes.push(AttributePath { path: text, head_hash: head_hash(path) });
    (rules.attributes.len() - 1) as u32
}

fn problem<T>(path: &Path<'_>, message: impl Into<String>) -> Compiled<T> {
    let (severity, path) = (Severity::Flag, path.to_json_path());
    Err(Box::new(Problem { severity, path, position: None, message: message.into() }))
}

/// The arguments of an operator: what is no array counts as one argument.
fn arguments(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        other => std::slice::from_ref(other),
    }
}

impl<'a> RuleCompiler<'a> {
    pub(super) fn new(
        rules: &'a mut Rules,
        texts: &'a mut Interner,
        evaluators: &'a [(Cow<'a, str>, Value)],
        flag: &'a str,
        fractional: FractionalVersion,
    ) -> Self {
        let first_node = rules.nodes.len();
        Self { rules, texts, evaluators, flag, fractional, first_node, scoped: false }
    }

    /// Compiles a value at `depth`.
    pub(super) fn rule(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Compiled<NodeId> {
        if depth > MOST_DEPTH {
            return problem(path, format!("the rule nests deeper than {MOST_DEPTH} levels"));
        }
        if self.rules.nodes.len() - self.first_node > MOST_NODES {
            return problem(path, format!("the rule has more than {MOST_NODES} parts"));
        }
        let node = match value {
            Value::Null => Node::Null,
            Value::Bool(value) => Node::Bool(*value),
            Value::Number(number) => Node::Number(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => Node::Text(self.texts.intern(text)),
            Value::Array(items) => return self.list(items, value, path, depth),
            Value::Object(members) => {
                let mut members = members.iter();
                match (members.next(), members.next()) {
                    (None, _) => self.constant(value),
                    (Some((operator, value)), None) => return self.operator(operator, value, path, depth),
                    (Some(_), Some((second, _))) => {
                        return problem(path, format!("a rule has one operator; `{second}` is one too many"));
                    }
                }
            }
        };
        Ok(self.node(node))
    }

    fn node(&mut self, node: Node) -> NodeId {
        self.rules.nodes.push(node);
        NodeId((self.rules.nodes.len() - 1) as u32)
    }

    fn constant(&mut self, value: &Value) -> Node {
        self.rules.constants.push(value.clone());
        Node::Constant((self.rules.constants.len() - 1) as u32)
    }

    fn push_arguments(&mut self, nodes: &[NodeId]) -> Arguments {
        let start = self.rules.arguments.len() as u32;
        self.rules.arguments.extend_from_slice(nodes);
        Arguments { start, len: nodes.len() as u32 }
    }

    /// Compiles each of an operator's arguments.
    fn all(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Compiled<Vec<NodeId>> {
        let compile = |(index, value)| self.rule(value, &path.index(index), depth + 1);
        values.iter().enumerate().map(compile).collect()
    }

    /// An array: a constant where all of it is, else a list of nodes.
    fn list(&mut self, items: &[Value], value: &Value, path: &Path<'_>, depth: usize) -> Compiled<NodeId> {
        let is_constant = |item: &Value| !matches!(item, Value::Object(_) | Value::Array(_));
        let node = if items.iter().all(is_constant) {
            self.constant(value)
        } else {
            let nodes = self.all(items, path, depth)?;
            Node::List(self.push_arguments(&nodes))
        };
        Ok(self.node(node))
    }

    fn operator(&mut self, operator: &str, value: &Value, path: &Path<'_>, depth: usize) -> Compiled<NodeId> {
        let here = &path.key(operator);
        let values = arguments(value);
        let node = match operator {
            "$ref" => return self.reference(value, here, depth),
            "var" => return self.var(values, here, depth),
            "if" | "?:" => Node::If(self.listed(values, here, depth)?),
            "and" => Node::And(self.listed(values, here, depth)?),
            "or" => Node::Or(self.listed(values, here, depth)?),
            "!" => Node::Not(self.first(values, here, depth)?),
            "!!" => Node::Truthy(self.first(values, here, depth)?),
            "==" => self.comparison(Comparison::Equal, value, here, depth)?,
            "!=" => self.comparison(Comparison::NotEqual, value, here, depth)?,
            "===" => self.comparison(Comparison::StrictEqual, value, here, depth)?,
            "!==" => self.comparison(Comparison::StrictNotEqual, value, here, depth)?,
            "<" => self.comparison(Comparison::Less, value, here, depth)?,
            "<=" => self.comparison(Comparison::LessOrEqual, value, here, depth)?,
            ">" => self.comparison(Comparison::Greater, value, here, depth)?,
            ">=" => self.comparison(Comparison::GreaterOrEqual, value, here, depth)?,
            "in" => self.contained(value, here, depth)?,
            "+" => self.values(Operator::Add, value, here, depth)?,
            "-" => self.values(Operator::Subtract, value, here, depth)?,
            "*" => self.values(Operator::Multiply, value, here, depth)?,
            "/" => self.values(Operator::Divide, value, here, depth)?,
            "%" => self.values(Operator::Remainder, value, here, depth)?,
            "max" => self.values(Operator::Max, value, here, depth)?,
            "min" => self.values(Operator::Min, value, here, depth)?,
            "merge" => self.values(Operator::Merge, value, here, depth)?,
            "cat" => self.values(Operator::Cat, value, here, depth)?,
            "substr" => self.values(Operator::Substr, value, here, depth)?,
            "missing" => self.values(Operator::Missing, value, here, depth)?,
            "missing_some" => self.values(Operator::MissingSome, value, here, depth)?,
            "map" => self.iteration(values, here, depth, Node::Map)?,
            "filter" => self.iteration(values, here, depth, Node::Filter)?,
            "all" => self.iteration(values, here, depth, Node::All)?,
            "some" => self.iteration(values, here, depth, Node::Some)?,
            "none" => self.iteration(values, here, depth, Node::None)?,
            "reduce" => self.reduction(values, here, depth)?,
            "starts_with" => self.affix(Operator::StartsWith, Node::StartsWith, value, here, depth)?,
            "ends_with" => self.affix(Operator::EndsWith, Node::EndsWith, value, here, depth)?,
            "sem_ver" => self.version(value, here, depth)?,
            "fractional" => self.fractional(value, here, depth)?,
            "split" => self.split(value, here, depth)?,
            "ramp" => self.ramp(value, here, depth)?,
            "flag" => self.prerequisite(values, here)?,
            "cidr" => self.cidr(values, here, depth)?,
            "matches" => self.matches(values, here, depth)?,
            unknown => {
                let hint = nearest(unknown, OPERATORS)
                    .map_or(String::new(), |name| format!("; did you mean `{name}`?"));
                return problem(path, format!("`{unknown}` is no operator{hint}"));
            }
        };
        Ok(self.node(node))
    }

    fn first(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Compiled<NodeId> {
        self.rule(values.first().unwrap_or(&Value::Null), path, depth + 1)
    }

    fn listed(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Compiled<Arguments> {
        let nodes = self.all(values, path, depth)?;
        Ok(self.push_arguments(&nodes))
    }

    /// An operator that takes values: each listed one, or the items of what a rule gives.
    fn values(&mut self, operator: Operator, value: &Value, path: &Path<'_>, depth: usize) -> Compiled<Node> {
        match value {
            Value::Object(_) => Ok(Node::Spread(operator, self.rule(value, path, depth + 1)?)),
            listed => Ok(Node::Operator(operator, self.listed(arguments(listed), path, depth)?)),
        }
    }

    /// `$ref`: the rule of that name in `$evaluators`, in its place.
    fn reference(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Compiled<NodeId> {
        let Value::String(name) = value else {
            return problem(
                path,
                format!("must be the name of a rule in `$evaluators`, this is {}", Kind::of(value)),
            );
        };
        let evaluators = self.evaluators;
        match evaluators.iter().rev().find(|(key, _)| key == name) {
            Some((name, rule)) => {
                let place = Path::Root.key("$evaluators");
                self.rule(rule, &place.key(name), depth + 1)
            }
            None => {
                let names = evaluators.iter().map(|(name, _)| &**name);
                let hint =
                    nearest(name, names).map_or(String::new(), |name| format!("; did you mean `{name}`?"));
                problem(path, format!("there is no `{name}` in `$evaluators`{hint}"))
            }
        }
    }

    /// `var`: an attribute, with what to use where it is null.
    fn var(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Compiled<NodeId> {
        let node = match values.first() {
            None | Some(Value::Null) => self.variable(""),
            Some(Value::String(name)) => self.variable(name),
            Some(name @ (Value::Number(_) | Value::Bool(_))) => self.variable(&name.to_string()),
            Some(rule) => Node::Computed(self.rule(rule, path, depth + 1)?),
        };
        let value = self.node(node);
        match values.get(1) {
            Some(default) => {
                let default = self.rule(default, &path.index(1), depth + 1)?;
                Ok(self.node(Node::Or0(value, default)))
            }
            None => Ok(value),
        }
    }

    fn variable(&mut self, name: &str) -> Node {
        match name {
            name if self.scoped => Node::Member(self.texts.intern(name)),
            "" => Node::Whole,
            "$flagd.flagKey" => Node::FlagKey,
            "$flagd.timestamp" => Node::Timestamp,
            name => Node::Attribute(attribute(self.rules, self.texts, name)),
        }
    }

    fn comparison(
        &mut self,
        comparison: Comparison,
        value: &Value,
        path: &Path<'_>,
        depth: usize,
    ) -> Compiled<Node> {
        match value {
            Value::Array(values) if values.len() >= 2 => {
                Ok(Node::Compare(comparison, self.listed(values, path, depth)?))
            }
            value => self.values(Operator::Compare(comparison), value, path, depth),
        }
    }

    fn contained(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Compiled<Node> {
        let Value::Array(values) = value else { return self.values(Operator::In, value, path, depth) };
        let [needle, haystack, ..] = values.as_slice() else {
            return self.values(Operator::In, value, path, depth);
        };
        let needle = self.rule(needle, &path.index(0), depth + 1)?;
        match haystack {
            Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
                Ok(Node::OneOf(needle, self.listed(items, &path.index(1), depth)?))
            }
            _ => Ok(Node::In(needle, self.rule(haystack, &path.index(1), depth + 1)?)),
        }
    }

    fn affix(
        &mut self,
        operator: Operator,
        node: fn(NodeId, NodeId) -> Node,
        value: &Value,
        path: &Path<'_>,
        depth: usize,
    ) -> Compiled<Node> {
        match value {
            Value::Array(values) if let [text, affix] = values.as_slice() => {
                let text = self.rule(text, &path.index(0), depth + 1)?;
                Ok(node(text, self.rule(affix, &path.index(1), depth + 1)?))
            }
            value => self.values(operator, value, path, depth),
        }
    }

    /// `sem_ver`: with a constant operator and version, both are read once, here.
    fn version(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Compiled<Node> {
        if let Value::Array(values) = value
            && let [left, Value::String(operator), Value::String(right)] = values.as_slice()
        {
            let (Some(operator), Some(_)) = (parse_version_operator(operator), parse_version(right)) else {
                return Ok(Node::Misuse);
            };
            let left = self.rule(left, &path.index(0), depth + 1)?;
            let version = self.texts.intern(right);
            self.rules.versions.push(VersionTest { operator, version });
            return Ok(Node::Version(left, (self.rules.versions.len() - 1) as u32));
        }
        self.values(Operator::SemVer, value, path, depth)
    }

    /// `map` and the like: a list, and a rule in which names mean parts of an item.
    fn iteration(
        &mut self,
        values: &[Value],
        path: &Path<'_>,
        depth: usize,
        node: fn(NodeId, NodeId) -> Node,
    ) -> Compiled<Node> {
        let list = self.rule(values.first().unwrap_or(&Value::Null), &path.index(0), depth + 1)?;
        let body = self.inside(values.get(1).unwrap_or(&Value::Null), &path.index(1), depth)?;
        Ok(node(list, body))
    }

    fn inside(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Compiled<NodeId> {
        let outer = std::mem::replace(&mut self.scoped, true);
        let node = self.rule(value, path, depth + 1);
        self.scoped = outer;
        node
    }

    fn reduction(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Compiled<Node> {
        let list = self.rule(values.first().unwrap_or(&Value::Null), &path.index(0), depth + 1)?;
        let body = self.inside(values.get(1).unwrap_or(&Value::Null), &path.index(1), depth)?;
        let mut nodes = vec![list, body];
        if let Some(initial) = values.get(2) {
            nodes.push(self.rule(initial, &path.index(2), depth + 1)?);
        }
        Ok(Node::Reduce(self.push_arguments(&nodes)))
    }
}
