//! Operators that take the values of all their arguments.

use super::operand::{Operand, Span, View};
use super::{Fault, Machine, Outcome, READ_PER_STEP, coerce};
use crate::rule::{Arguments, Comparison, NodeId, Operator};
use crate::value::Attributes;

impl<'a, A: Attributes + ?Sized> Machine<'a, '_, A> {
    /// An operator whose arguments are listed.
    pub(super) fn operator(&mut self, operator: Operator, arguments: Arguments) -> Outcome<'a> {
        let base = self.items.len();
        let values = self.arguments(arguments)?;
        self.apply(operator, values, base)
    }

    /// An operator whose arguments are the items of one value; of a value that is no array, itself alone.
    pub(super) fn spread(&mut self, operator: Operator, value: NodeId) -> Outcome<'a> {
        let base = self.items.len();
        let value = self.eval(value)?;
        let values = match value {
            Operand::List(span) => span,
            Operand::Json(serde_json::Value::Array(items)) => self.push_all(items)?,
            value => {
                self.reserve_items();
                self.push(value)?;
                Span::new(self.items.len() - 1, 1)
            }
        };
        self.apply(operator, values, base)
    }

    /// Copies an array's items onto the stack.
    pub(super) fn push_all(&mut self, items: &'a [serde_json::Value]) -> Result<Span, Fault> {
        self.charge(items.len())?;
        self.reserve_items();
        let start = self.items.len();
        for item in items {
            self.push(Operand::from(item))?;
        }
        Ok(Span::new(start, items.len()))
    }

    fn apply(&mut self, operator: Operator, values: Span, base: usize) -> Outcome<'a> {
        // Whatever an operator does with texts, it reads each of them at most a few times.
        let bytes = values.of(&self.items).iter().map(|value| self.text_len(value)).sum::<usize>();
        self.charge(bytes / READ_PER_STEP)?;
        let result = match operator {
            Operator::Merge => return self.merge(values),
            Operator::Missing => return Ok(Operand::List(self.missing(values)?)),
            Operator::MissingSome => return self.missing_some(values),
            Operator::Cat => self.cat(values)?,
            Operator::Substr => self.substr(values)?,
            Operator::Compare(comparison) => {
                let items = values.of(&self.items);
                let mut pairs = items.iter().zip(items.iter().skip(1));
                // One value is compared with what is not there, which equals nothing.
                Operand::Bool(match items.len() {
                    0 | 1 => matches!(comparison, Comparison::NotEqual | Comparison::StrictNotEqual),
                    _ => pairs.all(|(a, b)| coerce::compare(comparison, self.view(a), self.view(b))),
                })
            }
            Operator::In => match values.of(&self.items) {
                [needle, haystack, ..] => {
                    let (mut needle, haystack) = (*needle, *haystack);
                    if matches!(self.view(&haystack), View::Text(_)) {
                        needle = self.in_text(needle)?;
                    }
                    Operand::Bool(coerce::contains(self, &needle, &haystack))
                }
                _ => Operand::Bool(false),
            },
            Operator::StartsWith | Operator::EndsWith => match values.of(&self.items) {
                [text, affix] => match (self.view(text), self.view(affix)) {
                    (View::Text(text), View::Text(affix)) if operator == Operator::StartsWith => {
                        Operand::Bool(text.starts_with(affix))
                    }
                    (View::Text(text), View::Text(affix)) => Operand::Bool(text.ends_with(affix)),
                    _ => Operand::Null,
                },
                _ => Operand::Null,
            },
            Operator::SemVer => self.sem_ver(values)?,
            Operator::Fractional => self.fractional_of(values),
            Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Remainder
            | Operator::Max
            | Operator::Min => self.arithmetic(operator, values)?,
        };
        // The result is no list, so nothing needs what was built for it; a text lies elsewhere.
        self.items.truncate(base);
        Ok(result)
    }

    /// All arguments in one list, arrays by their items.
    fn merge(&mut self, values: Span) -> Outcome<'a> {
        let start = self.items.len();
        for index in 0..values.len as usize {
            match values.of(&self.items).get(index).copied() {
                Some(Operand::List(span)) => {
                    self.charge(span.len as usize)?;
                    for index in 0..span.len as usize {
                        let item = span.of(&self.items).get(index).copied();
                        self.push(item.unwrap_or(Operand::Null))?;
                    }
                }
                Some(Operand::Json(serde_json::Value::Array(items))) => {
                    self.push_all(items)?;
                }
                Some(value) => self.push(value)?,
                None => {}
            }
        }
        Ok(Operand::List(Span::new(start, self.items.len() - start)))
    }

    /// `missing_some`: what is missing, unless as many as needed are there.
    fn missing_some(&mut self, values: Span) -> Outcome<'a> {
        let [needed, names] = values.of(&self.items) else { return Err(Fault::Arguments) };
        let needed = match self.view(needed) {
            needed @ (View::Number(_) | View::Text(_)) => coerce::numeric(needed)?,
            _ => return Err(Fault::Arguments),
        };
        let names = match *names {
            Operand::List(span) => span,
            Operand::Json(serde_json::Value::Array(items)) => self.push_all(items)?,
            // What names nothing misses nothing.
            _ => Span::new(self.items.len(), 0),
        };
        let mut missing = self.missing(names)?;
        if f64::from(names.len - missing.len.min(names.len)) >= needed {
            missing.len = 0;
        }
        Ok(Operand::List(missing))
    }
}
