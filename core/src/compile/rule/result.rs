//! What a rule can give: a name that it spells out must be a variant.
//!
//! That is known only when the rule is evaluated, and then for some contexts and not for others; hence a warning. Rules
//! behind `$ref` are not looked at, since flags with other variants may share them.

use std::collections::HashSet;

use serde_json::Value;

use super::{RuleCompiler, arguments};
use crate::json::Path;
use crate::names::{listed, nearest};
use crate::problem::Severity;

/// Up to so many names are compared one by one.
const FEW: usize = 8;

/// The names of a flag's variants.
pub(in crate::compile) struct Variants<'v> {
    names: Vec<&'v str>,
    set: HashSet<&'v str>,
}

impl<'v> FromIterator<&'v str> for Variants<'v> {
    fn from_iter<I: IntoIterator<Item = &'v str>>(names: I) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        let set = if names.len() > FEW { names.iter().copied().collect() } else { HashSet::new() };
        Self { names, set }
    }
}

impl Variants<'_> {
    fn has(&self, name: &str) -> bool {
        if self.names.len() > FEW { self.set.contains(name) } else { self.names.contains(&name) }
    }
}

impl RuleCompiler<'_> {
    /// Warns of results of the rule `value` that name none of the variants.
    pub(in crate::compile) fn results(&mut self, value: &Value, variants: &Variants<'_>, path: &Path<'_>) {
        match value {
            Value::String(name) => self.result(name, variants, path),
            Value::Bool(_) | Value::Number(_) => self.result(&value.to_string(), variants, path),
            Value::Object(members) if members.len() == 1 => {
                for (operator, value) in members {
                    self.results_of(operator, value, variants, &path.key(operator));
                }
            }
            _ => {}
        }
    }

    fn results_of(&mut self, operator: &str, value: &Value, variants: &Variants<'_>, path: &Path<'_>) {
        let values = arguments(value);
        match (operator, value) {
            ("if" | "?:", _) => {
                for (index, value) in values.iter().enumerate() {
                    // Alone, the last is what holds otherwise.
                    if index % 2 == 1 || index + 1 == values.len() {
                        self.results(value, variants, &path.index(index));
                    }
                }
            }
            ("fractional" | "split", Value::Array(_)) => self.shares(values, variants, path),
            ("split", Value::Object(members)) => {
                let buckets = members.get("buckets").and_then(Value::as_array);
                self.shares(buckets.map_or(&[], Vec::as_slice), variants, &path.key("buckets"));
            }
            _ => {}
        }
    }

    fn shares(&mut self, buckets: &[Value], variants: &Variants<'_>, path: &Path<'_>) {
        for (index, bucket) in buckets.iter().enumerate() {
            if let Some(variant) = bucket.as_array().and_then(|bucket| bucket.first()) {
                self.results(variant, variants, &path.index(index).index(0));
            }
        }
    }

    fn result(&mut self, name: &str, variants: &Variants<'_>, path: &Path<'_>) {
        if variants.has(name) {
            return;
        }
        if !self.problems.has_room(Severity::Warning) {
            return self.problems.skip();
        }
        let hint = match nearest(name, variants.names.iter().copied()) {
            Some(variant) => format!("did you mean `{variant}`?"),
            None => format!("they are {}", listed(variants.names.iter().copied())),
        };
        self.warn(
            path,
            format!("`{name}` is none of the flag's variants, so who gets it gets an error; {hint}"),
        );
    }
}
