//! The crate from outside: text in, diagnostics or a plan out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod expressions;
mod gate;
mod hostile;
mod language;
mod parse;
mod plan;
mod properties;
mod sidefiles;
mod support;
