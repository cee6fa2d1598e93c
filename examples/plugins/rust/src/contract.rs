//! One task for each part of the contract, the same in every language: the tests of the languages call them.

use orch_sdk::serde_json::{Value, json};
use orch_sdk::{Host, Level, Outcome, TaskError};

type Ended = Result<Outcome<Value>, TaskError>;

fn text<'a>(given: &'a Value, name: &str) -> Result<&'a str, TaskError> {
    given[name].as_str().ok_or_else(|| TaskError::InvalidInput(format!("{name}: a text is missing")))
}

pub fn echo(given: Value, _: &dyn Host) -> Ended {
    Ok(Outcome::Succeeded(given))
}

pub fn read(given: Value, _: &dyn Host) -> Ended {
    let path = text(&given, "path")?;
    let denied = |_| TaskError::Denied { capability: "fs".into(), target: path.into() };
    Ok(Outcome::Succeeded(json!({ "text": std::fs::read_to_string(path).map_err(denied)? })))
}

pub fn end(given: Value, _: &dyn Host) -> Ended {
    match text(&given, "how")? {
        "rejected" => Ok(Outcome::Rejected(json!({ "no": true }))),
        "skipped" => Ok(Outcome::Skipped("nothing to do".into())),
        "invalid-input" => Err(TaskError::InvalidInput("how: é is no way".into())),
        "dependency" => {
            Err(TaskError::Dependency { target: "service".into(), message: "it is away".into(), retryable: true })
        }
        "failed" => Err(TaskError::Failed("it broke".into())),
        "trap" => panic!("a bug"),
        _ => Err(TaskError::InvalidInput("how: unknown".into())),
    }
}

pub fn say(given: Value, host: &dyn Host) -> Ended {
    for level in [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error] {
        host.log(level, text(&given, "text")?);
    }
    println!("printed");
    Ok(Outcome::Succeeded(Value::Null))
}

pub fn wait(_: Value, host: &dyn Host) -> Ended {
    host.info("started");
    while !host.is_cancelled() {}
    Err(TaskError::Cancelled)
}

pub fn grow(_: Value, _: &dyn Host) -> Ended {
    let mut held = Vec::new();
    loop {
        held.push(vec![1_u8; 1 << 20]);
    }
}
