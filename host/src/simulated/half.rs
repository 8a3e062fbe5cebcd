//! One half of an exchange on its way through the filter.

use std::collections::VecDeque;

use crate::abi::Action;
use crate::headers::Headers;

/// What has yet to be shown to the guest.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Stage {
    /// There is no message yet.
    #[default]
    Absent,
    Headers,
    Body,
    Trailers,
    Done,
}

/// What to show to the guest now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Headers { count: usize, end_of_stream: bool },
    Body { size: usize, end_of_stream: bool },
    Trailers { count: usize },
}

/// A message, and how far it has come.
#[derive(Debug, Default)]
pub(super) struct Half {
    pub(super) headers: Headers,
    pub(super) trailers: Headers,
    /// Pieces of the body that are still to come.
    pieces: VecDeque<Vec<u8>>,
    /// Whether pieces may follow that nobody knows yet.
    unfinished: bool,
    /// What the guest holds back, and the piece it is shown.
    pub(super) buffer: Vec<u8>,
    /// What has gone on.
    pub(super) passed: Vec<u8>,
    pub(super) stage: Stage,
    /// The last callback paused, and nothing has resumed it.
    pub(super) held: bool,
    /// The headers' callback paused, and the proxy lets nothing follow them.
    blocked: bool,
    /// The guest has asked to go on.
    pub(super) resumed: bool,
    pub(super) headers_open: bool,
    pub(super) body_open: bool,
    pub(super) trailers_open: bool,
}

impl Half {
    pub(super) fn new(headers: Headers, pieces: Vec<Vec<u8>>, trailers: Headers) -> Self {
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        Self { headers, trailers, pieces, stage: Stage::Headers, ..Self::default() }
    }

    /// More of the body will come than there is.
    pub(super) fn leave_unfinished(&mut self) {
        self.unfinished = true;
    }

    /// A piece of an unfinished body came; whether it was the last. False if nothing was to come.
    pub(super) fn receive(&mut self, piece: &[u8], is_last: bool) -> bool {
        let was_unfinished = self.unfinished;
        if was_unfinished {
            self.pieces.push_back(piece.to_vec());
            self.unfinished = !is_last;
        }
        was_unfinished
    }

    /// The next callback, and opens for the guest what it is about. `None` if there is nothing to show, or not yet.
    pub(super) fn next(&mut self) -> Option<Step> {
        if std::mem::take(&mut self.resumed) {
            self.pass();
        }
        if self.blocked {
            return None;
        }
        match self.stage {
            Stage::Absent | Stage::Done => None,
            Stage::Body if self.unfinished && self.pieces.is_empty() => None,
            Stage::Headers => {
                self.headers_open = true;
                self.stage = self.after_piece();
                let end_of_stream = self.stage == Stage::Done;
                Some(Step::Headers { count: self.headers.len(), end_of_stream })
            }
            Stage::Body => {
                self.body_open = true;
                self.buffer.extend(self.pieces.pop_front().unwrap_or_default());
                self.stage = self.after_piece();
                Some(Step::Body { size: self.buffer.len(), end_of_stream: self.stage == Stage::Done })
            }
            Stage::Trailers => {
                self.trailers_open = true;
                self.stage = Stage::Done;
                Some(Step::Trailers { count: self.trailers.len() })
            }
        }
    }

    /// What the guest made of a step.
    ///
    /// A pause in the headers lets the body follow only if the proxy `allows` that; a pause in the body only holds
    /// it back. Going on with the body goes on with the headers too.
    pub(super) fn done(&mut self, step: Step, action: Action, allow_stop_iteration: bool) {
        match action {
            Action::Pause => {
                self.held = true;
                self.blocked = matches!(step, Step::Headers { .. }) && !allow_stop_iteration;
            }
            Action::Continue => {
                match step {
                    Step::Headers { .. } => self.headers_open = false,
                    Step::Body { .. } => self.body_open = false,
                    Step::Trailers { .. } => self.trailers_open = false,
                }
                self.pass();
            }
        }
    }

    /// Lets the guest see no more of this half.
    pub(super) fn close(&mut self) {
        self.headers_open = false;
        self.body_open = false;
        self.trailers_open = false;
    }

    /// Lets all of it go on without a look from the guest.
    pub(super) fn skip(&mut self) {
        self.close();
        self.buffer.extend(self.pieces.drain(..).flatten());
        self.stage = Stage::Done;
        self.pass();
    }

    /// Whether all of it has gone on.
    pub(super) fn is_through(&self) -> bool {
        self.stage == Stage::Done && !self.held
    }

    fn pass(&mut self) {
        self.held = false;
        self.blocked = false;
        self.passed.append(&mut self.buffer);
    }

    fn after_piece(&self) -> Stage {
        if self.unfinished || !self.pieces.is_empty() {
            Stage::Body
        } else if !self.trailers.is_empty() {
            Stage::Trailers
        } else {
            Stage::Done
        }
    }
}
