//! What an attempt may send and receive: the number of requests, and bytes both ways, counted on the connection itself, so that
//! framing, fields and what no guest ever sees count as well.

use super::Problem;
use orch_core::Limits;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of a connection before the fields of the answer are complete: the handshake of TLS, settings of HTTP/2, informational
/// answers (1xx), the fields themselves. A server could send informational answers for ever.
const BEFORE_ANSWER: u64 = 1 << 20;

/// The budgets of one attempt.
#[derive(Debug)]
pub(crate) struct Meter {
    requests: AtomicU64,
    traffic: AtomicU64,
    most_requests: u64,
    most_traffic: u64,
    reached: OnceLock<&'static str>,
    over: AtomicBool,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Meter {
        Meter {
            requests: AtomicU64::new(0),
            traffic: AtomicU64::new(0),
            most_requests: limits.requests,
            most_traffic: limits.traffic.bytes(),
            reached: OnceLock::new(),
            over: AtomicBool::new(false),
        }
    }

    /// The name of the limit that was reached first.
    pub(crate) fn reached(&self) -> Option<&'static str> {
        self.reached.get().copied()
    }

    /// Nothing more is sent. Without this, a body that ends because its guest was cut off would look complete to the server.
    pub(crate) fn close(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Counts a request, or a connection or datagram of a raw socket.
    pub(crate) fn request(&self) -> Result<(), Problem> {
        if self.requests.fetch_add(1, Ordering::Relaxed) >= self.most_requests {
            let _first_wins = self.reached.set("requests");
            return Err(Problem::Limit);
        }
        Ok(())
    }

    /// Counts bytes of a connection.
    pub(crate) fn bytes(&self, count: usize) -> Result<(), Problem> {
        let count = count as u64;
        if self.traffic.fetch_add(count, Ordering::Relaxed).saturating_add(count) > self.most_traffic {
            let _first_wins = self.reached.set("traffic");
            return Err(Problem::Limit);
        }
        Ok(())
    }
}

/// One request with its answer: why it came to an end, for whoever is asked later.
#[derive(Debug)]
pub(super) struct Exchange {
    meter: Arc<Meter>,
    early: AtomicU64,
    answered: AtomicBool,
    fault: OnceLock<Problem>,
}

impl Exchange {
    pub(super) fn new(meter: Arc<Meter>) -> Exchange {
        Exchange { meter, early: AtomicU64::new(0), answered: AtomicBool::new(false), fault: OnceLock::new() }
    }

    /// The fields of the answer are there.
    pub(super) fn answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Keeps why it ends; the first reason wins.
    pub(super) fn end(&self, problem: Problem) -> Problem {
        let _first_wins = self.fault.set(problem);
        self.fault.get().cloned().unwrap_or(Problem::Terminated)
    }

    /// What an error of the HTTP library means.
    pub(super) fn problem(&self, error: &hyper::Error) -> Problem {
        if let Some(fault) = self.fault.get() {
            return fault.clone();
        }
        if error.is_parse_too_large() {
            Problem::ResponseHeaders
        } else if error.is_parse() {
            Problem::Protocol
        } else if error.is_incomplete_message() || error.is_body_write_aborted() {
            Problem::ResponseIncomplete
        } else if error.is_timeout() {
            Problem::ReadTimeout
        } else if error.is_closed() || error.is_canceled() {
            Problem::Terminated
        } else {
            match std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>()) {
                Some(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Problem::ResponseIncomplete,
                Some(_) => Problem::Terminated,
                None => Problem::Protocol,
            }
        }
    }

    fn read(&self, count: usize) -> Result<(), Problem> {
        self.meter.bytes(count)?;
        let early = !self.answered.load(Ordering::Relaxed)
            && self.early.fetch_add(count as u64, Ordering::Relaxed) + count as u64 > BEFORE_ANSWER;
        if early { Err(Problem::ResponseHeaders) } else { Ok(()) }
    }

    fn write(&self, count: usize) -> Result<(), Problem> {
        if self.meter.over.load(Ordering::SeqCst) {
            return Err(Problem::Over);
        }
        self.meter.bytes(count)
    }
}

/// A connection whose bytes are counted.
pub(super) struct Counted<S> {
    inner: S,
    exchange: Arc<Exchange>,
}

impl<S> Counted<S> {
    pub(super) fn new(inner: S, exchange: Arc<Exchange>) -> Counted<S> {
        Counted { inner, exchange }
    }

    fn counted(&self, result: Result<(), Problem>) -> io::Result<()> {
        result.map_err(|problem| io::Error::other(self.exchange.end(problem)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        Poll::Ready(self.counted(self.exchange.read(buffer.filled().len() - before)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Asked before, so that nothing leaves that is beyond the limit; counted after, since a connection may take less.
        self.counted(self.exchange.write(0))?;
        let room = self.exchange.meter.most_traffic.saturating_sub(self.exchange.meter.traffic.load(Ordering::Relaxed));
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        if room == 0 && !bytes.is_empty() {
            return Poll::Ready(self.counted(self.exchange.write(1)).map(|()| 0));
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &bytes[..bytes.len().min(room)]))?;
        self.counted(self.exchange.write(written))?;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
