//! HTTP callouts, which the test answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::SimulatedProxy;
use super::message::Response;
use super::world::World;
use crate::abi::Status;
use crate::error::Error;
use crate::proxy::{Callouts, HttpCall, RootId};

/// A callout that has not been answered yet.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) root: RootId,
    pub(super) token: u32,
    pub(super) call: HttpCall,
    pub(super) deadline: Option<Duration>,
}

/// All that is known of callouts.
#[derive(Default)]
pub(super) struct CalloutBook {
    pub(super) clusters: BTreeSet<Vec<u8>>,
    pub(super) without_endpoints: BTreeSet<Vec<u8>>,
    pub(super) pending: Vec<Pending>,
    pub(super) made: u64,
    /// The last token of each VM. As in Envoy, they are unique in a VM, and VMs count for themselves.
    tokens: BTreeMap<u32, u32>,
}

impl CalloutBook {
    /// The earliest deadline that has passed at `until`.
    pub(super) fn next_deadline(&self, until: Duration) -> Option<(Duration, u64)> {
        let deadlines = self.pending.iter().filter_map(|callout| Some((callout.deadline?, callout.number)));
        deadlines.filter(|(deadline, _)| *deadline <= until).min()
    }

    /// The next token of a VM: not 0, and none that waits for its answer.
    fn new_token(&mut self, vm: u32) -> u32 {
        let last = self.tokens.entry(vm).or_default();
        loop {
            *last = last.wrapping_add(1);
            let taken = |callout: &Pending| callout.root.vm == vm && callout.token == *last;
            if *last != 0 && !self.pending.iter().any(taken) {
                return *last;
            }
        }
    }

    pub(super) fn take(&mut self, number: u64) -> Option<Pending> {
        let at = self.pending.iter().position(|callout| callout.number == number)?;
        Some(self.pending.remove(at))
    }
}

impl Callouts for World {
    fn dispatch(&self, root: RootId, call: HttpCall) -> Result<u32, Status> {
        let mut book = self.callouts.borrow_mut();
        if !book.clusters.contains(&call.upstream) {
            return Err(Status::BadArgument);
        }
        if book.without_endpoints.contains(&call.upstream) {
            return Err(Status::InternalFailure);
        }
        let token = book.new_token(root.vm);
        book.made += 1;
        let number = book.made;
        let deadline = (!call.timeout.is_zero()).then(|| self.now.get() + call.timeout);
        book.pending.push(Pending { number, root, token, call, deadline });
        Ok(token)
    }
}

/// How a callout fails after it was sent, each as Envoy shows it to the guest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CalloutFailure {
    /// Nobody listens: a response with `:status` 503.
    Refused,
    /// No answer in time: a response with `:status` 504. Also happens by itself when the clock passes the timeout.
    Timeout,
    /// The answer broke off: 0 headers and 0 bytes.
    Truncated,
    /// The answer is longer than the proxy buffers: 0 headers and 0 bytes.
    TooLong,
}

/// A callout that waits for its answer, which a test may give now, later, or never.
#[derive(Clone)]
pub struct Callout {
    pub(super) proxy: SimulatedProxy,
    pub(super) pending: Pending,
}

impl Callout {
    /// What was asked.
    pub fn call(&self) -> &HttpCall {
        &self.pending.call
    }

    /// Whom it was asked of, as text.
    pub fn cluster(&self) -> String {
        String::from_utf8_lossy(&self.pending.call.upstream).into_owned()
    }

    /// A request header as text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.pending.call.headers.text(name)
    }

    /// The root context that asked.
    pub fn root(&self) -> RootId {
        self.pending.root
    }

    /// Delivers an answer to the guest, and does whatever follows from it: paused requests that the guest resumes
    /// go on before this returns.
    ///
    /// # Errors
    /// [`Error::Misuse`] if the callout was answered before, has timed out, or is of a context or VM that is gone;
    /// and those that any callback may return.
    pub fn answer(&self, response: impl Into<Response>) -> Result<(), Error> {
        self.proxy.answer(self.pending.number, Some(response.into()))
    }

    /// Lets the callout fail.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub fn fail(&self, failure: CalloutFailure) -> Result<(), Error> {
        self.proxy.answer(self.pending.number, failure.response())
    }

    /// Sees to it that the callout is never answered, not even by its timeout, as Envoy's canary VM has it.
    pub fn forget(&self) {
        let Pending { number, root, token, .. } = self.pending;
        if self.proxy.world().callouts.borrow_mut().take(number).is_some() {
            self.proxy.forget_call(root.vm, token);
        }
    }
}

impl CalloutFailure {
    pub(super) fn response(self) -> Option<Response> {
        match self {
            Self::Refused => {
                Some(Response::new(503).text("upstream connect error or disconnect/reset before headers"))
            }
            Self::Timeout => Some(Response::new(504).text("upstream request timeout")),
            Self::Truncated | Self::TooLong => None,
        }
    }
}

impl fmt::Debug for Callout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callout").field("root", &self.pending.root).field("call", &self.pending.call).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CalloutBook, Pending};
    use crate::headers::Headers;
    use crate::proxy::{HttpCall, RootId};

    #[test]
    fn tokens_go_round_past_zero_and_past_those_that_wait() {
        let mut book = CalloutBook::default();
        assert_eq!([book.new_token(7), book.new_token(7), book.new_token(8)], [1, 2, 1]);
        let call = HttpCall {
            upstream: Vec::new(),
            headers: Headers::new(),
            body: Vec::new(),
            trailers: Headers::new(),
            timeout: Duration::ZERO,
        };
        let root = RootId { vm: 7, context: 1 };
        book.pending.push(Pending { number: 1, root, token: 1, call, deadline: None });
        book.tokens.insert(7, u32::MAX - 1);
        book.tokens.insert(8, u32::MAX);
        assert_eq!([book.new_token(7), book.new_token(7)], [u32::MAX, 2]);
        assert_eq!(book.new_token(8), 1, "another VM's token is no hindrance");
    }
}
