//! A rule: JsonLogic to nodes.
//!
//! An object with one member is an operator with its arguments, an object without members and every scalar is itself,
//! an array is an array of rules. An object with several members is no operator: flagd's evaluators refuse it.

use std::borrow::Cow;

use serde_json::Value;

use crate::eval::{MOST_WEIGHT, weight};
use crate::json::{Kind, Path};
use crate::problem::{Problem, Severity};
use crate::rule::{
    Arguments, AttributePath, Bucket, BucketBy, Comparison, Fractional, Node, NodeId, Rules, Weight,
};
use crate::text::Interner;
use crate::value::head_hash;

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
    first_node: usize,
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
    ) -> Self {
        let first_node = rules.nodes.len();
        Self { rules, texts, evaluators, first_node }
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
        // What is no array is one argument at the operator's own place.
        let node = match operator {
            "$ref" => return self.reference(value, here, depth),
            "var" => return self.var(values, here, depth),
            "if" | "?:" => {
                let nodes = self.all(values, here, depth)?;
                Node::If(self.push_arguments(&nodes))
            }
            "and" => {
                let nodes = self.all(values, here, depth)?;
                Node::And(self.push_arguments(&nodes))
            }
            "or" => {
                let nodes = self.all(values, here, depth)?;
                Node::Or(self.push_arguments(&nodes))
            }
            "!" => Node::Not(self.first(values, here, depth)?),
            "!!" => Node::Truthy(self.first(values, here, depth)?),
            "==" => self.comparison(Comparison::Equal, values, here, depth)?,
            "!=" => self.comparison(Comparison::NotEqual, values, here, depth)?,
            "===" => self.comparison(Comparison::StrictEqual, values, here, depth)?,
            "!==" => self.comparison(Comparison::StrictNotEqual, values, here, depth)?,
            "<" => self.comparison(Comparison::Less, values, here, depth)?,
            "<=" => self.comparison(Comparison::LessOrEqual, values, here, depth)?,
            ">" => self.comparison(Comparison::Greater, values, here, depth)?,
            ">=" => self.comparison(Comparison::GreaterOrEqual, values, here, depth)?,
            "in" => self.contained(values, here, depth)?,
            "starts_with" | "ends_with" => match values {
                [_, _] => {
                    let nodes = self.all(values, here, depth)?;
                    match (nodes.as_slice(), operator) {
                        ([text, affix], "starts_with") => Node::StartsWith(*text, *affix),
                        ([text, affix], _) => Node::EndsWith(*text, *affix),
                        _ => Node::Misuse,
                    }
                }
                _ => Node::Misuse,
            },
            "fractional" => self.fractional(value, here, depth)?,
            unknown => return problem(path, format!("`{unknown}` is no operator")),
        };
        Ok(self.node(node))
    }

    fn first(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Compiled<NodeId> {
        self.rule(values.first().unwrap_or(&Value::Null), path, depth + 1)
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
            None => problem(path, format!("there is no `{name}` in `$evaluators`")),
        }
    }

    /// `var`: an attribute, with what to use where it is null.
    fn var(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Compiled<NodeId> {
        let node = match values.first() {
            Some(Value::String(name)) if !name.is_empty() => match name.as_str() {
                "$flagd.flagKey" => Node::FlagKey,
                "$flagd.timestamp" => Node::Timestamp,
                name => Node::Attribute(attribute(self.rules, self.texts, name)),
            },
            Some(Value::Number(number)) => {
                Node::Attribute(attribute(self.rules, self.texts, &number.to_string()))
            }
            _ => return problem(path, "`var` needs the name of an attribute"),
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

    fn comparison(
        &mut self,
        comparison: Comparison,
        values: &[Value],
        path: &Path<'_>,
        depth: usize,
    ) -> Compiled<Node> {
        if values.len() < 2 {
            return problem(path, "a comparison needs two arguments");
        }
        let nodes = self.all(values, path, depth)?;
        Ok(Node::Compare(comparison, self.push_arguments(&nodes)))
    }

    fn contained(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Compiled<Node> {
        let [needle, haystack] = values else { return problem(path, "`in` needs two arguments") };
        let needle = self.rule(needle, &path.index(0), depth + 1)?;
        match haystack {
            Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
                let nodes = self.all(items, &path.index(1), depth)?;
                Ok(Node::OneOf(needle, self.push_arguments(&nodes)))
            }
            _ => {
                let haystack = self.rule(haystack, &path.index(1), depth + 1)?;
                Ok(Node::In(needle, haystack))
            }
        }
    }

    /// `fractional`: a key, then buckets; or buckets alone.
    fn fractional(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Compiled<Node> {
        let Value::Array(values) = value else { return Ok(Node::Misuse) };
        let (by, buckets) = match values.as_slice() {
            [] => return Ok(Node::Misuse),
            [Value::Array(_), ..] => (BucketBy::TargetingKey, values.as_slice()),
            [Value::Null, buckets @ ..] => (BucketBy::TargetingKey, buckets),
            [Value::Number(_) | Value::Bool(_), ..] => return Ok(Node::Misuse),
            [key, buckets @ ..] => (BucketBy::Value(self.rule(key, &path.index(0), depth + 1)?), buckets),
        };
        let offset = values.len() - buckets.len();
        let mut compiled = Vec::with_capacity(buckets.len());
        for (index, bucket) in buckets.iter().enumerate() {
            match self.bucket(bucket, &path.index(index + offset), depth)? {
                Some(bucket) => compiled.push(bucket),
                None => return Ok(Node::Misuse),
            }
        }
        let mut total = Some(0u32);
        for bucket in &compiled {
            total = match (total, bucket.weight) {
                (Some(total), Weight::Constant(weight)) => match total.checked_add(weight) {
                    Some(sum) if sum <= MOST_WEIGHT => Some(sum),
                    _ => return Ok(Node::Misuse),
                },
                _ => None,
            };
        }
        self.rules.fractionals.push(Fractional { by, buckets: compiled.into(), total });
        Ok(Node::Fractional((self.rules.fractionals.len() - 1) as u32))
    }

    /// A bucket; none where it makes no sense, which makes the whole `fractional` null.
    fn bucket(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Compiled<Option<Bucket>> {
        let Value::Array(values) = value else { return Ok(None) };
        let (variant, weight_value) = match values.as_slice() {
            [variant] => (variant, None),
            [variant, weight] => (variant, Some(weight)),
            _ => return Ok(None),
        };
        let variant = match variant {
            Value::Array(_) => return Ok(None),
            variant => self.rule(variant, &path.index(0), depth + 1)?,
        };
        let weight = match weight_value {
            None => Weight::Constant(1),
            Some(Value::Number(number)) => match number.as_f64().and_then(weight) {
                Some(weight) => Weight::Constant(weight),
                None => return Ok(None),
            },
            Some(rule @ Value::Object(_)) => Weight::Computed(self.rule(rule, &path.index(1), depth + 1)?),
            Some(_) => return Ok(None),
        };
        Ok(Some(Bucket { variant, weight }))
    }
}
