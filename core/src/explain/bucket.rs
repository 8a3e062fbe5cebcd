//! Who is where: the steps of `fractional`, `split` and `ramp`.

use serde_json::{Value as Json, json};

use super::read::{json, shown};
use super::time::rfc3339;
use super::walk::Walk;
use super::{Bucketing, Height, Share, Step};
use crate::eval::{Fault, MOST_WEIGHT, Operand, WHOLE, weight};
use crate::json::Path;
use crate::rule::{BucketBy, Fractional, FractionalVersion, Node, NodeId, Position, Weight};
use crate::value::Attributes;

const NO_KEY: &str = "there is no targeting key to place";

impl<'a, A: Attributes + ?Sized> Walk<'a, '_, A> {
    /// Its key, its weights and its variants, in the order in which they are evaluated.
    pub(super) fn fractional(&mut self, index: u32, path: &Path<'_>, step: &mut Step) {
        let snapshot = self.snapshot;
        let Some(fractional) = snapshot.rules.fractionals.get(index as usize) else { return };
        let Ok(key) = self.fractional_key(fractional, path, step) else { return };
        let hash = self.ask(|machine| machine.bucketing_hash(fractional)).ok().flatten();
        let Ok(weights) = self.weights(fractional, path, step) else { return };
        let Ok(are_variants) = self.variants(fractional, path, step) else { return };
        let because = match (&key, hash, &weights) {
            (None, ..) => Some(NO_KEY),
            (_, None, _) => Some("the key is not one that can be placed"),
            (.., None) => Some("the weights are not ones that shares can have"),
            _ if !are_variants => Some("a list or an object can be no variant"),
            _ => None,
        };
        step.because = because.map(str::to_owned);
        let (Some((by, key)), Some(hash), Some(weights), true) = (key, hash, weights, are_variants) else {
            return;
        };
        let total: u64 = weights.iter().sum();
        let place = (u64::from(hash) * total) >> 32;
        let nodes = fractional.buckets.iter().map(|bucket| bucket.variant);
        let (shares, here) = self.shares(nodes.zip(weights), total, place);
        if here.is_none() {
            step.because = Some("no share has any weight".to_owned());
        }
        step.bucketing = Some(Bucketing {
            by,
            key,
            algorithm: match fractional.version {
                FractionalVersion::V2 => "MurmurHash3 x86 32",
                FractionalVersion::V3 => "MurmurHash3 x86 32 over CBOR",
            },
            hash: format!("0x{hash:08x}"),
            percent: f64::from(hash) / 4_294_967_296.0 * 100.0,
            place: Some([place, total]),
            shares,
            height: None,
        });
    }

    /// What is placed, and where it comes from; none when there is no targeting key.
    fn fractional_key(
        &mut self,
        fractional: &Fractional,
        path: &Path<'_>,
        step: &mut Step,
    ) -> Result<Option<(&'static str, Json)>, Fault> {
        if let BucketBy::Value(node) = fractional.by {
            let (inner, given) = self.step(node, &path.index(0));
            step.steps.push(inner);
            match given? {
                Operand::Null if fractional.version == FractionalVersion::V2 => {}
                key => return Ok(Some(("what [0] gives", json(&self.machine, &key)))),
            }
        }
        let flag = self.snapshot.text.get(self.flag.key);
        let key = self.targeting_key().map(|key| match fractional.version {
            FractionalVersion::V2 => Json::from(format!("{flag}{key}")),
            FractionalVersion::V3 => json!([flag, key]),
        });
        Ok(key.map(|key| ("the flag's key and the targeting key", key)))
    }

    /// The weights, with steps for those that are expressions; none where one of them makes no sense.
    fn weights(
        &mut self,
        fractional: &Fractional,
        path: &Path<'_>,
        step: &mut Step,
    ) -> Result<Option<Vec<u64>>, Fault> {
        let offset = offset(fractional);
        let mut weights = Some(Vec::with_capacity(fractional.buckets.len()));
        for (index, bucket) in fractional.buckets.iter().enumerate() {
            let next = match bucket.weight {
                Weight::Constant(weight) => Some(weight),
                Weight::Computed(node) => {
                    let (inner, given) = self.step(node, &path.index(index + offset).index(1));
                    step.steps.push(inner);
                    match given? {
                        Operand::Number(number) => weight(number),
                        _ => None,
                    }
                }
            };
            weights = weights.zip(next).map(|(mut weights, next)| {
                weights.push(u64::from(next));
                weights
            });
        }
        Ok(weights.filter(|weights| weights.iter().sum::<u64>() <= u64::from(MOST_WEIGHT)))
    }

    /// Steps for the variants that are expressions, all of which are evaluated; whether all of them can be variants.
    fn variants(&mut self, fractional: &Fractional, path: &Path<'_>, step: &mut Step) -> Result<bool, Fault> {
        let offset = offset(fractional);
        for (index, bucket) in fractional.buckets.iter().enumerate().filter(|(_, bucket)| bucket.computed) {
            let (inner, given) = self.step(bucket.variant, &path.index(index + offset).index(0));
            step.steps.push(inner);
            if matches!(given?, Operand::Json(_) | Operand::List(_)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Shares by variant and weight, and which of them holds the place.
    fn shares(
        &self,
        buckets: impl Iterator<Item = (NodeId, u64)>,
        total: u64,
        place: u64,
    ) -> (Vec<Share>, Option<usize>) {
        let (mut from, mut here) = (0, None);
        let mut shares = Vec::new();
        for (index, (variant, weight)) in buckets.enumerate() {
            let to = from + weight;
            let is_here = here.is_none() && (from..to).contains(&place);
            if is_here {
                here = Some(index);
            }
            let percent = if total == 0 { 0.0 } else { weight as f64 / total as f64 * 100.0 };
            shares.push(Share { variant: self.spelt_out(variant), from, to, percent, here: is_here });
            from = to;
        }
        (shares, here)
    }

    fn spelt_out(&self, node: NodeId) -> Json {
        match self.snapshot.rules.node(node) {
            Node::Text(text) => shown(&Json::from(self.snapshot.text.get(text))),
            Node::Bool(value) => Json::Bool(value),
            Node::Number(value) => super::read::number(value),
            _ => Json::Null,
        }
    }

    pub(super) fn split(&mut self, index: u32, path: &Path<'_>, step: &mut Step) {
        let snapshot = self.snapshot;
        let Some(split) = snapshot.rules.splits.get(index as usize) else { return };
        let Some((mut bucketing, hash)) = self.position(split.position, path, step) else { return };
        let whole = u64::from(WHOLE);
        let place = ((u128::from(hash) * u128::from(whole)) >> 64) as u64;
        let starts = std::iter::once(0).chain(split.buckets.iter().map(|(_, end)| u64::from(*end)));
        let buckets = split.buckets.iter().zip(starts);
        let buckets = buckets.map(|((node, end), start)| (*node, u64::from(*end).saturating_sub(start)));
        let (shares, here) = self.shares(buckets, whole, place);
        bucketing.place = Some([place, whole]);
        bucketing.shares = shares;
        step.bucketing = Some(bucketing);
        match here.and_then(|here| Some((here, split.buckets.get(here)?))) {
            None => step.because = Some("the key is beyond all shares".to_owned()),
            Some((index, (node, _))) if self.spelt_out(*node).is_null() => {
                step.steps.push(self.step(*node, &path.key("buckets").index(index).index(0)).0);
            }
            Some(_) => {}
        }
    }

    pub(super) fn ramp(&mut self, index: u32, path: &Path<'_>, step: &mut Step) {
        let snapshot = self.snapshot;
        let Some(ramp) = snapshot.rules.ramps.get(index as usize) else { return };
        let Some((mut bucketing, _)) = self.position(ramp.position, path, step) else { return };
        let now = self.now.0;
        let passed = ramp.points.partition_point(|(time, _)| *time <= now);
        let before = passed.checked_sub(1).and_then(|last| ramp.points.get(last)).copied();
        let after = ramp.points.get(passed).copied();
        let percent = |share: u32| f64::from(share) / 1000.0;
        let height = match (before, after) {
            (None, _) => 0.0,
            (Some((from, low)), Some((to, high))) if ramp.linear => {
                let gone = (now - from) as f64 / (to - from) as f64;
                percent(low) + (percent(high) - percent(low)) * gone
            }
            (Some((_, share)), _) => percent(share),
        };
        let point = |point: Option<(u64, u32)>| point.map(|(time, share)| (rfc3339(time), percent(share)));
        bucketing.height =
            Some(Height { percent: height, at: rfc3339(now), between: [point(before), point(after)] });
        step.bucketing = Some(bucketing);
        step.because = match step.value {
            Some(Json::Bool(true)) => Some("the key is below the ramp's height".to_owned()),
            Some(Json::Bool(false)) => Some("the key is not below the ramp's height".to_owned()),
            _ => None,
        };
    }

    /// What a `split` or a `ramp` places, and the hash.
    fn position(&mut self, position: Position, path: &Path<'_>, step: &mut Step) -> Option<(Bucketing, u64)> {
        let (by, key) = match position.by {
            Some(node) => {
                let (inner, given) = self.step(node, &path.key("by"));
                step.steps.push(inner);
                ("what `by` gives", Some(json(&self.machine, &given.ok()?)))
            }
            None => ("the targeting key", self.targeting_key().map(Json::from)),
        };
        let hash = self.ask(|machine| machine.place(position));
        let (Some(key), Ok(Some(hash))) = (key, hash) else {
            step.because = Some(if position.by.is_some() { "`by` gives no key" } else { NO_KEY }.to_owned());
            return None;
        };
        let percent = hash as f64 / 18_446_744_073_709_551_616.0 * 100.0;
        let (algorithm, hash_text) = ("XXH3-64", format!("0x{hash:016x}"));
        let bucketing = Bucketing {
            by,
            key,
            algorithm,
            hash: hash_text,
            percent,
            place: None,
            shares: Vec::new(),
            height: None,
        };
        Some((bucketing, hash))
    }
}

/// How many arguments come before the buckets.
fn offset(fractional: &Fractional) -> usize {
    usize::from(matches!(fractional.by, BucketBy::Value(_)))
}
