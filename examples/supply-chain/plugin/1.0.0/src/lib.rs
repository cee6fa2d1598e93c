//! Posts a line to a chat room.

#[path = "../../host.rs"]
mod host;

use host::secrets;
use orch_sdk::{Host, Outcome, TaskError};

/// What to post, and to which port of the chat.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    text: String,
    port: u16,
}

/// The status of the chat's answer.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct Output {
    status: u16,
}

fn post(input: Input, _host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    let token = secrets::open("token").map_err(TaskError::Failed)?;
    let authority = format!("chat.localhost:{}", input.port);
    // The plugin never sees the token: the host puts it where this text stands.
    let status = host::post(&authority, "/room", Some(&token.placeholder()), &input.text).map_err(TaskError::Failed)?;
    Ok(Outcome::Succeeded(Output { status }))
}

orch_sdk::plugin! { "post" => post }
