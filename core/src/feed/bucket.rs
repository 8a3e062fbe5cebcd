//! How often a source may be asked, whatever it answers: a token bucket.

/// How many questions may follow each other at once.
const MAX_TOKENS: u64 = 20;

/// Questions that may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    tokens: u64,
    /// Up to when tokens were put in, in milliseconds.
    filled: u64,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { tokens: MAX_TOKENS, filled: 0 }
    }
}

impl Bucket {
    /// Takes a token, of which there is one more every `period` milliseconds. Without one, how long to wait for the next.
    ///
    /// # Errors
    /// When there is none.
    pub fn take(&mut self, now: u64, period: u64) -> Result<(), u64> {
        let period = period.max(1);
        // A clock that was set back brings no token, and takes none.
        let more = now.saturating_sub(self.filled) / period;
        self.tokens = self.tokens.saturating_add(more).min(MAX_TOKENS);
        self.filled = match self.tokens == MAX_TOKENS || now < self.filled {
            true => now,
            false => self.filled.saturating_add(more.saturating_mul(period)),
        };
        if self.tokens == 0 {
            return Err(period.saturating_sub(now.saturating_sub(self.filled)).max(1));
        }
        self.tokens -= 1;
        Ok(())
    }
}
