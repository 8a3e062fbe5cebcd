//! Evaluating a rule: a walk over its nodes that allocates nothing and reads an attribute only when it gets there.
//!
//! The semantics are those of JsonLogic as flagd's reference evaluator has it; where values are coerced, by
//! ECMAScript's rules. What a rule builds (texts, lists) lies in the caller's [`Scratch`] until the evaluation ends.
//! Work is bounded: every node and every item costs a step, and [`MOST_STEPS`] of them end in an error.

mod arithmetic;
mod bucket;
mod cbor;
pub(crate) mod coerce;
mod fractional;
mod iterate;
mod murmur3;
mod network;
mod operand;
mod operator;
mod room;
#[cfg(test)]
mod tests;
mod text;
mod variable;
mod version;

use crate::flag::Flag;
use crate::rule::{Arguments, Comparison, Node, NodeId};
use crate::snapshot::Snapshot;
use crate::value::{Attributes, Value};

pub(crate) use bucket::WHOLE;
pub(crate) use fractional::{MOST_WEIGHT, weight};
pub(crate) use iterate::List;
pub(crate) use murmur3::Murmur3;
pub(crate) use network::parse_network;
use operand::Span;
pub(crate) use operand::{Operand, View};
pub(crate) use room::Room;
pub(crate) use variable::Scope;
pub(crate) use version::{parse as parse_version, parse_operator as parse_version_operator};

/// The most steps of one evaluation, the prerequisites it leads to included: about a millisecond.
pub(crate) const MOST_STEPS: u32 = 100_000;

/// How many bytes are hashed in the time of a step.
const HASHED_PER_STEP: usize = 64;

/// How many bytes are read, as a number or in their order, in the time of a step.
const READ_PER_STEP: usize = 16;

/// How many bytes of two texts are compared in a step: they may both be long constants, compared for each item of a list.
const COMPARED_PER_STEP: usize = 64;

/// The most bytes of text, and the most items of lists, that one evaluation may build.
pub(crate) const MOST_BUILT: usize = 65_536;

/// The time of an evaluation: milliseconds since the unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub u64,
);

impl Timestamp {
    /// Whole seconds since the unix epoch, which is what `$flagd.timestamp` holds.
    pub fn unix_seconds(self) -> u64 {
        self.0 / 1000
    }
}

/// Memory that evaluations use and keep for the next one. The caller owns it, so that an evaluation allocates
/// nothing once its scratch has grown to what its rules need.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Weights of the `fractional`s under way.
    weights: Vec<u32>,
    /// Texts that the rule put together.
    text: String,
    /// Empty between evaluations; only the memory is kept.
    items: Vec<Operand<'static>>,
    /// How many steps the evaluations to come may take together; any, when `None`.
    left: Option<u32>,
}

impl Scratch {
    /// Limits the evaluations to come: together they may take `steps`, and then each ends in the error `GENERAL`.
    pub(crate) fn limit(&mut self, steps: Option<u32>) {
        self.left = steps;
    }
}

/// Why a rule came to no result; the flag then evaluates to the error `GENERAL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Arithmetic with something that is not a number.
    NotANumber,
    /// Items of something that has none.
    NotAList,
    /// An operator got fewer arguments than it needs, or others than it takes.
    Arguments,
    /// The evaluation took too many steps or built too much.
    TooMuchWork,
}

pub(crate) type Outcome<'a> = Result<Operand<'a>, Fault>;

/// One evaluation under way.
pub(crate) struct Machine<'a, 's, A: ?Sized> {
    snapshot: &'a Snapshot,
    attributes: &'a A,
    flag: &'a Flag,
    now: Timestamp,
    scratch: &'s mut Scratch,
    /// Items of lists, and arguments of operators, as a stack.
    items: Vec<Operand<'a>>,
    pub(crate) scope: Scope<'a>,
    steps: u32,
    /// How many items and bytes of text there may be.
    most_items: usize,
    most_text: usize,
}

impl<'a, 's, A: Attributes + ?Sized> Machine<'a, 's, A> {
    pub(crate) fn new(
        snapshot: &'a Snapshot,
        attributes: &'a A,
        flag: &'a Flag,
        now: Timestamp,
        scratch: &'s mut Scratch,
    ) -> Self {
        scratch.text.clear();
        scratch.weights.clear();
        let steps = scratch.left.map_or(MOST_STEPS, |left| left.min(MOST_STEPS));
        Self {
            snapshot,
            attributes,
            flag,
            now,
            scratch,
            items: Vec::new(),
            scope: Scope::Root,
            steps,
            most_items: MOST_BUILT,
            most_text: MOST_BUILT,
        }
    }

    /// Evaluates a rule and hands its result to `read`, which can look at what was built.
    pub(crate) fn run<T>(
        mut self,
        rule: NodeId,
        read: impl FnOnce(&Self, Operand<'a>) -> T,
    ) -> Result<T, Fault> {
        let allowed = self.steps;
        let value = match self.eval(rule) {
            Ok(value) if !matches!(value, Operand::Text(_) | Operand::Constant(_)) => self.in_text(value),
            value => value,
        };
        let result = value.map(|value| read(&self, value));
        if let Some(left) = &mut self.scratch.left {
            *left = left.saturating_sub(allowed - self.steps);
        }
        if self.items.capacity() > 0 {
            self.scratch.items = recycle(std::mem::take(&mut self.items));
        }
        result
    }

    /// The value of a node. Recursion is bounded by the depth that compiling allows.
    #[inline(always)]
    pub(crate) fn eval(&mut self, id: NodeId) -> Outcome<'a> {
        self.charge(1)?;
        let snapshot = self.snapshot;
        match snapshot.rules.nodes.get(id.0 as usize) {
            Some(Node::Text(text)) => Ok(Operand::Constant(*text)),
            Some(Node::Attribute(index)) => Ok(self.attribute(*index)),
            Some(Node::Number(value)) => Ok(Operand::Number(*value)),
            Some(Node::If(arguments)) => self.branch(*arguments),
            Some(Node::Fractional(index)) => self.fractional(*index),
            Some(node) => self.operate(*node),
            None => Ok(Operand::Null),
        }
    }

    #[inline(never)]
    fn operate(&mut self, node: Node) -> Outcome<'a> {
        let snapshot = self.snapshot;
        Ok(match node {
            Node::Null | Node::Misuse => Operand::Null,
            Node::Bool(value) => Operand::Bool(value),
            Node::Number(value) => Operand::Number(value),
            Node::Text(text) => Operand::Constant(text),
            Node::Constant(index) => {
                snapshot.rules.constants.get(index as usize).map_or(Operand::Null, Operand::from)
            }
            Node::List(arguments) => Operand::List(self.arguments(arguments)?),
            Node::Attribute(index) => self.attribute(index),
            Node::Member(path) => self.member(snapshot.text.get(path)),
            Node::Whole => self.attributes.whole().into(),
            Node::Computed(path) => self.computed(path)?,
            Node::FlagKey => Operand::Text(snapshot.text.get(self.flag.key)),
            Node::Timestamp => Operand::Number(self.now.unix_seconds() as f64),
            Node::Or0(value, default) => match self.eval(value)? {
                Operand::Null => self.eval(default)?,
                value => value,
            },
            Node::If(arguments) => self.branch(arguments)?,
            Node::And(arguments) => self.until(arguments, false)?,
            Node::Or(arguments) => self.until(arguments, true)?,
            Node::Not(inner) => Operand::Bool(!self.truth(inner)?),
            Node::Truthy(inner) => Operand::Bool(self.truth(inner)?),
            Node::Compare(comparison, arguments) => Operand::Bool(self.compare(comparison, arguments)?),
            Node::In(needle, haystack) => Operand::Bool(self.contains(needle, haystack)?),
            Node::OneOf(needle, texts) => Operand::Bool(self.one_of(needle, texts)?),
            Node::StartsWith(text, affix) => {
                self.affix(text, affix, |text, affix| text.starts_with(affix))?
            }
            Node::EndsWith(text, affix) => self.affix(text, affix, |text, affix| text.ends_with(affix))?,
            Node::Operator(operator, arguments) => self.operator(operator, arguments)?,
            Node::Spread(operator, value) => self.spread(operator, value)?,
            Node::Map(list, body) => self.map(list, body)?,
            Node::Filter(list, body) => self.filter(list, body)?,
            Node::All(list, body) => Operand::Bool(self.all(list, body)?),
            Node::Some(list, body) => Operand::Bool(self.some(list, body)?),
            Node::None(list, body) => Operand::Bool(!self.some(list, body)?),
            Node::Reduce(arguments) => self.reduce(arguments)?,
            Node::Version(version, index) => self.version(version, index)?,
            Node::Fractional(index) => self.fractional(index)?,
            Node::Split(index) => self.split(index)?,
            Node::Ramp(index) => self.ramp(index)?,
            Node::Prerequisite(index) => self.prerequisite(index)?,
            Node::Cidr(address, index) => self.cidr(address, index)?,
            Node::Matches(text, index) => self.matches(text, index)?,
        })
    }

    /// Takes off what hashing a text costs.
    fn charge_hash(&mut self, text: &str) -> Result<(), Fault> {
        // Short keys, which nearly all are, cost nothing besides their node.
        if text.len() >= HASHED_PER_STEP { self.charge(text.len() / HASHED_PER_STEP) } else { Ok(()) }
    }

    /// How many bytes a text has; a list's own were counted when it was built.
    fn text_len(&self, value: &Operand<'a>) -> usize {
        match self.view(value) {
            View::Text(text) => text.len(),
            _ => 0,
        }
    }

    /// Takes steps off what is left.
    #[inline]
    fn charge(&mut self, steps: usize) -> Result<(), Fault> {
        match u32::try_from(steps).ok().and_then(|steps| self.steps.checked_sub(steps)) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => Err(Fault::TooMuchWork),
        }
    }

    /// A value as operators look at it.
    #[inline]
    pub(crate) fn view<'t>(&'t self, value: &Operand<'t>) -> View<'t> {
        match *value {
            Operand::Null => View::Null,
            Operand::Bool(value) => View::Bool(value),
            Operand::Number(value) => View::Number(value),
            Operand::Text(text) => View::Text(text),
            Operand::Constant(text) => View::Text(self.snapshot.text.get(text)),
            Operand::Json(json) => of_json(json),
            Operand::Built(span) => View::Text(self.built(span)),
            Operand::List(span) => View::List(span.of(&self.items)),
        }
    }

    fn built(&self, span: Span) -> &str {
        let start = span.start as usize;
        self.scratch.text.get(start..start.saturating_add(span.len as usize)).unwrap_or_default()
    }

    fn truth(&mut self, id: NodeId) -> Result<bool, Fault> {
        let snapshot = self.snapshot;
        match snapshot.rules.nodes.get(id.0 as usize) {
            Some(Node::OneOf(needle, texts)) => {
                self.charge(1)?;
                self.one_of(*needle, *texts)
            }
            Some(Node::Compare(comparison, arguments)) => {
                self.charge(1)?;
                self.compare(*comparison, *arguments)
            }
            Some(Node::Not(inner)) => {
                self.charge(1)?;
                Ok(!self.truth(*inner)?)
            }
            Some(Node::And(arguments)) => {
                self.charge(1)?;
                for argument in snapshot.rules.arguments(*arguments) {
                    if !self.truth(*argument)? {
                        return Ok(false);
                    }
                }
                Ok(arguments.len > 0)
            }
            Some(Node::Or(arguments)) => {
                self.charge(1)?;
                for argument in snapshot.rules.arguments(*arguments) {
                    if self.truth(*argument)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => {
                let value = self.eval(id)?;
                Ok(match value {
                    Operand::Bool(value) => value,
                    value => coerce::truthy(self.view(&value)),
                })
            }
        }
    }

    /// `if`: conditions and results in turn, then what holds otherwise.
    #[inline(never)]
    fn branch(&mut self, arguments: Arguments) -> Outcome<'a> {
        let mut rest = self.snapshot.rules.arguments(arguments);
        while let [condition, result, others @ ..] = rest {
            if self.truth(*condition)? {
                return self.eval(*result);
            }
            rest = others;
        }
        match rest {
            [otherwise, ..] => self.eval(*otherwise),
            [] => Ok(Operand::Null),
        }
    }

    /// `and`, `or`: the first value whose truth is `stop`, else the last.
    fn until(&mut self, arguments: Arguments, stop: bool) -> Outcome<'a> {
        let mut last = Operand::Null;
        for argument in self.snapshot.rules.arguments(arguments) {
            last = self.eval(*argument)?;
            if coerce::truthy(self.view(&last)) == stop {
                break;
            }
        }
        Ok(last)
    }

    /// A comparison of each argument with the next (`{"<": [1, x, 9]}` is between).
    fn compare(&mut self, comparison: Comparison, arguments: Arguments) -> Result<bool, Fault> {
        let [first, rest @ ..] = self.snapshot.rules.arguments(arguments) else { return Ok(false) };
        if let [second] = rest
            && let Some(result) = self.compare_attribute(comparison, *first, *second)
        {
            self.charge(2)?;
            return Ok(result);
        }
        let mut left = self.eval(*first)?;
        for argument in rest {
            let right = self.eval(*argument)?;
            if let (Operand::Number(a), Operand::Number(b)) = (left, right)
                && !(a.is_nan() || b.is_nan())
            {
                if !coerce::ordered(comparison, a.partial_cmp(&b)) {
                    return Ok(false);
                }
            } else {
                self.charge((self.text_len(&left) + self.text_len(&right)) / READ_PER_STEP)?;
                if !coerce::compare(comparison, self.view(&left), self.view(&right)) {
                    return Ok(false);
                }
            }
            left = right;
        }
        Ok(true)
    }

    /// What most comparisons are: an attribute with a constant of its own type.
    #[inline]
    fn compare_attribute(&self, comparison: Comparison, left: NodeId, right: NodeId) -> Option<bool> {
        let nodes = &self.snapshot.rules.nodes;
        let Node::Attribute(index) = nodes.get(left.0 as usize)? else { return None };
        match (nodes.get(right.0 as usize)?, comparison) {
            (Node::Text(text), Comparison::Equal | Comparison::StrictEqual) => {
                match self.attribute_value(*index) {
                    Value::String(value) => Some(self.snapshot.text.is(*text, value)),
                    _ => None,
                }
            }
            (Node::Text(text), Comparison::NotEqual | Comparison::StrictNotEqual) => {
                match self.attribute_value(*index) {
                    Value::String(value) => Some(!self.snapshot.text.is(*text, value)),
                    _ => None,
                }
            }
            (Node::Number(number), _) => match self.attribute_value(*index) {
                Value::Number(value) if !value.is_nan() && !number.is_nan() => {
                    Some(coerce::ordered(comparison, value.partial_cmp(number)))
                }
                _ => None,
            },
            (Node::Bool(constant), _) => match self.attribute_value(*index) {
                Value::Bool(value) => Some(coerce::ordered(comparison, Some(value.cmp(constant)))),
                _ => None,
            },
            _ => None,
        }
    }

    #[inline]
    fn attribute_text(&self, id: NodeId) -> Option<&'a str> {
        match self.snapshot.rules.nodes.get(id.0 as usize) {
            Some(Node::Attribute(index)) => match self.attribute_value(*index) {
                Value::String(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    fn contains(&mut self, needle: NodeId, haystack: NodeId) -> Result<bool, Fault> {
        if let Some(Node::Text(needle)) = self.snapshot.rules.nodes.get(needle.0 as usize)
            && let Some(haystack) = self.attribute_text(haystack)
        {
            self.charge(2 + haystack.len() / 64)?;
            return Ok(coerce::text_contains(haystack, self.snapshot.text.get(*needle)));
        }
        let needle = self.eval(needle)?;
        let haystack = self.eval(haystack)?;
        if let (View::Text(needle), View::Text(haystack)) = (self.view(&needle), self.view(&haystack)) {
            let contains = coerce::text_contains(haystack, needle);
            self.charge(haystack.len() / 64)?;
            return Ok(contains);
        }
        let needle = match self.view(&haystack) {
            View::Text(_) => self.in_text(needle)?,
            _ => needle,
        };
        // Each item may be a text as long as the needle.
        let item = 1 + self.text_len(&needle) / COMPARED_PER_STEP;
        self.charge(match self.view(&haystack) {
            View::Text(text) => text.len() / 64,
            View::Array(items) => items.len().saturating_mul(item),
            View::List(items) => items.len().saturating_mul(item),
            _ => 0,
        })?;
        Ok(coerce::contains(self, &needle, &haystack))
    }

    /// `in` a list of constant texts.
    fn one_of(&mut self, needle: NodeId, texts: Arguments) -> Result<bool, Fault> {
        let listed = texts.len as usize;
        self.charge(listed / 4 + 1)?;
        let snapshot = self.snapshot;
        // Texts as long as the needle are compared with it as a whole.
        let compared = |needle: &str| (needle.len() / COMPARED_PER_STEP).saturating_mul(listed);
        let value;
        let needle = match snapshot.rules.nodes.get(needle.0 as usize) {
            Some(Node::Attribute(index)) => match self.attribute_value(*index) {
                Value::String(needle) => {
                    self.charge(compared(needle))?;
                    needle
                }
                _ => return Ok(false),
            },
            _ => {
                value = self.eval(needle)?;
                let View::Text(needle) = self.view(&value) else { return Ok(false) };
                let steps = compared(needle);
                self.charge(steps)?;
                let View::Text(needle) = self.view(&value) else { return Ok(false) };
                needle
            }
        };
        let start = texts.start as usize;
        let listed = snapshot.rules.texts.get(start..start.saturating_add(listed)).unwrap_or_default();
        Ok(snapshot.text.lists(listed, needle))
    }

    #[inline]
    fn affix(&mut self, text: NodeId, affix: NodeId, test: impl Fn(&str, &str) -> bool) -> Outcome<'a> {
        if let Some(Node::Text(affix)) = self.snapshot.rules.nodes.get(affix.0 as usize)
            && let Some(text) = self.attribute_text(text)
        {
            let affix = self.snapshot.text.get(*affix);
            self.charge(2 + text.len().min(affix.len()) / COMPARED_PER_STEP)?;
            return Ok(Operand::Bool(test(text, affix)));
        }
        let (text, affix) = (self.eval(text)?, self.eval(affix)?);
        self.charge(self.text_len(&text).min(self.text_len(&affix)) / COMPARED_PER_STEP)?;
        Ok(match (self.view(&text), self.view(&affix)) {
            (View::Text(text), View::Text(affix)) => Operand::Bool(test(text, affix)),
            _ => Operand::Null,
        })
    }

    /// The name of the variant that a result means: a string itself, anything else by its text.
    pub(crate) fn with_name<T>(&self, value: Operand<'a>, read: impl FnOnce(&str) -> T) -> Option<T> {
        match self.view(&value) {
            View::Null => None,
            View::Text(text) => Some(read(text)),
            View::Bool(true) => Some(read("true")),
            View::Bool(false) => Some(read("false")),
            View::Number(number) => Some(read(ryu_js::Buffer::new().format(number))),
            // What `in_text` has not made a text of names nothing.
            View::Array(_) | View::List(_) | View::Object(_) => Some(read("")),
        }
    }

    /// An attribute of the evaluation context as a value.
    #[inline]
    fn attribute(&self, index: u32) -> Operand<'a> {
        match self.attribute_value(index) {
            Value::String(text) => Operand::Text(text),
            value => value.into(),
        }
    }

    #[inline]
    fn attribute_value(&self, index: u32) -> Value<'a> {
        let Some(attribute) = self.snapshot.rules.attributes.get(index as usize) else {
            return Value::Null;
        };
        let path = self.snapshot.text.get(attribute.path);
        let attribute = crate::value::Attribute {
            path,
            index: Some(index),
            head_hash: attribute.head_hash,
            head: attribute.head,
        };
        self.attributes.get(attribute)
    }
}

/// Apart, so that looking at a scalar is small enough to be inlined.
#[inline(never)]
fn of_json(json: &serde_json::Value) -> View<'_> {
    View::from(json)
}

/// Keeps a list's memory for values of another lifetime. The list is emptied first, so that no value is carried over;
/// collecting into the same memory is what the standard library does for equal layouts.
fn recycle<'b>(mut items: Vec<Operand<'_>>) -> Vec<Operand<'b>> {
    items.clear();
    items.into_iter().map(|_| Operand::Null).collect()
}
