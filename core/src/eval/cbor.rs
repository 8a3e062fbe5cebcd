//! Deterministic CBOR (RFC 8949, section 4.2.1), written straight into a hash.
//!
//! `fractional` v3 hashes this encoding of any value: whole numbers in [-2^63, 2^64-1] as integers, others as the
//! shortest float that holds them, members of a map ordered by their encoded keys.

use serde_json::{Map, Value};

use super::murmur3::Murmur3;
use super::operand::{Operand, View};
use super::{Fault, HASHED_PER_STEP, Machine};
use crate::value::Attributes;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// How deep a value may nest; contexts come from clients.
const MOST_DEPTH: usize = 32;

/// The most members of an object: they are put in order without memory, in quadratic time.
const MOST_MEMBERS: usize = 64;

/// A major type with its argument, in the shortest form.
fn head(hash: Murmur3, major: u8, argument: u64) -> Murmur3 {
    let first = major << 5;
    match argument {
        0..=23 => hash.update(&[first | argument as u8]),
        24..=0xff => hash.update(&[first | 24, argument as u8]),
        0x100..=0xffff => hash.update(&[first | 25]).update(&(argument as u16).to_be_bytes()),
        0x1_0000..=0xffff_ffff => hash.update(&[first | 26]).update(&(argument as u32).to_be_bytes()),
        _ => hash.update(&[first | 27]).update(&argument.to_be_bytes()),
    }
}

pub(super) fn text(hash: Murmur3, text: &str) -> Murmur3 {
    head(hash, TEXT, text.len() as u64).update(text.as_bytes())
}

pub(super) fn array(hash: Murmur3, len: usize) -> Murmur3 {
    head(hash, ARRAY, len as u64)
}

fn number(hash: Murmur3, number: f64) -> Murmur3 {
    // 2^63 and 2^64 themselves are the first whole floats beyond i64 and u64.
    if number.fract() == 0.0 && (-9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0).contains(&number)
    {
        return if number >= 0.0 {
            head(hash, UNSIGNED, number as u64)
        } else {
            head(hash, NEGATIVE, (-1 - number as i64) as u64)
        };
    }
    if let Some(half) = half(number) {
        return hash.update(&[0xf9]).update(&half.to_be_bytes());
    }
    let single = number as f32;
    if f64::from(single) == number {
        return hash.update(&[0xfa]).update(&single.to_bits().to_be_bytes());
    }
    hash.update(&[0xfb]).update(&number.to_bits().to_be_bytes())
}

/// The bits of a number as a half-precision float, if it is one.
fn half(number: f64) -> Option<u16> {
    let bits = number.to_bits();
    let sign = ((bits >> 48) & 0x8000) as u16;
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let fraction = bits & 0xf_ffff_ffff_ffff;
    if number.is_nan() {
        return Some(0x7e00);
    }
    if number.is_infinite() {
        return Some(sign | 0x7c00);
    }
    if (-14..=15).contains(&exponent) && fraction & ((1 << 42) - 1) == 0 {
        return Some(sign | (((exponent + 15) as u16) << 10) | (fraction >> 42) as u16);
    }
    // Subnormal: a multiple of 2^-24 below 2^-14.
    if (-24..-14).contains(&exponent) {
        let significand = fraction | (1 << 52);
        let shift = 42 - (exponent + 14);
        if significand.trailing_zeros() as i32 >= shift {
            return Some(sign | (significand >> shift) as u16);
        }
    }
    None
}

fn json(hash: Murmur3, value: &Value, depth: usize) -> Option<Murmur3> {
    if depth > MOST_DEPTH {
        return None;
    }
    Some(match value {
        Value::Null => hash.update(&[0xf6]),
        Value::Bool(value) => hash.update(&[0xf4 | u8::from(*value)]),
        Value::Number(value) => number(hash, value.as_f64()?),
        Value::String(value) => text(hash, value),
        Value::Array(items) => {
            items.iter().try_fold(array(hash, items.len()), |hash, item| json(hash, item, depth + 1))?
        }
        Value::Object(members) => map(hash, members, depth)?,
    })
}

/// A map: shorter keys first, since their encoding begins with a smaller head, then by bytes.
fn map(hash: Murmur3, members: &Map<String, Value>, depth: usize) -> Option<Murmur3> {
    if members.len() > MOST_MEMBERS {
        return None;
    }
    let mut hash = head(hash, MAP, members.len() as u64);
    let mut last: Option<&String> = None;
    for _ in 0..members.len() {
        let above =
            |key: &&String| last.is_none_or(|last| (key.len(), key.as_str()) > (last.len(), last.as_str()));
        let next = members.keys().filter(above).min_by_key(|key| (key.len(), key.as_str()))?;
        hash = json(text(hash, next), members.get(next)?, depth + 1)?;
        last = Some(next);
    }
    Some(hash)
}

impl<'a, A: Attributes + ?Sized> Machine<'a, '_, A> {
    /// The hash of a value's encoding; none for null, and for what is too deep or too wide to hash.
    pub(super) fn cbor_hash(&mut self, value: Operand<'a>) -> Result<Option<u32>, Fault> {
        self.charge_encoding(value)?;
        let start = Murmur3::default();
        let hash = match self.view(&value) {
            View::Null => None,
            _ => self.encode(start, value, 0),
        };
        Ok(hash.map(Murmur3::finish))
    }

    /// Takes off what hashing a value costs, its parts included.
    fn charge_encoding(&mut self, value: Operand<'a>) -> Result<(), Fault> {
        match value {
            Operand::Json(json) => self.charge_json(json, 0),
            Operand::List(span) => {
                for index in 0..span.len as usize {
                    // Lists lie in lists no deeper than rules in rules.
                    let item = span.of(&self.items).get(index).copied().unwrap_or(Operand::Null);
                    self.charge_encoding(item)?;
                }
                Ok(())
            }
            text => self.charge(self.text_len(&text) / HASHED_PER_STEP),
        }
    }

    fn charge_json(&mut self, json: &Value, depth: usize) -> Result<(), Fault> {
        self.charge(1)?;
        match json {
            Value::String(text) => self.charge(text.len() / HASHED_PER_STEP),
            // What is deeper is not hashed.
            _ if depth > MOST_DEPTH => Ok(()),
            Value::Array(items) => items.iter().try_for_each(|item| self.charge_json(item, depth + 1)),
            // A map's keys are put in order by looking at all of them for each.
            Value::Object(members) if members.len() <= MOST_MEMBERS => {
                members.iter().try_for_each(|(key, item)| {
                    self.charge(members.len() / 4 + key.len() / HASHED_PER_STEP)?;
                    self.charge_json(item, depth + 1)
                })
            }
            _ => Ok(()),
        }
    }

    fn encode(&self, hash: Murmur3, value: Operand<'a>, depth: usize) -> Option<Murmur3> {
        match self.view(&value) {
            View::Null => Some(hash.update(&[0xf6])),
            View::Bool(value) => Some(hash.update(&[0xf4 | u8::from(value)])),
            View::Number(value) => Some(number(hash, value)),
            View::Text(value) => Some(text(hash, value)),
            View::Array(items) => {
                items.iter().try_fold(array(hash, items.len()), |hash, item| json(hash, item, depth + 1))
            }
            View::Object(members) => map(hash, members, depth),
            View::List(_) if depth > MOST_DEPTH => None,
            View::List(items) => items
                .iter()
                .try_fold(array(hash, items.len()), |hash, item| self.encode(hash, *item, depth + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8949, appendix A.
    #[test]
    fn numbers_have_their_shortest_form() {
        let cases: [(f64, &[u8]); 16] = [
            (0.0, &[0x00]),
            (-0.0, &[0x00]),
            (23.0, &[0x17]),
            (24.0, &[0x18, 0x18]),
            (1000.0, &[0x19, 0x03, 0xe8]),
            (1_000_000.0, &[0x1a, 0x00, 0x0f, 0x42, 0x40]),
            (1_000_000_000_000.0, &[0x1b, 0x00, 0x00, 0x00, 0xe8, 0xd4, 0xa5, 0x10, 0x00]),
            (-1.0, &[0x20]),
            (-100.0, &[0x38, 0x63]),
            (1.5, &[0xf9, 0x3e, 0x00]),
            (-4.1, &[0xfb, 0xc0, 0x10, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66]),
            (5.960_464_477_539_063e-8, &[0xf9, 0x00, 0x01]),
            (0.000_061_035_156_25, &[0xf9, 0x04, 0x00]),
            (1.1, &[0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a]),
            (3.402_823_466_385_288_6e38, &[0xfa, 0x7f, 0x7f, 0xff, 0xff]),
            (-9_223_372_036_854_775_808.0, &[0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ];
        for (value, bytes) in cases {
            let expected = Murmur3::default().update(bytes).finish();
            assert_eq!(number(Murmur3::default(), value).finish(), expected, "{value}");
        }
    }

    #[test]
    fn members_are_ordered_by_their_encoded_keys() {
        let value = serde_json::json!({ "bb": 1, "c": [null, true, false], "a": "é" });
        let bytes = b"\xa3\x61a\x62\xc3\xa9\x61c\x83\xf6\xf5\xf4\x62bb\x01";
        let expected = Murmur3::default().update(bytes).finish();
        assert_eq!(json(Murmur3::default(), &value, 0).unwrap().finish(), expected);
    }
}
