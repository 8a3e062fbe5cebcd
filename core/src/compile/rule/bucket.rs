//! Rules that bucket: `fractional`, `split` and `ramp`.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use xxhash_rust::xxh3::xxh3_64;

use super::{Compiled, RuleCompiler, problem};
use crate::eval::{MOST_WEIGHT, WHOLE, weight};
use crate::json::{Kind, Path};
use crate::rule::{
    Bucket, BucketBy, Fractional, FractionalVersion, Node, NodeId, Position, Ramp, Split, Weight,
};

impl RuleCompiler<'_> {
    /// `fractional`: a key, then buckets; or buckets alone. What makes no sense gives null, as in flagd's evaluators.
    pub(super) fn fractional(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Compiled<Node> {
        let Value::Array(values) = value else { return Ok(Node::Misuse) };
        let (by, buckets) = match (values.as_slice(), self.fractional) {
            ([], _) | ([Value::Null, ..], FractionalVersion::V3) => return Ok(Node::Misuse),
            ([Value::Array(_), ..], _) => (BucketBy::TargetingKey, values.as_slice()),
            ([Value::Null, buckets @ ..], FractionalVersion::V2) => (BucketBy::TargetingKey, buckets),
            ([Value::Number(_) | Value::Bool(_), ..], FractionalVersion::V2) => return Ok(Node::Misuse),
            ([key, buckets @ ..], _) => {
                (BucketBy::Value(self.rule(key, &path.index(0), depth + 1)?), buckets)
            }
        };
        let offset = values.len() - buckets.len();
        let mut compiled = Vec::with_capacity(buckets.len());
        for (index, bucket) in buckets.iter().enumerate() {
            match self.bucket(bucket, &path.index(index + offset), depth)? {
                Some(bucket) => compiled.push(bucket),
                None => return Ok(Node::Misuse),
            }
        }
        let mut total = Some(0u32);
        for bucket in &compiled {
            total = match (total, bucket.weight) {
                (Some(total), Weight::Constant(weight)) => match total.checked_add(weight) {
                    Some(sum) if sum <= MOST_WEIGHT => Some(sum),
                    _ => return Ok(Node::Misuse),
                },
                _ => None,
            };
        }
        let version = self.fractional;
        self.rules.fractionals.push(Fractional { by, buckets: compiled.into(), total, version });
        Ok(Node::Fractional((self.rules.fractionals.len() - 1) as u32))
    }

    /// A bucket; none where it makes no sense, which makes the whole `fractional` null.
    fn bucket(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Compiled<Option<Bucket>> {
        let Value::Array(values) = value else { return Ok(None) };
        let (variant, weight_value) = match values.as_slice() {
            [variant] => (variant, None),
            [variant, weight] => (variant, Some(weight)),
            _ => return Ok(None),
        };
        let computed = variant.is_object();
        let variant = match variant {
            Value::Array(_) => return Ok(None),
            variant => self.rule(variant, &path.index(0), depth + 1)?,
        };
        let weight = match weight_value {
            None => Weight::Constant(1),
            Some(Value::Number(number)) => match number.as_f64().and_then(weight) {
                Some(weight) => Weight::Constant(weight),
                None => return Ok(None),
            },
            Some(rule @ Value::Object(_)) => Weight::Computed(self.rule(rule, &path.index(1), depth + 1)?),
            Some(_) => return Ok(None),
        };
        Ok(Some(Bucket { variant, weight, computed }))
    }

    /// `split`: shares in percent, of who is bucketed by the targeting key or by what `by` gives.
    pub(super) fn split(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Compiled<Node> {
        let (position, buckets, path) = match value {
            Value::Array(buckets) => (self.position(&Map::new(), path, depth)?, buckets, *path),
            Value::Object(members) => {
                self.known(members, &["by", "salt", "buckets"], path)?;
                let Some(Value::Array(buckets)) = members.get("buckets") else {
                    return problem(
                        path,
                        "`buckets` is missing: an array of variants with their percentages",
                    );
                };
                (self.position(members, path, depth)?, buckets, path.key("buckets"))
            }
            other => {
                return problem(
                    path,
                    format!("must be an array of buckets, or an object, this is {}", Kind::of(other)),
                );
            }
        };
        let mut compiled = Vec::with_capacity(buckets.len());
        let mut end = 0u32;
        for (index, bucket) in buckets.iter().enumerate() {
            let path = path.index(index);
            let (variant, share) = match bucket.as_array().map(Vec::as_slice) {
                Some([variant, share]) => (variant, percentage(share, &path.index(1))?),
                _ => return problem(&path, "a bucket is an array of a variant and its percentage"),
            };
            end = end.saturating_add(share);
            if end > WHOLE {
                return problem(&path, "the percentages add up to more than 100");
            }
            compiled.push((self.rule(variant, &path.index(0), depth + 1)?, end));
        }
        self.rules.splits.push(Split { position, buckets: compiled.into() });
        Ok(Node::Split((self.rules.splits.len() - 1) as u32))
    }

    /// `ramp`: a percentage that follows a schedule.
    pub(super) fn ramp(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Compiled<Node> {
        let Value::Object(members) = value else {
            return problem(
                path,
                format!("must be an object with a `schedule`, this is {}", Kind::of(value)),
            );
        };
        self.known(members, &["by", "salt", "schedule", "mode"], path)?;
        let linear = match members.get("mode") {
            None => true,
            Some(Value::String(mode)) if mode == "linear" => true,
            Some(Value::String(mode)) if mode == "steps" => false,
            Some(other) => {
                return problem(
                    &path.key("mode"),
                    format!("must be \"linear\" or \"steps\", this is {other}"),
                );
            }
        };
        let path_of_schedule = path.key("schedule");
        let schedule = match members.get("schedule") {
            Some(Value::Array(schedule)) if !schedule.is_empty() => schedule,
            _ => return problem(path, "`schedule` is missing: an array of times with their percentages"),
        };
        let mut points: Vec<(u64, u32)> = Vec::with_capacity(schedule.len());
        for (index, point) in schedule.iter().enumerate() {
            let path = path_of_schedule.index(index);
            let (time, share) = match point.as_array().map(Vec::as_slice) {
                Some([time, share]) => (instant(time, &path.index(0))?, percentage(share, &path.index(1))?),
                _ => return problem(&path, "a point is an array of a time and a percentage"),
            };
            if points.last().is_some_and(|(last, _)| *last >= time) {
                return problem(&path.index(0), "the times must ascend");
            }
            points.push((time, share));
        }
        let position = self.position(members, path, depth)?;
        self.rules.ramps.push(Ramp { position, points: points.into(), linear });
        Ok(Node::Ramp((self.rules.ramps.len() - 1) as u32))
    }

    fn position(
        &mut self,
        members: &Map<String, Value>,
        path: &Path<'_>,
        depth: usize,
    ) -> Compiled<Position> {
        let salt = match members.get("salt") {
            None => self.flag,
            Some(Value::String(salt)) => salt,
            Some(other) => {
                return problem(&path.key("salt"), format!("must be a string, this is {}", Kind::of(other)));
            }
        };
        let seed = xxh3_64(salt.as_bytes());
        let by: Option<NodeId> = match members.get("by") {
            None => None,
            Some(by) => Some(self.rule(by, &path.key("by"), depth + 1)?),
        };
        Ok(Position { seed, by })
    }

    /// Refuses members that mean nothing here.
    fn known(&self, members: &Map<String, Value>, known: &[&str], path: &Path<'_>) -> Compiled<()> {
        match members.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => problem(path, crate::names::unknown_key(key, known)),
        }
    }
}

/// A percentage, in thousandths.
fn percentage(value: &Value, path: &Path<'_>) -> Compiled<u32> {
    let thousandths = value.as_f64().map(|percent| percent * 1000.0);
    match thousandths {
        // A decimal such as 33.333 is no binary fraction, so its thousandfold may be off by the last bit.
        Some(share) if (0.0..=f64::from(WHOLE)).contains(&share) && (share - share.round()).abs() < 1e-6 => {
            Ok(share.round() as u32)
        }
        _ => problem(
            path,
            format!("must be a percentage from 0 to 100 with at most three decimals, this is {value}"),
        ),
    }
}

/// A time: RFC 3339, or unix seconds. Milliseconds since the epoch.
fn instant(value: &Value, path: &Path<'_>) -> Compiled<u64> {
    let milliseconds = match value {
        Value::String(text) => OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(|time| u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()),
        Value::Number(seconds) => seconds.as_u64().and_then(|seconds| seconds.checked_mul(1000)),
        _ => None,
    };
    // Beyond the year 9999, heights could not be computed without overflow.
    match milliseconds.filter(|time| *time < 1 << 48) {
        Some(time) => Ok(time),
        None => problem(
            path,
            format!("must be a time such as \"2026-12-01T09:00:00Z\", or unix seconds, this is {value}"),
        ),
    }
}
