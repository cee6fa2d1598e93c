//! A table of a rule file with its place, for messages that name file, line and rule.

use crate::config::ConfigError;
use crate::pattern::Pattern;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Whether expressions are parsed when they are read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Expressions {
    Check,
    Trust,
}

/// The 1-based line of a byte.
pub(crate) fn line_at(text: &str, at: usize) -> u32 {
    let newlines = text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(newlines + 1).unwrap_or(u32::MAX)
}

/// A table, and where it is.
pub(crate) struct Section<'a> {
    file: &'a str,
    text: &'a str,
    pub(crate) place: String,
    table: &'a DeTable<'a>,
    span: Option<Range<usize>>,
    pub(crate) expressions: Expressions,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(crate) fn top(file: &'a str, text: &'a str, table: &'a DeTable<'a>, expressions: Expressions) -> Section<'a> {
        Section { file, text, place: String::new(), table, span: None, expressions }
    }

    /// Where it begins; the whole file begins nowhere.
    pub(crate) fn line(&self) -> Option<u32> {
        self.span.as_ref().map(|span| line_at(self.text, span.start))
    }

    pub(crate) fn error(&self, reason: impl Into<String>) -> ConfigError {
        self.error_in(self.line(), reason)
    }

    /// An error of the value under `key`.
    pub(crate) fn error_at(&self, key: &str, reason: impl Into<String>) -> ConfigError {
        let line = self.get(key).map(|value| line_at(self.text, value.span().start));
        self.error_in(line.or_else(|| self.line()), reason)
    }

    fn error_in(&self, line: Option<u32>, reason: impl Into<String>) -> ConfigError {
        ConfigError { file: self.file.to_owned(), line, place: self.place.clone(), reason: reason.into() }
    }

    pub(crate) fn message_at(&self, key: &str, text: &str) -> String {
        self.error_at(key, text).to_string()
    }

    pub(crate) fn warn_unknown(&self, known: &[&str], warnings: &mut Vec<String>) {
        for (key, _) in self.table.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref())) {
            let line = Some(line_at(self.text, key.span().start));
            let text = format!("unknown key `{}`, which has no effect", key.get_ref());
            warnings.push(self.error_in(line, text).to_string());
        }
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.get(key)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn wrong_type(&self, key: &str, wanted: &str, found: &Spanned<DeValue>) -> ConfigError {
        let line = Some(line_at(self.text, found.span().start));
        self.error_in(line, format!("`{key}` must be {wanted}, not {}", found.get_ref().type_str()))
    }

    pub(crate) fn string(&self, key: &str) -> Result<Option<String>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let text = value.get_ref().as_str().map(str::to_owned);
        text.map(Some).ok_or_else(|| self.wrong_type(key, "a string", value))
    }

    pub(crate) fn strings(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let items = value.get_ref().as_array().ok_or_else(|| self.wrong_type(key, "an array of strings", value))?;
        let text = |item: &Spanned<DeValue>| {
            let text = item.get_ref().as_str().map(str::to_owned);
            text.ok_or_else(|| self.wrong_type(key, "an array of strings", item))
        };
        items.iter().map(text).collect()
    }

    pub(crate) fn patterns(&self, key: &str) -> Result<Vec<Pattern>, ConfigError> {
        let compile = |text: String| {
            let pattern = Pattern::new(text);
            if self.expressions == Expressions::Trust {
                return Ok(pattern);
            }
            match pattern.parse() {
                Ok(_) => Ok(pattern),
                Err(reason) => Err(self.error_at(key, format!("`{key}`: `{}`: {reason}", pattern.source()))),
            }
        };
        self.strings(key)?.into_iter().map(compile).collect()
    }

    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.get_ref().as_bool().map(Some).ok_or_else(|| self.wrong_type(key, "true or false", value))
    }

    pub(crate) fn integer(&self, key: &str) -> Result<Option<i64>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = value.get_ref().as_integer().ok_or_else(|| self.wrong_type(key, "an integer", value))?;
        let parsed = i64::from_str_radix(number.as_str(), number.radix());
        parsed.map(Some).map_err(|_error| self.error_at(key, format!("`{key}` is too large")))
    }

    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let text = match value.get_ref() {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            _ => return Err(self.wrong_type(key, "a number", value)),
        };
        text.parse().map(Some).map_err(|_error| self.wrong_type(key, "a number", value))
    }

    /// The tables under `key`, which may be one table or an array of them.
    pub(crate) fn sections(&self, key: &str) -> Result<Vec<Section<'a>>, ConfigError> {
        let place = if self.place.is_empty() { format!("`{key}`") } else { format!("{}: `{key}`", self.place) };
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let items = match value.get_ref() {
            DeValue::Table(_) => std::slice::from_ref(value),
            DeValue::Array(items) => &items[..],
            _ => return Err(self.wrong_type(key, "a table", value)),
        };
        let section = |item: &'a Spanned<DeValue<'a>>| {
            let table = item.get_ref().as_table().ok_or_else(|| self.wrong_type(key, "an array of tables", item))?;
            let span = Some(item.span());
            Ok(Section { place: place.clone(), table, span, ..*self })
        };
        items.iter().map(section).collect()
    }
}
