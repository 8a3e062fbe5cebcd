//! `var`: what a name means where it stands.

use super::operand::Operand;
use super::{Fault, Machine, Outcome, Span, View, recycle};
use crate::rule::{Arguments, NodeId};
use crate::value::{Attribute, Attributes, position, split_head, step_into};

/// What names are looked up in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    /// The evaluation context.
    Root,
    /// The item that an iteration is at.
    Item(Operand<'a>),
    /// What `reduce` has so far, and the item that it is at.
    Reduce { accumulator: Operand<'a>, current: Operand<'a> },
}

impl<'a, A: Attributes + ?Sized> Machine<'a, '_, A> {
    /// A part of what an iteration is at; null where there is none.
    pub(super) fn member(&self, path: &str) -> Operand<'a> {
        self.part(path).unwrap_or(Operand::Null)
    }

    /// What a name means where it stands, if anything; what is null is there.
    fn part(&self, path: &str) -> Option<Operand<'a>> {
        let (value, path) = match self.scope {
            Scope::Root => {
                let attribute = Attribute::at(path);
                return self.attributes.contains(attribute).then(|| self.attributes.get(attribute).into());
            }
            Scope::Item(item) => (item, Some(path).filter(|path| !path.is_empty())),
            Scope::Reduce { accumulator, current } => match split_head(path) {
                ("accumulator", rest) => (accumulator, rest),
                ("current", rest) => (current, rest),
                _ => return None,
            },
        };
        let Some(path) = path else { return Some(value) };
        match value {
            Operand::Json(json) => step_into(json, path).map(Operand::from),
            Operand::List(span) => {
                let (head, rest) = split_head(path);
                let item = position(head).and_then(|index| span.of(&self.items).get(index));
                match (item, rest) {
                    (Some(Operand::Json(json)), Some(rest)) => step_into(json, rest).map(Operand::from),
                    (Some(item), None) => Some(*item),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// A `var` whose name must be evaluated.
    pub(super) fn computed(&mut self, path: NodeId) -> Outcome<'a> {
        let path = self.eval(path)?;
        self.charge(self.text_len(&path) / super::READ_PER_STEP)?;
        Ok(self
            .with_path(&path, |path| match (path, self.scope) {
                ("", Scope::Root) => self.attributes.whole().into(),
                ("$flagd.flagKey", Scope::Root) => Operand::Text(self.snapshot.text.get(self.flag.key)),
                ("$flagd.timestamp", Scope::Root) => Operand::Number(self.now.unix_seconds() as f64),
                (path, _) => self.member(path),
            })
            .unwrap_or(Operand::Null))
    }

    /// The path that a value means: a text itself, a number by its text, null an empty one.
    pub(crate) fn with_path<T>(&self, path: &Operand<'a>, read: impl FnOnce(&str) -> T) -> Option<T> {
        match self.view(path) {
            View::Text(path) => Some(read(path)),
            View::Number(index) => Some(read(ryu_js::Buffer::new().format(index))),
            View::Null => Some(read("")),
            _ => None,
        }
    }

    /// The names among `names` that mean nothing here.
    pub(super) fn missing(&mut self, names: Span) -> Result<Span, Fault> {
        let start = self.items.len();
        for index in 0..names.len as usize {
            let Some(name) = names.of(&self.items).get(index).copied() else { break };
            let text = self.in_text(name)?;
            let is_there = self.with_name(text, |path| self.is_there(path));
            let is_there = is_there.unwrap_or_else(|| self.is_there("null"));
            if !is_there {
                self.push(name)?;
            }
        }
        Ok(Span::new(start, self.items.len() - start))
    }

    fn is_there(&self, path: &str) -> bool {
        // An empty name means everything, which always is there.
        path.is_empty()
            || match (self.scope, path) {
                (Scope::Root, "$flagd.flagKey" | "$flagd.timestamp") => true,
                _ => self.part(path).is_some(),
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
        if self.items.len() >= self.most_items {
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
