//! `orch/http-request`: one HTTP request and its answer.

#![warn(missing_docs)]

pub mod send;

pub use send::{Input, Output, send};

orch_sdk::plugin! { "send" => send }
