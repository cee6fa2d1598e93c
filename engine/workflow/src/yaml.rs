//! Text to a tree of nodes that know where they stand. The only file that names the YAML library.
//!
//! The tree is built from the parser's events and not through serde, for three reasons: every scalar keeps its exact bytes,
//! a second problem is still found after the first, and each budget is counted before memory is spent on what it limits.
//! What a node means is left to the readers of the single files.

use orch_core::{Code, Diagnostic, Source, Span, shorten, visible};
use serde_saphyr::granit_parser::{self, ErrorKind, Event, Parser, ScalarStyle, StructureStyle, Tag};
use std::collections::{HashMap, HashSet};

/// A megabyte is a hundred times the largest workflow that a person has written.
const LONGEST_FILE: usize = 1 << 20;
/// Nodes of the whole tree, copies made by aliases included.
const MOST_NODES: usize = 100_000;
/// Collections inside collections. Every later recursion over a tree relies on this.
const DEEPEST: usize = 64;
/// Anchors, and uses of them.
const MOST_ALIASES: usize = 1_000;
/// Bytes of text that aliases may copy.
const MOST_COPIED: usize = 1 << 20;
/// Duplicate keys are not fatal, so a file could have very many of them.
const MOST_DUPLICATES: usize = 20;

/// A value of the file and the bytes that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

/// What a value is by YAML 1.2's core schema (section 10.3.2): `no`, `on` and dates are text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int { value: i64, raw: String },
    Float { value: f64, raw: String },
    Text(String),
    Seq(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping, always text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub(crate) span: Span,
    pub(crate) text: String,
}

impl Kind {
    /// What the value is, for messages.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Int { .. } => "an integer",
            Kind::Float { .. } => "a number",
            Kind::Text(_) => "text",
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

/// Reads a file that holds one document. A tree is there unless the text is no YAML at all or breaks a budget.
pub(crate) fn read(source: &Source) -> (Option<Node>, Vec<Diagnostic>) {
    let file = &source.name;
    if source.text.len() > LONGEST_FILE {
        let message = format!("the file has {} bytes, at most {LONGEST_FILE} are allowed", source.text.len());
        return (None, vec![Diagnostic::error(Code::TooLarge, file, None, message)]);
    }
    if let Some((at, character)) = source.text.char_indices().find(|(_, c)| !allowed(*c)) {
        let message = format!("the character `{}` is not allowed in YAML", character.escape_unicode());
        let span = at..at + character.len_utf8();
        return (None, vec![Diagnostic::error(Code::Syntax, file, span, message)]);
    }
    let mut tree = Tree::new(source);
    let result = tree.build();
    let mut found = tree.found;
    match result {
        Ok(node) => (Some(node), found),
        Err(problem) => {
            found.push(*problem);
            (None, found)
        }
    }
}

/// YAML 1.2 section 5.1: printable characters, and the three that break or separate lines.
fn allowed(c: char) -> bool {
    !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{85}')
}

type Fatal = Box<Diagnostic>;

enum Frame {
    Seq {
        start: usize,
        anchor: usize,
        items: Vec<Node>,
    },
    Map {
        start: usize,
        anchor: usize,
        entries: Vec<(Key, Node)>,
        seen: HashMap<String, usize>,
        key: Option<(Key, bool)>,
    },
}

/// A finished node that an alias may copy, and what a copy costs.
struct Anchored {
    node: Node,
    nodes: usize,
    bytes: usize,
}

struct Tree<'s> {
    source: &'s Source,
    frames: Vec<Frame>,
    root: Option<Node>,
    nodes: usize,
    anchors: HashMap<usize, Anchored>,
    /// Anchors whose collection is not closed yet: an alias to one would be a circle.
    open: HashSet<usize>,
    aliases: usize,
    copied_nodes: usize,
    copied_bytes: usize,
    duplicates: usize,
    found: Vec<Diagnostic>,
}

impl<'s> Tree<'s> {
    fn new(source: &'s Source) -> Tree<'s> {
        Tree {
            source,
            frames: Vec::new(),
            root: None,
            nodes: 0,
            anchors: HashMap::new(),
            open: HashSet::new(),
            aliases: 0,
            copied_nodes: 0,
            copied_bytes: 0,
            duplicates: 0,
            found: Vec::new(),
        }
    }

    fn fatal(&self, code: Code, span: Span, message: impl Into<String>) -> Fatal {
        Box::new(Diagnostic::error(code, &self.source.name, span, message))
    }

    fn build(&mut self) -> Result<Node, Fatal> {
        let source = self.source;
        let mut options = granit_parser::options! {
            flow_nesting_limit: DEEPEST + 1,
            block_nesting_limit: DEEPEST + 1,
            disallow_directives: true,
        };
        options.set_emit_comments(false);
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(&source.text, options) {
            let (event, place) = event.map_err(|error| self.refuse(&error))?;
            let end = source.text.len();
            let span = place.byte_range().unwrap_or(end..end);
            match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        let problem = self.fatal(Code::Syntax, span, "the file holds more than one document");
                        return Err(Box::new(problem.help("remove the second `---` and what follows")));
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    self.count(&span)?;
                    let text = text.into_owned();
                    if text.contains('\0') {
                        return Err(self.fatal(Code::Syntax, span, "the text holds a NUL character"));
                    }
                    if self.wants_key() {
                        self.forbid_tag(tag.as_deref(), &span, &["str"])?;
                        self.key(text, style, span)?;
                    } else {
                        self.forbid_tag(tag.as_deref(), &span, &["str"])?;
                        let plain = style == ScalarStyle::Plain && tag.is_none();
                        let kind = if plain { self.resolve(text, &span)? } else { Kind::Text(text) };
                        self.add(Node { span, kind }, anchor)?;
                    }
                }
                Event::SequenceStart(_, anchor, tag) => {
                    self.forbid_tag(tag.as_deref(), &span, &["seq"])?;
                    self.enter(&span, anchor)?;
                    self.frames.push(Frame::Seq { start: span.start, anchor, items: Vec::new() });
                }
                Event::MappingStart(style, anchor, tag) => {
                    self.forbid_tag(tag.as_deref(), &span, &["map"])?;
                    self.enter(&span, anchor)?;
                    let _: StructureStyle = style;
                    let (entries, seen) = (Vec::new(), HashMap::new());
                    self.frames.push(Frame::Map { start: span.start, anchor, entries, seen, key: None });
                }
                Event::SequenceEnd | Event::MappingEnd => self.leave(span.end)?,
                Event::Alias(anchor) => self.alias(anchor, span)?,
                _ => {}
            }
        }
        Ok(self.root.take().unwrap_or(Node { span: 0..0, kind: Kind::Null }))
    }

    fn refuse(&self, error: &granit_parser::ScanError) -> Fatal {
        let end = self.source.text.len();
        let at = error.marker().byte_offset().unwrap_or(end).min(end);
        match error.kind() {
            ErrorKind::RecursionLimitExceeded => self.too_deep(at..at),
            ErrorKind::DirectiveDisallowed => self.fatal(Code::Syntax, at..at, "YAML directives are not supported"),
            ErrorKind::TabInIndentation | ErrorKind::TabInBlockIndentation | ErrorKind::TabNotAllowed => {
                let problem = self.fatal(Code::Syntax, at..at, "a tab is used for indentation");
                Box::new(problem.help("indent with spaces"))
            }
            kind => self.fatal(Code::Syntax, at..at, visible(&kind.to_string()).into_owned()),
        }
    }

    fn too_deep(&self, span: Span) -> Fatal {
        self.fatal(Code::TooLarge, span, format!("lists and mappings are nested more than {DEEPEST} deep"))
    }

    fn count(&mut self, span: &Span) -> Result<(), Fatal> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(self.fatal(
                Code::TooLarge,
                span.clone(),
                format!("the file has more than {MOST_NODES} values"),
            ));
        }
        Ok(())
    }

    /// Tags could make text into other types behind the reader's back; those that say what is there anyway are harmless.
    fn forbid_tag(&self, tag: Option<&Tag>, span: &Span, harmless: &[&str]) -> Result<(), Fatal> {
        match tag {
            None => Ok(()),
            Some(tag) if tag.core_suffix().is_some_and(|suffix| harmless.contains(&suffix)) => Ok(()),
            Some(tag) => {
                let tag = tag.original();
                let message = format!("the tag `{}` is not supported", shorten(&visible(&tag), 40));
                Err(self.fatal(Code::Syntax, span.clone(), message))
            }
        }
    }

    fn wants_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Map { key: None, .. }))
    }

    fn key(&mut self, text: String, style: ScalarStyle, span: Span) -> Result<(), Fatal> {
        if text == "<<" && style == ScalarStyle::Plain {
            return Err(self.fatal(Code::Syntax, span, "merge keys (`<<`) are not part of YAML 1.2"));
        }
        let Some(Frame::Map { key, seen, .. }) = self.frames.last_mut() else { return Ok(()) };
        let first = seen.get(&text).copied();
        if first.is_none() {
            seen.insert(text.clone(), span.start);
        }
        *key = Some((Key { span: span.clone(), text: text.clone() }, first.is_some()));
        if let Some(first) = first {
            self.duplicates += 1;
            if self.duplicates <= MOST_DUPLICATES {
                let (line, _) = self.source.line_and_column(first);
                let message = format!("the key `{}` stands twice", shorten(&visible(&text), 80));
                let problem = Diagnostic::error(Code::UnknownKey, &self.source.name, span, message);
                self.found.push(problem.note(format!("it is first set in line {line}")));
            }
        }
        Ok(())
    }

    fn enter(&mut self, span: &Span, anchor: usize) -> Result<(), Fatal> {
        self.count(span)?;
        if self.wants_key() {
            return Err(self.fatal(Code::Syntax, span.clone(), "a key has to be text, not a list or a mapping"));
        }
        if self.frames.len() >= DEEPEST {
            return Err(self.too_deep(span.clone()));
        }
        if anchor != 0 {
            self.open.insert(anchor);
        }
        Ok(())
    }

    fn leave(&mut self, end: usize) -> Result<(), Fatal> {
        // The end event of a block collection stands at the next token, so the last child says where it really ends.
        let text = self.source.text.as_bytes();
        let closed = end > 0 && matches!(text.get(end - 1), Some(b']' | b'}'));
        let (node, anchor) = match self.frames.pop() {
            Some(Frame::Seq { start, anchor, items }) => {
                let last = items.last().map_or(start, |node| node.span.end);
                let end = if closed { end.max(last) } else { last };
                (Node { span: start..end.max(start), kind: Kind::Seq(items) }, anchor)
            }
            Some(Frame::Map { start, anchor, entries, .. }) => {
                let last = entries.last().map_or(start, |(_, node)| node.span.end);
                let end = if closed { end.max(last) } else { last };
                (Node { span: start..end.max(start), kind: Kind::Map(entries) }, anchor)
            }
            None => return Ok(()),
        };
        self.add(node, anchor)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Fatal> {
        if self.wants_key() {
            return Err(self.fatal(Code::Syntax, span, "an alias cannot be a key"));
        }
        if self.open.contains(&anchor) {
            return Err(self.fatal(Code::Syntax, span, "the alias stands inside the value that it refers to"));
        }
        let Some((nodes, bytes)) = self.anchors.get(&anchor).map(|known| (known.nodes, known.bytes)) else {
            return Err(self.fatal(Code::Syntax, span, "the alias refers to nothing"));
        };
        self.charge(nodes, bytes, &span)?;
        self.nodes += nodes;
        if self.nodes > MOST_NODES {
            return Err(self.fatal(Code::TooLarge, span, format!("aliases make more than {MOST_NODES} values")));
        }
        let mut node = self.anchors[&anchor].node.clone();
        if self.frames.len() + depth(&node) > DEEPEST {
            return Err(self.too_deep(span));
        }
        node.span = span;
        self.add(node, 0)
    }

    fn charge(&mut self, nodes: usize, bytes: usize, span: &Span) -> Result<(), Fatal> {
        self.aliases += 1;
        self.copied_nodes += nodes;
        self.copied_bytes += bytes;
        if self.aliases > MOST_ALIASES || self.copied_nodes > MOST_NODES || self.copied_bytes > MOST_COPIED {
            return Err(self.fatal(Code::TooLarge, span.clone(), "anchors and aliases copy too much"));
        }
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fatal> {
        if anchor != 0 {
            self.open.remove(&anchor);
            let (nodes, bytes) = weigh(&node);
            self.charge(nodes, bytes, &node.span)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, bytes });
        }
        match self.frames.last_mut() {
            None => self.root = Some(node),
            Some(Frame::Seq { items, .. }) => items.push(node),
            Some(Frame::Map { entries, key, .. }) => {
                // The second value of a duplicate key is dropped: the file is refused anyway.
                if let Some((key, false)) = key.take() {
                    entries.push((key, node));
                }
            }
        }
        Ok(())
    }

    fn resolve(&self, text: String, span: &Span) -> Result<Kind, Fatal> {
        let shown = || shorten(&visible(&text), 40).into_owned();
        match text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => return Ok(Kind::Null),
            "true" | "True" | "TRUE" => return Ok(Kind::Bool(true)),
            "false" | "False" | "FALSE" => return Ok(Kind::Bool(false)),
            _ => {}
        }
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(&text);
        if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text.as_str(), ".nan" | ".NaN" | ".NAN") {
            let problem =
                self.fatal(Code::WrongType, span.clone(), format!("`{}` is not a number that JSON has", shown()));
            return Err(Box::new(problem.help("put it in quotes if text is meant")));
        }
        let out_of_range = || {
            let problem =
                self.fatal(Code::WrongType, span.clone(), format!("the number `{}` is out of range", shown()));
            Err(Box::new(problem.help("integers have 64 bits; put it in quotes if text is meant")))
        };
        let digits = |text: &str, radix: u32| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
        let int = |value: Option<i64>| match value {
            Some(value) => Ok(Kind::Int { value, raw: text.clone() }),
            None => out_of_range(),
        };
        if let Some(octal) = text.strip_prefix("0o").filter(|rest| digits(rest, 8)) {
            return int(i64::from_str_radix(octal, 8).ok());
        }
        if let Some(hex) = text.strip_prefix("0x").filter(|rest| digits(rest, 16)) {
            return int(i64::from_str_radix(hex, 16).ok());
        }
        if digits(unsigned, 10) {
            return int(text.parse().ok());
        }
        if is_float(unsigned) {
            return match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(Kind::Float { value, raw: text }),
                _ => out_of_range(),
            };
        }
        Ok(Kind::Text(text))
    }
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    exponent_fits && digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}

fn depth(node: &Node) -> usize {
    match &node.kind {
        Kind::Seq(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Kind::Map(entries) => 1 + entries.iter().map(|(_, node)| depth(node)).max().unwrap_or(0),
        _ => 0,
    }
}

fn weigh(node: &Node) -> (usize, usize) {
    let sum = |(nodes, bytes), (n, b)| (nodes + n, bytes + b);
    match &node.kind {
        Kind::Text(text) => (1, text.len()),
        Kind::Seq(items) => items.iter().map(weigh).fold((1, 0), sum),
        Kind::Map(entries) => entries.iter().map(|(key, node)| sum((1, key.text.len()), weigh(node))).fold((1, 0), sum),
        _ => (1, 0),
    }
}
