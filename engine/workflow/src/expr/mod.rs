//! The expression language: CEL's syntax, parsed by the `cel` crate, evaluated here.
//!
//! `cel` has no cost limit, binds integers as unsigned and can be extended but not narrowed. So only its parser is used, in
//! `parse`; `check` finds what is wrong before a run, and `evaluate` is a small interpreter that counts every step and byte.
//! `template` knows `${{ }}` inside the values of a document.

mod check;
mod evaluate;
mod functions;
mod parse;
mod surroundings;
mod template;

pub use evaluate::ExprError;
pub use parse::Expr;
pub use template::Template;

pub(crate) use check::{check, references, yields_no_boolean, yields_no_list};
pub(crate) use surroundings::{EachKnown, Part, Place, Standing, Surroundings, TaskReference};

pub(crate) use evaluate::{evaluate, weight};
pub(crate) use template::{Used, condition_text, parse_at};
