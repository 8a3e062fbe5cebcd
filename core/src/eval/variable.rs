//! `var`: what a name means where it stands.

use super::operand::Operand;
use super::{Fault, Machine, Outcome, Span, View, recycle};
use crate::rule::{Arguments, NodeId};
use crate::value::{Attribute, Attributes, split_head, walk};

/// What names are looked up in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope<'a> {
    /// The evaluation context.
    Root,
    /// The item that an iteration is at.
    Item(Operand<'a>),
    /// What `reduce` has so far, and the item that it is at.
    Reduce { accumulator: Operand<'a>, current: Operand<'a> },
}

impl<'a, A: Attributes + ?Sized> Machine<'a, '_, A> {
    /// A part of what an iteration is at.
    pub(super) fn member(&self, path: &str) -> Operand<'a> {
        let (value, path) = match self.scope {
            Scope::Root => return self.attributes.get(Attribute::at(path)).into(),
            Scope::Item(item) => (item, Some(path).filter(|path| !path.is_empty())),
            Scope::Reduce { accumulator, current } => match split_head(path) {
                ("accumulator", rest) => (accumulator, rest),
                ("current", rest) => (current, rest),
                _ => return Operand::Null,
            },
        };
        let Some(path) = path else { return value };
        match value {
            Operand::Json(json) => walk(json, path).into(),
            Operand::List(span) => {
                let (head, rest) = split_head(path);
                let item = head.parse().ok().and_then(|index: usize| span.of(&self.items).get(index));
                match (item, rest) {
                    (Some(Operand::Json(json)), Some(rest)) => walk(json, rest).into(),
                    (Some(item), None) => *item,
                    _ => Operand::Null,
                }
            }
            _ => Operand::Null,
        }
    }

    /// A `var` whose name must be evaluated.
    pub(super) fn computed(&mut self, path: NodeId) -> Outcome<'a> {
        let path = self.eval(path)?;
        let mut number = ryu_js::Buffer::new();
        let path = match self.view(&path) {
            View::Text(path) => path,
            View::Number(index) => number.format(index),
            View::Null => "",
            _ => return Ok(Operand::Null),
        };
        Ok(match (path, self.scope) {
            ("", Scope::Root) => self.attributes.whole().into(),
            ("$flagd.flagKey", Scope::Root) => Operand::Text(self.snapshot.text.get(self.flag.key)),
            ("$flagd.timestamp", Scope::Root) => Operand::Number(self.now.unix_seconds() as f64),
            (path, _) => self.member(path),
        })
    }

    /// The names among `names` that mean nothing here.
    pub(super) fn missing(&mut self, names: Span) -> Result<Span, Fault> {
        let start = self.items.len();
        for index in 0..names.len as usize {
            let Some(name) = names.of(&self.items).get(index).copied() else { break };
            let mut number = ryu_js::Buffer::new();
            let is_there = match self.view(&name) {
                View::Text(path) => self.is_there(path),
                View::Number(value) => self.is_there(number.format(value)),
                _ => false,
            };
            if !is_there {
                self.push(name)?;
            }
        }
        Ok(Span::new(start, self.items.len() - start))
    }

    fn is_there(&self, path: &str) -> bool {
        match self.scope {
            Scope::Root => match path {
                "$flagd.flagKey" | "$flagd.timestamp" => true,
                path => self.attributes.contains(Attribute::at(path)),
            },
            _ => !matches!(self.member(path), Operand::Null),
        }
    }

    /// Evaluates arguments into consecutive places. What they build themselves comes to lie behind.
    pub(super) fn arguments(&mut self, arguments: Arguments) -> Result<Span, Fault> {
        let ids = self.snapshot.rules.arguments(arguments);
        self.reserve_items();
        let base = self.items.len();
        for _ in ids {
            self.push(Operand::Null)?;
        }
        for (id, place) in ids.iter().zip(base..) {
            let value = self.eval(*id)?;
            self.set_item(place, value);
        }
        Ok(Span::new(base, ids.len()))
    }

    pub(super) fn set_item(&mut self, place: usize, value: Operand<'a>) {
        if let Some(slot) = self.items.get_mut(place) {
            *slot = value;
        }
    }

    pub(super) fn push(&mut self, value: Operand<'a>) -> Result<(), Fault> {
        if self.items.len() >= super::MOST_BUILT {
            return Err(Fault::TooMuchWork);
        }
        self.items.push(value);
        Ok(())
    }

    /// Takes the scratch's memory for items when it is first needed.
    pub(super) fn reserve_items(&mut self) {
        if self.items.capacity() == 0 {
            self.items = recycle(std::mem::take(&mut self.scratch.items));
        }
    }
}
