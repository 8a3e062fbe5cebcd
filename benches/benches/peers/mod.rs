//! The engines that Turquoise is measured against, each in the fastest way that its interface offers.
//!
//! Not here: `flagd-evaluator`, which is not on crates.io and takes and returns JSON text for each evaluation.

use std::collections::HashMap;

use datalogic_rs::{Engine, Logic, ParsedData, Session};
use flagd_evaluation_engine::{FeatureFlag, FlagParser, Operator};
use open_feature::EvaluationContext;
use serde_json::{Value, json};
use turquoise_benches::scenario::{Scenario, Unused, attributes, document};

/// `datalogic-rs`: a compiled rule over a parsed context. It evaluates rules only: no flags, no variants, no reasons.
pub(crate) struct DataLogic<'e> {
    rule: Logic,
    context: ParsedData,
    session: Session<'e>,
}

/// The engine, with flagd's operators.
pub(crate) fn datalogic() -> Engine {
    Engine::new()
}

impl<'e> DataLogic<'e> {
    /// None where there is no rule.
    pub(crate) fn new(engine: &'e Engine, scenario: Scenario, unused: Unused) -> Option<Self> {
        let rule = engine.compile(scenario.targeting()?.to_string().as_str()).expect("a rule that compiles");
        let mut members = attributes(unused);
        // Where its `fractional` looks for the flag's key.
        members
            .insert("$flagd".to_owned(), json!({ "flagKey": scenario.name(), "timestamp": 1_790_000_000 }));
        let context = ParsedData::from_json(&Value::Object(members).to_string()).expect("a context");
        Some(Self { rule, context, session: engine.session() })
    }

    /// Evaluates the rule, and makes room for the next.
    #[inline]
    pub(crate) fn evaluate<T>(&mut self, read: impl FnOnce(Option<&str>) -> T) -> T {
        self.session.reset();
        let result = self.session.eval_borrowed(&self.rule, &self.context).expect("a result");
        read(result.as_str())
    }
}

/// `flagd-evaluation-engine`, as OpenFeature's in-process provider for Rust uses it: the rule's text is parsed and the
/// context serialised for every evaluation.
pub(crate) struct Contrib {
    flags: HashMap<String, FeatureFlag>,
    operator: Operator,
    context: EvaluationContext,
}

impl Contrib {
    pub(crate) fn new(unused: Unused) -> Self {
        let flags = FlagParser::parse_string(&document(&Scenario::ALL)).expect("a document").flags;
        let context =
            attributes(unused).into_iter().fold(EvaluationContext::default(), |context, (name, value)| {
                match value {
                    Value::String(text) if name == "targetingKey" => context.with_targeting_key(text),
                    Value::String(text) => context.with_custom_field(name, text),
                    Value::Bool(value) => context.with_custom_field(name, value),
                    other => context.with_custom_field(name, other.as_i64().expect("a whole number")),
                }
            });
        Self { flags, operator: Operator::new(), context }
    }

    /// The variant, by the provider's own steps.
    #[inline]
    pub(crate) fn evaluate(&self, scenario: Scenario) -> String {
        let flag = self.flags.get(scenario.name()).expect("a flag");
        let chosen = match flag.targeting {
            Some(_) => self.operator.apply(scenario.name(), &flag.get_targeting(), &self.context),
            None => Ok(None),
        };
        let variant = chosen.expect("a result").unwrap_or_else(|| flag.default_variant.clone());
        std::hint::black_box(flag.variants.get(&variant));
        variant
    }
}
