//! What a name means: `var` and `$ref`.

use serde_json::Value;

use super::RuleCompiler;
use crate::json::{Kind, Path};
use crate::rule::{Node, NodeId};

/// What flagd itself adds to the context.
const PREFIX: &str = "$flagd.";
const FLAG_KEY: &str = "$flagd.flagKey";
const TIMESTAMP: &str = "$flagd.timestamp";

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
        if let Some(found) = evaluators.find(name) {
            found.used.set(true);
            let place = Path::Root.key("$evaluators");
            let outer = (self.shared, self.referred);
            (self.shared, self.referred) = (true, true);
            self.charge(0, name.len());
            let node = self.rule(&found.rule, &place.key(&found.name), depth + 1);
            (self.shared, self.referred) = outer;
            return node;
        }
        let hint = self
            .meant(name, evaluators.names())
            .map_or(String::new(), |name| format!("; did you mean `{name}`?"));
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
            name if self.scoped => Node::Member(self.intern(name)),
            "" => Node::Whole,
            FLAG_KEY => Node::FlagKey,
            TIMESTAMP => Node::Timestamp,
            name => {
                if name.starts_with(PREFIX) {
                    let known = format!("flagd has `{FLAG_KEY}` and `{TIMESTAMP}`");
                    let hint = self
                        .meant(name, [FLAG_KEY, TIMESTAMP])
                        .map_or(known, |name| format!("did you mean `{name}`?"));
                    self.warn(path, format!("there is no `{name}`; {hint}"));
                }
                self.charge(0, name.len());
                Node::Attribute(self.known.attribute(self.rules, self.texts, name))
            }
        }
    }
}
