//! flagd's `fractional`: a share of all keys for each bucket.
//!
//! hash = MurmurHash3 x86 32 bits, seed 0; bucket = (hash * total) >> 32; the first bucket whose cumulative weight is
//! above it. Multiplying instead of taking the remainder keeps a key in its bucket when the weights grow in proportion.
//! Version 2, in force, hashes the key's UTF-8; version 3, where the document asks for it, the deterministic CBOR of any
//! value. Source: flagd's `fractional` as its core implements it; the prose of its specification page still shows the
//! older 100 buckets.

use super::murmur3::Murmur3;
use super::operand::{Operand, View};
use super::{Fault, Machine, Outcome, cbor};
use crate::rule::{BucketBy, Fractional, FractionalVersion, Node, Weight};
use crate::value::{Attribute, Attributes, Value};

/// The largest weight, and the largest sum of weights.
pub(crate) const MOST_WEIGHT: u32 = i32::MAX as u32;

impl<'a, A: Attributes + ?Sized> Machine<'a, '_, A> {
    /// The chosen bucket's variant; null where the rule makes no sense for this context.
    pub(super) fn fractional(&mut self, index: u32) -> Outcome<'a> {
        let Some(fractional) = self.snapshot.rules.fractionals.get(index as usize) else {
            return Ok(Operand::Null);
        };
        let hash = self.bucketing_hash(fractional)?;
        match fractional.total {
            Some(total) => {
                let weights = fractional.buckets.iter().map(|bucket| match bucket.weight {
                    Weight::Constant(weight) => weight,
                    Weight::Computed(_) => 0,
                });
                self.pick(fractional, hash.and_then(|hash| position(hash, total, weights)))
            }
            None => self.computed_weights(fractional, hash),
        }
    }

    pub(crate) fn bucketing_hash(&mut self, fractional: &Fractional) -> Result<Option<u32>, Fault> {
        if let BucketBy::Value(node) = fractional.by {
            let value = self.eval(node)?;
            match (self.view(&value), fractional.version) {
                (View::Null, FractionalVersion::V2) => {}
                (View::Text(key), FractionalVersion::V2) => {
                    return Ok(Some(Murmur3::default().update(key.as_bytes()).finish()));
                }
                (_, FractionalVersion::V2) => return Ok(None),
                (_, FractionalVersion::V3) => return self.cbor_hash(value),
            }
        }
        let Value::String(targeting_key) = self.attributes.get(Attribute::targeting_key()) else {
            return Ok(None);
        };
        if targeting_key.is_empty() {
            return Ok(None);
        }
        let flag_key = self.snapshot.text.get(self.flag.key);
        let start = Murmur3::default();
        Ok(Some(match fractional.version {
            FractionalVersion::V2 => {
                start.update(flag_key.as_bytes()).update(targeting_key.as_bytes()).finish()
            }
            FractionalVersion::V3 => {
                cbor::text(cbor::text(cbor::array(start, 2), flag_key), targeting_key).finish()
            }
        }))
    }

    /// Weights that are expressions: evaluated onto a stack in the scratch, so that nested ones need no allocation.
    fn computed_weights(&mut self, fractional: &'a Fractional, hash: Option<u32>) -> Outcome<'a> {
        let base = self.scratch.weights.len();
        let position = self.push_weights(fractional).map(|total| {
            let weights = self.scratch.weights.get(base..).unwrap_or_default();
            hash.zip(total).and_then(|(hash, total)| position(hash, total, weights.iter().copied()))
        });
        self.scratch.weights.truncate(base);
        self.pick(fractional, position?)
    }

    /// The sum of the weights; none when one of them is no weight, or the sum is too large. All are evaluated, since
    /// one that fails makes the rule fail wherever it stands.
    fn push_weights(&mut self, fractional: &'a Fractional) -> Result<Option<u32>, Fault> {
        let mut total = Some(0u32);
        for bucket in &fractional.buckets {
            let weight = match bucket.weight {
                Weight::Constant(weight) => Some(weight),
                Weight::Computed(node) => {
                    let value = self.eval(node)?;
                    match self.view(&value) {
                        View::Number(number) => weight(number),
                        _ => None,
                    }
                }
            };
            let sum = total.zip(weight).and_then(|(total, weight)| total.checked_add(weight));
            total = sum.filter(|sum| *sum <= MOST_WEIGHT);
            self.scratch.weights.push(weight.unwrap_or(0));
        }
        Ok(total)
    }

    fn pick(&mut self, fractional: &'a Fractional, position: Option<usize>) -> Outcome<'a> {
        // A variant that is neither text, number nor boolean makes no sense, and flagd's evaluators look at all of them.
        for bucket in fractional.buckets.iter().filter(|bucket| bucket.computed) {
            let value = self.eval(bucket.variant)?;
            if matches!(self.view(&value), View::Array(_) | View::List(_) | View::Object(_)) {
                return Ok(Operand::Null);
            }
        }
        match position.and_then(|position| fractional.buckets.get(position)) {
            Some(bucket) => match self.snapshot.rules.node(bucket.variant) {
                Node::Text(text) => Ok(Operand::Text(self.snapshot.text.get(text))),
                _ => self.eval(bucket.variant),
            },
            None => Ok(Operand::Null),
        }
    }
}

/// The first bucket whose cumulative weight is above the hash's place in the total.
fn position(hash: u32, total: u32, weights: impl Iterator<Item = u32>) -> Option<usize> {
    let bucket = (u64::from(hash) * u64::from(total)) >> 32;
    let mut cumulative = 0u64;
    weights.enumerate().find_map(|(position, weight)| {
        cumulative += u64::from(weight);
        (cumulative > bucket).then_some(position)
    })
}

/// A number as a weight: whole, below 0 counts as 0, at most [`MOST_WEIGHT`].
pub(crate) fn weight(number: f64) -> Option<u32> {
    let whole = number.fract() == 0.0 && number <= f64::from(MOST_WEIGHT);
    whole.then_some(number.max(0.0) as u32)
}
