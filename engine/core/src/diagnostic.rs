//! Problems in a user's files, as data. The reporter renders them with source lines; tests compare [`Diagnostic::brief`].

use crate::Code;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes of a source.
pub type Span = Range<usize>;

/// One problem and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Which problem.
    pub code: Code,
    /// Whether it only deserves a warning.
    pub warning: bool,
    /// One sentence in lower case, with the culprit in backticks.
    pub message: String,
    /// The file, as the user named it.
    pub file: String,
    /// The bytes at fault; absent when it is the file as a whole.
    pub span: Option<Span>,
    /// A word or two beside the caret.
    pub label: String,
    /// What else to know.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: Code, file: &str, span: impl Into<Option<Span>>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            warning: false,
            message: message.into(),
            file: file.to_owned(),
            span: span.into(),
            label: String::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// A warning.
    pub fn warning(code: Code, file: &str, span: impl Into<Option<Span>>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { warning: true, ..Diagnostic::error(code, file, span, message) }
    }

    /// Adds the words beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// Adds what else to know.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(note.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// `line:column code message (help)`, for tests and for one-line output.
    pub fn brief(&self, source: &Source) -> String {
        let place = match &self.span {
            Some(span) => {
                let (line, column) = source.line_and_column(span.start);
                format!("{line}:{column} ")
            }
            None => String::new(),
        };
        let help = self.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{place}{} {}{help}", self.code, self.message)
    }
}

/// A user's file: its name as the user gave it, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As the user named it.
    pub name: String,
    /// All of it.
    pub text: String,
}

impl Source {
    /// A file's name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        Source { name: name.into(), text: text.into() }
    }

    /// 1-based line and column (in characters) of a byte.
    pub fn line_and_column(&self, byte: usize) -> (usize, usize) {
        let mut end = byte.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// Files by name, so that diagnostics of several can be rendered together.
#[derive(Debug, Clone, Default)]
pub struct Sources(BTreeMap<String, Source>);

impl Sources {
    /// Adds a file.
    pub fn add(&mut self, source: Source) {
        self.0.insert(source.name.clone(), source);
    }

    /// Finds a file.
    pub fn get(&self, name: &str) -> Option<&Source> {
        self.0.get(name)
    }
}
