//! Standard output and error of a guest: lines of its log. Never a terminal, and never the engine's own output.

use super::log::LogBudget;
use orch_core::{LogLevel, MaskStream, Masker};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// One of the two streams. All handles of a stream share the line that is not yet ended, and what may be the beginning of a secret.
#[derive(Clone)]
pub(crate) struct GuestOutput {
    log: Arc<Mutex<LogBudget>>,
    line: Arc<Mutex<Line>>,
    is_stderr: bool,
}

struct Line {
    masked: MaskStream,
    bytes: Vec<u8>,
}

/// How much a guest may write at once.
const PERMIT: usize = 64 << 10;

impl GuestOutput {
    pub(crate) fn stdout(log: Arc<Mutex<LogBudget>>, masker: &Arc<Masker>) -> GuestOutput {
        GuestOutput::new(log, masker, LogLevel::Info)
    }

    pub(crate) fn stderr(log: Arc<Mutex<LogBudget>>, masker: &Arc<Masker>) -> GuestOutput {
        GuestOutput::new(log, masker, LogLevel::Warn)
    }

    fn new(log: Arc<Mutex<LogBudget>>, masker: &Arc<Masker>, level: LogLevel) -> GuestOutput {
        let line = Line { masked: MaskStream::new(Arc::clone(masker)), bytes: Vec::new() };
        GuestOutput { log, line: Arc::new(Mutex::new(line)), is_stderr: level == LogLevel::Warn }
    }

    /// The log that its lines go to.
    pub(crate) fn log(&self) -> Arc<Mutex<LogBudget>> {
        Arc::clone(&self.log)
    }

    fn take(&self, bytes: &[u8]) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        // Before lines are made and cut: a secret may have several, and half of one would not be found any more.
        let known = line.masked.push(bytes);
        self.split(&mut log, &mut line.bytes, &known);
    }

    fn split(&self, log: &mut LogBudget, line: &mut Vec<u8>, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            // One byte more than allowed is kept, so that the cut is seen and told.
            let room = (log.most_line() + 1).saturating_sub(line.len());
            let kept = &part[..part.len().min(room)];
            log.cut += (part.len() - kept.len()) as u64;
            line.extend_from_slice(kept);
            if part.ends_with(b"\n") {
                self.end_line(log, line);
            }
        }
    }

    fn end_line(&self, log: &mut LogBudget, line: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned();
        line.clear();
        if self.is_stderr {
            log.remember_stderr(&text);
        }
        let level = if self.is_stderr { LogLevel::Warn } else { LogLevel::Info };
        log.line(level, text, Vec::new());
    }

    /// A last line without an end.
    pub(crate) fn finish(&self) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = line.masked.finish();
        self.split(&mut log, &mut line.bytes, &rest);
        if !line.bytes.is_empty() {
            self.end_line(&mut log, &mut line.bytes);
        }
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

impl AsyncWrite for GuestOutput {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
