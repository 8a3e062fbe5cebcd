//! What an evaluation may still take. A walk that explains one asks for its parts again: each gets as much as the whole
//! had left when it came there, and leaves nothing behind.

use super::{MOST_BUILT, MOST_STEPS, Machine};

/// What an evaluation may still take: steps, and what it may build.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) steps: u32,
    items: usize,
    text: usize,
}

impl Room {
    pub(crate) const ALL: Self = Self { steps: MOST_STEPS, items: MOST_BUILT, text: MOST_BUILT };

    /// What the arguments of a node have that had this.
    pub(crate) fn less_a_step(self) -> Self {
        Self { steps: self.steps.saturating_sub(1), ..self }
    }

    /// With the steps of `later`: what was built in between is not needed any more.
    pub(crate) fn after(self, later: Self) -> Self {
        Self { steps: later.steps, ..self }
    }
}

/// How much an evaluation had built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    items: usize,
    text: usize,
}

impl<A: ?Sized> Machine<'_, '_, A> {
    pub(crate) fn room(&self) -> Room {
        Room {
            steps: self.steps,
            items: self.most_items.saturating_sub(self.items.len()),
            text: self.most_text.saturating_sub(self.scratch.text.len()),
        }
    }

    pub(crate) fn set_room(&mut self, room: Room) {
        self.steps = room.steps;
        self.most_items = self.items.len() + room.items;
        self.most_text = self.scratch.text.len() + room.text;
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { items: self.items.len(), text: self.scratch.text.len() }
    }

    /// Forgets what was built since `mark`. No value that it holds may be looked at afterwards.
    pub(crate) fn release(&mut self, mark: Mark) {
        self.items.truncate(mark.items);
        self.scratch.text.truncate(mark.text);
    }
}
