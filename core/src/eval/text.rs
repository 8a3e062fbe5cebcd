//! `cat` and `substr`. Texts that a rule builds lie in the scratch.

use super::operand::{Operand, Span, View};
use super::{Fault, Machine, Outcome, coerce};
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

    /// A list or an object as its text; other values are what they are.
    pub(super) fn in_text(&mut self, value: Operand<'a>) -> Outcome<'a> {
        if !matches!(self.view(&value), View::Array(_) | View::List(_) | View::Object(_)) {
            return Ok(value);
        }
        self.written(value)
    }

    /// A value as the text that ECMAScript makes of it.
    fn written(&mut self, value: Operand<'a>) -> Outcome<'a> {
        let start = self.scratch.text.len();
        self.append(value, 0)?;
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
            Operand::Constant(text) => self.append_text(self.snapshot.text.get(text))?,
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
        if self.scratch.text.len().saturating_add(len) > self.most_text {
            return Err(Fault::TooMuchWork);
        }
        Ok(())
    }

    /// `substr`: from a place, counted from the end when negative, and so many UTF-16 code units, or up to so many
    /// before the end when that is negative.
    pub(super) fn substr(&mut self, values: Span) -> Outcome<'a> {
        let items = values.of(&self.items);
        let (text, from, len) = match items {
            [text] => (*text, 0.0, None),
            [text, from] => (*text, self.number_or_zero(from), None),
            [text, from, len, ..] => (*text, self.number_or_zero(from), Some(self.number_or_zero(len))),
            [] => return Err(Fault::Arguments),
        };
        // As in flagd's Go: a number is its text, null an empty one.
        let text = match text {
            Operand::Null => Operand::Text(""),
            Operand::Number(_) => self.written(text)?,
            text => text,
        };
        let View::Text(source) = self.view(&text) else { return Err(Fault::Arguments) };
        let units = if source.is_ascii() { source.len() } else { source.encode_utf16().count() };
        let total = units as f64;
        let from = from.trunc();
        let from = if from < 0.0 { (total + from).max(0.0) } else { from.min(total) };
        let end = match len {
            None => total,
            Some(len) if len < 0.0 => from + (total - from + len).trunc().max(0.0),
            Some(len) => (from + len.trunc()).min(total),
        };
        let (from, end) = (from as usize, end as usize);
        if end <= from {
            return Ok(Operand::Text(""));
        }
        let (start, torn_start) = utf16_offset(source, from);
        let (end, torn_end) = utf16_offset(source, end);
        if torn_start || torn_end {
            return self.torn(text, start, end, torn_start, torn_end);
        }
        Ok(match text {
            Operand::Text(text) => Operand::Text(text.get(start..end).unwrap_or_default()),
            Operand::Constant(text) => {
                Operand::Text(self.snapshot.text.get(text).get(start..end).unwrap_or_default())
            }
            Operand::Built(span) => Operand::Built(Span::new(span.start as usize + start, end - start)),
            other => other,
        })
    }

    /// A part that begins or ends inside a character beyond U+FFFF. ECMAScript keeps half of it, which no text in UTF-8
    /// can; what stands for it equals no other text that a document could compare it with.
    fn torn(
        &mut self,
        text: Operand<'a>,
        start: usize,
        end: usize,
        torn_start: bool,
        torn_end: bool,
    ) -> Outcome<'a> {
        let base = self.scratch.text.len();
        if torn_start {
            self.append_text("\u{fffd}")?;
        }
        // Where both ends lie in one character, nothing is left between them.
        let start = if torn_start { start + 4 } else { start };
        match text {
            Operand::Text(text) => self.append_text(text.get(start..end).unwrap_or_default())?,
            Operand::Constant(text) => {
                self.append_text(self.snapshot.text.get(text).get(start..end).unwrap_or_default())?;
            }
            Operand::Built(span) => {
                self.room_for(end.saturating_sub(start))?;
                let (start, end) = (span.start as usize + start, span.start as usize + end);
                if start < end {
                    self.scratch.text.extend_from_within(start..end);
                }
            }
            _ => {}
        }
        if torn_end {
            self.append_text("\u{fffd}")?;
        }
        Ok(Operand::Built(Span::new(base, self.scratch.text.len() - base)))
    }

    /// A position, as ECMAScript reads one: what is not a number is 0.
    fn number_or_zero(&self, value: &Operand<'a>) -> f64 {
        Some(coerce::numeric(self.view(value)).unwrap_or(0.0))
            .filter(|number| !number.is_nan())
            .unwrap_or(0.0)
    }
}

/// The byte at which the UTF-16 code unit `unit` begins, and whether that unit is the second half of a character: then
/// it is the byte at which the character begins.
fn utf16_offset(text: &str, unit: usize) -> (usize, bool) {
    if text.is_ascii() {
        return (unit.min(text.len()), false);
    }
    let mut units = 0;
    for (offset, c) in text.char_indices() {
        match units + c.len_utf16() {
            _ if units == unit => return (offset, false),
            after if after > unit => return (offset, true),
            after => units = after,
        }
    }
    (text.len(), false)
}

#[cfg(test)]
mod tests {
    use super::utf16_offset;

    #[test]
    fn units_are_found_and_halves_are_told() {
        let text = "aé😀b";
        let offsets: Vec<_> = (0..=6).map(|unit| utf16_offset(text, unit)).collect();
        assert_eq!(
            offsets,
            [(0, false), (1, false), (3, false), (3, true), (7, false), (8, false), (8, false)]
        );
    }
}
