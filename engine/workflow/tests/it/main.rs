//! The crate from outside: text in, diagnostics or a plan out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod admission;
mod cases;
mod expressions;
mod gate;
mod hooks;
mod hostile;
mod language;
mod nested;
mod parse;
mod people;
mod plan;
mod properties;
mod retry;
mod sidefiles;
mod strategy;
mod support;
