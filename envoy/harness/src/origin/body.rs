//! Bodies as a source in trouble sends them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Interval, Sleep, interval, sleep};

/// A body whose length is announced, whatever comes of it.
#[derive(Debug)]
pub(super) struct Told {
    rest: Bytes,
    pace: Pace,
}

#[derive(Debug)]
enum Pace {
    /// All of it.
    Whole,
    /// The first half; then, once that is on its way, the connection breaks.
    Half(Option<Pin<Box<Sleep>>>),
    /// A byte at every tick.
    Drip(Interval),
}

impl Told {
    pub(super) fn whole(rest: Bytes) -> Self {
        Self { rest, pace: Pace::Whole }
    }

    pub(super) fn half(rest: Bytes) -> Self {
        Self { rest, pace: Pace::Half(None) }
    }

    pub(super) fn drip(rest: Bytes, period: Duration) -> Self {
        Self { rest, pace: Pace::Drip(interval(period)) }
    }
}

/// Ends the connection before the body is complete.
#[derive(Debug)]
pub(super) struct BreaksOff;

impl std::fmt::Display for BreaksOff {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("told to break off")
    }
}

impl std::error::Error for BreaksOff {}

type Step = Option<Result<Frame<Bytes>, BreaksOff>>;

impl Body for Told {
    type Data = Bytes;
    type Error = BreaksOff;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Step> {
        let told = &mut *self;
        let bytes = match &mut told.pace {
            _ if told.rest.is_empty() => return Poll::Ready(None),
            Pace::Whole => std::mem::take(&mut told.rest),
            Pace::Half(Some(pause)) => {
                ready!(pause.as_mut().poll(context));
                return Poll::Ready(Some(Err(BreaksOff)));
            }
            Pace::Half(pause) => {
                *pause = Some(Box::pin(sleep(Duration::from_millis(50))));
                told.rest.split_to(told.rest.len() / 2)
            }
            Pace::Drip(ticks) => {
                ready!(ticks.poll_tick(context));
                told.rest.split_to(1)
            }
        };
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
