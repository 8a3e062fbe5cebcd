//! Evaluating a rule: a walk over its nodes that allocates nothing and reads an attribute only when it gets there.
//!
//! The semantics are those of JsonLogic as flagd's reference evaluator has it; where values are coerced, by
//! ECMAScript's rules.

mod coerce;
mod fractional;
pub(crate) use fractional::{MOST_WEIGHT, weight};
mod murmur3;

use crate::flag::Flag;
use crate::rule::{Arguments, Comparison, Node, NodeId};
use crate::snapshot::Snapshot;
use crate::value::{Attribute, Attributes, Value};

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
}

/// Why a rule came to no result; the flag then evaluates to the error `GENERAL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A comparison of something that is not a number with a number.
    NotANumber,
    /// `in` something that has no members.
    NotAList,
}

pub(crate) type Outcome<'a> = Result<Value<'a>, Fault>;

/// One evaluation under way.
pub(crate) struct Machine<'a, 's, A: ?Sized> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) attributes: &'a A,
    pub(crate) flag: &'a Flag,
    pub(crate) now: Timestamp,
    pub(crate) scratch: &'s mut Scratch,
}

impl<'a, A: Attributes + ?Sized> Machine<'a, '_, A> {
    /// The value of a node. Recursion is bounded by the depth that compiling allows.
    pub(crate) fn eval(&mut self, id: NodeId) -> Outcome<'a> {
        let snapshot = self.snapshot;
        Ok(match snapshot.rules.node(id) {
            Node::Null | Node::Misuse => Value::Null,
            Node::Bool(value) => Value::Bool(value),
            Node::Number(value) => Value::Number(value),
            Node::Text(text) => Value::String(snapshot.text.get(text)),
            Node::Constant(index) => {
                snapshot.rules.constants.get(index as usize).map_or(Value::Null, Value::from)
            }
            Node::Attribute(index) => self.attribute(index),
            Node::FlagKey => Value::String(snapshot.text.get(self.flag.key)),
            Node::Timestamp => Value::Number(self.now.unix_seconds() as f64),
            Node::Or0(value, default) => match self.eval(value)? {
                Value::Null => self.eval(default)?,
                value => value,
            },
            Node::If(arguments) => self.branch(arguments)?,
            Node::And(arguments) => self.until(arguments, false)?,
            Node::Or(arguments) => self.until(arguments, true)?,
            Node::Not(inner) => Value::Bool(!coerce::truthy(self.eval(inner)?)),
            Node::Truthy(inner) => Value::Bool(coerce::truthy(self.eval(inner)?)),
            Node::Compare(comparison, arguments) => Value::Bool(self.compare(comparison, arguments)?),
            Node::In(needle, haystack) => Value::Bool(self.contains(needle, haystack)?),
            Node::OneOf(needle, texts) => Value::Bool(self.one_of(needle, texts)?),
            Node::StartsWith(text, affix) => {
                self.affix(text, affix, |text, affix| text.starts_with(affix))?
            }
            Node::EndsWith(text, affix) => self.affix(text, affix, |text, affix| text.ends_with(affix))?,
            Node::Fractional(index) => self.fractional(index)?,
            // Lists are constants or stand inside `in`; compiling refuses others.
            Node::List(_) => Value::Null,
        })
    }

    fn attribute(&self, index: u32) -> Value<'a> {
        let Some(attribute) = self.snapshot.rules.attributes.get(index as usize) else { return Value::Null };
        let path = self.snapshot.text.get(attribute.path);
        self.attributes.get(Attribute { path, index: Some(index), head_hash: attribute.head_hash })
    }

    /// `if`: conditions and results in turn, then what holds otherwise.
    fn branch(&mut self, arguments: Arguments) -> Outcome<'a> {
        let mut pairs = self.snapshot.rules.arguments(arguments).chunks_exact(2);
        for pair in pairs.by_ref() {
            if let [condition, result] = pair
                && coerce::truthy(self.eval(*condition)?)
            {
                return self.eval(*result);
            }
        }
        pairs.remainder().first().map_or(Ok(Value::Null), |otherwise| self.eval(*otherwise))
    }

    /// `and`, `or`: the first value whose truth is `stop`, else the last.
    fn until(&mut self, arguments: Arguments, stop: bool) -> Outcome<'a> {
        let mut last = Value::Null;
        for argument in self.snapshot.rules.arguments(arguments) {
            last = self.eval(*argument)?;
            if coerce::truthy(last) == stop {
                break;
            }
        }
        Ok(last)
    }

    /// A comparison of each argument with the next (`{"<": [1, x, 9]}` is between).
    fn compare(&mut self, comparison: Comparison, arguments: Arguments) -> Result<bool, Fault> {
        let [first, rest @ ..] = self.snapshot.rules.arguments(arguments) else { return Ok(false) };
        let mut left = self.eval(*first)?;
        for argument in rest {
            let right = self.eval(*argument)?;
            if !coerce::compare(comparison, left, right)? {
                return Ok(false);
            }
            left = right;
        }
        Ok(true)
    }

    fn contains(&mut self, needle: NodeId, haystack: NodeId) -> Result<bool, Fault> {
        let needle = self.eval(needle)?;
        if let Node::List(items) = self.snapshot.rules.node(haystack) {
            for item in self.snapshot.rules.arguments(items) {
                if coerce::same(needle, self.eval(*item)?) {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        coerce::contains(needle, self.eval(haystack)?)
    }

    fn one_of(&mut self, needle: NodeId, texts: Arguments) -> Result<bool, Fault> {
        let Value::String(needle) = self.eval(needle)? else { return Ok(false) };
        let snapshot = self.snapshot;
        let is_needle = |id: &NodeId| match snapshot.rules.node(*id) {
            Node::Text(text) => snapshot.text.get(text) == needle,
            _ => false,
        };
        Ok(snapshot.rules.arguments(texts).iter().any(is_needle))
    }

    fn affix(&mut self, text: NodeId, affix: NodeId, test: fn(&str, &str) -> bool) -> Outcome<'a> {
        let (text, affix) = (self.eval(text)?, self.eval(affix)?);
        Ok(match (text, affix) {
            (Value::String(text), Value::String(affix)) => Value::Bool(test(text, affix)),
            _ => Value::Null,
        })
    }
}
