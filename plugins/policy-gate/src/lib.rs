//! `orch/policy-gate`: policies in Rego decide over the findings and artifacts of the tasks before.

#![warn(missing_docs)]

pub mod decide;
pub mod policies;

pub use decide::{Input, Output, decide};

orch_sdk::plugin! { "decide" => decide }
