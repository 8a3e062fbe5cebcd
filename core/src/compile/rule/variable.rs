//! What a name means: `var` and `$ref`.

use serde_json::Value;

use super::RuleCompiler;
use crate::json::{Kind, Path};
use crate::names::nearest;
use crate::rule::{AttributePath, Node, NodeId, Rules};
use crate::text::Interner;
use crate::value::head_hash;

/// What flagd itself adds to the context.
const PREFIX: &str = "$flagd.";
const FLAG_KEY: &str = "$flagd.flagKey";
const TIMESTAMP: &str = "$flagd.timestamp";

/// The number of the attribute at `path`; each path has one.
pub(in crate::compile) fn attribute(rules: &mut Rules, texts: &mut Interner, path: &str) -> u32 {
    let text = texts.intern(path);
    if let Some(index) = rules.attributes.iter().position(|attribute| attribute.path == text) {
        return index as u32;
    }
    rules.attributes.push(AttributePath {
        path: text,
        head_hash: head_hash(path),
        head: crate::value::split_head(path).0.len() as u32,
    });
    (rules.attributes.len() - 1) as u32
}

impl RuleCompiler<'_> {
    /// `$ref`: the rule of that name in `$evaluators`, in its place.
    pub(super) fn reference(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> NodeId {
        let Value::String(name) = value else {
            let kind = Kind::of(value);
            let node =
                self.problem(path, format!("must be the name of a rule in `$evaluators`, this is {kind}"));
            return self.node(node);
        };
        let evaluators = self.evaluators;
        if let Some(found) = evaluators.iter().rev().find(|evaluator| evaluator.name == *name) {
            found.used.set(true);
            let place = Path::Root.key("$evaluators");
            return self.rule(&found.rule, &place.key(&found.name), depth + 1);
        }
        let names = evaluators.iter().map(|evaluator| &*evaluator.name);
        let hint = nearest(name, names).map_or(String::new(), |name| format!("; did you mean `{name}`?"));
        let node = self.problem(path, format!("there is no `{name}` in `$evaluators`{hint}"));
        self.node(node)
    }

    /// `var`: an attribute, with what to use where it is null.
    pub(super) fn var(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> NodeId {
        let node = match values.first() {
            None | Some(Value::Null) => self.variable("", path),
            Some(Value::String(name)) => self.variable(name, path),
            Some(name @ (Value::Number(_) | Value::Bool(_))) => self.variable(&name.to_string(), path),
            Some(rule) => Node::Computed(self.rule(rule, path, depth + 1)),
        };
        let value = self.node(node);
        match values.get(1) {
            Some(default) => {
                let default = self.rule(default, &path.index(1), depth + 1);
                // Everything, which an empty name means, is there even where it is null.
                match values.first() {
                    None | Some(Value::Null) => value,
                    Some(Value::String(name)) if name.is_empty() => value,
                    Some(_) => self.node(Node::Or0(value, default)),
                }
            }
            None => value,
        }
    }

    fn variable(&mut self, name: &str, path: &Path<'_>) -> Node {
        match name {
            name if self.scoped => Node::Member(self.texts.intern(name)),
            "" => Node::Whole,
            FLAG_KEY => Node::FlagKey,
            TIMESTAMP => Node::Timestamp,
            name => {
                if name.starts_with(PREFIX) {
                    let known = format!("flagd has `{FLAG_KEY}` and `{TIMESTAMP}`");
                    let hint = nearest(name, [FLAG_KEY, TIMESTAMP])
                        .map_or(known, |name| format!("did you mean `{name}`?"));
                    self.warn(path, format!("there is no `{name}`; {hint}"));
                }
                Node::Attribute(attribute(self.rules, self.texts, name))
            }
        }
    }
}
