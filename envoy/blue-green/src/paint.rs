//! Colour for terminals, and nothing but text for everything else.

use std::env;
use std::io::{IsTerminal, stdout};

/// Paints text if the output is a terminal and `NO_COLOR` is unset or empty (no-color.org).
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    colour: bool,
    terminal: bool,
}

impl Paint {
    /// As the program's standard output wants it.
    #[must_use]
    pub fn for_stdout() -> Self {
        let terminal = stdout().is_terminal();
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: terminal && !refused, terminal }
    }

    /// Whether a line can be written over.
    #[must_use]
    pub fn can_rewrite(self) -> bool {
        self.terminal
    }

    /// A heading.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What matters less.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// What went wrong.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// What went well.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.with("1;32", text)
    }

    /// In the colour that the text's subject bears, if terminals have it.
    #[must_use]
    pub fn named(self, colour: &str, text: &str) -> String {
        match colour {
            "blue" => self.with("34", text),
            "green" => self.with("32", text),
            _ => text.to_owned(),
        }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
