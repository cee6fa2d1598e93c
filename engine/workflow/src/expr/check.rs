//! What can be known to be wrong before a run: names that are not there, functions that there are not, types that cannot fit.

use super::functions::{self, COUNTERS, COUNTING, STATUS, Style, Yields};
use super::parse::{Ast, Expr, Flaw, Node};
use super::surroundings::{EachKnown, Part, Place, References, Standing, Surroundings, TaskReference};
use crate::read::{known, list, shown};
use orch_core::{Code, Severity};
use serde_json::Value;
use std::ops::Range;

/// Finds what is wrong in an expression, and what it refers to.
pub(crate) fn check(expr: &Expr, around: &Surroundings<'_>) -> (References, Vec<Flaw>) {
    let mut check = Check { around, locals: Vec::new(), found: References::default(), flaws: Vec::new() };
    check.walk(expr.root());
    (check.found, check.flaws)
}

/// What an expression refers to, whatever is around it.
pub(crate) fn references(expr: &Expr) -> References {
    let around = Surroundings {
        place: Place::With,
        inputs: &[],
        standing: &|_| Standing::Direct,
        tasks: &Vec::new,
        each: EachKnown::Once,
        ends_run: false,
    };
    check(expr, &around).0
}

/// What an expression certainly yields, if that is no boolean.
pub(crate) fn yields_no_boolean(expr: &Expr) -> Option<&'static str> {
    match infer(expr.root()) {
        Yields::Boolean => None,
        other => other.words(),
    }
}

/// What an expression certainly yields, if that is no list.
pub(crate) fn yields_no_list(expr: &Expr) -> Option<&'static str> {
    match infer(expr.root()) {
        Yields::List => None,
        other => other.words(),
    }
}

fn infer(ast: &Ast) -> Yields {
    match &ast.node {
        Node::Literal(Value::Bool(_)) | Node::Not(_) | Node::And(..) | Node::Or(..) | Node::Has(..) => Yields::Boolean,
        Node::Literal(Value::Number(_)) | Node::Negate(_) => Yields::Number,
        Node::Literal(Value::String(_)) => Yields::Text,
        Node::List(_) => Yields::List,
        Node::If(parts) => match (infer(&parts[1]), infer(&parts[2])) {
            (yes, no) if yes == no => yes,
            _ => Yields::Any,
        },
        Node::Binary(operator, left, _) => {
            use super::parse::Binary::{Add, Divide, Modulo, Multiply, Subtract};
            match operator {
                Add => infer(left),
                Subtract | Multiply | Divide | Modulo => Yields::Number,
                _ => Yields::Boolean,
            }
        }
        Node::Call { function, target, arguments } => match function.as_str() {
            name if target.is_none() && STATUS.contains(&name) => Yields::Boolean,
            name if COUNTING.contains(&name) => Yields::Number,
            // `findings.all()` is no boolean, the macro of the same name has arguments.
            "all" if arguments.is_empty() => Yields::Any,
            name => functions::find(name).map_or(Yields::Any, |function| function.yields),
        },
        Node::Each { kind, .. } => match kind {
            super::parse::Each::Map | super::parse::Each::Filter => Yields::List,
            _ => Yields::Boolean,
        },
        Node::Field(operand, field) => match chain(operand) {
            Some(("tasks", path)) if path.len() == 1 && field == "outcome" => Yields::Text,
            Some(("run", path)) if path.is_empty() => Yields::Text,
            None if is_set(operand) && COUNTERS.contains(&field.as_str()) => Yields::Number,
            _ => Yields::Any,
        },
        _ => Yields::Any,
    }
}

/// `findings.of(…)` or `findings.all()`.
fn is_set(ast: &Ast) -> bool {
    let Node::Call { function, target: Some(target), .. } = &ast.node else { return false };
    matches!(&target.node, Node::Name(name) if name == "findings") && matches!(function.as_str(), "of" | "all")
}

/// A step from a value to one inside it.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    /// `[0]`
    Item,
    /// Known in the run only.
    Dynamic(&'a Ast),
}

impl<'a> Step<'a> {
    fn name(self) -> Option<&'a str> {
        match self {
            Step::Name(name) => Some(name),
            Step::Item | Step::Dynamic(_) => None,
        }
    }

    fn part(self) -> Part {
        match self {
            Step::Name(name) => Part::Name(name.to_owned()),
            Step::Item => Part::Item,
            Step::Dynamic(_) => Part::Dynamic,
        }
    }
}

/// `a.b['c'][0]` as its root and the steps that follow; `None` for anything else.
fn chain(ast: &Ast) -> Option<(&str, Vec<Step<'_>>)> {
    match &ast.node {
        Node::Name(name) => Some((name, Vec::new())),
        Node::Field(operand, field) => {
            let (root, mut path) = chain(operand)?;
            path.push(Step::Name(field));
            Some((root, path))
        }
        Node::Index(operand, index) => {
            let (root, mut path) = chain(operand)?;
            path.push(match &index.node {
                Node::Literal(Value::String(key)) => Step::Name(key),
                Node::Literal(Value::Number(_)) => Step::Item,
                _ => Step::Dynamic(index),
            });
            Some((root, path))
        }
        _ => None,
    }
}

/// The bytes from a chain's root to its last name.
fn extent(ast: &Ast) -> Range<usize> {
    match &ast.node {
        Node::Field(operand, field) => {
            let start = extent(operand).start;
            // The token of a field access is its dot.
            start..ast.at.end.max(start) + if ast.at.len() == 1 { field.len() } else { 0 }
        }
        Node::Index(operand, index) => extent(operand).start..index.at.end,
        _ => ast.at.clone(),
    }
}

struct Check<'c, 'a> {
    around: &'c Surroundings<'a>,
    locals: Vec<&'c str>,
    found: References,
    flaws: Vec<Flaw>,
}

impl<'c> Check<'c, '_> {
    fn flaw(&mut self, code: Code, at: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.flaws.push(Flaw::new(code, at, message).help(help));
    }

    /// Recursion is bounded by the number of operators, which the parser checked.
    fn walk(&mut self, ast: &'c Ast) {
        if let Some((root, path)) = chain(ast)
            && !self.locals.contains(&root)
        {
            self.root(ast, root, &path, false);
            self.indices(&path);
            return;
        }
        match &ast.node {
            Node::Literal(_) | Node::Name(_) => {}
            Node::List(items) => items.iter().for_each(|item| self.walk(item)),
            Node::Map(entries) => entries.iter().for_each(|(key, value)| {
                self.walk(key);
                self.walk(value);
            }),
            Node::Has(operand, field) => match chain(operand) {
                Some((root, mut path)) if !self.locals.contains(&root) => {
                    path.push(Step::Name(field));
                    self.root(operand, root, &path, true);
                    self.indices(&path);
                }
                _ => self.walk(operand),
            },
            Node::Field(operand, field) => {
                if is_set(operand) && !COUNTERS.contains(&field.as_str()) {
                    let message = format!("findings have no counter `{}`", shown(field));
                    self.flaw(Code::UnknownReference, ast.at.clone(), message, known(field, COUNTERS));
                }
                self.walk(operand);
            }
            Node::Not(operand) | Node::Negate(operand) => self.walk(operand),
            Node::Index(left, right)
            | Node::And(left, right)
            | Node::Or(left, right)
            | Node::Binary(_, left, right) => {
                self.walk(left);
                self.walk(right);
            }
            Node::If(parts) => parts.iter().for_each(|part| self.walk(part)),
            Node::Call { function, target, arguments } => self.call(ast, function, target.as_deref(), arguments),
            Node::Each { list, name, body, .. } => {
                self.walk(list);
                if !self.locals.is_empty() {
                    // Without a cost limit inside the loops, two of them are a square and three a cube.
                    let message = "loops (`map`, `filter`, `all`, `exists`, `exists_one`) cannot be nested";
                    self.flaws.push(Flaw::new(Code::InvalidExpression, ast.at.clone(), message));
                }
                self.locals.push(name);
                self.walk(body);
                self.locals.pop();
            }
        }
    }

    /// Expressions inside the brackets of a chain.
    fn indices(&mut self, path: &[Step<'c>]) {
        for step in path {
            if let Step::Dynamic(index) = step {
                self.walk(index);
            }
        }
    }

    fn root(&mut self, ast: &Ast, root: &str, path: &[Step<'_>], optional: bool) {
        let roots = self.around.roots();
        let roots = roots.as_slice();
        let at = extent(ast);
        self.found.beyond_inputs |= root != "inputs";
        if !roots.contains(&root) {
            let message = match root {
                "matrix" | "item" | "index" if self.around.place.sees_each() => match root {
                    "matrix" => "`matrix` is known in a task with `strategy` only".to_owned(),
                    _ => format!("`{root}` is known in a task with `for-each` only"),
                },
                "inputs" | "tasks" | "run" | "output" | "findings" | "matrix" | "item" | "index" => {
                    format!("`{root}` is not known in {}", self.around.place.words())
                }
                _ => format!("`{}` is not known here", shown(root)),
            };
            let start = at.start;
            let at = start..(start + root.len()).min(at.end.max(start));
            self.flaw(Code::UnknownReference, at, message, known(root, roots));
            return;
        }
        let first = path.first().and_then(|step| step.name());
        match root {
            "inputs" => {
                self.found.inputs.push(first.map(str::to_owned));
                if let Some(name) = first
                    && !optional
                    && !self.around.inputs.contains(&name)
                {
                    let help = self.dashed("inputs", name, self.around.inputs.iter().map(|name| (*name).to_owned()));
                    let help = help.unwrap_or_else(|| known(name, self.around.inputs));
                    self.flaw(Code::UnknownReference, at, format!("there is no input `{}`", shown(name)), help);
                }
            }
            "run" => {
                let fields: &[&str] =
                    if self.around.ends_run { &["id", "workflow", "outcome"] } else { &["id", "workflow"] };
                match first {
                    Some(name) if fields.contains(&name) || optional => {}
                    Some("outcome") => {
                        let message = "`run.outcome` is known in `on-failure` and `finally` only";
                        self.flaw(Code::UnknownReference, at, message, known("outcome", fields));
                    }
                    Some(name) => {
                        let message = format!("`run` has no `{}`", shown(name));
                        self.flaw(Code::UnknownReference, at, message, known(name, fields));
                    }
                    None => {}
                }
            }
            "matrix" => {
                if let (Some(axis), EachKnown::Matrix(axes)) = (first, self.around.each)
                    && !optional
                    && !axes.iter().any(|known| known == axis)
                {
                    let help = self.dashed("matrix", axis, axes.iter().cloned());
                    let help = help.unwrap_or_else(|| known(axis, axes));
                    self.flaw(Code::UnknownReference, at, format!("the matrix has no axis `{}`", shown(axis)), help);
                }
            }
            "tasks" => self.tasks(at, path, optional),
            "findings" => {
                let message = "`findings` is asked for a task or for all";
                self.flaw(Code::InvalidExpression, at, message, "write `findings.of('task')` or `findings.all()`");
            }
            _ => {}
        }
    }

    fn tasks(&mut self, at: Range<usize>, path: &[Step<'_>], optional: bool) {
        let Some(task) = path.first().and_then(|step| step.name()) else {
            let message = "`tasks` is followed by the name of a task";
            self.flaw(Code::InvalidExpression, at, message, "write `tasks.name.outputs` or `tasks['name'].outputs`");
            return;
        };
        if !self.task(&at, task) {
            return;
        }
        match path.get(1) {
            None => {}
            Some(Step::Name("outputs")) => {
                let path = path[2..].iter().map(|step| step.part()).collect();
                self.found.tasks.push(TaskReference { task: task.to_owned(), path, optional, at });
            }
            Some(Step::Name("outcome") | Step::Dynamic(_)) => {}
            Some(Step::Item) => {
                let message = "a task is no list";
                self.flaw(Code::UnknownReference, at, message, known("", &["outputs", "outcome"]));
            }
            Some(Step::Name(other)) => {
                let message = format!("a task has no `{}`", shown(other));
                self.flaw(Code::UnknownReference, at, message, known(other, &["outputs", "outcome"]));
            }
        }
    }

    /// Whether a task is there and needed.
    fn task(&mut self, at: &Range<usize>, task: &str) -> bool {
        match (self.around.standing)(task) {
            Standing::Direct | Standing::Through => true,
            Standing::NotNeeded => {
                let message = format!("the task `{}` is not in `needs`", shown(task));
                self.flaw(Code::UnknownReference, at.clone(), message, format!("add `{}` to `needs`", shown(task)));
                false
            }
            Standing::Unknown => {
                let names = (self.around.tasks)();
                let help = self.dashed("tasks", task, names.iter().cloned());
                let help = help.unwrap_or_else(|| known(task, &names));
                self.flaw(Code::UnknownReference, at.clone(), format!("there is no task `{}`", shown(task)), help);
                false
            }
        }
    }

    /// `tasks.a-b` is a subtraction; say so where a name would fit.
    fn dashed(&self, root: &str, name: &str, mut names: impl Iterator<Item = String>) -> Option<String> {
        let longer = names.find(|other| other.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')))?;
        Some(format!("a name with `-` is written `{root}['{longer}']`"))
    }

    fn call(&mut self, ast: &'c Ast, name: &str, target: Option<&'c Ast>, arguments: &'c [Ast]) {
        let at = ast.at.clone();
        let over_findings = target.is_some_and(|target| matches!(&target.node, Node::Name(root) if root == "findings"));
        if over_findings && !self.locals.contains(&"findings") {
            self.findings(at, name, arguments);
            return;
        }
        arguments.iter().for_each(|argument| self.walk(argument));
        if let Some(target) = target {
            self.walk(target);
        }
        if target.is_none() && STATUS.contains(&name) {
            if self.around.place == Place::HookCondition {
                let message = format!("`{name}()` looks at `needs`, and this has none");
                self.flaw(Code::InvalidExpression, at, message, "ask for `run.outcome`");
            } else if self.around.place != Place::Condition {
                let message = format!("`{name}()` is known in `if` only");
                self.flaws.push(Flaw::new(Code::InvalidExpression, at, message));
            } else if !arguments.is_empty() {
                self.flaws.push(Flaw::new(Code::InvalidExpression, at, format!("`{name}()` takes no arguments")));
            }
            self.found.status = true;
            return;
        }
        if COUNTING.contains(&name) && self.around.place == Place::Assert {
            match (target.is_some_and(is_set), arguments) {
                (true, [argument]) => self.severity(argument),
                _ => {
                    let message = format!("`{name}` is asked of findings, with one severity");
                    self.flaw(Code::InvalidExpression, at, message, format!("write `findings.all().{name}('high')`"));
                }
            }
            return;
        }
        let Some(function) = functions::find(name) else {
            let names: Vec<_> = functions::FUNCTIONS.iter().map(|function| function.name).collect();
            let help = match name {
                "matches" => {
                    "regular expressions are not supported; use `contains`, `startsWith` or `endsWith`".to_owned()
                }
                _ => known(name, &names),
            };
            self.flaw(Code::InvalidExpression, at, format!("there is no function `{}`", shown(name)), help);
            return;
        };
        let given = arguments.len();
        let fits = match (function.style, target.is_some()) {
            (Style::Global, false) | (Style::Method, true) => given == function.arguments,
            (Style::Either, method) => given + usize::from(method) == function.arguments,
            _ => false,
        };
        if !fits {
            let holes = vec!["…"; function.arguments].join(", ");
            let form = match function.style {
                Style::Method => format!("value.{name}({holes})"),
                Style::Global | Style::Either => format!("{name}({holes})"),
            };
            self.flaw(
                Code::InvalidExpression,
                at,
                format!("`{name}` is not called like this"),
                format!("write `{form}`"),
            );
        }
    }

    fn findings(&mut self, at: Range<usize>, name: &str, arguments: &'c [Ast]) {
        if self.around.place != Place::Assert {
            self.flaws.push(Flaw::new(Code::UnknownReference, at, "`findings` is known in a gate's `assert` only"));
            return;
        }
        match (name, arguments) {
            ("all", []) => {}
            ("of", [argument]) => match &argument.node {
                Node::Literal(Value::String(task)) => {
                    let place = argument.at.clone();
                    if self.task(&place, task) && (self.around.standing)(task) == Standing::Through {
                        let message = format!("the task `{}` is not in the gate's own `needs`", shown(task));
                        self.flaw(Code::UnknownReference, place, message, format!("add `{}` to `needs`", shown(task)));
                    }
                }
                _ => {
                    let message = "`findings.of` takes the name of a task in quotes";
                    self.flaws.push(Flaw::new(Code::InvalidExpression, argument.at.clone(), message));
                }
            },
            _ => {
                let message = format!("`findings` has no `{}` with {} arguments", shown(name), arguments.len());
                self.flaw(Code::InvalidExpression, at, message, "known: `findings.of('task')`, `findings.all()`");
            }
        }
    }

    fn severity(&mut self, argument: &Ast) {
        let words = Severity::ALL.map(Severity::word);
        if let Node::Literal(value) = &argument.node
            && value.as_str().and_then(Severity::from_word).is_none()
        {
            let message = format!("{} is not a severity", shown(&value.to_string()).replace('"', "`"));
            self.flaw(Code::InvalidExpression, argument.at.clone(), message, format!("known: {}", list(&words)));
        }
    }
}
