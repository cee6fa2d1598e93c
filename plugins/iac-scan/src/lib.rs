//! `orch/iac-scan`: finds misconfigurations in infrastructure as code.
//!
//! [`recognise`] tells what a file is, [`read`] turns it into a tree that knows its lines, [`rules`] are the tables of what can be
//! wrong, [`suppress`] reads what the file's authors accept, and [`scan()`] puts them together.

#![warn(missing_docs)]

pub mod input;
pub mod node;
pub mod read;
pub mod recognise;
pub mod rule;
pub mod rules;
mod scan;
pub mod suppress;

pub use input::{Family, Input, Output, Severities, Skipped};
pub use scan::scan;

orch_sdk::plugin! { "scan" => crate::scan }
