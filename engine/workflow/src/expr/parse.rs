//! Text to a small tree. The only file that names `cel`.

use cel::common::ast::{EntryExpr, Expr as CelExpr, IdedExpr, LiteralValue, SourceInfo, operators as op};
use orch_core::{Code, shorten, visible};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Nobody can read a longer one.
pub(crate) const LONGEST: usize = 4 << 10;
/// Brackets inside brackets. Counted before the parser sees the text: it recurses for each.
const DEEPEST: usize = 32;
/// Operators, dots, commas and brackets. Chains of them make deep trees too, and each costs the parser some microseconds.
const MOST_OPERATORS: usize = 256;
/// How deep the parser may recurse where no bracket shows it, as in `a ? b : c ? d : …`.
const PARSER_DEPTH: u16 = 48;

/// An expression that was parsed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expr {
    text: Arc<str>,
    root: Arc<Ast>,
}

/// Something wrong in an expression, with its bytes in the expression's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) code: Code,
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Flaw {
    pub(crate) fn new(code: Code, at: Range<usize>, message: impl Into<String>) -> Flaw {
        Flaw { code, at, message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Flaw {
        self.help = Some(help.into());
        self
    }
}

/// A node of the tree and the bytes of its token.
#[derive(Debug)]
pub(crate) struct Ast {
    pub(crate) at: Range<usize>,
    pub(crate) node: Node,
}

#[derive(Debug)]
pub(crate) enum Node {
    Literal(Value),
    Name(String),
    List(Vec<Ast>),
    Map(Vec<(Ast, Ast)>),
    Field(Box<Ast>, String),
    /// `has(a.b)`: whether `a` has the field `b`.
    Has(Box<Ast>, String),
    Index(Box<Ast>, Box<Ast>),
    Not(Box<Ast>),
    Negate(Box<Ast>),
    And(Box<Ast>, Box<Ast>),
    Or(Box<Ast>, Box<Ast>),
    If(Box<[Ast; 3]>),
    Binary(Binary, Box<Ast>, Box<Ast>),
    Call {
        function: String,
        target: Option<Box<Ast>>,
        arguments: Vec<Ast>,
    },
    /// `list.map(name, body)` and its like.
    Each {
        kind: Each,
        list: Box<Ast>,
        name: String,
        body: Box<Ast>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Each {
    Map,
    Filter,
    All,
    Exists,
    ExistsOne,
}

impl Expr {
    /// Parses an expression; every reference in it is still unchecked.
    pub(crate) fn parse(text: &str) -> Result<Expr, Vec<Flaw>> {
        before_parsing(text).map_err(|flaw| vec![flaw])?;
        // An environment without macros: `map` and its like come back as calls, which the interpreter bounds itself.
        let parser = cel::Env::default().parser().max_recursion_depth(PARSER_DEPTH);
        let (tree, places) = parser.parse_with_source_info(text).map_err(|errors| {
            let flaws: Vec<_> = errors.errors.iter().take(3).map(|error| syntax_flaw(text, error)).collect();
            if flaws.is_empty() { vec![whole(text, "the expression is not valid")] } else { flaws }
        })?;
        let mut convert = Convert { text, places: &places, flaws: Vec::new() };
        let root = convert.node(tree);
        match convert.flaws.is_empty() {
            true => Ok(Expr { text: text.into(), root: Arc::new(root) }),
            false => Err(convert.flaws),
        }
    }

    /// The text as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn root(&self) -> &Ast {
        &self.root
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Expr) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expr({:?})", self.text)
    }
}

impl TryFrom<String> for Expr {
    type Error = String;
    fn try_from(text: String) -> Result<Expr, String> {
        Expr::parse(&text).map_err(|flaws| match flaws.into_iter().next() {
            Some(flaw) => format!("`{}`: {}", shorten(&visible(&text), 80), flaw.message),
            None => "the expression is not valid".to_owned(),
        })
    }
}

impl From<Expr> for String {
    fn from(expr: Expr) -> String {
        expr.text.to_string()
    }
}

fn whole(text: &str, message: impl Into<String>) -> Flaw {
    Flaw::new(Code::InvalidExpression, 0..text.len(), message)
}

/// What must hold before a recursive parser may see the text.
fn before_parsing(text: &str) -> Result<(), Flaw> {
    if text.len() > LONGEST {
        let message = format!("the expression has {} bytes, at most {LONGEST} are allowed", text.len());
        return Err(Flaw::new(Code::TooLarge, 0..0, message));
    }
    if text.trim().is_empty() {
        return Err(whole(text, "the expression is empty"));
    }
    let (mut depth, mut operators) = (0_usize, 0_usize);
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        let here = at..at + c.len_utf8();
        if c.is_control() && !matches!(c, '\n' | '\r' | '\t') {
            let message = format!("the character `{}` is not allowed in an expression", c.escape_unicode());
            return Err(Flaw::new(Code::InvalidExpression, here, message));
        }
        // Characters in strings are counted as well where the end of a string is in doubt: rather too strict than too deep.
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None => match c {
                '\'' | '"' => quote = Some(c),
                '(' | '[' | '{' => {
                    depth += 1;
                    operators += 1;
                }
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                '.' | ',' | '+' | '-' | '*' | '/' | '%' | '?' | ':' | '<' | '>' | '=' | '!' | '&' | '|' => {
                    operators += 1
                }
                'i' if is_word(text, at, "in") => operators += 1,
                _ => {}
            },
        }
        if depth > DEEPEST {
            let message = format!("brackets are nested more than {DEEPEST} deep");
            return Err(Flaw::new(Code::TooLarge, here, message));
        }
        if operators > MOST_OPERATORS {
            let message = format!("the expression has more than {MOST_OPERATORS} operators, dots, commas and brackets");
            return Err(Flaw::new(Code::TooLarge, here, message));
        }
    }
    Ok(())
}

fn is_word(text: &str, at: usize, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text[at..].starts_with(word) && !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part)
}

/// The parser gives a line and a column; its sets of expected tokens help nobody.
fn syntax_flaw(text: &str, error: &cel::ParseError) -> Flaw {
    let line_start = |line: isize| {
        let lines = text.split_inclusive('\n').map(str::len);
        lines.take(usize::try_from(line - 1).unwrap_or(0)).sum::<usize>()
    };
    let start = line_start(error.pos.0);
    let line = &text[start.min(text.len())..];
    let column = usize::try_from(error.pos.1).unwrap_or(0).saturating_sub(1);
    let at = line.char_indices().nth(column).map_or(text.len(), |(byte, _)| start + byte);
    let end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
    let said = error.msg.split(" expecting").next().unwrap_or_default();
    let said = said.trim_start_matches("Syntax error: ").replace("'<EOF>'", "the end").replace('\'', "`");
    let said = shorten(&visible(&said), 120).into_owned();
    Flaw::new(Code::InvalidExpression, at..end, format!("the expression is not valid: {said}"))
}

struct Convert<'t> {
    text: &'t str,
    places: &'t SourceInfo,
    flaws: Vec<Flaw>,
}

impl Convert<'_> {
    /// Depth is bounded by [`MOST_OPERATORS`], so recursion is safe.
    fn node(&mut self, ided: IdedExpr) -> Ast {
        let at = self.place(ided.id);
        let node = match ided.expr {
            CelExpr::Literal(literal) => self.literal(literal, &at),
            CelExpr::Ident(name) => Node::Name(name),
            CelExpr::List(list) => {
                if !list.optional_indices.is_empty() {
                    self.refuse(&at, "optional elements (`?`) are not supported");
                }
                Node::List(list.elements.into_iter().map(|item| self.node(item)).collect())
            }
            CelExpr::Map(map) => {
                let mut entries = Vec::new();
                for entry in map.entries {
                    match entry.expr {
                        EntryExpr::MapEntry(entry) if !entry.optional => {
                            entries.push((self.node(entry.key), self.node(entry.value)));
                        }
                        _ => self.refuse(&at, "optional entries (`?`) are not supported"),
                    }
                }
                Node::Map(entries)
            }
            CelExpr::Select(select) => {
                let operand = Box::new(self.node(*select.operand));
                if select.test { Node::Has(operand, select.field) } else { Node::Field(operand, select.field) }
            }
            CelExpr::Call(call) => {
                let at = self.named_place(&call.func_name, at.clone());
                let target = call.target.map(|target| self.node(*target));
                let arguments = call.args.into_iter().map(|argument| self.node(argument)).collect();
                let node = self.call(call.func_name, target, arguments, &at);
                return Ast { at, node };
            }
            CelExpr::Struct(_) => {
                self.refuse(&at, "message types are not supported");
                Node::Literal(Value::Null)
            }
            CelExpr::Comprehension(_) | CelExpr::Unspecified => {
                self.refuse(&at, "the expression is not valid");
                Node::Literal(Value::Null)
            }
        };
        Ast { at, node }
    }

    fn refuse(&mut self, at: &Range<usize>, message: &str) {
        self.flaws.push(Flaw::new(Code::InvalidExpression, at.clone(), message));
    }

    /// The parser gives the bytes of a node's own token: of an operator that is the operator itself.
    fn place(&self, id: u64) -> Range<usize> {
        let whole = 0..self.text.len();
        let Some((start, stop)) = self.places.offset_for(id) else { return whole };
        let (start, mut end) = (start as usize, (stop as usize).saturating_add(1));
        while end < self.text.len() && !self.text.is_char_boundary(end) {
            end += 1;
        }
        if start < end && end <= self.text.len() && self.text.is_char_boundary(start) { start..end } else { whole }
    }

    /// The token of a call is its bracket; its name says more.
    fn named_place(&self, name: &str, at: Range<usize>) -> Range<usize> {
        let before = self.text[..at.start].trim_end();
        if self.text[at.start..].starts_with('(') && before.ends_with(name) {
            return before.len() - name.len()..before.len();
        }
        at
    }

    fn literal(&mut self, literal: LiteralValue, at: &Range<usize>) -> Node {
        Node::Literal(match literal {
            LiteralValue::Boolean(value) => Value::from(*value.inner()),
            LiteralValue::Int(value) => Value::from(*value.inner()),
            LiteralValue::Double(value) if !value.inner().is_finite() => {
                self.refuse(at, "the number is out of range");
                Value::Null
            }
            LiteralValue::Double(value) => Value::from(*value.inner()),
            LiteralValue::String(value) => Value::from(value.inner()),
            LiteralValue::Null => Value::Null,
            LiteralValue::UInt(_) => {
                self.refuse(at, "unsigned numbers (`1u`) are not supported: every integer has 64 bits and a sign");
                Value::Null
            }
            LiteralValue::Bytes(_) => {
                self.refuse(at, "bytes (`b'…'`) are not supported");
                Value::Null
            }
        })
    }

    fn call(&mut self, function: String, target: Option<Ast>, mut arguments: Vec<Ast>, at: &Range<usize>) -> Node {
        let binary = match function.as_str() {
            op::ADD => Some(Binary::Add),
            op::SUBSTRACT => Some(Binary::Subtract),
            op::MULTIPLY => Some(Binary::Multiply),
            op::DIVIDE => Some(Binary::Divide),
            op::MODULO => Some(Binary::Modulo),
            op::EQUALS => Some(Binary::Equal),
            op::NOT_EQUALS => Some(Binary::NotEqual),
            op::LESS => Some(Binary::Less),
            op::LESS_EQUALS => Some(Binary::LessOrEqual),
            op::GREATER => Some(Binary::Greater),
            op::GREATER_EQUALS => Some(Binary::GreaterOrEqual),
            op::IN => Some(Binary::In),
            _ => None,
        };
        let operator = !function.starts_with(|c: char| c.is_alphabetic()) && !function.starts_with("__");
        let each = match (function.as_str(), target.is_some(), arguments.len()) {
            (op::MAP, true, 2) => Some(Each::Map),
            (op::FILTER, true, 2) => Some(Each::Filter),
            (op::ALL, true, 2) => Some(Each::All),
            (op::EXISTS, true, 2) => Some(Each::Exists),
            (op::EXISTS_ONE | "existsOne", true, 2) => Some(Each::ExistsOne),
            _ => None,
        };
        match (arguments.len(), binary) {
            (2, Some(binary)) => {
                if let (Some(right), Some(left)) = (arguments.pop(), arguments.pop()) {
                    return Node::Binary(binary, Box::new(left), Box::new(right));
                }
            }
            (2, None) if function == op::LOGICAL_AND || function == op::LOGICAL_OR || function == op::INDEX => {
                if let (Some(right), Some(left)) = (arguments.pop(), arguments.pop()) {
                    let (left, right) = (Box::new(left), Box::new(right));
                    return match function.as_str() {
                        op::LOGICAL_AND => Node::And(left, right),
                        op::LOGICAL_OR => Node::Or(left, right),
                        _ => Node::Index(left, right),
                    };
                }
            }
            (1, None) if function == op::LOGICAL_NOT || function == op::NEGATE => {
                if let Some(operand) = arguments.pop().map(Box::new) {
                    return if function == op::NEGATE { Node::Negate(operand) } else { Node::Not(operand) };
                }
            }
            (3, None) if function == op::CONDITIONAL => {
                if let Ok(parts) = <[Ast; 3]>::try_from(std::mem::take(&mut arguments)) {
                    return Node::If(Box::new(parts));
                }
            }
            (1, None) if function == op::HAS && target.is_none() => {
                return match arguments.pop().map(|argument| argument.node) {
                    Some(Node::Field(operand, field)) => Node::Has(operand, field),
                    _ => {
                        self.refuse(at, "`has` takes a field, as in `has(inputs.name)`");
                        Node::Literal(Value::Null)
                    }
                };
            }
            _ => {}
        }
        if operator {
            self.refuse(at, "this operator is not supported");
            return Node::Literal(Value::Null);
        }
        if let Some(kind) = each {
            return self.each(kind, target, arguments, at);
        }
        Node::Call { function, target: target.map(Box::new), arguments }
    }

    fn each(&mut self, kind: Each, target: Option<Ast>, mut arguments: Vec<Ast>, at: &Range<usize>) -> Node {
        let (body, name) = (arguments.pop(), arguments.pop());
        match (target, name.map(|name| name.node), body) {
            (Some(list), Some(Node::Name(name)), Some(body)) => {
                Node::Each { kind, list: Box::new(list), name, body: Box::new(body) }
            }
            _ => {
                self.refuse(at, "the first argument is the name of the item, as in `list.map(item, item.name)`");
                Node::Literal(Value::Null)
            }
        }
    }
}
