//! JsonLogic's operators whose arguments are more than values, and flagd's on texts and versions.
//!
//! flagd's own give null where their arguments make no sense. That refuses nothing, but nobody means it: a warning.

use serde_json::Value;

use super::{RuleCompiler, arguments};
use crate::eval::{parse_version, parse_version_operator};
use crate::json::{Kind, Path};
use crate::rule::{Arguments, Comparison, Node, NodeId, Operator, VersionTest};
use crate::text::Listed;

impl RuleCompiler<'_> {
    pub(super) fn comparison(
        &mut self,
        comparison: Comparison,
        value: &Value,
        path: &Path<'_>,
        depth: usize,
    ) -> Node {
        match value {
            Value::Array(values) if values.len() >= 2 => {
                Node::Compare(comparison, self.listed(values, path, depth))
            }
            Value::Object(_) => self.values(Operator::Compare(comparison), value, path, depth),
            value => {
                let always = matches!(comparison, Comparison::NotEqual | Comparison::StrictNotEqual);
                self.warn(path, format!("always {always}: there must be two values to compare"));
                self.values(Operator::Compare(comparison), value, path, depth)
            }
        }
    }

    pub(super) fn contained(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Node {
        let Value::Array(values) = value else { return self.values(Operator::In, value, path, depth) };
        let [needle, haystack, ..] = values.as_slice() else {
            return self.values(Operator::In, value, path, depth);
        };
        let needle = self.rule(needle, &path.index(0), depth + 1);
        match haystack {
            Value::Array(items) => match self.texts(haystack, items) {
                Some(listed) => Node::OneOf(needle, listed),
                None => Node::In(needle, self.rule(haystack, &path.index(1), depth + 1)),
            },
            _ => Node::In(needle, self.rule(haystack, &path.index(1), depth + 1)),
        }
    }

    /// A list of texts; none where it holds anything else, or nothing.
    fn texts(&mut self, list: &Value, items: &[Value]) -> Option<Arguments> {
        let address = self.address(list);
        if let Some(known) = address.and_then(|address| self.known.lists.get(&address)) {
            return Some(*known);
        }
        if self.known_constant(list).is_some() {
            return None;
        }
        self.charge(items.len(), 0);
        if items.is_empty() || !items.iter().all(Value::is_string) {
            return None;
        }
        let start = self.rules.texts.len() as u32;
        for item in items.iter().filter_map(Value::as_str) {
            self.rules.texts.push(Listed::new(item, self.texts.intern(item)));
        }
        let listed = Arguments { start, len: items.len() as u32 };
        self.known.lists.extend(address.map(|address| (address, listed)));
        Some(listed)
    }

    pub(super) fn affix(
        &mut self,
        operator: Operator,
        node: fn(NodeId, NodeId) -> Node,
        value: &Value,
        path: &Path<'_>,
        depth: usize,
    ) -> Node {
        let Value::Array(values) = value else {
            if !value.is_object() {
                self.warn(path, "always gives null: it needs two texts");
            }
            return self.values(operator, value, path, depth);
        };
        let [text, affix] = values.as_slice() else {
            self.warn(path, "always gives null: it needs two texts");
            return self.values(operator, value, path, depth);
        };
        self.charge(values.len(), 0);
        for (index, value) in values.iter().enumerate().filter(|(_, v)| !v.is_string() && !v.is_object()) {
            let kind = Kind::of(value);
            self.warn(&path.index(index), format!("always gives null: it needs a text, this is {kind}"));
        }
        let text = self.rule(text, &path.index(0), depth + 1);
        node(text, self.rule(affix, &path.index(1), depth + 1))
    }

    /// `sem_ver`: with a constant operator and version, both are read once, here.
    pub(super) fn version(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Node {
        if !value.is_object() && arguments(value).len() != 3 {
            self.warn(path, "always gives null: it needs a version, an operator and a version");
        }
        let Value::Array(values) = value else { return self.values(Operator::SemVer, value, path, depth) };
        if let [left, operator, right] = values.as_slice() {
            let operator_stands = match operator {
                Value::String(text) => parse_version_operator(text).is_some(),
                operator => operator.is_object(),
            };
            if !operator_stands {
                let message =
                    format!("always gives null: must be one of = != < <= > >= ~ ^, this is {operator}");
                self.warn(&path.index(1), message);
            }
            for (index, version) in [(0, left), (2, right)] {
                let is_version = match version {
                    Value::String(text) => parse_version(text).is_some(),
                    Value::Number(number) => parse_version(&number.to_string()).is_some(),
                    version => version.is_object(),
                };
                if !is_version {
                    let message =
                        format!("always gives null: must be a version such as \"1.2.3\", this is {version}");
                    self.warn(&path.index(index), message);
                }
            }
        }
        if let [left, Value::String(operator), Value::String(right)] = values.as_slice()
            && let (Some(operator), Some(version)) = (parse_version_operator(operator), parse_version(right))
        {
            let left = self.rule(left, &path.index(0), depth + 1);
            let (numbers, pre_release) = (version.numbers, self.texts.intern(version.pre_release));
            let version = self.texts.intern(right);
            self.rules.versions.push(VersionTest { operator, numbers, pre_release, version });
            return Node::Version(left, (self.rules.versions.len() - 1) as u32);
        }
        self.values(Operator::SemVer, value, path, depth)
    }

    /// `map` and the like: a list, and a rule in which names mean parts of an item.
    pub(super) fn iteration(
        &mut self,
        values: &[Value],
        path: &Path<'_>,
        depth: usize,
        node: fn(NodeId, NodeId) -> Node,
    ) -> Node {
        let list = self.rule(values.first().unwrap_or(&Value::Null), &path.index(0), depth + 1);
        node(list, self.inside(values.get(1).unwrap_or(&Value::Null), &path.index(1), depth))
    }

    fn inside(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> NodeId {
        let outer = std::mem::replace(&mut self.scoped, true);
        let node = self.rule(value, path, depth + 1);
        self.scoped = outer;
        node
    }

    pub(super) fn reduction(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Node {
        let list = self.rule(values.first().unwrap_or(&Value::Null), &path.index(0), depth + 1);
        let body = self.inside(values.get(1).unwrap_or(&Value::Null), &path.index(1), depth);
        let mut nodes = vec![list, body];
        if let Some(initial) = values.get(2) {
            nodes.push(self.rule(initial, &path.index(2), depth + 1));
        }
        Node::Reduce(self.push_arguments(&nodes))
    }
}
