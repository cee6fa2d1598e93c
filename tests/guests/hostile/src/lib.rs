//! A plugin that tries what it may not: one task for each attack. Input and output are free JSON; the tests know the fields.

mod effect;
mod files;
mod flood;
mod kept;
mod resources;
mod secret;
mod talk;
mod time;

use orch_sdk::{Outcome, TaskError};
use serde_json::Value;

type Answer = Result<Outcome<Value>, TaskError>;

fn done(value: impl Into<Value>) -> Answer {
    Ok(Outcome::Succeeded(value.into()))
}

fn number(input: &Value, field: &str) -> u64 {
    input[field].as_u64().unwrap_or(0)
}

fn text<'a>(input: &'a Value, field: &str) -> &'a str {
    input[field].as_str().unwrap_or("")
}

orch_sdk::plugin! {
    "files" => files::script,
    "preopens" => files::preopens,
    "grow" => resources::grow,
    "recurse" => resources::recurse,
    "leak" => resources::leak,
    "artifact" => resources::artifact,
    "amplify" => flood::amplify,
    "ask" => flood::ask,
    "flood" => flood::flood,
    "bytes" => flood::bytes,
    "spin" => time::spin,
    "wait" => time::wait,
    "sleep" => time::sleep,
    "poll" => time::poll,
    "times" => time::times,
    "info" => talk::info,
    "has" => talk::has,
    "env" => talk::env,
    "input" => talk::input,
    "net" => talk::net,
    "say" => talk::say,
    "fail" => talk::fail,
    "exit" => talk::exit,
    "effect" => effect::effect,
    "secret" => secret::secret,
    "print" => secret::print,
    "store" => secret::store,
    "kept" => kept::kept,
    "entropy" => kept::entropy,
}
