//! The interpreter: total, without side effects, and bounded in steps, bytes and list lengths.
//!
//! `&&` and `||` follow CEL: an error on one side does not count when the other side decides.

use super::functions;
use super::parse::{Ast, Binary, Each, Expr, Node};
use crate::findings::{Counts, FindingsTable};
use crate::scope::{EachView, Scope, TaskView};
use orch_core::{Severity, shorten, visible};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Steps of one evaluation; enough for a list of the largest size and a body of a few dozen nodes.
const MOST_STEPS: usize = 1_000_000;
/// Bytes that one evaluation may build, counting what is thrown away.
const MOST_BYTES: usize = 16 << 20;
/// Bytes of a result.
const LARGEST_RESULT: usize = 1 << 20;
/// Items of a list that an expression builds or walks.
const LONGEST_LIST: usize = 10_000;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    /// One fragment in lower case.
    pub message: String,
}

pub(super) fn error<T>(message: impl Into<String>) -> Result<T, ExprError> {
    Err(ExprError { message: message.into() })
}

/// A value during evaluation. What stands in the scope is borrowed.
#[derive(Debug, Clone)]
enum Val<'a> {
    Json(Cow<'a, Value>),
    Tasks,
    Task(TaskView<'a>),
    Run,
    Findings,
    Set(&'a Counts),
}

impl Val<'_> {
    fn owned(value: impl Into<Value>) -> Self {
        Val::Json(Cow::Owned(value.into()))
    }

    fn word(&self) -> &'static str {
        match self {
            Val::Json(value) => word(value),
            Val::Tasks | Val::Task(_) | Val::Run => "a mapping",
            Val::Findings | Val::Set(_) => "findings",
        }
    }
}

fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// One evaluation.
struct Evaluation<'s, 'a> {
    scope: &'s Scope<'a>,
    output: Option<&'a Value>,
    locals: Vec<(&'s str, Cow<'a, Value>)>,
    steps: usize,
    bytes: usize,
}

/// The value of an expression. `output` is what the task's plugin returned, for a task's `outputs`.
pub(crate) fn evaluate(expr: &Expr, scope: &Scope<'_>, output: Option<&Value>) -> Result<Value, ExprError> {
    let mut run = Evaluation { scope, output, locals: Vec::new(), steps: 0, bytes: 0 };
    let value = run.eval(expr.root()).and_then(|value| run.json(value));
    let value = value.map(Cow::into_owned).map_err(|error| ExprError {
        message: format!("`{}`: {}", shorten(&visible(expr.text()), 80), error.message),
    })?;
    if weight(&value) > LARGEST_RESULT {
        return error(format!(
            "`{}`: the value has more than {LARGEST_RESULT} bytes",
            shorten(&visible(expr.text()), 80)
        ));
    }
    Ok(value)
}

/// Roughly the bytes of a value as JSON.
pub(crate) fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| weight(item) + 1).sum::<usize>() + 2,
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + weight(value) + 4).sum::<usize>() + 2,
    }
}

/// Text as it is, everything else as JSON.
pub(super) fn as_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

impl<'s, 'a> Evaluation<'s, 'a> {
    fn step(&mut self, steps: usize) -> Result<(), ExprError> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MOST_STEPS { error("the expression takes too many steps") } else { Ok(()) }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), ExprError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MOST_BYTES {
            return error(format!("the expression builds more than {} MiB", MOST_BYTES >> 20));
        }
        Ok(())
    }

    /// A copy that is paid for.
    fn copy(&mut self, value: &Value) -> Result<Value, ExprError> {
        self.spend(weight(value))?;
        Ok(value.clone())
    }

    fn owned(&mut self, value: Val<'a>) -> Result<Value, ExprError> {
        match self.json(value)? {
            Cow::Owned(value) => Ok(value),
            Cow::Borrowed(value) => self.copy(value),
        }
    }

    fn json(&mut self, value: Val<'a>) -> Result<Cow<'a, Value>, ExprError> {
        let object = |entries: &[(&str, Value)]| {
            let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
            Ok(Cow::Owned(Value::Object(entries.collect::<Map<_, _>>())))
        };
        match value {
            Val::Json(value) => Ok(value),
            Val::Task(task) => {
                let outputs = self.copy(task.outputs)?;
                object(&[("outcome", task.outcome.word().into()), ("outputs", outputs)])
            }
            Val::Run => {
                let run = &self.scope.run;
                object(&[("id", run.id.into()), ("workflow", run.workflow.into())])
            }
            Val::Set(counts) => {
                let counters = functions::COUNTERS.iter().map(|name| (*name, Value::from(counts.counter(name))));
                object(&counters.collect::<Vec<_>>())
            }
            Val::Tasks => error("`tasks` has to be followed by a task's name"),
            Val::Findings => error("`findings` has to be followed by `.of('task')` or `.all()`"),
        }
    }

    fn eval(&mut self, ast: &'s Ast) -> Result<Val<'a>, ExprError> {
        self.step(1)?;
        match &ast.node {
            Node::Literal(value) => Ok(Val::Json(Cow::Owned(self.copy(value)?))),
            Node::Name(name) => self.name(name),
            Node::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    let value = self.eval(item)?;
                    list.push(self.owned(value)?);
                }
                Ok(Val::owned(list))
            }
            Node::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    let key = self.text(key, "a key")?.into_owned();
                    let value = self.eval(value)?;
                    let value = self.owned(value)?;
                    if map.contains_key(&key) {
                        return error(format!("the key `{}` stands twice", short(&key)));
                    }
                    map.insert(key, value);
                }
                Ok(Val::owned(Value::Object(map)))
            }
            Node::Field(operand, field) => {
                let operand = self.eval(operand)?;
                match self.field(operand, field)? {
                    Some(value) => Ok(value),
                    None => error(format!("there is no `{}`", short(field))),
                }
            }
            Node::Has(operand, field) => {
                let operand = self.eval(operand)?;
                Ok(Val::owned(self.field(operand, field)?.is_some()))
            }
            Node::Index(operand, index) => {
                let operand = self.eval(operand)?;
                let index = self.eval(index)?;
                let index = self.json(index)?;
                self.index(operand, &index)
            }
            Node::Not(operand) => Ok(Val::owned(!self.boolean(operand)?)),
            Node::Negate(operand) => {
                let operand = self.eval(operand)?;
                match self.json(operand)?.as_ref() {
                    Value::Number(number) if number.is_i64() => match number.as_i64().and_then(i64::checked_neg) {
                        Some(value) => Ok(Val::owned(value)),
                        None => error("the integer is out of range"),
                    },
                    Value::Number(number) => float(-number.as_f64().unwrap_or_default()),
                    other => error(format!("`-` takes a number, not {}", word(other))),
                }
            }
            Node::And(left, right) => self.logic(left, right, false),
            Node::Or(left, right) => self.logic(left, right, true),
            Node::If(parts) => {
                let [condition, yes, no] = parts.as_ref();
                if self.boolean(condition)? { self.eval(yes) } else { self.eval(no) }
            }
            Node::Binary(operator, left, right) => {
                let left = self.eval(left)?;
                let left = self.json(left)?;
                let right = self.eval(right)?;
                let right = self.json(right)?;
                self.binary(*operator, left, right)
            }
            Node::Call { function, target, arguments } => self.call(function, target.as_deref(), arguments),
            Node::Each { kind, list, name, body } => self.each(*kind, list, name, body),
        }
    }

    fn name(&mut self, name: &str) -> Result<Val<'a>, ExprError> {
        if let Some((_, value)) = self.locals.iter().rev().find(|(local, _)| *local == name) {
            let value = value.clone();
            if let Cow::Owned(value) = &value {
                self.spend(weight(value))?;
            }
            return Ok(Val::Json(value));
        }
        match name {
            "inputs" => Ok(Val::Json(Cow::Borrowed(self.scope.inputs))),
            "tasks" => Ok(Val::Tasks),
            "run" => Ok(Val::Run),
            "findings" => Ok(Val::Findings),
            "matrix" | "item" | "index" => match (name, self.scope.each) {
                ("matrix", EachView::Matrix(value)) => Ok(Val::Json(Cow::Borrowed(value))),
                ("item", EachView::Item { value, .. }) => Ok(Val::Json(Cow::Borrowed(value))),
                ("index", EachView::Item { index, .. }) => Ok(Val::owned(index)),
                _ => error(format!("`{name}` is not known here")),
            },
            "output" => match self.output {
                Some(output) => Ok(Val::Json(Cow::Borrowed(output))),
                None => error("`output` is known in a task's `outputs` only"),
            },
            other => error(format!("`{}` is not known here", short(other))),
        }
    }

    fn field(&mut self, operand: Val<'a>, field: &str) -> Result<Option<Val<'a>>, ExprError> {
        match operand {
            Val::Json(Cow::Borrowed(Value::Object(map))) => {
                Ok(map.get(field).map(|value| Val::Json(Cow::Borrowed(value))))
            }
            Val::Json(Cow::Owned(Value::Object(mut map))) => {
                Ok(map.remove(field).map(|value| Val::Json(Cow::Owned(value))))
            }
            Val::Tasks => match self.scope.tasks.task(field) {
                Some(task) => Ok(Some(Val::Task(task))),
                None => error(format!("the task `{}` has not ended", short(field))),
            },
            Val::Task(task) => Ok(match field {
                "outcome" => Some(Val::owned(task.outcome.word())),
                "outputs" => Some(Val::Json(Cow::Borrowed(task.outputs))),
                _ => None,
            }),
            Val::Run => Ok(match field {
                "id" => Some(Val::owned(self.scope.run.id)),
                "workflow" => Some(Val::owned(self.scope.run.workflow)),
                "outcome" => self.scope.run.outcome.map(|outcome| Val::owned(outcome.word())),
                _ => None,
            }),
            Val::Set(counts) if functions::COUNTERS.contains(&field) => Ok(Some(Val::owned(counts.counter(field)))),
            Val::Set(_) => Ok(None),
            other => error(format!("{} has no fields, so no `{}`", other.word(), short(field))),
        }
    }

    fn index(&mut self, operand: Val<'a>, index: &Value) -> Result<Val<'a>, ExprError> {
        match (operand, index) {
            (Val::Json(list), Value::Number(number)) if list.is_array() => {
                let position = number.as_i64().and_then(|position| usize::try_from(position).ok());
                let length = list.as_array().map_or(0, Vec::len);
                match (position.filter(|position| *position < length), list) {
                    (Some(position), Cow::Borrowed(Value::Array(items))) => {
                        Ok(Val::Json(Cow::Borrowed(&items[position])))
                    }
                    (Some(position), Cow::Owned(Value::Array(mut items))) => {
                        Ok(Val::Json(Cow::Owned(items.swap_remove(position))))
                    }
                    _ => error(format!("the list has no item {number}: it has {length}")),
                }
            }
            (operand, Value::String(key)) => match self.field(operand, key)? {
                Some(value) => Ok(value),
                None => error(format!("there is no `{}`", short(key))),
            },
            (operand, index) => error(format!("{} cannot be indexed by {}", operand.word(), word(index))),
        }
    }

    fn boolean(&mut self, ast: &'s Ast) -> Result<bool, ExprError> {
        let value = self.eval(ast)?;
        match self.json(value)?.as_ref() {
            Value::Bool(value) => Ok(*value),
            other => error(format!("a condition is a boolean, not {}", word(other))),
        }
    }

    fn text(&mut self, ast: &'s Ast, what: &str) -> Result<Cow<'a, str>, ExprError> {
        let value = self.eval(ast)?;
        match self.json(value)? {
            Cow::Borrowed(Value::String(text)) => Ok(Cow::Borrowed(text)),
            Cow::Owned(Value::String(text)) => Ok(Cow::Owned(text)),
            other => error(format!("{what} is text, not {}", word(&other))),
        }
    }

    /// `deciding` is the side's value that decides whatever the other side is: `false` for `&&`, `true` for `||`.
    fn logic(&mut self, left: &'s Ast, right: &'s Ast, deciding: bool) -> Result<Val<'a>, ExprError> {
        let first = self.boolean(left);
        if first == Ok(deciding) {
            return Ok(Val::owned(deciding));
        }
        let second = self.boolean(right);
        if second == Ok(deciding) {
            return Ok(Val::owned(deciding));
        }
        first?;
        second?;
        Ok(Val::owned(!deciding))
    }

    fn binary(&mut self, operator: Binary, left: Cow<'a, Value>, right: Cow<'a, Value>) -> Result<Val<'a>, ExprError> {
        match operator {
            Binary::Equal => Ok(Val::owned(self.equal(&left, &right)?)),
            Binary::NotEqual => Ok(Val::owned(!self.equal(&left, &right)?)),
            Binary::In => match right.as_ref() {
                Value::Array(items) => {
                    for item in items {
                        if self.equal(&left, item)? {
                            return Ok(Val::owned(true));
                        }
                    }
                    Ok(Val::owned(false))
                }
                Value::Object(map) => match left.as_ref() {
                    Value::String(key) => Ok(Val::owned(map.contains_key(key))),
                    other => error(format!("keys are text, not {}", word(other))),
                },
                other => error(format!("`in` takes a list or a mapping, not {}", word(other))),
            },
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
                let Some(order) = order(&left, &right) else {
                    return error(format!("{} cannot be compared with {}", word(&left), word(&right)));
                };
                Ok(Val::owned(match operator {
                    Binary::Less => order == Ordering::Less,
                    Binary::LessOrEqual => order != Ordering::Greater,
                    Binary::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                }))
            }
            Binary::Add => match (left, right) {
                (left, right) if left.is_string() && right.is_string() => {
                    let (left, right) = (left.as_str().unwrap_or_default(), right.as_str().unwrap_or_default());
                    self.spend(left.len() + right.len())?;
                    Ok(Val::owned(format!("{left}{right}")))
                }
                (left, right) if left.is_array() && right.is_array() => {
                    let length = |list: &Value| list.as_array().map_or(0, Vec::len);
                    short_enough(length(&left) + length(&right))?;
                    self.spend(weight(&left) + weight(&right))?;
                    let both = [left, right].into_iter().flat_map(|list| match list.into_owned() {
                        Value::Array(items) => items,
                        _ => Vec::new(),
                    });
                    Ok(Val::owned(Value::Array(both.collect())))
                }
                (left, right) => arithmetic(operator, &left, &right),
            },
            Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Modulo => {
                arithmetic(operator, &left, &right)
            }
        }
    }

    /// Equality of CEL: numbers by value, whatever their type.
    fn equal(&mut self, left: &Value, right: &Value) -> Result<bool, ExprError> {
        self.step(1)?;
        match (left, right) {
            (Value::String(left), Value::String(right)) => {
                self.step(left.len().min(right.len()) >> 6)?;
                Ok(left == right)
            }
            (Value::Number(_), Value::Number(_)) => Ok(order(left, right) == Some(Ordering::Equal)),
            (Value::Array(left), Value::Array(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(right) {
                    if !self.equal(left, right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Object(left), Value::Object(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (key, left) in left {
                    match right.get(key) {
                        Some(right) if self.equal(left, right)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
            (left, right) => Ok(left == right),
        }
    }

    fn each(&mut self, kind: Each, list: &'s Ast, name: &'s str, body: &'s Ast) -> Result<Val<'a>, ExprError> {
        let list = self.eval(list)?;
        let items: Vec<Cow<'a, Value>> = match self.json(list)? {
            Cow::Owned(Value::Array(items)) => items.into_iter().map(Cow::Owned).collect(),
            Cow::Borrowed(Value::Array(items)) => items.iter().take(LONGEST_LIST + 1).map(Cow::Borrowed).collect(),
            // CEL walks the keys of a mapping.
            other => match other.as_object() {
                Some(map) => {
                    let keys: Vec<_> = map.keys().take(LONGEST_LIST + 1).collect();
                    self.spend(keys.iter().map(|key| key.len() + 2).sum())?;
                    keys.into_iter().map(|key| Cow::Owned(Value::from(key.as_str()))).collect()
                }
                None => return error(format!("only lists and mappings have items, not {}", word(&other))),
            },
        };
        short_enough(items.len())?;
        let mut kept = Vec::new();
        let mut hits = 0_usize;
        let mut failure = None;
        for item in items {
            self.step(1)?;
            self.locals.push((name, item.clone()));
            let result = match kind {
                Each::Map => self.eval(body).and_then(|value| self.owned(value)).map(|value| {
                    kept.push(value);
                    false
                }),
                _ => self.boolean(body),
            };
            self.locals.pop();
            match (kind, result) {
                (Each::Map, Ok(_)) => {}
                (Each::Filter, Ok(true)) => kept.push(self.owned(Val::Json(item))?),
                (Each::All, Ok(false)) => return Ok(Val::owned(false)),
                (Each::Exists, Ok(true)) => return Ok(Val::owned(true)),
                (Each::ExistsOne, Ok(true)) => hits += 1,
                (_, Ok(_)) => {}
                (Each::All | Each::Exists, Err(problem)) => failure = Some(problem),
                (_, Err(problem)) => return Err(problem),
            }
        }
        match (kind, failure) {
            (_, Some(problem)) => Err(problem),
            (Each::Map | Each::Filter, None) => Ok(Val::owned(kept)),
            (Each::All, None) => Ok(Val::owned(true)),
            (Each::Exists, None) => Ok(Val::owned(false)),
            (Each::ExistsOne, None) => Ok(Val::owned(hits == 1)),
        }
    }

    fn call(&mut self, name: &'s str, target: Option<&'s Ast>, arguments: &'s [Ast]) -> Result<Val<'a>, ExprError> {
        match (name, target, arguments) {
            ("success", None, []) => Ok(Val::owned(self.scope.needs_succeeded())),
            ("failure", None, []) => Ok(Val::owned(self.scope.a_need_failed())),
            ("always", None, []) => Ok(Val::owned(true)),
            ("size", None, [value]) | ("size", Some(value), []) => self.size(value),
            ("contains" | "startsWith" | "endsWith" | "split", Some(target), [argument]) => {
                let text = self.text(target, "what is searched")?;
                let part = self.text(argument, "what is sought")?;
                self.step((text.len() + part.len()) >> 6)?;
                match name {
                    "contains" => Ok(Val::owned(text.contains(part.as_ref()))),
                    "startsWith" => Ok(Val::owned(text.starts_with(part.as_ref()))),
                    "endsWith" => Ok(Val::owned(text.ends_with(part.as_ref()))),
                    _ => {
                        if part.is_empty() {
                            return error("`split` takes a separator that is not empty");
                        }
                        let parts: Vec<_> = text.split(part.as_ref()).take(LONGEST_LIST + 1).collect();
                        short_enough(parts.len())?;
                        self.spend(text.len() + 3 * parts.len())?;
                        Ok(Val::owned(parts.into_iter().map(Value::from).collect::<Vec<_>>()))
                    }
                }
            }
            ("lowerAscii" | "upperAscii" | "trim", Some(target), []) => {
                let text = self.text(target, "what is changed")?;
                self.spend(text.len())?;
                Ok(Val::owned(match name {
                    "lowerAscii" => text.to_ascii_lowercase(),
                    "upperAscii" => text.to_ascii_uppercase(),
                    _ => text.trim().to_owned(),
                }))
            }
            ("join", Some(target), [separator]) => {
                let separator = self.text(separator, "a separator")?;
                let list = self.eval(target)?;
                let list = self.json(list)?;
                let Value::Array(items) = list.as_ref() else {
                    return error(format!("`join` takes a list of text, not {}", word(&list)));
                };
                let Some(parts) = items.iter().map(Value::as_str).collect::<Option<Vec<_>>>() else {
                    return error("`join` takes a list of text");
                };
                self.spend(parts.iter().map(|part| part.len() + separator.len()).sum())?;
                Ok(Val::owned(parts.join(&separator)))
            }
            ("string" | "int" | "double", None, [value]) => {
                let value = self.eval(value)?;
                let value = self.json(value)?;
                self.convert(name, &value)
            }
            ("of", Some(target), [task]) => {
                let table = self.table(target)?;
                let task = self.text(task, "a task's name")?;
                match table.of(&task) {
                    Some(counts) => Ok(Val::Set(counts)),
                    None => error(format!("the task `{}` is not in `needs`", short(&task))),
                }
            }
            ("all", Some(target), []) => Ok(Val::Set(self.table(target)?.all())),
            ("at_least" | "new_at_least", Some(target), [severity]) => {
                let target = self.eval(target)?;
                let Val::Set(counts) = target else {
                    return error(format!("`{name}` takes findings, not {}", target.word()));
                };
                let text = self.text(severity, "a severity")?;
                let Some(severity) = Severity::from_word(&text) else {
                    let known = "`info`, `low`, `medium`, `high`, `critical`";
                    return error(format!("`{}` is not a severity (known: {known})", short(&text)));
                };
                Ok(Val::owned(counts.at_least(severity, name == "new_at_least")))
            }
            _ => error(format!("there is no function `{}` for these arguments", short(name))),
        }
    }

    fn table(&mut self, target: &'s Ast) -> Result<&'a FindingsTable, ExprError> {
        match (self.eval(target)?, self.scope.findings) {
            (Val::Findings, Some(table)) => Ok(table),
            (Val::Findings, None) => error("`findings` is known in gates only"),
            (other, _) => error(format!("{} has no findings", other.word())),
        }
    }

    fn size(&mut self, ast: &'s Ast) -> Result<Val<'a>, ExprError> {
        let value = self.eval(ast)?;
        let value = self.json(value)?;
        let size = match value.as_ref() {
            Value::String(text) => {
                self.step(text.len() >> 6)?;
                text.chars().count()
            }
            Value::Array(items) => items.len(),
            Value::Object(map) => map.len(),
            other => return error(format!("`size` takes text, a list or a mapping, not {}", word(other))),
        };
        Ok(Val::owned(i64::try_from(size).unwrap_or(i64::MAX)))
    }

    fn convert(&mut self, to: &str, value: &Value) -> Result<Val<'a>, ExprError> {
        let fail = || {
            let shown = if value.is_object() || value.is_array() {
                word(value).to_owned()
            } else {
                format!("`{}`", short(&value.to_string()))
            };
            error(format!("{shown} cannot become {}", if to == "int" { "an integer" } else { "a number" }))
        };
        match (to, value) {
            ("string", value) => {
                self.spend(weight(value))?;
                Ok(Val::owned(as_text(value.clone())))
            }
            ("int", Value::String(text)) => text.parse::<i64>().map_or_else(|_| fail(), |value| Ok(Val::owned(value))),
            ("int", Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(value), _) => Ok(Val::owned(value)),
                // Both bounds are exact as floats; the upper one is the first that no longer fits.
                (None, Some(value)) if value.is_finite() && (-(2_f64.powi(63))..2_f64.powi(63)).contains(&value) => {
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "the range was checked; CEL truncates towards zero"
                    )]
                    let value = value.trunc() as i64;
                    Ok(Val::owned(value))
                }
                _ => fail(),
            },
            ("double", Value::String(text)) => match text.parse::<f64>() {
                Ok(value) if value.is_finite() => float(value),
                _ => fail(),
            },
            ("double", Value::Number(number)) => number.as_f64().map_or_else(fail, float),
            _ => fail(),
        }
    }
}

fn short(text: &str) -> String {
    shorten(&visible(text), 60).into_owned()
}

fn short_enough(length: usize) -> Result<(), ExprError> {
    if length > LONGEST_LIST {
        return error(format!("the list has {length} items, at most {LONGEST_LIST} are allowed"));
    }
    Ok(())
}

fn float<'a>(value: f64) -> Result<Val<'a>, ExprError> {
    match Number::from_f64(value) {
        Some(number) => Ok(Val::owned(Value::Number(number))),
        None => error("the number is out of range"),
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        _ => None,
    }
}

fn arithmetic<'a>(operator: Binary, left: &Value, right: &Value) -> Result<Val<'a>, ExprError> {
    let sign = match operator {
        Binary::Add => "+",
        Binary::Subtract => "-",
        Binary::Multiply => "*",
        Binary::Divide => "/",
        _ => "%",
    };
    let (Value::Number(left_number), Value::Number(right_number)) = (left, right) else {
        return error(format!("`{sign}` does not take {} and {}", word(left), word(right)));
    };
    if let (Some(left), Some(right)) = (left_number.as_i64(), right_number.as_i64()) {
        if right == 0 && matches!(operator, Binary::Divide | Binary::Modulo) {
            return error("division by zero");
        }
        let result = match operator {
            Binary::Add => left.checked_add(right),
            Binary::Subtract => left.checked_sub(right),
            Binary::Multiply => left.checked_mul(right),
            Binary::Divide => left.checked_div(right),
            _ => left.checked_rem(right),
        };
        return match result {
            Some(value) => Ok(Val::owned(value)),
            None => error("the integer is out of range"),
        };
    }
    let (Some(left), Some(right)) = (left_number.as_f64(), right_number.as_f64()) else {
        return error("the number is out of range");
    };
    match operator {
        Binary::Add => float(left + right),
        Binary::Subtract => float(left - right),
        Binary::Multiply => float(left * right),
        Binary::Divide if right == 0.0 => error("division by zero"),
        Binary::Divide => float(left / right),
        _ => error("`%` takes integers"),
    }
}
