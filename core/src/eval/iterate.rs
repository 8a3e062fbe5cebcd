//! `map`, `filter`, `all`, `some`, `reduce`: a rule for each item of a list, in which names mean parts of the item.

use super::operand::{Operand, Span};
use super::variable::Scope;
use super::{Fault, Machine, Outcome, coerce};
use crate::rule::{Arguments, NodeId};
use crate::value::Attributes;

/// What is iterated over.
#[derive(Clone, Copy)]
pub(crate) enum List<'a> {
    Json(&'a [serde_json::Value]),
    Built(Span),
}

impl<'a> List<'a> {
    /// A value as a list; none where it is something else.
    pub(crate) fn of(value: Operand<'a>) -> Option<Self> {
        match value {
            Operand::List(span) => Some(Self::Built(span)),
            Operand::Json(serde_json::Value::Array(items)) => Some(Self::Json(items)),
            _ => None,
        }
    }

    pub(crate) fn len(self) -> usize {
        match self {
            Self::Json(items) => items.len(),
            Self::Built(span) => span.len as usize,
        }
    }
}

impl<'a, A: Attributes + ?Sized> Machine<'a, '_, A> {
    /// The list that a node gives; what is falsy is an empty one.
    fn iterable(&mut self, list: NodeId) -> Result<List<'a>, Fault> {
        let value = self.eval(list)?;
        self.as_list(value)
    }

    /// A value as the list that is iterated over.
    pub(crate) fn as_list(&self, value: Operand<'a>) -> Result<List<'a>, Fault> {
        match List::of(value) {
            Some(list) => Ok(list),
            None if matches!(value, Operand::Json(_)) || coerce::truthy(self.view(&value)) => {
                Err(Fault::NotAList)
            }
            None => Ok(List::Json(&[])),
        }
    }

    pub(crate) fn item(&self, list: List<'a>, index: usize) -> Option<Operand<'a>> {
        match list {
            List::Json(items) => items.get(index).map(Operand::from),
            List::Built(span) => span.of(&self.items).get(index).copied(),
        }
    }

    /// Evaluates `body` for one item.
    fn inside(&mut self, scope: Scope<'a>, body: NodeId) -> Outcome<'a> {
        let outer = std::mem::replace(&mut self.scope, scope);
        let result = self.eval(body);
        self.scope = outer;
        result
    }

    /// Whether `body` is true for one item. Nothing that it builds is needed afterwards.
    fn holds(&mut self, item: Operand<'a>, body: NodeId) -> Result<bool, Fault> {
        let (items, text) = (self.items.len(), self.scratch.text.len());
        let value = self.inside(Scope::Item(item), body)?;
        let holds = coerce::truthy(self.view(&value));
        self.items.truncate(items);
        self.scratch.text.truncate(text);
        Ok(holds)
    }

    pub(super) fn map(&mut self, list: NodeId, body: NodeId) -> Outcome<'a> {
        let list = self.iterable(list)?;
        self.reserve_items();
        let len = list.len();
        self.charge(len)?;
        let start = self.items.len();
        for _ in 0..len {
            self.push(Operand::Null)?;
        }
        for index in 0..len {
            let item = self.item(list, index).unwrap_or(Operand::Null);
            let value = self.inside(Scope::Item(item), body)?;
            self.set_item(start + index, value);
        }
        Ok(Operand::List(Span::new(start, len)))
    }

    pub(super) fn filter(&mut self, list: NodeId, body: NodeId) -> Outcome<'a> {
        let list = self.iterable(list)?;
        self.reserve_items();
        let start = self.items.len();
        for index in 0.. {
            let Some(item) = self.item(list, index) else { break };
            if self.holds(item, body)? {
                self.push(item)?;
            }
        }
        Ok(Operand::List(Span::new(start, self.items.len() - start)))
    }

    /// Whether `body` holds for some item.
    pub(super) fn some(&mut self, list: NodeId, body: NodeId) -> Result<bool, Fault> {
        let list = self.iterable(list)?;
        for index in 0.. {
            let Some(item) = self.item(list, index) else { break };
            if self.holds(item, body)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether `body` holds for every item; for an empty list it does not.
    pub(super) fn all(&mut self, list: NodeId, body: NodeId) -> Result<bool, Fault> {
        let list = self.iterable(list)?;
        let mut any = false;
        for index in 0.. {
            let Some(item) = self.item(list, index) else { break };
            any = true;
            if !self.holds(item, body)? {
                return Ok(false);
            }
        }
        Ok(any)
    }

    /// `reduce`: each item and what there is so far to what there is then.
    pub(super) fn reduce(&mut self, arguments: Arguments) -> Outcome<'a> {
        let (list, body, initial) = match self.snapshot.rules.arguments(arguments) {
            [list, body] => (*list, *body, None),
            [list, body, initial, ..] => (*list, *body, Some(*initial)),
            _ => return Err(Fault::Arguments),
        };
        let list = self.iterable(list)?;
        let mut index = 0;
        let mut accumulator = match initial {
            Some(initial) => self.eval(initial)?,
            None => match self.item(list, 0) {
                Some(first) => {
                    index = 1;
                    first
                }
                // As in flagd's Go.
                None => return Ok(Operand::Number(0.0)),
            },
        };
        while let Some(current) = self.item(list, index) {
            accumulator = self.inside(Scope::Reduce { accumulator, current }, body)?;
            index += 1;
        }
        Ok(accumulator)
    }
}
