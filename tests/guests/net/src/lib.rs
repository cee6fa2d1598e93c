//! A plugin that reaches for a network in every way that `wasi:http` and `wasi:sockets` have. Input and output are free JSON; the
//! tests know the fields.

mod http;
mod raw;

use orch_sdk::{Outcome, TaskError};
use serde_json::Value;

type Answer = Result<Outcome<Value>, TaskError>;

fn text<'a>(input: &'a Value, field: &str) -> &'a str {
    input[field].as_str().unwrap_or("")
}

fn list<'a>(input: &'a Value, field: &str) -> &'a [Value] {
    input[field].as_array().map_or(&[], Vec::as_slice)
}

orch_sdk::plugin! {
    "http" => http::requests,
    "raw" => raw::steps,
}
