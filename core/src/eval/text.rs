//! `cat` and `substr`. Texts that a rule builds lie in the scratch.

use super::operand::{Operand, Span, View};
use super::{Fault, MOST_BUILT, Machine, Outcome};
use crate::value::Attributes;

impl<'a, A: Attributes + ?Sized> Machine<'a, '_, A> {
    /// All arguments as one text; null is nothing.
    pub(super) fn cat(&mut self, values: Span) -> Outcome<'a> {
        let start = self.scratch.text.len();
        for index in 0..values.len as usize {
            let Some(value) = values.of(&self.items).get(index).copied() else { break };
            self.append(value, 0)?;
        }
        Ok(Operand::Built(Span::new(start, self.scratch.text.len() - start)))
    }

    /// Appends a value as ECMAScript writes it.
    fn append(&mut self, value: Operand<'a>, depth: usize) -> Result<(), Fault> {
        match value {
            Operand::Null => {}
            Operand::Bool(true) => self.append_text("true")?,
            Operand::Bool(false) => self.append_text("false")?,
            Operand::Number(number) => self.append_text(ryu_js::Buffer::new().format(number))?,
            Operand::Text(text) => self.append_text(text)?,
            Operand::Built(span) => {
                let (start, len) = (span.start as usize, span.len as usize);
                self.room_for(len)?;
                self.scratch.text.extend_from_within(start..start + len);
            }
            Operand::Json(serde_json::Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.append_item(index, Operand::from(item), depth)?;
                }
            }
            Operand::Json(_) => self.append_text("[object Object]")?,
            Operand::List(span) => {
                for index in 0..span.len as usize {
                    let item = span.of(&self.items).get(index).copied().unwrap_or(Operand::Null);
                    self.append_item(index, item, depth)?;
                }
            }
        }
        Ok(())
    }

    fn append_item(&mut self, index: usize, item: Operand<'a>, depth: usize) -> Result<(), Fault> {
        self.charge(1)?;
        if depth > 64 {
            return Err(Fault::TooMuchWork);
        }
        if index > 0 {
            self.append_text(",")?;
        }
        self.append(item, depth + 1)
    }

    fn append_text(&mut self, text: &str) -> Result<(), Fault> {
        self.room_for(text.len())?;
        self.scratch.text.push_str(text);
        Ok(())
    }

    fn room_for(&mut self, len: usize) -> Result<(), Fault> {
        self.charge(len / 64)?;
        if self.scratch.text.len().saturating_add(len) > MOST_BUILT {
            return Err(Fault::TooMuchWork);
        }
        Ok(())
    }

    /// `substr`: from a place, counted from the end when negative, and so many UTF-16 code units, or up to so many
    /// before the end when that is negative.
    pub(super) fn substr(&mut self, values: Span) -> Outcome<'a> {
        let items = values.of(&self.items);
        let (text, from, len) = match items {
            [text] => (text, 0.0, None),
            [text, from] => (text, self.number_or_zero(from)?, None),
            [text, from, len, ..] => (text, self.number_or_zero(from)?, Some(self.number_or_zero(len)?)),
            [] => return Err(Fault::Arguments),
        };
        let View::Text(source) = self.view(text) else { return Err(Fault::Arguments) };
        let units = if source.is_ascii() { source.len() } else { source.encode_utf16().count() };
        let total = units as f64;
        let from = if from < 0.0 { (total + from.ceil()).max(0.0) } else { from.floor().min(total) };
        let end = match len {
            None => total,
            Some(len) if len < 0.0 => (total + len.ceil()).max(from),
            Some(len) => (from + len.floor()).min(total),
        };
        let (from, end) = (from as usize, end as usize);
        match *text {
            Operand::Text(text) if text.is_ascii() => {
                Ok(Operand::Text(text.get(from..end).unwrap_or_default()))
            }
            Operand::Built(span) if source.is_ascii() => {
                Ok(Operand::Built(Span::new(span.start as usize + from, end.saturating_sub(from))))
            }
            _ => {
                let part = source.encode_utf16().skip(from).take(end.saturating_sub(from));
                let part: String =
                    char::decode_utf16(part).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
                let start = self.scratch.text.len();
                self.append_text(&part)?;
                Ok(Operand::Built(Span::new(start, self.scratch.text.len() - start)))
            }
        }
    }

    /// A position, as ECMAScript reads one: what is not a number is 0.
    fn number_or_zero(&self, value: &Operand<'a>) -> Result<f64, Fault> {
        Ok(match self.view(value) {
            View::Number(number) if !number.is_nan() => number,
            View::Text(text) => {
                Some(super::coerce::text_to_number(text)).filter(|n| !n.is_nan()).unwrap_or(0.0)
            }
            View::Bool(value) => f64::from(u8::from(value)),
            _ => 0.0,
        })
    }
}
