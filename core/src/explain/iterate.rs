//! The rounds of `map`, `filter`, `all`, `some`, `none` and `reduce`.

use super::Step;
use super::walk::{Given, Walk};
use crate::eval::{List, Operand, Scope};
use crate::json::Path;
use crate::rule::{Arguments, NodeId};
use crate::value::Attributes;

/// How many rounds are shown.
const MOST_ROUNDS: usize = 10;

impl<'a, A: Attributes + ?Sized> Walk<'a, '_, A> {
    /// The rounds of an iteration that asks whether its rule holds, until one of them decides.
    pub(super) fn rounds(
        &mut self,
        list: NodeId,
        body: NodeId,
        path: &Path<'_>,
        step: &mut Step,
        decides: fn(bool) -> bool,
    ) {
        let Some(list) = self.list(list, path, step) else { return };
        for number in 0..list.len() {
            let Some(item) = self.shown_item(list, number, step) else { return };
            let room = self.machine.room();
            let (mut inner, given) = self.round(number, body, path, Scope::Item(item));
            let holds = given.map(|value| self.is_true(value));
            inner.holds = holds.ok();
            step.steps.push(inner);
            if holds.is_ok() {
                // Nothing that a round built remains.
                self.machine.set_room(room.after(self.machine.room()));
            }
            if holds.map_or(true, decides) {
                return;
            }
        }
    }

    /// The rounds of `map`.
    pub(super) fn mapping(&mut self, list: NodeId, body: NodeId, path: &Path<'_>, step: &mut Step) {
        let Some(list) = self.list(list, path, step) else { return };
        for number in 0..list.len() {
            let Some(item) = self.shown_item(list, number, step) else { return };
            let (inner, given) = self.round(number, body, path, Scope::Item(item));
            step.steps.push(inner);
            if given.is_err() {
                return;
            }
        }
    }

    pub(super) fn reduction(&mut self, arguments: Arguments, path: &Path<'_>, step: &mut Step) {
        let (list, body, initial) = match self.snapshot.rules.arguments(arguments) {
            [list, body, rest @ ..] => (*list, *body, rest.first()),
            _ => return,
        };
        let Some(list) = self.list(list, path, step) else { return };
        let mut accumulator = match initial {
            Some(initial) => {
                let (inner, given) = self.step(*initial, &path.index(2));
                step.steps.push(inner);
                let Ok(given) = given else { return };
                given
            }
            None => match self.machine.item(list, 0) {
                Some(first) => first,
                None => return,
            },
        };
        for number in usize::from(initial.is_none())..list.len() {
            let Some(current) = self.shown_item(list, number, step) else { return };
            let (inner, given) = self.round(number, body, path, Scope::Reduce { accumulator, current });
            step.steps.push(inner);
            let Ok(given) = given else { return };
            accumulator = given;
        }
    }

    /// The list that is iterated over; none where there is an error instead.
    fn list(&mut self, list: NodeId, path: &Path<'_>, step: &mut Step) -> Option<List<'a>> {
        let (inner, given) = self.step(list, &path.index(0));
        step.steps.push(inner);
        self.machine.as_list(given.ok()?).ok()
    }

    /// An item; none, and a remark, when enough rounds are shown.
    fn shown_item(&mut self, list: List<'a>, number: usize, step: &mut Step) -> Option<Operand<'a>> {
        if number >= MOST_ROUNDS {
            step.because = Some(format!("{} more items are not shown", list.len() - number));
            return None;
        }
        self.machine.item(list, number)
    }

    fn round(&mut self, number: usize, body: NodeId, path: &Path<'_>, scope: Scope<'a>) -> (Step, Given<'a>) {
        let outer = std::mem::replace(&mut self.machine.scope, scope);
        let (mut step, given) = self.step(body, &path.index(1));
        self.machine.scope = outer;
        step.item = Some(number);
        (step, given)
    }
}
