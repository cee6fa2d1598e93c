//! The functions of the language: a closed table. None of them can run longer than its arguments are large.
//!
//! `matches` is missing on purpose: a regular expression is a second language with a cost of its own.

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `size(x)`
    Global,
    /// `text.contains('a')`
    Method,
    /// Both.
    Either,
}

/// A function of the language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) style: Style,
    /// Arguments, the target of a method not counted.
    pub(crate) arguments: usize,
    pub(crate) yields: Yields,
}

/// What is known of a result before the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Yields {
    Boolean,
    Number,
    Text,
    List,
    Any,
}

impl Yields {
    /// In words, if it is certain.
    pub(crate) fn words(self) -> Option<&'static str> {
        match self {
            Yields::Boolean => Some("a boolean"),
            Yields::Number => Some("a number"),
            Yields::Text => Some("text"),
            Yields::List => Some("a list"),
            Yields::Any => None,
        }
    }
}

const fn function(name: &'static str, style: Style, arguments: usize, yields: Yields) -> Function {
    Function { name, style, arguments, yields }
}

/// Every function. `size` takes its one value as target or as argument.
pub(crate) const FUNCTIONS: &[Function] = &[
    function("size", Style::Either, 1, Yields::Number),
    function("contains", Style::Method, 1, Yields::Boolean),
    function("startsWith", Style::Method, 1, Yields::Boolean),
    function("endsWith", Style::Method, 1, Yields::Boolean),
    function("lowerAscii", Style::Method, 0, Yields::Text),
    function("upperAscii", Style::Method, 0, Yields::Text),
    function("trim", Style::Method, 0, Yields::Text),
    function("split", Style::Method, 1, Yields::List),
    function("join", Style::Method, 1, Yields::Text),
    function("string", Style::Global, 1, Yields::Text),
    function("int", Style::Global, 1, Yields::Number),
    function("double", Style::Global, 1, Yields::Number),
    function("has", Style::Global, 1, Yields::Boolean),
    function("map", Style::Method, 2, Yields::List),
    function("filter", Style::Method, 2, Yields::List),
    function("all", Style::Method, 2, Yields::Boolean),
    function("exists", Style::Method, 2, Yields::Boolean),
    function("exists_one", Style::Method, 2, Yields::Boolean),
];

/// Functions over the state of the needed tasks, in `if` only.
pub(crate) const STATUS: &[&str] = &["success", "failure", "always"];

/// Integers of a set of findings, in gates only.
pub(crate) const COUNTERS: &[&str] = &[
    "open",
    "passed",
    "errors",
    "not_applicable",
    "total",
    "new",
    "waived",
    "info",
    "low",
    "medium",
    "high",
    "critical",
];

/// Methods of a set of findings.
pub(crate) const COUNTING: &[&str] = &["at_least", "new_at_least"];

pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}
