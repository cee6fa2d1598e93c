//! A program of the host, as a task sees it.

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<u32>,
    /// Whether it printed more than was granted: the rest was thrown away.
    pub truncated: bool,
}

impl Exit {
    /// Whether it ended with code 0.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }
}

/// What a program printed, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// How it ended.
    pub exit: Exit,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// The first [`MAX_STDERR`] bytes of its standard error.
    pub stderr: Vec<u8>,
}

/// How much of a program's standard error is kept: enough for the reason.
pub const MAX_STDERR: usize = 64 * 1024;

/// What a program printed that ended well, as tests write it.
impl From<&str> for Printed {
    fn from(stdout: &str) -> Printed {
        let exit = Exit { code: Some(0), signal: None, truncated: false };
        Printed { exit, stdout: stdout.as_bytes().to_vec(), stderr: Vec::new() }
    }
}
