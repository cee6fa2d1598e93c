//! What is sent and what comes back, chunk by chunk: lengths are kept, secrets are looked for, trailers are bounded.

use super::meter::Exchange;
use super::{BodyScan, Problem, Refused, headers};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// A body in either direction.
pub(crate) type Body = UnsyncBoxBody<Bytes, Problem>;

/// Empty chunks of an answer that are passed over before others get their turn. Whoever reads would otherwise never come back while
/// a server sends nothing but them.
const MOST_EMPTY: usize = 32;

/// The body of a request on its way out.
pub(super) struct Outgoing {
    inner: Body,
    declared: Option<u64>,
    seen: u64,
    /// The chunk that completes the declared length, until the guest has said that this was all: a request that is not as declared
    /// must not arrive as a complete one.
    held: Option<Bytes>,
    ended: bool,
    scan: Box<dyn BodyScan>,
    /// Records that a chunk was refused.
    refuse: Box<dyn Fn(Refused) + Send>,
    exchange: Arc<Exchange>,
}

impl Outgoing {
    pub(super) fn new(
        inner: Body,
        declared: Option<u64>,
        scan: Box<dyn BodyScan>,
        refuse: Box<dyn Fn(Refused) + Send>,
        exchange: Arc<Exchange>,
    ) -> Outgoing {
        Outgoing { inner, declared, seen: 0, held: None, ended: false, scan, refuse, exchange }
    }

    fn give_up(&mut self, problem: Problem) -> Poll<Option<Result<Frame<Bytes>, Problem>>> {
        self.ended = true;
        Poll::Ready(Some(Err(self.exchange.end(problem))))
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = Problem;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Problem>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            let frame = match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(problem)) => return self.give_up(problem),
                None => {
                    if self.declared.is_some_and(|declared| declared != self.seen) {
                        let seen = self.seen;
                        return self.give_up(Problem::RequestBody(seen));
                    }
                    let rest = match self.scan.finish() {
                        Ok(rest) => rest,
                        Err(refused) => {
                            (self.refuse)(refused);
                            return self.give_up(Problem::Denied);
                        }
                    };
                    self.ended = true;
                    let last = match self.held.take() {
                        Some(held) if rest.is_empty() => held,
                        Some(held) => [held, rest].concat().into(),
                        None => rest,
                    };
                    return Poll::Ready((!last.is_empty()).then(|| Ok(Frame::data(last))));
                }
            };
            match frame.into_data() {
                Ok(chunk) if chunk.is_empty() => {}
                Ok(chunk) => {
                    self.seen += chunk.len() as u64;
                    if self.declared.is_some_and(|declared| self.seen > declared) {
                        let seen = self.seen;
                        return self.give_up(Problem::RequestBody(seen));
                    }
                    let chunk = match self.scan.push(chunk) {
                        Ok(chunk) => chunk,
                        Err(refused) => {
                            (self.refuse)(refused);
                            return self.give_up(Problem::Denied);
                        }
                    };
                    if self.declared == Some(self.seen) {
                        self.held = Some(chunk);
                    } else if !chunk.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(chunk))));
                    }
                }
                // Nobody looks for secrets in them, and nobody is known to need them.
                Err(frame) if frame.trailers_ref().is_some_and(|trailers| !trailers.is_empty()) => {
                    return self.give_up(Problem::RequestTrailers);
                }
                Err(_) => {}
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && (self.ended || self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.declared.map_or_else(|| self.inner.size_hint(), SizeHint::with_exact)
    }
}

/// The body of an answer on its way in.
pub(super) struct Answered {
    inner: Incoming,
    exchange: Arc<Exchange>,
    /// How long a chunk may take, if the guest said so, and the clock of it.
    patience: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Answered {
    pub(super) fn new(inner: Incoming, exchange: Arc<Exchange>, patience: Option<Duration>) -> Answered {
        let patience = patience.map(|most| (most, Box::pin(tokio::time::sleep(most))));
        Answered { inner, exchange, patience }
    }
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = Problem;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Problem>>> {
        for _ in 0..MOST_EMPTY {
            let frame = match Pin::new(&mut self.inner).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(self.exchange.problem(&error)))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    let Some((_, clock)) = &mut self.patience else { return Poll::Pending };
                    ready!(clock.as_mut().poll(cx));
                    return Poll::Ready(Some(Err(self.exchange.end(Problem::ReadTimeout))));
                }
            };
            if frame.data_ref().is_some_and(Bytes::is_empty) {
                continue;
            }
            if frame.trailers_ref().is_some_and(|trailers| headers::fits(trailers).is_none()) {
                return Poll::Ready(Some(Err(self.exchange.end(Problem::ResponseTrailers))));
            }
            if let Some((most, clock)) = &mut self.patience {
                clock.as_mut().reset(Instant::now() + *most);
            }
            return Poll::Ready(Some(Ok(frame)));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
