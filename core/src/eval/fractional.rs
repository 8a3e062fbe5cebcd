//! flagd's `fractional`: a share of all keys for each bucket.
//!
//! hash = MurmurHash3 x86 32 bits, seed 0; bucket = (hash * total) >> 32; the first bucket whose cumulative weight is
//! above it. Multiplying instead of taking the remainder keeps a key in its bucket when the weights grow in proportion.
//! Version 2, in force, hashes the key's UTF-8; version 3, where the document asks for it, the deterministic CBOR of any
//! value. Source: flagd's `fractional` as its core implements it; the prose of its specification page still shows the
//! older 100 buckets.

use super::murmur3::Murmur3;
use super::operand::{Operand, Span, View};
use super::{Fault, HASHED_PER_STEP, Machine, Outcome, cbor};
use crate::rule::{BucketBy, Fractional, FractionalVersion, Node, Weight};
use crate::value::{Attribute, Attributes, Value};

/// The largest weight, and the largest sum of weights.
pub(crate) const MOST_WEIGHT: u32 = i32::MAX as u32;

impl<'a, A: Attributes + ?Sized> Machine<'a, '_, A> {
    /// The chosen bucket's variant; null where the rule makes no sense for this context.
    #[inline(never)]
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
            if let View::Text(key) = self.view(&value) {
                let steps = key.len() / HASHED_PER_STEP;
                self.charge(steps)?;
            }
            match (self.view(&value), fractional.version) {
                (View::Null, FractionalVersion::V2) => {}
                (View::Text(key), FractionalVersion::V2) => {
                    return Ok(Some(Murmur3::default().update(key.as_bytes()).finish()));
                }
                (_, FractionalVersion::V2) => return Ok(None),
                (_, FractionalVersion::V3) => return self.cbor_hash(value),
            }
        }
        let targeting_key = self.targeting_key();
        self.charge_hash(targeting_key.unwrap_or_default())?;
        Ok(targeting_key.map(|targeting_key| match fractional.version {
            FractionalVersion::V2 => fractional.start.update(targeting_key.as_bytes()).finish(),
            FractionalVersion::V3 => cbor::text(
                cbor::text(cbor::array(Murmur3::default(), 2), self.snapshot.text.get(self.flag.key)),
                targeting_key,
            )
            .finish(),
        }))
    }

    fn targeting_key(&self) -> Option<&'a str> {
        match self.attributes.get(Attribute::targeting_key()) {
            Value::String(key) if !key.is_empty() => Some(key),
            _ => None,
        }
    }

    /// Version 2 of what is known only now: a key, then buckets, or buckets alone. Documents that mean no harm have
    /// little use for it, but flagd's evaluators take it.
    pub(super) fn fractional_of(&self, values: Span) -> Operand<'a> {
        let values = values.of(&self.items);
        let by_targeting_key = || {
            let flag_key = Murmur3::default().update(self.snapshot.text.get(self.flag.key).as_bytes());
            self.targeting_key().map(|key| flag_key.update(key.as_bytes()).finish())
        };
        let (hash, buckets) = match values.first().map(|first| self.view(first)) {
            None => return Operand::Null,
            Some(View::Text(key)) => {
                (Some(Murmur3::default().update(key.as_bytes()).finish()), values.get(1..))
            }
            Some(View::Null) => (by_targeting_key(), values.get(1..)),
            Some(_) => (by_targeting_key(), Some(values)),
        };
        let buckets = || buckets.unwrap_or_default().iter().map(|value| bucket(*value, &self.items));
        let sum = |so_far: u32, bucket: Option<(Operand<'a>, u32)>| so_far.checked_add(bucket?.1);
        let total = buckets().try_fold(0u32, sum).filter(|total| *total <= MOST_WEIGHT);
        let weights = buckets().map(|bucket| bucket.map_or(0, |(_, weight)| weight));
        let place = hash.zip(total).and_then(|(hash, total)| position(hash, total, weights));
        place.and_then(|place| buckets().nth(place)?).map_or(Operand::Null, |(variant, _)| variant)
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
        for bucket in fractional.buckets.iter().filter(|bucket| fractional.computed && bucket.computed) {
            let value = self.eval(bucket.variant)?;
            if matches!(self.view(&value), View::Array(_) | View::List(_) | View::Object(_)) {
                return Ok(Operand::Null);
            }
        }
        match position.and_then(|position| fractional.buckets.get(position)) {
            Some(bucket) => match self.snapshot.rules.node(bucket.variant) {
                Node::Text(text) => Ok(Operand::Constant(text)),
                _ => self.eval(bucket.variant),
            },
            None => Ok(Operand::Null),
        }
    }
}

/// A bucket as an evaluation found it: its variant and its weight. None where it makes no sense.
fn bucket<'a>(value: Operand<'a>, items: &[Operand<'a>]) -> Option<(Operand<'a>, u32)> {
    let (variant, weight_value) = match value {
        Operand::List(span) => match span.of(items) {
            [variant] => (*variant, None),
            [variant, weight] => (*variant, Some(*weight)),
            _ => return None,
        },
        Operand::Json(serde_json::Value::Array(list)) => match list.as_slice() {
            [variant] => (Operand::from(variant), None),
            [variant, weight] => (Operand::from(variant), Some(Operand::from(weight))),
            _ => return None,
        },
        _ => return None,
    };
    match (variant, weight_value) {
        (Operand::Json(_) | Operand::List(_), _) => None,
        (variant, None) => Some((variant, 1)),
        (variant, Some(Operand::Number(number))) => weight(number).map(|weight| (variant, weight)),
        _ => None,
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
