//! A connection whose client may not be slow for ever: neither with the head of a request nor in taking an answer.
//!
//! hyper's own deadline for a head begins when the request before was answered, so it is also what ends connections that
//! nobody uses, and cannot be short. It has none for answers.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::metrics::{Closed, Metrics};
use super::places::Place;

/// How long a client may take for the beginning of an answer.
const GRACE: Duration = Duration::from_secs(10);

/// How many bytes of an answer a client has to take each second beyond that.
const SLOWEST: u64 = 8 << 10;

/// A stream with deadlines.
pub(super) struct Bounded<S> {
    stream: S,
    place: Arc<Place>,
    metrics: Arc<Metrics>,
    /// How long the head of a request may take.
    head: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    unsent: Option<Unsent>,
}

/// An answer that the client does not take as fast as we send it.
struct Unsent {
    since: Instant,
    sent: u64,
    timer: Pin<Box<Sleep>>,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S, place: Arc<Place>, head: Duration, metrics: Arc<Metrics>) -> Self {
        Self { stream, place, metrics, head, timer: None, unsent: None }
    }

    fn cut_off(&self, closed: Closed) -> io::Error {
        self.metrics.count_closed(closed);
        io::Error::from(ErrorKind::TimedOut)
    }

    /// Looks at the result of a write: who takes nothing has to go on before the deadline.
    fn wrote(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match (&result, &mut self.unsent) {
            (Poll::Ready(Ok(bytes)), Some(unsent)) => unsent.sent += *bytes as u64,
            (Poll::Pending, unsent) => {
                let unsent = unsent.get_or_insert_with(|| Unsent {
                    since: Instant::now(),
                    sent: 0,
                    timer: Box::pin(tokio::time::sleep(GRACE)),
                });
                let deadline = unsent.since + GRACE + Duration::from_secs(unsent.sent / SLOWEST);
                unsent.timer.as_mut().reset(deadline);
                if unsent.timer.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Err(self.cut_off(Closed::SlowReader)));
                }
            }
            _ => {}
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.place.heard();
        }
        if result.is_ready() {
            return result;
        }
        let Some(since) = self.place.asking_since() else {
            self.timer = None;
            return Poll::Pending;
        };
        let deadline = since + self.head;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(self.cut_off(Closed::SlowHead))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.wrote(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when everything that it had is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(result, Poll::Ready(Ok(()))) {
            self.unsent = None;
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::serve::places::Places;

    const HEAD: Duration = Duration::from_secs(10);

    async fn bounded(buffer: usize) -> (Bounded<DuplexStream>, DuplexStream, Arc<Place>) {
        let (ours, theirs) = duplex(buffer);
        let (held, _) = Places::new(1).take([127, 0, 0, 1].into()).await.unwrap();
        let place = Arc::clone(&held.place);
        (Bounded::new(ours, Arc::clone(&place), HEAD, Arc::new(Metrics::default())), theirs, place)
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_of_a_request_has_a_deadline_however_many_bytes_come() {
        let (mut stream, mut client, _) = bounded(64).await;
        let start = Instant::now();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if client.write_all(b"x").await.is_err() {
                    return;
                }
            }
        });
        let mut all = Vec::new();
        assert_eq!(stream.read_to_end(&mut all).await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() < HEAD + Duration::from_secs(1), "{:?}", start.elapsed());
        assert_eq!(stream.metrics.closed(Closed::SlowHead), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_an_answer_or_is_idle_has_no_deadline_here() {
        let (mut stream, mut client, place) = bounded(64).await;
        let mut byte = [0];
        for enter in [Place::served, Place::answered] {
            enter(&place);
            let read = tokio::time::timeout(Duration::from_secs(3600), stream.read(&mut byte)).await;
            assert!(read.is_err(), "still open");
        }
        // The first byte of the next request begins its time.
        client.write_all(b"G").await.unwrap();
        assert_eq!(stream.read(&mut byte).await.unwrap(), 1);
        assert_eq!(stream.read(&mut byte).await.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_an_answer_too_slowly_is_cut_off_and_who_is_just_slow_is_not() {
        for (bytes, outcome) in [(1usize, false), (16 << 10, true)] {
            let (mut stream, mut client, _) = bounded(1024).await;
            let reader = tokio::spawn(async move {
                let mut taken = vec![0; bytes];
                while client.read_exact(&mut taken).await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
            let answer = vec![0; 1 << 20];
            let sent = stream.write_all(&answer).await;
            assert_eq!(sent.is_ok(), outcome, "{bytes} bytes each second: {sent:?}");
            assert_eq!(stream.metrics.closed(Closed::SlowReader), u64::from(!outcome));
            drop(stream);
            reader.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_was_taken_is_forgotten() {
        let (mut stream, mut client, _) = bounded(8).await;
        for _ in 0..5 {
            let mut taken = [0; 16];
            let (sent, read) = tokio::join!(
                async {
                    stream.write_all(&[0; 16]).await?;
                    stream.flush().await
                },
                async {
                    tokio::time::sleep(Duration::from_secs(6)).await;
                    client.read_exact(&mut taken).await
                },
            );
            assert!(sent.is_ok() && read.is_ok());
        }
        // Nothing is under way: polling leaves no deadline behind.
        poll_fn(|context| Pin::new(&mut stream).poll_flush(context)).await.unwrap();
        assert!(stream.unsent.is_none());
    }
}
