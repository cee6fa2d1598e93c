//! `${{ }}` inside the values of a document.
//!
//! Alone in a scalar an expression keeps its type; inside text it becomes text: text as it is, everything else as JSON. It is
//! expanded once, into a value of the parsed document; the result is never read again as an expression or as YAML. A literal
//! `${{` is written `$${{`.

use super::evaluate::{ExprError, as_text, error, evaluate, weight};
use super::parse::{Expr, Flaw};
use crate::read::Reader;
use crate::scope::Scope;
use crate::yaml::{Kind, Node};
use orch_core::{Code, Source, Span};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::ops::Range;

/// Bytes of one rendered template.
const LARGEST: usize = 4 << 20;
/// Lists and mappings around an expression. A plan nests two levels of JSON for each, and JSON readers stop at 128.
const DEEPEST: usize = 32;

/// A value of the document with expressions in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// No expression anywhere inside.
    Literal(Value),
    /// An expression alone: its value, whatever the type.
    Expression(Expr),
    /// Text with expressions in it.
    Text(Vec<Piece>),
    /// A list of which some item holds an expression.
    List(Vec<Template>),
    /// A mapping of which some value holds an expression.
    Map(Vec<(String, Template)>),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// Text as it is.
    Literal(String),
    /// An expression whose value becomes text.
    Expression(Expr),
}

/// From bytes of an expression to bytes of the file.
#[derive(Debug, Clone)]
pub(crate) struct Locator {
    scalar: Span,
    places: Places,
}

#[derive(Debug, Clone)]
enum Places {
    /// The expression stands in the file as it is, from this byte on.
    Linear(usize),
    /// Quotes were escaped: the place of each byte, and of the end.
    Table(Vec<usize>),
    /// Nothing better than the whole scalar.
    Unknown,
}

impl Locator {
    /// For an expression that stands at `at` in the text of a scalar.
    pub(crate) fn new(source: &Source, scalar: &Span, text: &str, at: &Range<usize>) -> Locator {
        let raw = source.text.get(scalar.clone()).unwrap_or_default();
        let same_text = [0, 1].into_iter().find(|skip| raw.get(*skip..).is_some_and(|raw| raw.starts_with(text)));
        let places = match (same_text, quoted(raw, text)) {
            (Some(skip), _) => Places::Linear(scalar.start + skip + at.start),
            (None, Some(all)) => {
                Places::Table(all[at.start..=at.end].iter().map(|place| scalar.start + place).collect())
            }
            // Folded or indented over several lines: the expression itself may still stand there as it is, once.
            (None, None) => match text.get(at.clone()).filter(|wanted| !wanted.is_empty()) {
                Some(wanted) => match (raw.find(wanted), raw.rfind(wanted)) {
                    (Some(first), Some(last)) if first == last => Places::Linear(scalar.start + first),
                    _ => Places::Unknown,
                },
                None => Places::Unknown,
            },
        };
        Locator { scalar: scalar.clone(), places }
    }

    pub(crate) fn place(&self, at: &Range<usize>) -> Span {
        match &self.places {
            Places::Linear(start) => start + at.start..start + at.end,
            Places::Table(all) => match (all.get(at.start), all.get(at.end)) {
                (Some(start), Some(end)) => *start..*end,
                _ => self.scalar.clone(),
            },
            Places::Unknown => self.scalar.clone(),
        }
    }

    pub(crate) fn report(&self, reader: &mut Reader<'_>, flaw: Flaw) {
        let span = self.place(&flaw.at);
        match flaw.help {
            Some(help) => reader.error_help(flaw.code, &span, flaw.message, help),
            None => reader.error(flaw.code, &span, flaw.message),
        }
    }
}

/// Where each byte of a quoted scalar's text stands in its raw form, and where it ends: for scalars of one line whose only
/// escapes are those of quotes and backslashes, which are the ones that expressions need.
fn quoted(raw: &str, text: &str) -> Option<Vec<usize>> {
    let bytes = raw.as_bytes();
    let quote = *bytes.first()?;
    let mut at = 1;
    let mut places = Vec::with_capacity(text.len() + 1);
    for byte in text.bytes() {
        places.push(at);
        let escape = match quote {
            b'\'' => byte == b'\'',
            b'"' => matches!(byte, b'"' | b'\\'),
            _ => return None,
        };
        at += usize::from(escape);
        if bytes.get(at) != Some(&byte) {
            return None;
        }
        at += 1;
    }
    places.push(at);
    (at + 1 == bytes.len()).then_some(places)
}

/// An expression of a template, to be checked when everything around it is known.
#[derive(Debug, Clone)]
pub(crate) struct Used {
    pub(crate) expr: Expr,
    pub(crate) locator: Locator,
}

/// A text cut at its expressions.
enum Cut {
    Literal(String),
    Expression(Range<usize>),
}

fn cut(text: &str) -> Result<Vec<Cut>, Flaw> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = 0;
    while let Some(open) = text[rest..].find("${{").map(|found| rest + found) {
        let before = &text[rest..open];
        if let Some(before) = before.strip_suffix('$') {
            literal.push_str(before);
            literal.push_str("${{");
            rest = open + 3;
            continue;
        }
        literal.push_str(before);
        let Some(length) = closing(&text[open + 3..]) else {
            let flaw = Flaw::new(Code::InvalidExpression, open..open + 3, "`${{` has no closing `}}`");
            return Err(flaw.help("close it, or write `$${{` for the characters themselves"));
        };
        if !literal.is_empty() {
            pieces.push(Cut::Literal(std::mem::take(&mut literal)));
        }
        let inner = &text[open + 3..open + 3 + length];
        let trimmed = inner.trim();
        let start = open + 3 + (inner.len() - inner.trim_start().len());
        pieces.push(Cut::Expression(start..start + trimmed.len()));
        rest = open + 3 + length + 2;
    }
    literal.push_str(&text[rest..]);
    if !literal.is_empty() {
        pieces.push(Cut::Literal(literal));
    }
    Ok(pieces)
}

/// The bytes before the `}}` that closes an expression; those in strings and of mappings do not.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None => match c {
                '\'' | '"' => quote = Some(c),
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                '}' if text[at + 1..].starts_with('}') => return Some(at),
                _ => {}
            },
        }
    }
    None
}

/// The expression of an `if` or `assert`, where the `${{ }}` may be left out, and its bytes in the text.
pub(crate) fn condition_text(text: &str) -> Result<Range<usize>, Flaw> {
    let start = text.len() - text.trim_start().len();
    let trimmed = text.trim();
    if !trimmed.starts_with("${{") {
        return Ok(start..start + trimmed.len());
    }
    match cut(text.trim_end())?.as_slice() {
        [Cut::Expression(at)] => Ok(at.clone()),
        [Cut::Literal(blank), Cut::Expression(at)] if blank.trim().is_empty() => Ok(at.clone()),
        _ => {
            let message = "a condition is one expression, with nothing before or after its `${{ }}`";
            Err(Flaw::new(Code::InvalidExpression, start..start + trimmed.len(), message))
        }
    }
}

/// Parses one expression and reports what is wrong with it.
pub(crate) fn parse_at(reader: &mut Reader<'_>, scalar: &Span, text: &str, at: &Range<usize>) -> Option<Used> {
    if !reader.may_parse(at.len(), scalar) {
        return None;
    }
    let locator = Locator::new(reader.source, scalar, text, at);
    match Expr::parse(&text[at.clone()]) {
        Ok(expr) => Some(Used { expr, locator }),
        Err(flaws) => {
            flaws.into_iter().for_each(|flaw| locator.report(reader, flaw));
            None
        }
    }
}

impl Template {
    /// Reads a value of the document. Each expression is added to `used`, in order.
    pub(crate) fn read(reader: &mut Reader<'_>, node: &Node, used: &mut Vec<Used>) -> Template {
        let template = Template::read_at(reader, node, used, 0);
        template.unwrap_or(Template::Literal(Value::Null))
    }

    fn read_at(reader: &mut Reader<'_>, node: &Node, used: &mut Vec<Used>, depth: usize) -> Option<Template> {
        match &node.kind {
            Kind::Null => Some(Template::Literal(Value::Null)),
            Kind::Bool(value) => Some(Template::Literal(Value::from(*value))),
            Kind::Int { value, .. } => Some(Template::Literal(Value::from(*value))),
            Kind::Float { value, .. } => Some(Template::Literal(Value::from(*value))),
            Kind::Text(text) => Template::read_text(reader, &node.span, text, used),
            Kind::Seq(items) => {
                let before = used.len();
                let read = items.iter().filter_map(|item| Template::read_at(reader, item, used, depth + 1));
                let read: Vec<_> = read.collect();
                Template::bounded(reader, node, depth, used.len() > before);
                match read.iter().all(|item| matches!(item, Template::Literal(_))) {
                    true => Some(Template::Literal(read.into_iter().filter_map(Template::literal).collect())),
                    false => Some(Template::List(read)),
                }
            }
            Kind::Map(entries) => {
                let before = used.len();
                let mut read = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    if key.text.contains("${{") {
                        let message = "expressions stand in values, not in keys";
                        reader.error(Code::InvalidExpression, &key.span, message);
                    }
                    if let Some(value) = Template::read_at(reader, value, used, depth + 1) {
                        read.push((key.text.clone(), value));
                    }
                }
                Template::bounded(reader, node, depth, used.len() > before);
                match read.iter().all(|(_, value)| matches!(value, Template::Literal(_))) {
                    true => {
                        let entries = read.into_iter().filter_map(|(key, value)| Some((key, value.literal()?)));
                        Some(Template::Literal(Value::Object(entries.collect::<Map<_, _>>())))
                    }
                    false => Some(Template::Map(read)),
                }
            }
        }
    }

    fn bounded(reader: &mut Reader<'_>, node: &Node, depth: usize, dynamic: bool) {
        if dynamic && depth == DEEPEST {
            let message = format!("an expression stands more than {DEEPEST} lists and mappings deep");
            reader.error(Code::TooLarge, &node.span, message);
        }
    }

    fn literal(self) -> Option<Value> {
        match self {
            Template::Literal(value) => Some(value),
            _ => None,
        }
    }

    fn read_text(reader: &mut Reader<'_>, span: &Span, text: &str, used: &mut Vec<Used>) -> Option<Template> {
        let cuts = match cut(text) {
            Ok(cuts) => cuts,
            Err(flaw) => {
                Locator::new(reader.source, span, text, &(0..text.len())).report(reader, flaw);
                return None;
            }
        };
        let alone = cuts.len() == 1;
        let mut pieces = Vec::with_capacity(cuts.len());
        for cut in cuts {
            match cut {
                Cut::Literal(text) if alone => return Some(Template::Literal(Value::from(text))),
                Cut::Literal(text) => pieces.push(Piece::Literal(text)),
                Cut::Expression(at) => {
                    let found = parse_at(reader, span, text, &at)?;
                    let expr = found.expr.clone();
                    used.push(found);
                    if alone {
                        return Some(Template::Expression(expr));
                    }
                    pieces.push(Piece::Expression(expr));
                }
            }
        }
        if pieces.is_empty() {
            return Some(Template::Literal(Value::from("")));
        }
        Some(Template::Text(pieces))
    }

    /// The value, if no expression is inside.
    pub fn as_literal(&self) -> Option<&Value> {
        match self {
            Template::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The value with `null` for everything that is not known yet, and the JSON pointers of those places.
    pub(crate) fn skeleton(&self) -> (Value, Vec<String>) {
        let mut unknown = Vec::new();
        let value = self.skeleton_at(&mut String::new(), &mut unknown);
        (value, unknown)
    }

    fn skeleton_at(&self, pointer: &mut String, unknown: &mut Vec<String>) -> Value {
        let length = pointer.len();
        match self {
            Template::Literal(value) => value.clone(),
            Template::Expression(_) | Template::Text(_) => {
                unknown.push(pointer.clone());
                Value::Null
            }
            Template::List(items) => Value::Array(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        pointer.push_str(&format!("/{index}"));
                        let value = item.skeleton_at(pointer, unknown);
                        pointer.truncate(length);
                        value
                    })
                    .collect(),
            ),
            Template::Map(entries) => {
                let mut map = Map::new();
                for (key, item) in entries {
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                    map.insert(key.clone(), item.skeleton_at(pointer, unknown));
                    pointer.truncate(length);
                }
                Value::Object(map)
            }
        }
    }

    /// Adds the expressions inside.
    pub(crate) fn expressions<'t>(&'t self, all: &mut Vec<&'t Expr>) {
        match self {
            Template::Literal(_) => {}
            Template::Expression(expr) => all.push(expr),
            Template::Text(pieces) => all.extend(pieces.iter().filter_map(|piece| match piece {
                Piece::Expression(expr) => Some(expr),
                Piece::Literal(_) => None,
            })),
            Template::List(items) => items.iter().for_each(|item| item.expressions(all)),
            Template::Map(entries) => entries.iter().for_each(|(_, item)| item.expressions(all)),
        }
    }

    /// The value in a scope.
    pub fn render(&self, scope: &Scope<'_>, output: Option<&Value>) -> Result<Value, ExprError> {
        let mut left = LARGEST;
        self.render_at(scope, output, &mut left)
    }

    fn render_at(&self, scope: &Scope<'_>, output: Option<&Value>, left: &mut usize) -> Result<Value, ExprError> {
        let mut spend = |bytes: usize| match left.checked_sub(bytes) {
            Some(rest) => {
                *left = rest;
                Ok(())
            }
            None => error(format!("the value has more than {} MiB", LARGEST >> 20)),
        };
        match self {
            Template::Literal(value) => {
                spend(weight(value))?;
                Ok(value.clone())
            }
            Template::Expression(expr) => {
                let value = evaluate(expr, scope, output)?;
                spend(weight(&value))?;
                Ok(value)
            }
            Template::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    let piece = match piece {
                        Piece::Literal(text) => text.clone(),
                        Piece::Expression(expr) => as_text(evaluate(expr, scope, output)?),
                    };
                    spend(piece.len())?;
                    text.push_str(&piece);
                }
                Ok(Value::from(text))
            }
            Template::List(items) => items
                .iter()
                .map(|item| item.render_at(scope, output, left))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array),
            Template::Map(entries) => {
                let rendered =
                    entries.iter().map(|(key, item)| Ok((key.clone(), item.render_at(scope, output, left)?)));
                rendered.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
        }
    }
}
