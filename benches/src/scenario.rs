//! One flag for each kind of rule, and the contexts it is evaluated in.

use serde_json::{Map, Value, json};
use turquoise_core::{Context, Evaluation, Reason, Scratch, Snapshot, Timestamp};

/// The time of every evaluation, for the engines that ask for one.
pub const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// A flag with one kind of rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// No rule: the default variant.
    Static,
    /// An attribute among five texts.
    In,
    /// A text within an attribute.
    InText,
    /// Three buckets over the targeting key.
    Fractional,
    /// A version at least as high as another.
    SemVer,
    /// Five conditions of five kinds on five attributes, all of which hold.
    Conditions,
}

impl Scenario {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 6] =
        [Self::Static, Self::In, Self::InText, Self::Fractional, Self::SemVer, Self::Conditions];

    /// Its name in tables, and its flag's key.
    pub fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::In => "in-list",
            Self::InText => "in-text",
            Self::Fractional => "fractional-3",
            Self::SemVer => "sem-ver",
            Self::Conditions => "conditions-5",
        }
    }

    /// The flag's `targeting`, if it has one.
    pub fn targeting(self) -> Option<Value> {
        let when = |condition: Value| json!({ "if": [condition, "on", "off"] });
        Some(match self {
            Self::Static => return None,
            Self::In => when(json!({ "in": [{ "var": "country" }, ["AT", "CH", "DE", "FR", "IT"]] })),
            Self::InText => when(json!({ "in": ["@example.com", { "var": "email" }] })),
            Self::Fractional => json!({ "fractional": [["on", 10], ["off", 20], ["other", 70]] }),
            Self::SemVer => when(json!({ "sem_ver": [{ "var": "version" }, ">=", "2.1.0"] })),
            Self::Conditions => when(json!({ "and": [
                { "==": [{ "var": "plan" }, "pro"] },
                { ">=": [{ "var": "age" }, 18] },
                { "in": [{ "var": "country" }, ["AT", "CH", "DE", "FR", "IT"]] },
                { "ends_with": [{ "var": "email" }, "@example.com"] },
                { "!=": [{ "var": "beta" }, false] },
            ] })),
        })
    }

    /// The flag as a document has it.
    pub fn flag(self) -> Value {
        let mut flag = json!({
            "state": "ENABLED", "variants": { "on": true, "off": false, "other": false }, "defaultVariant": "off" });
        if let (Some(targeting), Value::Object(members)) = (self.targeting(), &mut flag) {
            members.insert("targeting".to_owned(), targeting);
        }
        flag
    }

    /// The variant that every engine must find in [`attributes`].
    pub fn variant(self) -> &'static str {
        match self {
            Self::Static => "off",
            Self::Fractional => "other",
            Self::In | Self::InText | Self::SemVer | Self::Conditions => "on",
        }
    }

    /// The reason that goes with it.
    pub fn reason(self) -> Reason {
        match self {
            Self::Static => Reason::Static,
            _ => Reason::TargetingMatch,
        }
    }
}

/// How many attributes no rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unused {
    /// None: 7 attributes in all.
    None,
    /// A hundred, half of them before and half of them after those that are read: 107 in all.
    Hundred,
}

impl Unused {
    /// Both.
    pub const ALL: [Self; 2] = [Self::None, Self::Hundred];

    /// How many attributes there are in all.
    pub fn attributes(self) -> usize {
        match self {
            Self::None => 7,
            Self::Hundred => 107,
        }
    }
}

/// The attributes of the context.
pub fn attributes(unused: Unused) -> Map<String, Value> {
    let fill = |from: usize| {
        let range = from..from + (unused.attributes() - 7) / 2;
        range.map(|number| (format!("attribute-{number:03}"), json!(format!("value {number}"))))
    };
    let Value::Object(read) = json!({
        "targetingKey": "user-4711",
        "email": "ada.lovelace@example.com",
        "country": "DE",
        "plan": "pro",
        "age": 36,
        "version": "2.3.4",
        "beta": true,
    }) else {
        return Map::new();
    };
    fill(0).chain(read).chain(fill(50)).collect()
}

/// The document with the flags of all scenarios.
pub fn document(scenarios: &[Scenario]) -> String {
    let flags: Map<_, _> =
        scenarios.iter().map(|scenario| (scenario.name().to_owned(), scenario.flag())).collect();
    json!({ "flags": flags }).to_string()
}

/// Everything that is prepared before the clock starts.
#[derive(Debug)]
pub struct Prepared {
    /// The compiled document.
    pub snapshot: Snapshot,
    /// The context, ready for lookups.
    pub context: Context,
    /// What evaluations keep from one to the next.
    pub scratch: Scratch,
}

impl Prepared {
    /// All scenarios in one document, with a context.
    ///
    /// # Panics
    /// If the document does not compile: there would be nothing to measure.
    pub fn new(unused: Unused) -> Self {
        let snapshot = match Snapshot::compile(document(&Scenario::ALL).as_bytes()) {
            Ok(snapshot) => snapshot,
            Err(error) => panic!("{error}"),
        };
        let context = Context::new(Value::Object(attributes(unused)));
        Self { snapshot, context, scratch: Scratch::default() }
    }

    /// What is timed: the flag found by its key, evaluated to variant and reason.
    #[inline]
    pub fn evaluate(&mut self, key: &str) -> Evaluation {
        self.snapshot.evaluate(key, &self.context, NOW, &mut self.scratch)
    }

    /// The variant's name and the reason, to check that what is timed is right.
    pub fn answer(&mut self, scenario: Scenario) -> (&str, Reason) {
        let evaluation = self.evaluate(scenario.name());
        let name = evaluation.variant.map_or("", |variant| self.snapshot.variant(variant).name);
        (name, evaluation.reason)
    }
}

/// Evaluates a scenario `times` times, and returns how often there was a variant. The loop that is timed where a call
/// from outside would cost more than the evaluation (WebAssembly), and for the native figure beside it.
pub fn repeat(prepared: &mut Prepared, scenario: Scenario, times: u32) -> u32 {
    let key = scenario.name();
    let found =
        |_: &u32| std::hint::black_box(prepared.evaluate(std::hint::black_box(key))).variant.is_some();
    (0..times).filter(found).count() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_finds_its_variant() {
        for unused in Unused::ALL {
            let mut prepared = Prepared::new(unused);
            assert_eq!(attributes(unused).len(), unused.attributes());
            for scenario in Scenario::ALL {
                let expected = (scenario.variant(), scenario.reason());
                assert_eq!(prepared.answer(scenario), expected, "{scenario:?}");
                assert_eq!(repeat(&mut prepared, scenario, 10), 10);
            }
        }
    }
}
