//! A plugin that runs programs of the host. Its input is a script, a list of steps; its output has an answer for each.

mod contract {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "package test:programs; world programs { import orch:task/exec@0.1.0; }",
        world: "test:programs/programs",
        generate_all,
    });
}

use contract::orch::task::exec::{Process, spawn};
use orch_sdk::{Host, Outcome, TaskError};
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Answer = Result<Outcome<Value>, TaskError>;

fn text<'a>(step: &'a Value, field: &str) -> &'a str {
    step[field].as_str().unwrap_or("")
}

fn number(step: &Value, field: &str, default: u64) -> u64 {
    step[field].as_u64().unwrap_or(default)
}

fn told<T>(result: Result<T, String>, ok: impl FnOnce(T) -> Value) -> Value {
    result.map_or_else(|error| json!({ "error": error }), ok)
}

/// What `read` gives, once or to its end.
fn read(step: &Value, mut read: impl FnMut(u32) -> Result<Vec<u8>, String>) -> Value {
    let most = number(step, "most", 65_536) as u32;
    let mut all = Vec::new();
    loop {
        match read(most) {
            Err(error) => return json!({ "error": error }),
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => all.extend(bytes),
        }
        if step["once"] == true {
            break;
        }
    }
    let short = all.len().min(4_096);
    json!({ "bytes": all.len(), "text": String::from_utf8_lossy(&all[..short]) })
}

fn step(step: &Value, running: &mut BTreeMap<String, Process>, host: &dyn Host) -> Value {
    let name = text(step, "as").to_owned();
    let call = text(step, "do");
    match call {
        "spawn" => {
            let slots = step["slots"].as_array().into_iter().flatten();
            let slots: Vec<_> =
                slots.map(|slot| (text(slot, "name").to_owned(), text(slot, "value").to_owned())).collect();
            return told(spawn(text(step, "alias"), &slots), |process| {
                running.insert(name, process);
                json!("spawned")
            });
        }
        "say" => {
            host.info(text(step, "text"));
            return json!("said");
        }
        "put" => {
            return told(
                std::fs::write(text(step, "path"), text(step, "text")).map_err(|error| error.to_string()),
                |()| json!("put"),
            );
        }
        "link" => {
            #[expect(deprecated, reason = "the one function of the standard library that makes links here")]
            let made = std::fs::soft_link(text(step, "to"), text(step, "path"));
            return told(made.map_err(|error| error.to_string()), |()| json!("linked"));
        }
        _ => {}
    }
    let Some(process) = running.get(&name) else {
        return json!({ "error": "no such process here" });
    };
    match call {
        "write" => {
            let chunk = vec![b'x'; number(step, "bytes", 0) as usize];
            let chunk = if chunk.is_empty() { text(step, "text").as_bytes() } else { &chunk };
            told(process.write_stdin(chunk), |()| json!("written"))
        }
        "close" => {
            process.close_stdin();
            json!("closed")
        }
        "stdout" => read(step, |most| process.read_stdout(most)),
        "stderr" => read(step, |most| process.read_stderr(most)),
        "wait" => told(
            process.wait(),
            |exit| json!({ "code": exit.code, "signal": exit.signal, "truncated": exit.truncated }),
        ),
        "kill" => {
            process.kill();
            json!("killed")
        }
        "drop" => {
            running.remove(&name);
            json!("dropped")
        }
        other => json!({ "error": format!("no step `{other}`") }),
    }
}

fn script(input: Value, host: &dyn Host) -> Answer {
    let mut running = BTreeMap::new();
    let steps = input.as_array().into_iter().flatten();
    let answers: Vec<_> = steps.map(|one| step(one, &mut running, host)).collect();
    if input[0]["do"] == "has" {
        return Ok(Outcome::Succeeded(json!(host.has_capability(text(&input[0], "name")))));
    }
    Ok(Outcome::Succeeded(answers.into()))
}

orch_sdk::plugin! { "script" => script }
