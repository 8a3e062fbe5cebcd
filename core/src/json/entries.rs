//! One level of a JSON value, its members as slices of the text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::syntax::SyntaxError;

/// One level of a value. Members keep their order and are not deduplicated.
#[derive(Debug)]
pub(crate) enum Entries<'a> {
    Map(Vec<(Cow<'a, str>, &'a RawValue)>),
    Array(Vec<&'a RawValue>),
    /// Neither object nor array.
    Scalar,
}

/// What a value is, in the words of JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind(&'static str);

impl Kind {
    pub(crate) fn of(value: &serde_json::Value) -> Self {
        Kind(match value {
            serde_json::Value::Null => "null",
            serde_json::Value::Bool(_) => "a boolean",
            serde_json::Value::Number(_) => "a number",
            serde_json::Value::String(_) => "a string",
            serde_json::Value::Array(_) => "an array",
            serde_json::Value::Object(_) => "an object",
        })
    }

    /// By the first character, which tells every kind of JSON value.
    pub(crate) fn of_text(text: &str) -> Self {
        Kind(match text.as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            _ => "a number",
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Reads one level of `raw`.
pub(crate) fn entries(raw: &RawValue) -> Result<Entries<'_>, SyntaxError> {
    match raw.get().as_bytes().first() {
        Some(b'{' | b'[') => read(raw.get()),
        _ => Ok(Entries::Scalar),
    }
}

/// Reads a whole value.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, SyntaxError> {
    serde_json::from_str(text).map_err(|error| SyntaxError::new(&error, text))
}

/// Reads a key with its quotes.
pub(crate) fn read_key(text: &str) -> Result<Cow<'_, str>, SyntaxError> {
    read::<Key<'_>>(text).map(|Key(key)| key)
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Level;

        impl<'de> Visitor<'de> for Level {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or an array")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Entries::Map(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Entries::Array(items))
            }
        }

        deserializer.deserialize_any(Level)
    }
}

/// A key, borrowed from the text unless it holds an escape.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}
