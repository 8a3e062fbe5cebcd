//! Rules that bucket: `fractional`, `split` and `ramp`.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use xxhash_rust::xxh3::xxh3_64;

use super::RuleCompiler;
use crate::eval::{MOST_WEIGHT, Murmur3, WHOLE, weight};
use crate::json::{Kind, Path};
use crate::names::unknown_key;
use crate::rule::{
    Bucket, BucketBy, Fractional, FractionalVersion, Node, Operator, Position, Ramp, Split, Weight,
};

impl RuleCompiler<'_> {
    /// `fractional`: a key, then buckets; or buckets alone. What makes no sense gives null, as in flagd's evaluators.
    pub(super) fn fractional(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Node {
        let values = value.as_array().map_or(&[][..], Vec::as_slice);
        let mistakes = self.mistakes(value, path);
        let v2 = self.fractional == FractionalVersion::V2;
        // What stands in it is compiled and evaluated all the same: it may be wrong, and it may fail.
        if mistakes {
            return if v2 { self.values(Operator::Fractional, value, path, depth) } else { Node::Misuse };
        }
        let (by, buckets) = match values {
            [Value::Array(_), ..] => (BucketBy::TargetingKey, values),
            [Value::Null, buckets @ ..] => (BucketBy::TargetingKey, buckets),
            [key, buckets @ ..] => {
                let path = path.index(0);
                if !key.is_object() {
                    self.warn(&path, format!("everybody is in one bucket: the key is always {key}"));
                }
                (BucketBy::Value(self.rule(key, &path, depth + 1)), buckets)
            }
            [] => return Node::Misuse,
        };
        let offset = values.len() - buckets.len();
        let mut compiled = Vec::with_capacity(buckets.len());
        for (index, bucket) in buckets.iter().enumerate() {
            compiled.push(self.bucket(bucket, &path.index(index + offset), depth));
        }
        let mut total = Some(0u32);
        for bucket in &compiled {
            total = match (total, bucket.weight) {
                (Some(total), Weight::Constant(weight)) => total.checked_add(weight),
                _ => None,
            };
        }
        let version = self.fractional;
        let computed = compiled.iter().any(|bucket| bucket.computed);
        let start =
            *self.hashes.murmur.get_or_insert_with(|| Murmur3::default().update(self.flag.as_bytes()));
        self.rules.fractionals.push(Fractional {
            by,
            buckets: compiled.into(),
            total,
            version,
            computed,
            start,
        });
        Node::Fractional((self.rules.fractionals.len() - 1) as u32)
    }

    /// Whether a `fractional` makes no sense as it stands, with a warning for each reason.
    fn mistakes(&mut self, value: &Value, path: &Path<'_>) -> bool {
        let Value::Array(values) = value else {
            // Only an object may still turn out to be an array.
            if !value.is_object() {
                self.misuse(path, "it needs an array of buckets");
            }
            return true;
        };
        let (offset, v2) = (
            usize::from(!matches!(values.first(), Some(Value::Array(_)))),
            self.fractional == FractionalVersion::V2,
        );
        let mut found = true;
        match values.first() {
            None => self.misuse(path, "it needs an array of buckets"),
            Some(Value::Null) if !v2 => self.misuse(&path.index(0), "in version 3 the key cannot be null"),
            Some(key @ (Value::Number(_) | Value::Bool(_))) if v2 => {
                self.misuse(&path.index(0), &format!("the key must be a text, this is {key}"));
            }
            _ => found = false,
        }
        let mut total = 0u64;
        self.charge(values.len(), 0);
        for (index, bucket) in values.iter().enumerate().skip(offset) {
            let path = &path.index(index);
            let (variant, share) = match bucket.as_array().map(Vec::as_slice) {
                Some([variant]) => (variant, Some(1)),
                Some([variant, Value::Number(number)]) => (variant, number.as_f64().and_then(weight)),
                Some([variant, Value::Object(_)]) => (variant, Some(0)),
                Some([variant, _]) => (variant, None),
                _ => {
                    self.misuse(path, "a bucket is an array of a variant and its weight");
                    found = true;
                    continue;
                }
            };
            if variant.is_array() {
                self.misuse(&path.index(0), "a variant's name cannot be an array");
                found = true;
            }
            total += u64::from(share.unwrap_or(0));
            if share.is_none() {
                let other = bucket.get(1).unwrap_or(&Value::Null);
                let reason = format!("a weight is a whole number up to {MOST_WEIGHT}, this is {other}");
                self.misuse(&path.index(1), &reason);
                found = true;
            }
        }
        if total > u64::from(MOST_WEIGHT) {
            self.misuse(path, &format!("the weights add up to more than {MOST_WEIGHT}"));
            found = true;
        }
        found
    }

    /// An operator that is null for everybody. flagd's evaluators refuse nothing of the kind.
    fn misuse(&mut self, path: &Path<'_>, reason: &str) {
        self.warn(path, format!("always gives null: {reason}"));
    }

    /// A bucket in which [`Self::mistakes`] found none.
    fn bucket(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Bucket {
        let (variant, weight_value) = match value.as_array().map(Vec::as_slice) {
            Some([variant, weight]) => (variant, Some(weight)),
            Some([variant]) => (variant, None),
            _ => (&Value::Null, None),
        };
        let computed = variant.is_object();
        let variant = self.rule(variant, &path.index(0), depth + 1);
        let path = &path.index(1);
        let weight = match weight_value {
            Some(rule @ Value::Object(_)) => Weight::Computed(self.rule(rule, path, depth + 1)),
            Some(Value::Number(number)) => {
                let number = number.as_f64().unwrap_or(0.0);
                if number < 0.0 {
                    self.warn(path, format!("the weight {number} counts as 0"));
                }
                Weight::Constant(weight(number).unwrap_or(0))
            }
            _ => Weight::Constant(1),
        };
        Bucket { variant, weight, computed }
    }

    /// `split`: shares in percent, of who is bucketed by the targeting key or by what `by` gives.
    pub(super) fn split(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Node {
        let (position, buckets, path) = match value {
            Value::Array(buckets) => (self.position(&Map::new(), path, depth), buckets, *path),
            Value::Object(members) => {
                self.known(members, &["by", "salt", "buckets"], path);
                let position = self.position(members, path, depth);
                match members.get("buckets") {
                    Some(Value::Array(buckets)) => (position, buckets, path.key("buckets")),
                    Some(other) => {
                        let message = format!(
                            "must be an array of variants with their percentages, this is {}",
                            Kind::of(other)
                        );
                        return self.problem(&path.key("buckets"), message);
                    }
                    None => {
                        let message = "`buckets` is missing: an array of variants with their percentages";
                        return self.problem(path, message);
                    }
                }
            }
            other => {
                let kind = Kind::of(other);
                return self
                    .problem(path, format!("must be an array of buckets, or an object, this is {kind}"));
            }
        };
        let mut compiled = Vec::with_capacity(buckets.len());
        let mut end = 0u32;
        for (index, bucket) in buckets.iter().enumerate() {
            let path = path.index(index);
            let Some([variant, share]) = bucket.as_array().map(Vec::as_slice) else {
                self.problem(&path, "a bucket is an array of a variant and its percentage");
                continue;
            };
            let before = end;
            end = end.saturating_add(self.percentage(share, &path.index(1)));
            if end > WHOLE && before <= WHOLE {
                self.problem(&path, "the percentages add up to more than 100");
            }
            compiled.push((self.rule(variant, &path.index(0), depth + 1), end));
        }
        self.rules.splits.push(Split { position, buckets: compiled.into() });
        Node::Split((self.rules.splits.len() - 1) as u32)
    }

    /// `ramp`: a percentage that follows a schedule.
    pub(super) fn ramp(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Node {
        let Value::Object(members) = value else {
            let kind = Kind::of(value);
            return self.problem(path, format!("must be an object with a `schedule`, this is {kind}"));
        };
        self.known(members, &["by", "salt", "schedule", "mode"], path);
        let position = self.position(members, path, depth);
        let linear = match members.get("mode").map(|mode| (mode, mode.as_str())) {
            None | Some((_, Some("linear"))) => true,
            Some((_, Some("steps"))) => false,
            Some((other, _)) => {
                let message = format!("must be \"linear\" or \"steps\", this is {other}");
                self.problem(&path.key("mode"), message);
                true
            }
        };
        let path_of_schedule = path.key("schedule");
        let schedule = match members.get("schedule") {
            Some(Value::Array(schedule)) if !schedule.is_empty() => schedule.as_slice(),
            Some(_) => {
                let message = "must be an array with at least one time and its percentage";
                self.problem(&path_of_schedule, message);
                &[]
            }
            None => {
                self.problem(path, "`schedule` is missing: an array of times with their percentages");
                &[]
            }
        };
        let mut points: Vec<(u64, u32)> = Vec::with_capacity(schedule.len());
        for (index, point) in schedule.iter().enumerate() {
            self.charge(1, 0);
            let path = path_of_schedule.index(index);
            let Some([time, share]) = point.as_array().map(Vec::as_slice) else {
                self.problem(&path, "a point is an array of a time and a percentage");
                continue;
            };
            let share = self.percentage(share, &path.index(1));
            let Some(time) = self.instant(time, &path.index(0)) else { continue };
            if points.last().is_some_and(|(last, _)| *last >= time) {
                self.problem(&path.index(0), "the times must ascend");
            }
            points.push((time, share));
        }
        self.rules.ramps.push(Ramp { position, points: points.into(), linear });
        Node::Ramp((self.rules.ramps.len() - 1) as u32)
    }

    fn position(&mut self, members: &Map<String, Value>, path: &Path<'_>, depth: usize) -> Position {
        let seed = match members.get("salt") {
            None => *self.hashes.seed.get_or_insert_with(|| xxh3_64(self.flag.as_bytes())),
            Some(Value::String(salt)) => {
                self.charge(0, salt.len());
                xxh3_64(salt.as_bytes())
            }
            Some(other) => {
                let kind = Kind::of(other);
                self.problem(&path.key("salt"), format!("must be a string, this is {kind}"));
                xxh3_64(b"")
            }
        };
        let by = members.get("by").map(|by| self.rule(by, &path.key("by"), depth + 1));
        Position { seed, by }
    }

    /// Refuses members that mean nothing here.
    fn known(&mut self, members: &Map<String, Value>, known: &[&str], path: &Path<'_>) {
        for key in members.keys().filter(|key| !known.contains(&key.as_str())) {
            self.problem(&path.key(key), unknown_key(key, known));
        }
    }

    /// A percentage, in thousandths.
    fn percentage(&mut self, value: &Value, path: &Path<'_>) -> u32 {
        let thousandths = value.as_f64().map(|percent| percent * 1000.0);
        match thousandths {
            // A decimal such as 33.333 is no binary fraction, so its thousandfold may be off by the last bit.
            Some(share)
                if (0.0..=f64::from(WHOLE)).contains(&share)
                    && (share - share.round()).abs() < 1e-6
                    && (share == 0.0 || share.round() > 0.0) =>
            {
                share.round() as u32
            }
            _ => {
                let message = format!(
                    "must be a percentage from 0 to 100 with at most three decimals, this is {value}"
                );
                self.problem(path, message);
                0
            }
        }
    }

    /// A time: RFC 3339, or unix seconds. Milliseconds since the epoch.
    fn instant(&mut self, value: &Value, path: &Path<'_>) -> Option<u64> {
        let milliseconds = match value {
            Value::String(text) => OffsetDateTime::parse(text, &Rfc3339)
                .ok()
                .and_then(|time| u64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok()),
            Value::Number(seconds) => seconds.as_u64().and_then(|seconds| seconds.checked_mul(1000)),
            _ => None,
        };
        // Beyond the year 9999, heights could not be computed without overflow.
        let milliseconds = milliseconds.filter(|time| *time < 1 << 48);
        if milliseconds.is_none() {
            let message = "must be a time such as \"2026-12-01T09:00:00Z\", or unix seconds, this is";
            self.problem(path, format!("{message} {value}"));
        }
        milliseconds
    }
}
