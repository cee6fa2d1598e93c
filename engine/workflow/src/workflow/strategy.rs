//! Tasks that run once for each of several: `strategy` with a matrix (read in `matrix`), or `for-each` with a list.

use super::keys::STRATEGY;
use super::matrix::{self, Matrix};
use crate::expr::{EachKnown, Template, Used, yields_no_list};
use crate::read::{Fields, Reader};
use crate::yaml::{Kind, Node};
use orch_core::Code;
use serde_json::Value;

/// Combinations of a matrix, and items of a literal list.
pub(crate) const MOST_ITEMS: usize = 10_000;

/// `strategy`, or `for-each` and what stands beside it.
#[derive(Debug, Clone)]
pub(crate) struct Strategy {
    pub(crate) each: EachWritten,
    pub(crate) max_parallel: Option<u32>,
    pub(crate) fail_fast: bool,
}

/// What a task runs for.
#[derive(Debug, Clone)]
pub(crate) enum EachWritten {
    Matrix(Box<Matrix>),
    Items {
        list: Template,
        used: Vec<Used>,
    },
    /// It could not be read; an error says so.
    Unknown,
}

impl Strategy {
    /// What expressions know of it.
    pub(crate) fn known(&self) -> EachKnown<'_> {
        match &self.each {
            EachWritten::Matrix(matrix) => EachKnown::Matrix(matrix.names()),
            EachWritten::Items { .. } => EachKnown::Items,
            EachWritten::Unknown => EachKnown::Unknown,
        }
    }
}

/// Reads what a task runs for, if it does not run once.
pub(crate) fn read(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Strategy> {
    let unknown = Strategy { each: EachWritten::Unknown, max_parallel: None, fail_fast: true };
    match (fields.entry("strategy"), fields.entry("for-each")) {
        (Some(_), Some((key, _))) => {
            let message = "a task has `strategy` or `for-each`, not both";
            reader.error(Code::Contradiction, &key.span, message);
            Some(unknown)
        }
        (Some((_, node)), None) => {
            for name in ["max-parallel", "fail-fast"] {
                if let Some((key, _)) = fields.entry(name) {
                    let message = format!("with a matrix `{name}` stands inside `strategy`");
                    reader.error(Code::Contradiction, &key.span, message);
                }
            }
            let Some(fields) = reader.fields(node, &STRATEGY) else { return Some(unknown) };
            let (max_parallel, fail_fast) = bounds(reader, &fields);
            let matrix = reader.require(&fields, "matrix", "`strategy`").and_then(|node| matrix::read(reader, node));
            let each = matrix.map_or(EachWritten::Unknown, |matrix| EachWritten::Matrix(Box::new(matrix)));
            Some(Strategy { each, max_parallel, fail_fast })
        }
        (None, Some((_, node))) => {
            let (max_parallel, fail_fast) = bounds(reader, fields);
            let each =
                items(reader, node).map_or(EachWritten::Unknown, |(list, used)| EachWritten::Items { list, used });
            Some(Strategy { each, max_parallel, fail_fast })
        }
        (None, None) => {
            for name in ["max-parallel", "fail-fast"] {
                if let Some((key, _)) = fields.entry(name) {
                    let message = format!("`{name}` is for tasks with `for-each`, and this one runs once");
                    reader.error(Code::Contradiction, &key.span, message);
                }
            }
            None
        }
    }
}

fn bounds(reader: &mut Reader<'_>, fields: &Fields<'_>) -> (Option<u32>, bool) {
    let most = u32::try_from(MOST_ITEMS).unwrap_or(u32::MAX);
    let parallel = fields.get("max-parallel").and_then(|node| reader.within(node, "max-parallel", 1..=most));
    let fail_fast = fields.get("fail-fast").and_then(|node| reader.boolean(node, "fail-fast"));
    (parallel, fail_fast.unwrap_or(true))
}

fn items(reader: &mut Reader<'_>, node: &Node) -> Option<(Template, Vec<Used>)> {
    let mut used = Vec::new();
    match &node.kind {
        Kind::Seq(items) if items.len() > MOST_ITEMS => {
            let message = format!("the list has {} items, at most {MOST_ITEMS} are allowed", items.len());
            reader.error(Code::TooMany, &node.span, message);
            None
        }
        Kind::Seq(_) => Some((Template::read(reader, node, &mut used), used)),
        Kind::Text(_) => {
            match Template::read(reader, node, &mut used) {
                template @ Template::Expression(_) => {
                    used.iter().for_each(|used| yields_a_list(reader, used, "`for-each`"));
                    Some((template, used))
                }
                // An expression that cannot be parsed has its own error, and comes back as `null`.
                Template::Literal(Value::Null) => None,
                _ => {
                    let message = "`for-each` is a list, or one `${{ }}` that yields one";
                    reader.error(Code::WrongType, &node.span, message);
                    None
                }
            }
        }
        other => {
            let message = format!("`for-each` is a list, or one `${{{{ }}}}` that yields one, not {}", other.word());
            reader.error(Code::WrongType, &node.span, message);
            None
        }
    }
}

/// Whether an expression can yield a list at all.
pub(crate) fn yields_a_list(reader: &mut Reader<'_>, used: &Used, what: &str) {
    if let Some(word) = yields_no_list(&used.expr) {
        let span = used.locator.place(&(0..used.expr.text().len()));
        reader.error(Code::WrongType, &span, format!("{what} takes a list, and this yields {word}"));
    }
}
