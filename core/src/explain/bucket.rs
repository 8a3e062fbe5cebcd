//! Who is where: the steps of `fractional`, `split` and `ramp`.

use serde_json::{Value as Json, json};

use super::time::rfc3339;
use super::walk::{Names, Walk};
use super::{Bucketing, Height, Share, Step};
use crate::eval::{MOST_WEIGHT, WHOLE, weight};
use crate::json::Path;
use crate::rule::{BucketBy, Fractional, FractionalVersion, Node, NodeId, Position, Weight};
use crate::value::Attributes;

const NO_KEY: &str = "there is no targeting key to place";

impl<A: Attributes + ?Sized> Walk<'_, A> {
    pub(super) fn fractional(&mut self, index: u32, path: &Path<'_>, names: Names<'_>, step: &mut Step) {
        let snapshot = self.snapshot;
        let Some(fractional) = snapshot.rules.fractionals.get(index as usize) else { return };
        let Some((by, key)) = self.fractional_key(fractional, path, names, step) else {
            step.because = Some(NO_KEY.to_owned());
            return;
        };
        let Ok(Some(hash)) = self.ask(names, |machine| machine.bucketing_hash(fractional)) else {
            step.because = Some("the key is not one that can be placed".to_owned());
            return;
        };
        let Some(weights) = self.weights(fractional, path, names, step) else {
            step.because = Some("the weights are not ones that shares can have".to_owned());
            return;
        };
        let total: u64 = weights.iter().sum();
        let place = (u64::from(hash) * total) >> 32;
        let nodes = fractional.buckets.iter().map(|bucket| bucket.variant);
        let (shares, here) = self.shares(nodes.zip(weights), total, place);
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
        let offset = usize::from(matches!(fractional.by, BucketBy::Value(_)));
        if let Some((index, bucket)) = here.and_then(|here| Some((here, fractional.buckets.get(here)?)))
            && bucket.computed
        {
            step.steps.push(self.step(bucket.variant, &path.index(index + offset).index(0), names).0);
        }
    }

    fn fractional_key(
        &mut self,
        fractional: &Fractional,
        path: &Path<'_>,
        names: Names<'_>,
        step: &mut Step,
    ) -> Option<(&'static str, Json)> {
        if let BucketBy::Value(node) = fractional.by {
            let (inner, given) = self.step(node, &path.index(0), names);
            step.steps.push(inner);
            match given {
                Ok(Json::Null) if fractional.version == FractionalVersion::V2 => {}
                Ok(key) => return Some(("what [0] gives", key)),
                Err(_) => return None,
            }
        }
        let flag = self.snapshot.text.get(self.flag.key);
        let key = self.targeting_key()?;
        let key = match fractional.version {
            FractionalVersion::V2 => Json::from(format!("{flag}{key}")),
            FractionalVersion::V3 => json!([flag, key]),
        };
        Some(("the flag's key and the targeting key", key))
    }

    /// The weights, with steps for those that are expressions; none where one of them makes no sense.
    fn weights(
        &mut self,
        fractional: &Fractional,
        path: &Path<'_>,
        names: Names<'_>,
        step: &mut Step,
    ) -> Option<Vec<u64>> {
        let offset = usize::from(matches!(fractional.by, BucketBy::Value(_)));
        let mut weights = Vec::with_capacity(fractional.buckets.len());
        for (index, bucket) in fractional.buckets.iter().enumerate() {
            weights.push(match bucket.weight {
                Weight::Constant(weight) => u64::from(weight),
                Weight::Computed(node) => {
                    let (inner, given) = self.step(node, &path.index(index + offset).index(1), names);
                    step.steps.push(inner);
                    u64::from(given.ok()?.as_f64().and_then(weight)?)
                }
            });
        }
        let total: u64 = weights.iter().sum();
        (total <= u64::from(MOST_WEIGHT)).then_some(weights)
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
            Node::Text(text) => Json::from(self.snapshot.text.get(text)),
            Node::Bool(value) => Json::Bool(value),
            Node::Number(value) => super::read::number(value),
            _ => Json::Null,
        }
    }

    pub(super) fn split(&mut self, index: u32, path: &Path<'_>, names: Names<'_>, step: &mut Step) {
        let snapshot = self.snapshot;
        let Some(split) = snapshot.rules.splits.get(index as usize) else { return };
        let Some((mut bucketing, hash)) = self.position(split.position, path, names, step) else { return };
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
                step.steps.push(self.step(*node, &path.key("buckets").index(index).index(0), names).0);
            }
            Some(_) => {}
        }
    }

    pub(super) fn ramp(&mut self, index: u32, path: &Path<'_>, names: Names<'_>, step: &mut Step) {
        let snapshot = self.snapshot;
        let Some(ramp) = snapshot.rules.ramps.get(index as usize) else { return };
        let Some((mut bucketing, _)) = self.position(ramp.position, path, names, step) else { return };
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
    fn position(
        &mut self,
        position: Position,
        path: &Path<'_>,
        names: Names<'_>,
        step: &mut Step,
    ) -> Option<(Bucketing, u64)> {
        let (by, key) = match position.by {
            Some(node) => {
                let (inner, given) = self.step(node, &path.key("by"), names);
                step.steps.push(inner);
                ("what `by` gives", given.ok())
            }
            None => ("the targeting key", self.targeting_key().map(Json::from)),
        };
        let hash = self.ask(names, |machine| machine.place(position));
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
