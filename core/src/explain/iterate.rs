//! The rounds of `map`, `filter`, `all`, `some`, `none` and `reduce`.

use serde_json::Value as Json;

use super::Step;
use super::walk::{Names, Walk};
use crate::eval::View;
use crate::eval::coerce::truthy;
use crate::json::Path;
use crate::rule::{Arguments, NodeId};
use crate::value::Attributes;

/// How many rounds are shown.
const MOST_ROUNDS: usize = 10;

impl<A: Attributes + ?Sized> Walk<'_, A> {
    /// The rounds of an iteration, until one of them decides.
    pub(super) fn rounds(
        &mut self,
        list: NodeId,
        body: NodeId,
        path: &Path<'_>,
        names: Names<'_>,
        step: &mut Step,
        decides: fn(bool) -> bool,
    ) {
        let (inner, given) = self.step(list, &path.index(0), names);
        step.steps.push(inner);
        let Ok(Json::Array(items)) = given else { return };
        for (number, item) in items.iter().enumerate() {
            let Some((holds, inner)) = self.round(number, body, path, Names::Item(item)) else {
                step.because = Some(format!("{} more items are not shown", items.len() - number));
                return;
            };
            step.steps.push(inner);
            if holds.is_none_or(decides) {
                return;
            }
        }
    }

    /// A round, whether its result holds (none: it failed); no round, when enough of them are shown.
    fn round(
        &mut self,
        number: usize,
        body: NodeId,
        path: &Path<'_>,
        names: Names<'_>,
    ) -> Option<(Option<bool>, Step)> {
        if number == MOST_ROUNDS {
            return None;
        }
        let (mut step, given) = self.step(body, &path.index(1), names);
        step.item = Some(number);
        Some((given.ok().map(|given| truthy(View::from(&given))), step))
    }

    pub(super) fn reduction(
        &mut self,
        arguments: Arguments,
        path: &Path<'_>,
        names: Names<'_>,
        step: &mut Step,
    ) {
        let (list, body, initial) = match self.snapshot.rules.arguments(arguments) {
            [list, body, rest @ ..] => (*list, *body, rest.first()),
            _ => return,
        };
        let (inner, given) = self.step(list, &path.index(0), names);
        step.steps.push(inner);
        let Ok(Json::Array(items)) = given else { return };
        let mut accumulator = match initial {
            Some(initial) => {
                let (inner, given) = self.step(*initial, &path.index(2), names);
                step.steps.push(inner);
                let Ok(given) = given else { return };
                given
            }
            None => match items.first() {
                Some(first) => first.clone(),
                None => return,
            },
        };
        for (number, current) in items.iter().enumerate().skip(usize::from(initial.is_none())) {
            let names = Names::Reduce { accumulator: &accumulator, current };
            let Ok(value) = self.eval(body, names) else { return };
            let Some((_, inner)) = self.round(number, body, path, names) else {
                step.because = Some(format!("{} more items are not shown", items.len() - number));
                return;
            };
            step.steps.push(inner);
            accumulator = value;
        }
    }
}
