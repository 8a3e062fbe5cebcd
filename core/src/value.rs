//! What a rule reads: attributes of the evaluation context, one at a time and only when the rule gets there.

use std::sync::OnceLock;

use serde_json::Value as Json;
use xxhash_rust::xxh3::xxh3_64;

use crate::text::equal;

/// The value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Absent, or null: JsonLogic does not tell them apart.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number; as in JsonLogic, all are 64-bit floats.
    Number(f64),
    /// A string.
    String(&'a str),
    /// An array or an object (a scalar is taken as the scalar).
    Json(&'a Json),
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Number(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Self::String(text),
            Json::Array(_) | Json::Object(_) => Self::Json(json),
        }
    }
}

/// The name of the attribute that is bucketed.
pub(crate) const TARGETING_KEY: &str = "targetingKey";

/// An attribute as a rule names it.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    /// The whole path, such as `email` or `user.address.city`.
    pub path: &'a str,
    /// Its number in [`Snapshot::attributes`](crate::Snapshot::attributes), by which a caller can prepare where its
    /// value comes from once per snapshot. `None` when the rule computed the path.
    pub index: Option<u32>,
    /// XXH3-64 of the path up to its first dot.
    pub(crate) head_hash: u64,
    /// How many bytes it has.
    pub(crate) head: u32,
}

impl<'a> Attribute<'a> {
    /// OpenFeature's targeting key: the first attribute of every snapshot.
    pub(crate) fn targeting_key() -> Attribute<'static> {
        // A constant expression: hashed when compiled.
        const HASH: u64 = xxhash_rust::const_xxh3::xxh3_64(TARGETING_KEY.as_bytes());
        Attribute { path: TARGETING_KEY, index: Some(0), head_hash: HASH, head: TARGETING_KEY.len() as u32 }
    }

    /// The attribute at `path`, asked for by whoever holds no snapshot's number for it.
    pub fn at(path: &'a str) -> Self {
        Self { path, index: None, head_hash: head_hash(path), head: split_head(path).0.len() as u32 }
    }
}

/// The path up to its first dot, and what follows it.
pub(crate) fn split_head(path: &str) -> (&str, Option<&str>) {
    path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)))
}

pub(crate) fn head_hash(path: &str) -> u64 {
    xxh3_64(split_head(path).0.as_bytes())
}

/// The evaluation context, asked for one attribute at a time.
///
/// OpenFeature's targeting key is the attribute `targetingKey`.
pub trait Attributes {
    /// The value of `attribute`; [`Value::Null`] when there is none.
    fn get<'a>(&'a self, attribute: Attribute<'_>) -> Value<'a>;

    /// Whether there is such an attribute; one that is null is there.
    fn contains(&self, attribute: Attribute<'_>) -> bool {
        self.get(attribute) != Value::Null
    }

    /// The whole context, for the rare rule that asks for it (`{"var": ""}`).
    fn whole(&self) -> Value<'_> {
        Value::Null
    }
}

/// A place without an attribute.
const VACANT: u32 = u32::MAX;

/// An evaluation context from JSON, prepared for lookups that cost the same however many attributes it holds.
#[derive(Clone, Debug, Default)]
pub struct Context {
    members: Vec<(String, Json)>,
    /// Positions in `members`, by the key's hash.
    index: Vec<(u64, u32)>,
    /// All of it as one value, made when a rule asks for it.
    whole: OnceLock<Json>,
}

impl Context {
    /// A context of the members of `json`; anything but an object is a context without attributes.
    pub fn new(json: Json) -> Self {
        let members: Vec<_> = match json {
            Json::Object(members) => members.into_iter().collect(),
            _ => Vec::new(),
        };
        // At most half full, so that most look-ups end at the first place.
        let places = (members.len() * 2).next_power_of_two();
        let mut index = vec![(0, VACANT); places];
        for ((key, _), position) in members.iter().zip(0..) {
            let hash = xxh3_64(key.as_bytes());
            let mut place = hash as usize;
            while let Some(slot) = index.get_mut(place & (places - 1)) {
                if slot.1 == VACANT {
                    *slot = (hash, position);
                    break;
                }
                place += 1;
            }
        }
        Self { members, index, whole: OnceLock::new() }
    }
}

impl Context {
    #[inline]
    fn find(&self, attribute: Attribute<'_>) -> Option<&Json> {
        let length = attribute.head as usize;
        let head = attribute.path.as_bytes().get(..length)?;
        let mut place = attribute.head_hash as usize;
        let value = loop {
            let (hash, position) = *self.index.get(place & self.index.len().wrapping_sub(1))?;
            if position == VACANT {
                return None;
            }
            if hash == attribute.head_hash
                && let Some((key, value)) = self.members.get(position as usize)
                && equal(key.as_bytes(), head)
            {
                break value;
            }
            place = place.wrapping_add(1);
        };
        if length == attribute.path.len() {
            return Some(value);
        }
        step_into(value, attribute.path.get(length + 1..)?)
    }
}

impl Attributes for Context {
    #[inline]
    fn get<'a>(&'a self, attribute: Attribute<'_>) -> Value<'a> {
        self.find(attribute).map_or(Value::Null, Value::from)
    }

    fn contains(&self, attribute: Attribute<'_>) -> bool {
        self.find(attribute).is_some()
    }

    fn whole(&self) -> Value<'_> {
        Value::Json(self.whole.get_or_init(|| Json::Object(self.members.iter().cloned().collect())))
    }
}

/// What stands at a dotted path inside `json`; array items are named by their position.
pub(crate) fn step_into<'a>(json: &'a Json, path: &str) -> Option<&'a Json> {
    path.split('.').try_fold(json, |at, step| match at {
        Json::Object(members) => members.get(step),
        Json::Array(items) => position(step).and_then(|index| items.get(index)),
        _ => None,
    })
}

/// A position as a path names it: digits without leading zeros.
pub(crate) fn position(step: &str) -> Option<usize> {
    let plain = step == "0" || (!step.starts_with(['0', '+']));
    step.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get<'a>(context: &'a Context, path: &str) -> Value<'a> {
        context.get(Attribute::at(path))
    }

    #[test]
    fn paths_lead_into_objects_and_arrays() {
        let context =
            Context::new(serde_json::json!({"user": {"roles": ["a", "b"], "n": 1.5}, "": 7, "flat": null}));
        assert_eq!(get(&context, "user.roles.1"), Value::String("b"));
        assert_eq!(get(&context, "user.n"), Value::Number(1.5));
        assert!(matches!(get(&context, "user.roles"), Value::Json(_)));
        for absent in ["user.roles.2", "user.n.x", "flat", "none", "user.", "flat.x"] {
            assert_eq!(get(&context, absent), Value::Null, "{absent}");
        }
    }

    #[test]
    fn what_is_null_is_there() {
        let context = Context::new(serde_json::json!({"nil": null, "list": [null], "user": {"name": null}}));
        for there in ["nil", "list.0", "user.name"] {
            assert!(context.contains(Attribute::at(there)), "{there}");
        }
        for absent in ["none", "nil.x", "list.1", "list.00", "list.+0", "user.age"] {
            assert!(!context.contains(Attribute::at(absent)), "{absent}");
        }
    }

    #[test]
    fn anything_but_an_object_has_no_attributes() {
        assert_eq!(get(&Context::new(serde_json::json!(["email"])), "email"), Value::Null);
    }
}
