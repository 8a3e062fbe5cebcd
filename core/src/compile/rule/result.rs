//! What a rule can give: every result that it spells out must name a variant.
//!
//! A result is spelt out where it stands as text, number or boolean, and where its operator gives nothing but `true` and
//! `false`, or nothing but numbers. Rules behind `$ref` are followed with the variants of the flag that refers to them.
//! What an attribute decides (`var`, `cat`, `substr`), and another flag's variant (`flag`), is known only when the rule is
//! evaluated.
//!
//! Where a result stands in the flag itself, that is a warning: the flag fails for some contexts and not for others. A flag
//! that a route or a gate uses may not fail, so the first such result is kept, whatever tells of it (see `in_use.rs`); what
//! nobody gets (a share of 0, a branch behind a constant condition) does not count for that.

use std::cell::OnceCell;
use std::collections::HashSet;

use serde_json::Value;

use super::{MOST_DEPTH, MOST_PARTS, RuleCompiler, arguments};
use crate::eval::View;
use crate::eval::coerce::truthy;
use crate::json::Path;
use crate::names::{listed, nearest};
use crate::problem::Severity;

/// Among how many variants the one that was meant is looked for.
const MAX_COMPARED: usize = 100;

/// How many characters of a result a message shows, and up to how many bytes of its place.
const MAX_SHOWN: usize = 100;
const MAX_PLACE: usize = 1000;

/// Up to so many names are compared one by one.
const FEW: usize = 8;

/// Operators that give `true` or `false`, and perhaps null.
const BOOLEAN: [&str; 20] = [
    "==",
    "===",
    "!=",
    "!==",
    "<",
    "<=",
    ">",
    ">=",
    "!",
    "!!",
    "in",
    "all",
    "some",
    "none",
    "starts_with",
    "ends_with",
    "sem_ver",
    "cidr",
    "matches",
    "ramp",
];

/// How many values are looked at in the time in which a part is compiled.
const LOOKED_PER_PART: usize = 16;

/// Operators that give numbers.
const NUMERIC: [&str; 7] = ["+", "-", "*", "/", "%", "max", "min"];

/// The names of a flag's variants.
pub(in crate::compile) struct Variants<'v> {
    names: Vec<&'v str>,
    set: HashSet<&'v str>,
    have_number: OnceCell<bool>,
}

impl<'v> FromIterator<&'v str> for Variants<'v> {
    fn from_iter<I: IntoIterator<Item = &'v str>>(names: I) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        let set = if names.len() > FEW { names.iter().copied().collect() } else { HashSet::new() };
        Self { names, set, have_number: OnceCell::new() }
    }
}

impl Variants<'_> {
    fn has(&self, name: &str) -> bool {
        if self.names.len() > FEW { self.set.contains(name) } else { self.names.contains(&name) }
    }

    /// Whether any of them is a number. Looked for once, however many results of the rule are numbers.
    fn have_number(&self) -> bool {
        let is_number = |name: &&str| name.parse::<f64>().is_ok();
        *self.have_number.get_or_init(|| self.names.iter().any(is_number))
    }

    /// What would be right instead of `name`.
    fn hint(&self, name: &str) -> String {
        let names = || self.names.iter().copied();
        match nearest(name, names().take(MAX_COMPARED)) {
            Some(variant) => format!("did you mean `{variant}`?"),
            None => format!("they are {}", listed(names())),
        }
    }
}

/// Where a part of a rule stands, by what becomes of its result.
#[derive(Clone, Copy)]
struct Use {
    /// Whether anybody gets it.
    reached: bool,
    /// Whether it is a result where it is true, and where it is false.
    if_true: bool,
    if_false: bool,
    /// How deep it stands, `$ref`s followed.
    depth: usize,
}

impl Use {
    const RESULT: Self = Self { reached: true, if_true: true, if_false: true, depth: 0 };

    /// The same, but for nobody.
    fn unreached(self) -> Self {
        Self { reached: false, ..self }
    }
}

/// Whether a value is the same for every context, and if so, whether it is true.
fn constant(value: &Value) -> Option<bool> {
    match value {
        Value::Object(members) if !members.is_empty() => None,
        // Whatever its items are.
        Value::Array(items) => Some(!items.is_empty()),
        constant => Some(truthy(View::from(constant))),
    }
}

/// Whether a rule may give one value here and another there; counts the values that it looks at.
fn varies(value: &Value, looked: &mut usize) -> bool {
    *looked += 1;
    match value {
        Value::Array(items) => items.iter().any(|item| varies(item, looked)),
        Value::Object(members) => members.iter().any(|(operator, value)| {
            let reads = ["var", "missing", "missing_some", "fractional", "split", "ramp", "flag", "$ref"];
            reads.contains(&operator.as_str()) || varies(value, looked)
        }),
        _ => false,
    }
}

/// Whether an operator of flagd's has the arguments without which it always gives null.
fn has_arguments(operator: &str, value: &Value) -> bool {
    let wanted = match operator {
        "starts_with" | "ends_with" => 2,
        "sem_ver" => 3,
        _ => return true,
    };
    value.as_array().is_some_and(|values| {
        values.len() == wanted && values.iter().all(|value| value.is_string() || value.is_object())
    })
}

impl RuleCompiler<'_> {
    /// Looks for results of the rule `value` that name none of the variants.
    pub(in crate::compile) fn results(&mut self, value: &Value, variants: &Variants<'_>, path: &Path<'_>) {
        self.result(value, variants, path, Use::RESULT);
    }

    fn result(&mut self, value: &Value, variants: &Variants<'_>, path: &Path<'_>, used: Use) {
        // What compiles is no deeper and has no more parts, unless the document is refused for all `$ref`s together.
        self.looked += 1;
        if used.depth > MOST_DEPTH || self.looked > MOST_PARTS {
            return;
        }
        let used = Use { depth: used.depth + 1, ..used };
        match value {
            Value::String(name) => self.spelt_out(name, value, variants, path, used),
            Value::Bool(_) | Value::Number(_) => {
                let name = match value.as_f64() {
                    Some(number) => ryu_js::Buffer::new().format(number).to_owned(),
                    None => value.to_string(),
                };
                self.spelt_out(&name, value, variants, path, used);
            }
            Value::Object(members) if members.is_empty() && used.if_false => {
                self.missing("`[object Object]`", variants, path, used, true);
            }
            Value::Object(members) if members.len() == 1 => {
                for (operator, value) in members {
                    self.result_of(operator, value, variants, &path.key(operator), used);
                }
            }
            _ => {}
        }
    }

    fn result_of(
        &mut self,
        operator: &str,
        value: &Value,
        variants: &Variants<'_>,
        path: &Path<'_>,
        used: Use,
    ) {
        let values = arguments(value);
        match (operator, value) {
            ("if" | "?:", _) => self.branches(values, variants, path, used),
            ("and" | "or", _) => self.first_that(operator == "or", values, variants, path, used),
            ("var", Value::Array(values)) => {
                if let [_, default] = values.as_slice() {
                    self.result(default, variants, &path.index(1), used);
                }
            }
            ("fractional" | "split", Value::Array(_)) => self.shares(values, variants, path, used),
            ("split", Value::Object(members)) => {
                let buckets = members.get("buckets").and_then(Value::as_array);
                let buckets = buckets.map_or(&[][..], Vec::as_slice);
                self.shares(buckets, variants, &path.key("buckets"), used);
            }
            // A rule that compiles does not refer to itself.
            ("$ref", Value::String(name)) if self.failure.is_none() => {
                let evaluators = self.evaluators;
                if let Some(found) = evaluators.find(name) {
                    let place = Path::Root.key("$evaluators");
                    self.result(&found.rule, variants, &place.key(&found.name), used);
                }
            }
            (operator, value) if BOOLEAN.contains(&operator) => {
                let lacks = |is: bool, name| is && !variants.has(name);
                // What is the same for everybody is no condition, but perhaps a test.
                if (operator == "ramp" || self.varies(value)) && has_arguments(operator, value) {
                    match (lacks(used.if_true, "true"), lacks(used.if_false, "false")) {
                        (true, true) => self.missing("`true` or `false`", variants, path, used, false),
                        (true, false) => self.missing("`true`", variants, path, used, false),
                        (false, true) => self.missing("`false`", variants, path, used, false),
                        (false, false) => {}
                    }
                }
            }
            (operator, _)
                if NUMERIC.contains(&operator)
                    && (used.if_true || used.if_false)
                    && !variants.have_number() =>
            {
                self.missing("a number", variants, path, used, false);
            }
            _ => {}
        }
    }

    /// Whether a rule may give one value here and another there; false where looking takes too long: a long list that
    /// flags refer to is looked through for each reference.
    fn varies(&mut self, value: &Value) -> bool {
        if !self.evaluators.charge(1, 0) {
            return false;
        }
        let mut looked = 0;
        let varies = varies(value, &mut looked);
        self.evaluators.charge(looked / LOOKED_PER_PART, 0) && varies
    }

    fn branches(&mut self, values: &[Value], variants: &Variants<'_>, path: &Path<'_>, used: Use) {
        let mut used = used;
        for (index, value) in values.iter().enumerate() {
            let path = path.index(index);
            // Alone, the last is what holds otherwise.
            if index % 2 == 0 && index + 1 == values.len() {
                self.result(value, variants, &path, used);
            }
            if index % 2 == 1 {
                let condition = values.get(index - 1).and_then(constant);
                let taken = if condition == Some(false) { used.unreached() } else { used };
                self.result(value, variants, &path, taken);
                if condition == Some(true) {
                    used = used.unreached();
                }
            }
        }
    }

    /// `or` gives the first value that is true, `and` the first that is false; else the last.
    fn first_that(
        &mut self,
        or: bool,
        values: &[Value],
        variants: &Variants<'_>,
        path: &Path<'_>,
        used: Use,
    ) {
        let mut used = used;
        for (index, value) in values.iter().enumerate() {
            let taken = match (index + 1 == values.len(), or) {
                (true, _) => used,
                (false, true) => Use { if_false: false, ..used },
                (false, false) => Use { if_true: false, ..used },
            };
            self.result(value, variants, &path.index(index), taken);
            if constant(value) == Some(or) {
                used = used.unreached();
            }
        }
    }

    fn shares(&mut self, buckets: &[Value], variants: &Variants<'_>, path: &Path<'_>, used: Use) {
        for (index, bucket) in buckets.iter().enumerate() {
            let Some([variant, rest @ ..]) = bucket.as_array().map(Vec::as_slice) else { continue };
            let nobody = rest.first().and_then(Value::as_f64).is_some_and(|share| share <= 0.0);
            let used = if nobody { used.unreached() } else { used };
            self.result(variant, variants, &path.index(index).index(0), used);
        }
    }

    /// A value that stands in the rule.
    fn spelt_out(&mut self, name: &str, value: &Value, variants: &Variants<'_>, path: &Path<'_>, used: Use) {
        let counts = if truthy(View::from(value)) { used.if_true } else { used.if_false };
        if counts && !variants.has(name) {
            self.missing(&format!("`{name}`"), variants, path, used, true);
        }
    }

    /// Notes a result that is no variant; aloud, if it is spelt out.
    fn missing(&mut self, what: &str, variants: &Variants<'_>, path: &Path<'_>, used: Use, spelt_out: bool) {
        let shared = path.begins_with("$evaluators");
        let (is_first, aloud) = (used.reached && self.misnamed.is_none(), spelt_out && !shared);
        // Who writes ten thousand of them is not told what each could have meant.
        if !is_first && !self.problems.has_room(Severity::Warning) {
            if aloud {
                self.problems.skip();
            }
            return;
        }
        if !is_first && !aloud {
            return;
        }
        let owner = match shared {
            true => format!("the variants of `{}`", self.flag),
            false => "the flag's variants".to_owned(),
        };
        let hint = variants.hint(what.trim_matches('`'));
        let what = match what.char_indices().nth(MAX_SHOWN) {
            Some((end, _)) => format!("{}...`", what.get(..end).unwrap_or_default()),
            None => what.to_owned(),
        };
        let message = format!("{what} is none of {owner}, so who gets it gets an error; {hint}");
        if is_first {
            // Every flag that refers to a rule of `$evaluators` says it again.
            let place = match shared && path.bytes() > MAX_PLACE {
                true => "in `$evaluators`".to_owned(),
                false => path.to_json_path().to_string(),
            };
            self.misnamed = Some(format!("{place}: {message}"));
        }
        if aloud {
            self.warn(path, message);
        }
    }
}
