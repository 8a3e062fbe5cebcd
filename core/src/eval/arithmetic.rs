//! Arithmetic on 64-bit floats, as in flagd's Go where flagd's evaluators disagree: a text that is no number counts as 0,
//! and a division by 0 gives infinity or NaN. Lists and objects are errors in all of them.

use super::operand::{Operand, Span, View};
use super::{Fault, Machine, Outcome, coerce};
use crate::rule::Operator;
use crate::value::Attributes;

impl<'a, A: Attributes + ?Sized> Machine<'a, '_, A> {
    pub(super) fn arithmetic(&self, operator: Operator, values: Span) -> Outcome<'a> {
        let items = values.of(&self.items);
        if matches!(operator, Operator::Max | Operator::Min) {
            return self.extreme(operator, items);
        }
        let mut numbers = items.iter().map(|value| coerce::numeric(self.view(value)));
        let first = match numbers.next() {
            Some(first) => first?,
            None => match operator {
                Operator::Add | Operator::Subtract | Operator::Divide => return Ok(Operand::Number(0.0)),
                Operator::Multiply => return Ok(Operand::Number(1.0)),
                _ => return Err(Fault::Arguments),
            },
        };
        let result = match (operator, items.len()) {
            (Operator::Subtract, 1) => -first,
            (Operator::Divide, 1) => 1.0 / first,
            (Operator::Remainder, 1) => return Err(Fault::Arguments),
            _ => numbers.try_fold(first, |left, right| {
                let right = right?;
                Ok(match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide => left / right,
                    _ => left % right,
                })
            })?,
        };
        Ok(Operand::Number(result))
    }

    /// `max`, `min`: of numbers and texts only; null where there are none.
    fn extreme(&self, operator: Operator, items: &[Operand<'a>]) -> Outcome<'a> {
        let mut extreme = None;
        for item in items {
            let number = match self.view(item) {
                item @ (View::Number(_) | View::Text(_)) => coerce::numeric(item)?,
                _ => return Err(Fault::NotANumber),
            };
            extreme = Some(match extreme {
                Some(so_far) if operator == Operator::Max && number > so_far => number,
                Some(so_far) if operator == Operator::Min && number < so_far => number,
                Some(so_far) => so_far,
                None => number,
            });
        }
        Ok(extreme.map_or(Operand::Null, Operand::Number))
    }
}
