//! Our own operators on who somebody is: `split` and `ramp`; on other flags: `flag`; on text: `matches`.
//!
//! `split` and `ramp` place a key by XXH3-64, seeded by the XXH3-64 of a salt (the flag's key unless the document gives
//! one). Rejected: MurmurHash3, whose 32 bits flagd's `fractional` has to live with; hashing salt and key together,
//! which needs a buffer or makes `ab`+`c` and `a`+`bc` the same.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::operand::{Operand, View};
use super::variable::Scope;
use super::{Fault, HASHED_PER_STEP, Machine, Outcome};
use crate::flag::State;
use crate::rule::{NodeId, Position};
use crate::value::{Attribute, Attributes, Value};

/// A whole, in thousandths of a percent.
pub(crate) const WHOLE: u32 = 100_000;

/// The longest text that `matches` looks at.
const MOST_MATCHED: usize = 4096;

impl<'a, A: Attributes + ?Sized> Machine<'a, '_, A> {
    /// The hash that places a key; none without a key.
    pub(crate) fn place(&mut self, position: Position) -> Result<Option<u64>, Fault> {
        if let Some(by) = position.by {
            let value = self.eval(by)?;
            if let View::Text(key) = self.view(&value) {
                let steps = key.len() / HASHED_PER_STEP;
                self.charge(steps)?;
            }
            return Ok(match self.view(&value) {
                View::Text(key) if !key.is_empty() => Some(xxh3_64_with_seed(key.as_bytes(), position.seed)),
                View::Number(number) => {
                    let mut buffer = ryu_js::Buffer::new();
                    Some(xxh3_64_with_seed(buffer.format(number).as_bytes(), position.seed))
                }
                _ => None,
            });
        }
        match self.attributes.get(Attribute::targeting_key()) {
            Value::String(key) if !key.is_empty() => {
                self.charge_hash(key)?;
                Ok(Some(xxh3_64_with_seed(key.as_bytes(), position.seed)))
            }
            _ => Ok(None),
        }
    }

    /// The variant of the first share that ends above the key's place; null for who is beyond all of them.
    pub(super) fn split(&mut self, index: u32) -> Outcome<'a> {
        let Some(split) = self.snapshot.rules.splits.get(index as usize) else { return Ok(Operand::Null) };
        let Some(hash) = self.place(split.position)? else { return Ok(Operand::Null) };
        let place = (u128::from(hash) * u128::from(WHOLE)) >> 64;
        match split.buckets.iter().find(|(_, end)| u128::from(*end) > place) {
            Some((variant, _)) => self.eval(*variant),
            None => Ok(Operand::Null),
        }
    }

    /// Whether the key is in by now. Everybody has a fixed place, and the ramp lets in who is below its height, so
    /// raising it never removes anyone.
    pub(super) fn ramp(&mut self, index: u32) -> Outcome<'a> {
        let Some(ramp) = self.snapshot.rules.ramps.get(index as usize) else { return Ok(Operand::Null) };
        let Some(hash) = self.place(ramp.position)? else { return Ok(Operand::Null) };
        let now = self.now.0;
        let passed = ramp.points.partition_point(|(time, _)| *time <= now);
        let before = passed.checked_sub(1).and_then(|last| ramp.points.get(last));
        // Out of 2^64, so that all heights between two points count.
        let height = |share: u32| (u128::from(share) << 64) / u128::from(WHOLE);
        let below = match (before, ramp.points.get(passed)) {
            (None, _) => 0,
            (Some((from, low)), Some((to, high))) if ramp.linear => {
                let (gone, whole) = (u128::from(now - from), u128::from(to - from));
                let (low, high) = (height(*low), height(*high));
                // Heights have 65 bits and times 48, so their product fits.
                if high >= low {
                    low + (high - low) * gone / whole
                } else {
                    low - (low - high) * gone / whole
                }
            }
            (Some((_, share)), _) => height(*share),
        };
        Ok(Operand::Bool(u128::from(hash) < below))
    }

    /// The name of another flag's variant for the same context; null when it has none.
    pub(super) fn prerequisite(&mut self, index: u32) -> Outcome<'a> {
        let snapshot = self.snapshot;
        let flag =
            snapshot.rules.prerequisites.get(index as usize).and_then(|prerequisite| prerequisite.flag);
        let Some(flag) = flag.and_then(|flag| snapshot.flags.get(flag.0 as usize)) else {
            return Ok(Operand::Null);
        };
        let variant = match flag.state {
            State::Disabled | State::Broken(_) => None,
            State::Static => flag.default,
            State::Targeted(rule) => {
                let outer = (self.flag, std::mem::replace(&mut self.scope, Scope::Root));
                self.flag = flag;
                let result = self.eval(rule).and_then(|value| self.in_text(value));
                (self.flag, self.scope) = outer;
                match result {
                    Ok(Operand::Null) => flag.default,
                    Ok(value) => {
                        // They are looked through, and the rule may ask for each item of a list.
                        self.charge(flag.variants as usize / 4)?;
                        self.with_name(value, |name| snapshot.variant_named(flag, name)).flatten()
                    }
                    Err(Fault::TooMuchWork) => return Err(Fault::TooMuchWork),
                    Err(_) => None,
                }
            }
        };
        Ok(variant.map_or(Operand::Null, |variant| Operand::Text(snapshot.variant(variant).name)))
    }

    /// Whether a text matches; null when it is no text, or longer than a match may take time for.
    pub(super) fn matches(&mut self, text: NodeId, index: u32) -> Outcome<'a> {
        let value = self.eval(text)?;
        let View::Text(text) = self.view(&value) else { return Ok(Operand::Null) };
        let len = text.len();
        let patterns = &self.snapshot.rules.patterns;
        let Some(pattern) = patterns.get(index as usize).filter(|_| len <= MOST_MATCHED) else {
            return Ok(Operand::Null);
        };
        // Paid before: a match may visit all of the pattern's states at each byte.
        self.charge(len.saturating_mul(pattern.steps as usize))?;
        let View::Text(text) = self.view(&value) else { return Ok(Operand::Null) };
        Ok(Operand::Bool(pattern.regex.is_match(text)))
    }
}
