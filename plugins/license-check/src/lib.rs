//! `orch/license-check`: compares the licences of a bill of materials with what is allowed.
//!
//! [`bill`] reads bills, [`rules`] decides over one licence expression, [`check`](mod@check) is the task.

#![warn(missing_docs)]

pub mod bill;
pub mod check;
pub mod rules;

pub use check::{Input, Output, check};

orch_sdk::plugin! { "check" => check }
