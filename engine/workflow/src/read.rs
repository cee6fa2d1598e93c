//! From nodes to typed values: collects every problem and goes on.
//!
//! A reader never guesses. What has the wrong type is reported at its place and comes back as `None`, and the caller leaves
//! that one value out.

use crate::expr::Template;
use crate::yaml::{Key, Kind, Node};
use orch_core::{Code, Diagnostic, InvalidName, Period, Source, Span, shorten, visible};
use serde_json::Value;
use std::fmt::Display;
use std::str::FromStr;

/// After so many problems a person repairs the first ones before reading on.
const MOST_PROBLEMS: usize = 100;

/// Parsing takes a few microseconds a byte where a byte is an operator; a hostile file is to be refused within a second.
const MOST_EXPRESSIONS: usize = 256 << 10;

/// The keys of one mapping of the language.
pub(crate) struct Keys {
    /// What stands around it in messages, as in `a task`.
    pub(crate) of: &'static str,
    /// Those that this version does.
    pub(crate) known: &'static [&'static str],
    /// Those that the language has and this version does not do yet.
    pub(crate) later: &'static [&'static str],
}

/// Collects the problems of one file.
pub(crate) struct Reader<'s> {
    pub(crate) source: &'s Source,
    found: Vec<Diagnostic>,
    left_out: usize,
    failed: bool,
    expressions: usize,
}

/// A mapping whose keys were checked.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'n> {
    node: &'n Node,
    entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        self.entry(name).map(|(_, node)| node)
    }

    pub(crate) fn entry(&self, name: &str) -> Option<(&'n Key, &'n Node)> {
        self.entries.iter().find(|(key, _)| key.text == name).map(|(key, node)| (key, node))
    }

    /// Where to say that something is missing: the mapping's first line only, so that the caret stays small.
    pub(crate) fn start(&self) -> Span {
        match self.entries.first() {
            Some((key, _)) => key.span.clone(),
            None => self.node.span.clone(),
        }
    }
}

impl<'s> Reader<'s> {
    pub(crate) fn new(source: &'s Source, found: Vec<Diagnostic>) -> Reader<'s> {
        let failed = found.iter().any(|problem| !problem.warning);
        Reader { source, found, left_out: 0, failed, expressions: 0 }
    }

    /// All problems, in the order of the file.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
        if self.left_out > 0 {
            let message = format!("there are {} more problems; repair these first", self.left_out);
            let last = Diagnostic::error(Code::TooMany, &self.source.name, None, message);
            self.found.push(Diagnostic { warning: !self.failed, ..last });
        }
        self.found
    }

    /// Whether anything found makes the file unusable.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Whether enough is wrong already: what would take long for one more message that nobody sees can be left out.
    pub(crate) fn is_full(&self) -> bool {
        self.failed && self.found.len() >= MOST_PROBLEMS
    }

    /// Counts the bytes of an expression; whether it may still be parsed. Says so once when it may not.
    pub(crate) fn may_parse(&mut self, bytes: usize, span: &Span) -> bool {
        let before = self.expressions;
        self.expressions = before.saturating_add(bytes);
        if before <= MOST_EXPRESSIONS && self.expressions > MOST_EXPRESSIONS {
            let message =
                format!("the expressions of this file have more than {} KiB together", MOST_EXPRESSIONS >> 10);
            self.error(Code::TooLarge, span, message);
        }
        self.expressions <= MOST_EXPRESSIONS
    }

    /// Adds a problem. Its text may quote the file, so whatever would act on a terminal is made visible here, once for all.
    pub(crate) fn push(&mut self, mut problem: Diagnostic) {
        self.failed |= !problem.warning;
        if self.found.len() >= MOST_PROBLEMS {
            self.left_out += 1;
            return;
        }
        for text in [&mut problem.message].into_iter().chain(&mut problem.help).chain(&mut problem.notes) {
            if let std::borrow::Cow::Owned(harmless) = visible(text) {
                *text = harmless;
            }
        }
        self.found.push(problem);
    }

    pub(crate) fn error(&mut self, code: Code, span: &Span, message: impl Into<String>) {
        self.push(Diagnostic::error(code, &self.source.name, span.clone(), message));
    }

    pub(crate) fn error_help(&mut self, code: Code, span: &Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(Diagnostic::error(code, &self.source.name, span.clone(), message).help(help));
    }

    /// A mapping with the keys of the language; every other key is an error.
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, keys: &Keys) -> Option<Fields<'n>> {
        let Kind::Map(entries) = &node.kind else {
            let message = format!("{} is a mapping, not {}", keys.of, node.kind.word());
            let help = format!("known: {}", list(keys.known));
            self.error_help(Code::WrongType, &node.span, message, help);
            return None;
        };
        for (key, _) in entries {
            let name = key.text.as_str();
            if keys.known.contains(&name) {
                continue;
            }
            if keys.later.contains(&name) {
                self.error(Code::NotSupportedYet, &key.span, format!("`{name}` is not supported yet"));
                continue;
            }
            if self.is_full() {
                self.error(Code::UnknownKey, &key.span, "unknown key");
                continue;
            }
            let message = format!("{} has no key `{}`", keys.of, shown(name));
            let help = match suggestion(name, keys.known.iter().chain(keys.later).copied()) {
                Some(near) => format!("did you mean `{near}`? known: {}", list(keys.known)),
                None => format!("known: {}", list(keys.known)),
            };
            self.error_help(Code::UnknownKey, &key.span, message, help);
        }
        Some(Fields { node, entries })
    }

    /// The value of a key that must be there.
    pub(crate) fn require<'n>(&mut self, fields: &Fields<'n>, name: &str, of: &str) -> Option<&'n Node> {
        let node = fields.get(name);
        if node.is_none() {
            self.error(Code::MissingKey, &fields.start(), format!("{of} needs the key `{name}`"));
        }
        node
    }

    /// The `schema` key, which names the kind and version of a file.
    pub(crate) fn schema(&mut self, fields: &Fields<'_>, of: &str, expected: &str) {
        let Some(node) = fields.get("schema") else {
            let help = format!("start the file with `schema: {expected}`");
            self.error_help(Code::MissingKey, &fields.start(), format!("{of} needs the key `schema`"), help);
            return;
        };
        if let Some(text) = self.text(node, "schema")
            && text != expected
        {
            let message = format!("this version cannot read `{}`", shown(&text));
            self.error_help(Code::WrongType, &node.span, message, format!("known: `{expected}`"));
        }
    }

    /// Entries of a mapping whose keys are names that the user chooses.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Key, Node)] {
        match &node.kind {
            Kind::Map(entries) => entries,
            other => {
                self.error(Code::WrongType, &node.span, format!("`{what}` is a mapping, not {}", other.word()));
                &[]
            }
        }
    }

    /// Items of a list.
    pub(crate) fn items<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.kind {
            Kind::Seq(items) => items,
            other => {
                self.error(Code::WrongType, &node.span, format!("`{what}` is a list, not {}", other.word()));
                &[]
            }
        }
    }

    /// Text. A number keeps the characters that stand in the file, so that `1.10` does not become `1.1`.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.kind {
            Kind::Text(text) => Some(text.clone()),
            Kind::Int { raw, .. } | Kind::Float { raw, .. } => Some(raw.clone()),
            other => {
                let message = format!("`{what}` is text, not {}", other.word());
                match other {
                    Kind::Bool(_) => self.error_help(Code::WrongType, &node.span, message, "put it in quotes"),
                    _ => self.error(Code::WrongType, &node.span, message),
                }
                None
            }
        }
    }

    pub(crate) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match &node.kind {
            Kind::Bool(value) => Some(*value),
            other => {
                let message = format!("`{what}` is a boolean, not {}", other.word());
                self.error_help(Code::WrongType, &node.span, message, "known: `true`, `false`");
                None
            }
        }
    }

    pub(crate) fn count(&mut self, node: &Node, what: &str) -> Option<u64> {
        if let Kind::Int { value, .. } = &node.kind
            && let Ok(value) = u64::try_from(*value)
        {
            return Some(value);
        }
        let given = match &node.kind {
            Kind::Int { raw, .. } => format!("`{raw}`"),
            other => other.word().to_owned(),
        };
        self.error(Code::WrongType, &node.span, format!("`{what}` is a whole number from 0, not {given}"));
        None
    }

    /// A whole number between two others.
    pub(crate) fn within(&mut self, node: &Node, what: &str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        if let Kind::Int { value, .. } = &node.kind
            && let Ok(value) = u32::try_from(*value)
            && range.contains(&value)
        {
            return Some(value);
        }
        let given = match &node.kind {
            Kind::Int { raw, .. } => format!("`{}`", shown(raw)),
            other => other.word().to_owned(),
        };
        let (least, most) = range.into_inner();
        let message = format!("`{what}` is a whole number from {least} to {most}, not {given}");
        self.error(Code::WrongType, &node.span, message);
        None
    }

    /// A duration of more than nothing; `nothing` says what nothing would do.
    pub(crate) fn period(&mut self, node: &Node, what: &str, nothing: &str) -> Option<Period> {
        let period: Period = self.quantity(node, what)?;
        if period.millis() == 0 {
            self.error(Code::WrongType, &node.span, nothing);
            return None;
        }
        Some(period)
    }

    /// A value without expressions.
    pub(crate) fn literal(&mut self, node: &Node, what: &str) -> Option<Value> {
        let mut used = Vec::new();
        let template = Template::read(self, node, &mut used);
        if !used.is_empty() {
            self.error(Code::InvalidExpression, &node.span, format!("{what} holds no expressions"));
        }
        template.as_literal().cloned()
    }

    /// A duration or a size.
    pub(crate) fn quantity<T: FromStr<Err: Display>>(&mut self, node: &Node, what: &str) -> Option<T> {
        let text = self.text(node, what)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.error(Code::WrongType, &node.span, error.to_string());
                None
            }
        }
    }

    /// A name in a value.
    pub(crate) fn name<T: for<'a> TryFrom<&'a str, Error = InvalidName>>(
        &mut self,
        node: &Node,
        what: &str,
    ) -> Option<T> {
        let text = self.text(node, what)?;
        self.checked_name(&text, &node.span)
    }

    /// A name in a key or elsewhere.
    pub(crate) fn checked_name<T: for<'a> TryFrom<&'a str, Error = InvalidName>>(
        &mut self,
        text: &str,
        span: &Span,
    ) -> Option<T> {
        match T::try_from(text) {
            Ok(name) => Some(name),
            Err(error) => {
                self.error(Code::InvalidName, span, error.to_string());
                None
            }
        }
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let message = format!("`{}` is not a value of `{what}`", shown(&text));
        self.error_help(Code::WrongType, &node.span, message, known(&text, &words));
        None
    }
}

/// Text of a user, short and harmless, for a message.
pub(crate) fn shown(text: &str) -> String {
    shorten(&visible(text), 80).into_owned()
}

/// `a`, `b`, `c`: at most 20 of them.
pub(crate) fn list<T: AsRef<str>>(words: &[T]) -> String {
    const MOST: usize = 20;
    if words.is_empty() {
        return "none".to_owned();
    }
    let mut quoted: Vec<_> = words.iter().take(MOST).map(|word| format!("`{}`", shown(word.as_ref()))).collect();
    if words.len() > MOST {
        quoted.push(format!("{} more", words.len() - MOST));
    }
    quoted.join(", ")
}

/// `did you mean …? known: …`
pub(crate) fn known<T: AsRef<str>>(word: &str, words: &[T]) -> String {
    match suggestion(word, words.iter().map(AsRef::as_ref)) {
        Some(near) => format!("did you mean `{}`? known: {}", shown(near), list(words)),
        None => format!("known: {}", list(words)),
    }
}

/// The nearest known word, if it is near at all.
pub(crate) fn suggestion<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Names have at most 128 bytes; longer text is no misspelt name, and comparing it would take long.
    const LONGEST: usize = 128;
    /// More names than this are not searched.
    const MOST: usize = 2_000;
    if word.len() > LONGEST {
        return None;
    }
    let length = word.chars().count();
    // Of a very short word something has to be left, or every other one would be near.
    let allowed = (length / 3).clamp(1, 3).min(length.saturating_sub(1));
    known
        .take(MOST)
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
