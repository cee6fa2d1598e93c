//! What a task may say, counted: bytes in all, bytes a line, lines a second. Past a limit the log is cut, with a marker; a task
//! never fails for talking.

use orch_core::{Limits, LiveEvents, LogLevel, Masker, Size};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) struct LogBudget {
    live: Arc<dyn LiveEvents>,
    masker: Arc<Masker>,
    bytes_left: u64,
    most_bytes: u64,
    most_line: usize,
    most_rate: u64,
    window: Instant,
    in_window: u64,
    dropped_in_window: u64,
    /// Bytes that were cut away.
    pub(crate) cut: u64,
    exhausted: bool,
    /// The end of standard error, for the message of a trap.
    pub(crate) stderr_tail: String,
}

/// What a line costs beside its text, and a field of it: a line is an event of the run, also an empty one.
const LINE: u64 = 64;
const FIELD: usize = 8;

/// What is kept of standard error for the message of a trap.
const TAIL: usize = 4 << 10;

impl LogBudget {
    pub(crate) fn new(limits: &Limits, live: Arc<dyn LiveEvents>, masker: Arc<Masker>) -> LogBudget {
        LogBudget {
            live,
            masker,
            bytes_left: limits.log.bytes(),
            most_bytes: limits.log.bytes(),
            most_line: usize::try_from(limits.log_line.bytes()).unwrap_or(usize::MAX),
            most_rate: limits.log_rate,
            window: Instant::now(),
            in_window: 0,
            dropped_in_window: 0,
            cut: 0,
            exhausted: false,
            stderr_tail: String::new(),
        }
    }

    /// One line, cut to what is allowed.
    pub(crate) fn line(&mut self, level: LogLevel, mut message: String, mut fields: Vec<(String, String)>) {
        if self.window.elapsed() >= Duration::from_secs(1) {
            self.end_window();
        }
        let bytes_of = |fields: &[(String, String)]| -> usize {
            fields.iter().map(|(name, value)| FIELD + name.len() + value.len()).sum()
        };
        let fields_bytes = bytes_of(&fields);
        // One more for the end of the line, so that cutting empty lines is seen as well.
        let bytes = message.len() as u64 + fields_bytes as u64 + 1;
        if self.exhausted || self.in_window >= self.most_rate {
            self.cut += bytes;
            self.dropped_in_window += u64::from(!self.exhausted);
            return;
        }
        if fields_bytes > self.most_line {
            self.cut += fields_bytes as u64;
            fields = vec![("fields".to_owned(), format!("cut: more than {}", Size::from_bytes(self.most_line as u64)))];
        }
        if !self.masker.is_empty() {
            // Before it is cut: half a secret would not be found any more.
            message = self.masker.mask_owned(message);
        }
        if message.len() > self.most_line {
            let end = (0..=self.most_line).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
            self.cut += (message.len() - end) as u64;
            // A copy: a string that is only cut short keeps its memory, a mebibyte for each line.
            message = message[..end].to_owned();
            message.push_str(" … [line cut]");
        }
        let kept = message.len() as u64 + bytes_of(&fields) as u64 + LINE;
        if kept > self.bytes_left {
            self.exhausted = true;
            self.cut += bytes;
            let most = Size::from_bytes(self.most_bytes);
            self.live.log(LogLevel::Warn, format!("[log cut: the limit `log` of {most} is reached]"), Vec::new());
            return;
        }
        self.bytes_left -= kept;
        self.in_window += 1;
        self.live.log(level, message, fields);
    }

    /// Tells of lines that came too fast. Called when a second is over and when the attempt is.
    pub(crate) fn end_window(&mut self) {
        if self.dropped_in_window > 0 {
            let text = format!("[{} log lines dropped: more than {} a second]", self.dropped_in_window, self.most_rate);
            self.live.log(LogLevel::Warn, text, Vec::new());
        }
        (self.window, self.in_window, self.dropped_in_window) = (Instant::now(), 0, 0);
    }

    pub(crate) fn most_line(&self) -> usize {
        self.most_line
    }

    pub(crate) fn remember_stderr(&mut self, line: &str) {
        self.stderr_tail.push_str(line);
        self.stderr_tail.push('\n');
        if self.stderr_tail.len() > TAIL {
            let from = self.stderr_tail.len() - TAIL;
            let from = (from..self.stderr_tail.len()).find(|at| self.stderr_tail.is_char_boundary(*at)).unwrap_or(0);
            self.stderr_tail.drain(..from);
        }
    }
}
