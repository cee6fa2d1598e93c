//! Secrets: the handle as it is, and every way to let a value out.

use crate::{Answer, done, number, text};
use orch_sdk::guest::orch::task::{artifacts, report, secrets};
use orch_sdk::{Host, TaskError};
use serde_json::{Value, json};
use std::io::Write;

/// What to say: `text`, or the value of the secret that it names as `@NAME`; as hexadecimal digits if `form` says so.
pub fn said(input: &Value) -> String {
    let text = text(input, "text");
    let said = match text.strip_prefix('@') {
        Some(name) => secrets::open(name).ok().and_then(|secret| secret.reveal()).unwrap_or_default(),
        None => text.to_owned(),
    };
    match self::text(input, "form") {
        "hex" => said.bytes().map(|byte| format!("{byte:02x}")).collect(),
        _ => said,
    }
}

/// Opens a secret and calls what `call` names: `placeholder`, `hmac`, `reveal`; answers with what each step gave.
pub fn secret(input: Value, _host: &dyn Host) -> Answer {
    let secret = match secrets::open(text(&input, "name")) {
        Ok(secret) => secret,
        Err(reason) => return done(json!({ "open": reason })),
    };
    done(match text(&input, "call") {
        "placeholder" => json!({ "placeholder": [secret.placeholder(), secret.placeholder()] }),
        "hmac" => {
            let mac = secret.hmac_sha256(text(&input, "message").as_bytes());
            json!({ "hmac": mac.iter().map(|byte| format!("{byte:02x}")).collect::<String>() })
        }
        "reveal" => match secret.reveal() {
            // The value, and that it is what the host has: its length cannot be masked.
            Some(value) => json!({ "revealed": value.len(), "value": value }),
            None => json!({ "revealed": null }),
        },
        _ => json!({ "open": "ok" }),
    })
}

/// Writes `text` to where `to` names, in pieces of `size` bytes after `before` bytes of something else; ends with a trap if asked to.
pub fn print(input: Value, _host: &dyn Host) -> Answer {
    let failed = |error: std::io::Error| TaskError::Failed(error.to_string());
    let (said, size) = (said(&input), number(&input, "size").max(1) as usize);
    let filling = "x".repeat(number(&input, "before") as usize);
    for round in 0..number(&input, "rounds").max(1) {
        let mut streams: [Box<dyn Write>; 2] = [Box::new(std::io::stdout()), Box::new(std::io::stderr())];
        match text(&input, "to") {
            "log" => report::log(report::Level::Info, &format!("{filling}{said}"), &[(said.clone(), said.clone())]),
            // The two streams take turns, piece by piece.
            "both" => {
                for piece in said.as_bytes().chunks(size) {
                    for stream in &mut streams {
                        stream.write_all(piece).and_then(|()| stream.flush()).map_err(failed)?;
                    }
                }
            }
            to => {
                let stream = &mut streams[usize::from(to == "stderr")];
                stream.write_all(filling.as_bytes()).map_err(failed)?;
                for piece in said.as_bytes().chunks(size) {
                    stream.write_all(piece).and_then(|()| stream.flush()).map_err(failed)?;
                }
                stream
                    .write_all(format!(" round {round}\n").as_bytes())
                    .and_then(|()| stream.flush())
                    .map_err(failed)?;
            }
        }
    }
    if input["trap"] == true {
        std::arch::wasm32::unreachable();
    }
    done(Value::Null)
}

/// Stores `text` as an artifact, in pieces of `size` bytes; answers with what each step gave.
pub fn store(input: Value, _host: &dyn Host) -> Answer {
    let artifact = match artifacts::create(text(&input, "name"), text(&input, "media-type")) {
        Ok(artifact) => artifact,
        Err(reason) => return done(json!({ "create": reason })),
    };
    let mut written = "ok".to_owned();
    for piece in said(&input).as_bytes().chunks(number(&input, "size").max(1) as usize) {
        if let Err(reason) = artifact.write(piece) {
            written = reason;
        }
    }
    let finished = artifact.finish().map_or_else(|reason| reason, |_| "ok".to_owned());
    done(json!({ "write": written, "finish": finished }))
}
