//! How a text that could not be read is told of.

/// Why a lock file, or one entry of it, cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The 1-based line, where it is known.
    pub line: Option<u32>,
    /// A lower-case fragment.
    pub reason: String,
}

impl ParseError {
    /// An error at a line.
    pub fn at(line: u32, reason: impl Into<String>) -> ParseError {
        ParseError { line: Some(line), reason: reason.into() }
    }

    /// An error of the whole file.
    pub fn whole(reason: impl Into<String>) -> ParseError {
        ParseError { line: None, reason: reason.into() }
    }
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for ParseError {}
