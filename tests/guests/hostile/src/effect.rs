//! An effect outside of the sandbox, as careful plugins make it: at most once for each idempotency key, however often they run.

use crate::{Answer, done, number};
use orch_sdk::guest::orch::task::context;
use orch_sdk::{Host, TaskError};
use serde_json::{Value, json};
use std::fs::{OpenOptions, create_dir_all};
use std::io::Write as _;
use wasip2::clocks::monotonic_clock::subscribe_duration;

/// Leaves a mark for the attempt, does its one effect if nobody did it before, waits `ms`, and fails on the first `fails` attempts.
/// The output says which attempt this was; whoever comes after may pass it on as `seen`.
pub fn effect(input: Value, _host: &dyn Host) -> Answer {
    let info = context::info();
    let broken = |error: std::io::Error| TaskError::Failed(error.to_string());
    // Keys hold `/` and `[`; marks are files.
    let key = info.idempotency_key.replace(['/', '[', ']'], "_");
    create_dir_all("/folder/marks").map_err(broken)?;
    // One byte for each time that this attempt runs: more than one would be a second run of the same attempt.
    let mark = format!("/folder/marks/{key}.attempt.{}", info.attempt);
    let mut mark = OpenOptions::new().append(true).create(true).open(mark).map_err(broken)?;
    mark.write_all(b"x").map_err(broken)?;
    subscribe_duration(number(&input, "ms") * 1_000_000).block();
    if u64::from(info.attempt) <= number(&input, "fails") {
        let message = "not yet".to_owned();
        return Err(TaskError::Dependency { target: "effect".to_owned(), message, retryable: true });
    }
    if let Ok(mut file) = OpenOptions::new().write(true).create_new(true).open(format!("/folder/marks/{key}.effect")) {
        write!(file, "{}", info.attempt).map_err(broken)?;
    }
    done(json!({ "task": info.task, "attempt": info.attempt, "seen": input["seen"] }))
}
