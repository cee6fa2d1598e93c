//! Returns its input: the guest of the benchmark.

use orch_sdk::serde_json::Value;
use orch_sdk::{Host, Outcome, TaskError, plugin};

fn echo(input: Value, _host: &dyn Host) -> Result<Outcome<Value>, TaskError> {
    Ok(Outcome::Succeeded(input))
}

plugin! { "echo" => echo }
