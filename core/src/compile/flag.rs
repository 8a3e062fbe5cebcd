//! A flag: state, variants, default, targeting.

use serde_json::{Map, Value};

use super::Compiler;
use super::evaluators::Evaluator;
use super::rule::{RuleCompiler, Shared, Variants};
use crate::flag::{CompiledVariant, Flag, State, VariantId};
use crate::json::{Kind, Path};
use crate::names;
use crate::problem::Severity;

/// The keys of a flag. flagd ignores others, so they are no errors.
const KEYS: [&str; 6] = ["key", "state", "variants", "defaultVariant", "targeting", "metadata"];

impl Compiler {
    pub(super) fn flag(&mut self, key: &str, value: &Value, path: &Path<'_>) {
        self.supersede(key);
        let Value::Object(members) = value else {
            let kind = Kind::of(value);
            return self.problems.refuse(path, format!("a flag is an object, this is {kind}"));
        };
        for key in members.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            if let Some(nearest) = names::nearest(key, KEYS) {
                let message = format!("unknown key `{key}` is ignored; did you mean `{nearest}`?");
                self.problems.warn(&path.key(key), message);
            }
        }
        let enabled = self.is_enabled(members, path);
        let (first_variant, variants) = self.variants(members, path);
        let default = self.default_variant(members, first_variant, variants, path);
        let (metadata, client) = self.flag_metadata(members.get("metadata"), &path.key("metadata"));
        let targeting = members.get("targeting");
        let mut misnamed = None;
        let state = match (enabled, targeting) {
            (true, Some(targeting)) => {
                let names: Variants<'_> = match members.get("variants") {
                    Some(Value::Object(variants)) => variants.keys().map(String::as_str).collect(),
                    _ => [].into_iter().collect(),
                };
                self.targeting(key, targeting, &names, &path.key("targeting"), &mut misnamed)
            }
            (true, None) => State::Static,
            (false, targeting) => {
                if let Some(targeting @ Value::Object(rule)) = targeting
                    && !rule.is_empty()
                {
                    self.check(key, targeting, &path.key("targeting"));
                }
                State::Disabled
            }
        };
        let key_text = self.texts.intern(key);
        let flag = Flag { key: key_text, metadata, client, first_variant, variants, default, state };
        let id = self.add_flag(key, flag, path);
        self.misnames(id, misnamed, path);
    }

    fn is_enabled(&mut self, flag: &Map<String, Value>, path: &Path<'_>) -> bool {
        match flag.get("state") {
            Some(Value::String(state)) if state == "ENABLED" => return true,
            Some(Value::String(state)) if state == "DISABLED" => {}
            Some(other) => self
                .problems
                .refuse(&path.key("state"), format!("must be \"ENABLED\" or \"DISABLED\", this is {other}")),
            None => self.problems.refuse(path, "`state` is missing: \"ENABLED\" or \"DISABLED\""),
        }
        false
    }

    fn variants(&mut self, flag: &Map<String, Value>, path: &Path<'_>) -> (u32, u32) {
        let variants = match flag.get("variants") {
            Some(Value::Object(variants)) => variants,
            Some(other) => {
                let kind = Kind::of(other);
                let message = format!("must be an object of values by variant, this is {kind}");
                self.problems.refuse(&path.key("variants"), message);
                return (0, 0);
            }
            None => {
                self.problems.refuse(path, "`variants` is missing: an object of values by variant");
                return (0, 0);
            }
        };
        self.kinds(variants, &path.key("variants"));
        let texts = &mut self.texts;
        let compiled: Vec<_> = variants
            .iter()
            .map(|(name, value)| CompiledVariant {
                name: texts.intern(name),
                json: texts.intern(&value.to_string()),
                string: value.as_str().map(|text| texts.intern(text)),
            })
            .collect();
        self.add_variants(compiled.into_iter())
    }

    /// Warns where values are of several kinds: whoever asks for one kind gets an error for the others.
    fn kinds(&mut self, variants: &Map<String, Value>, path: &Path<'_>) {
        let mut values = variants.iter();
        let Some((first, value)) = values.next() else {
            return self.problems.warn(path, "no variants: the flag never has a value");
        };
        let kind = std::mem::discriminant(value);
        if let Some((name, other)) = values.find(|(_, value)| std::mem::discriminant(*value) != kind) {
            let (one, another) = (Kind::of(value), Kind::of(other));
            let message = format!("values should be of one kind: `{first}` is {one}, but this is {another}");
            self.problems.warn(&path.key(name), message);
        }
    }

    /// The default variant. As in flagd's evaluators, null and an empty name are the same as none.
    fn default_variant(
        &mut self,
        flag: &Map<String, Value>,
        first: u32,
        count: u32,
        path: &Path<'_>,
    ) -> Option<VariantId> {
        let value = flag.get("defaultVariant")?;
        let names = || self.snapshot.variants.iter().skip(first as usize).take(count as usize);
        let problem = match value {
            Value::Null => return None,
            Value::String(name) if name.is_empty() => return None,
            Value::String(name) => match names().position(|variant| self.texts.get(variant.name) == name) {
                Some(position) => return Some(VariantId(first.saturating_add(position as u32))),
                None => {
                    let names = names::listed(names().map(|variant| self.texts.get(variant.name)));
                    format!("`{name}` is none of the variants ({names})")
                }
            },
            other => format!("must be the name of a variant, this is {}", Kind::of(other)),
        };
        self.problems.refuse(&path.key("defaultVariant"), problem);
        None
    }

    /// Compiles the rule. Whatever is wrong with it breaks this flag only.
    fn targeting(
        &mut self,
        key: &str,
        targeting: &Value,
        variants: &Variants<'_>,
        path: &Path<'_>,
        misnamed: &mut Option<String>,
    ) -> State {
        match targeting {
            Value::Null => return State::Static,
            Value::Object(rule) if rule.is_empty() => return State::Static,
            Value::Object(_) => {}
            other => {
                let message = format!("targeting is a rule, an object, this is {}", Kind::of(other));
                self.problems.of_rule(Severity::Flag, path.to_json_path(), message.clone(), key);
                let reason = format!("{}: {message}", path.to_json_path());
                return State::Broken(self.texts.intern(&reason));
            }
        }
        let mark = self.snapshot.rules.mark();
        let shared = Shared {
            rules: &mut self.snapshot.rules,
            texts: &mut self.texts,
            problems: &mut self.problems,
            evaluators: &self.evaluators,
            known: &mut self.known,
            fractional: self.fractional,
            most_bytes: self.budget.most(),
        };
        let asked = shared.rules.prerequisites.len();
        let mut compiler = RuleCompiler::new(shared, key, Severity::Flag);
        let node = compiler.rule(targeting, path, 0);
        compiler.results(targeting, variants, path);
        let findings = compiler.findings();
        *misnamed = findings.misnamed;
        match findings.failure {
            None => {
                let asks = asked..self.snapshot.rules.prerequisites.len();
                if !asks.is_empty() {
                    self.asking.insert(self.texts.intern(key), asks);
                }
                State::Targeted(node)
            }
            Some(reason) => {
                self.snapshot.rules.reset(&mark);
                State::Broken(self.texts.intern(&reason))
            }
        }
    }

    /// Looks for problems of a rule that is not in force: they cost nothing yet.
    fn check(&mut self, flag: &str, rule: &Value, path: &Path<'_>) {
        let (rules, known) = &mut self.looked_at;
        let mark = rules.mark();
        let shared = Shared {
            rules,
            texts: &mut self.texts,
            problems: &mut self.problems,
            evaluators: &self.evaluators,
            known,
            fractional: self.fractional,
            most_bytes: self.budget.most(),
        };
        RuleCompiler::new(shared, flag, Severity::Warning).rule(rule, path, 0);
        self.looked_at.0.reset(&mark);
    }

    /// Looks for problems of the rules in `$evaluators` that no flag refers to.
    pub(super) fn unused_evaluators(&mut self, path: &Path<'_>) {
        for Evaluator { name, rule, .. } in self.evaluators.unused() {
            let (rules, known) = &mut self.looked_at;
            let mark = rules.mark();
            let shared = Shared {
                rules,
                texts: &mut self.texts,
                problems: &mut self.problems,
                evaluators: &self.evaluators,
                known,
                fractional: self.fractional,
                most_bytes: self.budget.most(),
            };
            RuleCompiler::of_evaluator(shared).rule(rule, &path.key(name), 0);
            self.looked_at.0.reset(&mark);
        }
    }
}
