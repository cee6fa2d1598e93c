//! The published workloads of the field: the second guest of the benchmark.

use orch_sdk::serde::{Deserialize, Serialize};
use orch_sdk::{Host, Outcome, TaskError, plugin, schemars};
use std::time::Duration;

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "orch_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "orch_sdk::schemars")]
struct Number {
    /// Which Fibonacci number.
    n: u32,
}

#[derive(Serialize, schemars::JsonSchema)]
#[serde(crate = "orch_sdk::serde")]
#[schemars(crate = "orch_sdk::schemars")]
struct Value {
    /// The Fibonacci number.
    value: u64,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "orch_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "orch_sdk::schemars")]
struct Period {
    /// How long to wait, in milliseconds.
    ms: u64,
}

#[derive(Serialize, schemars::JsonSchema)]
#[serde(crate = "orch_sdk::serde")]
#[schemars(crate = "orch_sdk::schemars")]
struct Nothing {}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(crate = "orch_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "orch_sdk::schemars")]
struct Count {
    /// How many items.
    count: usize,
}

#[derive(Serialize, schemars::JsonSchema)]
#[serde(crate = "orch_sdk::serde")]
#[schemars(crate = "orch_sdk::schemars")]
struct Items {
    /// As many ones.
    items: Vec<u32>,
}

fn fibonacci(input: Number, _host: &dyn Host) -> Result<Outcome<Value>, TaskError> {
    Ok(Outcome::Succeeded(Value { value: recursive(input.n) }))
}

/// Recursive on purpose; the same function stands in `tests/bench/src/field.rs`, natively, as the floor.
fn recursive(n: u32) -> u64 {
    if n < 2 { u64::from(n) } else { recursive(n - 1) + recursive(n - 2) }
}

fn wait(input: Period, _host: &dyn Host) -> Result<Outcome<Nothing>, TaskError> {
    std::thread::sleep(Duration::from_millis(input.ms));
    Ok(Outcome::Succeeded(Nothing {}))
}

fn list(input: Count, _host: &dyn Host) -> Result<Outcome<Items>, TaskError> {
    Ok(Outcome::Succeeded(Items { items: vec![1; input.count] }))
}

plugin! { "fibonacci" => fibonacci, "wait" => wait, "list" => list }
