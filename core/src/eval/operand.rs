//! Values while a rule is being evaluated.

use crate::value::Value;

/// Where a text or a list lies in the [`Scratch`](super::Scratch).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(super) start: u32,
    pub(super) len: u32,
}

impl Span {
    pub(super) fn new(start: usize, len: usize) -> Self {
        Self { start: start as u32, len: len as u32 }
    }

    /// The part of `slice` that is meant; empty where it does not have it.
    pub(super) fn of<T>(self, slice: &[T]) -> &[T] {
        let start = self.start as usize;
        slice.get(start..start.saturating_add(self.len as usize)).unwrap_or_default()
    }
}

/// A value: what the document or the context holds, or what the rule built in the scratch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operand<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(&'a str),
    /// A text of the document.
    Constant(crate::text::Text),
    /// An array or an object.
    Json(&'a serde_json::Value),
    /// A text that the rule put together.
    Built(Span),
    /// A list that the rule put together.
    List(Span),
}

impl<'a> From<Value<'a>> for Operand<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(value) => Self::Number(value),
            Value::String(text) => Self::Text(text),
            Value::Json(json) => Self::from(json),
        }
    }
}

impl<'a> From<&'a serde_json::Value> for Operand<'a> {
    fn from(json: &'a serde_json::Value) -> Self {
        match Value::from(json) {
            Value::Json(json) => Self::Json(json),
            scalar => Self::from(scalar),
        }
    }
}

/// A value as an operator looks at it: texts are texts, wherever they lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum View<'t> {
    Null,
    Bool(bool),
    Number(f64),
    Text(&'t str),
    Array(&'t [serde_json::Value]),
    Object(&'t serde_json::Map<String, serde_json::Value>),
    List(&'t [Operand<'t>]),
}

impl<'t> From<&'t serde_json::Value> for View<'t> {
    fn from(json: &'t serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => Self::Number(number.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(items) => Self::Array(items),
            serde_json::Value::Object(members) => Self::Object(members),
        }
    }
}
