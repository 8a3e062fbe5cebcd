//! Arithmetic on 64-bit floats. Unlike ECMAScript, JsonLogic fails where the result is not a number.

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
                Operator::Add => return Ok(Operand::Number(0.0)),
                Operator::Multiply => return Ok(Operand::Number(1.0)),
                _ => return Err(Fault::Arguments),
            },
        };
        let result = match (operator, items.len()) {
            (Operator::Subtract, 1) => -first,
            (Operator::Divide, 1) => 1.0 / divisor(first)?,
            (Operator::Remainder, 1) => return Err(Fault::Arguments),
            _ => numbers.try_fold(first, |left, right| {
                let right = right?;
                Ok(match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide => left / divisor(right)?,
                    _ => left % right,
                })
            })?,
        };
        if result.is_nan() { Err(Fault::NotANumber) } else { Ok(Operand::Number(result)) }
    }

    /// `max`, `min`: of numbers only.
    fn extreme(&self, operator: Operator, items: &[Operand<'a>]) -> Outcome<'a> {
        let mut extreme = None;
        for item in items {
            let View::Number(number) = self.view(item) else { return Err(Fault::NotANumber) };
            extreme = Some(match extreme {
                Some(so_far) if operator == Operator::Max && number > so_far => number,
                Some(so_far) if operator == Operator::Min && number < so_far => number,
                Some(so_far) => so_far,
                None => number,
            });
        }
        extreme.map(Operand::Number).ok_or(Fault::Arguments)
    }
}

fn divisor(number: f64) -> Result<f64, Fault> {
    if number == 0.0 { Err(Fault::NotANumber) } else { Ok(number) }
}
