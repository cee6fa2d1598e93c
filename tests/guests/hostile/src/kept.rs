//! Values that outlive the run, and where time and random numbers come from.

use crate::{Answer, done, text};
use orch_sdk::Host;
use orch_sdk::guest::orch::task::state;
use serde_json::{Value, json};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime};

/// Does `steps` one after the other; answers with what each gave. Says `started` first if it is told to.
pub fn kept(input: Value, host: &dyn Host) -> Answer {
    if input["say"] == true {
        host.info("started");
    }
    let steps = input["steps"].as_array().cloned().unwrap_or_default();
    let results = steps.iter().map(|step| {
        let (bucket, key, expect) = (text(step, "bucket"), text(step, "key"), step["expect"].as_u64());
        let value = match step["size"].as_u64() {
            Some(size) => vec![7; size as usize],
            None => text(step, "value").as_bytes().to_vec(),
        };
        let said = match text(step, "op") {
            "get" => state::get(bucket, key).map(|entry| {
                entry.map_or(Value::Null, |entry| json!([String::from_utf8_lossy(&entry.value), entry.version]))
            }),
            "delete" => state::delete(bucket, key, expect).map(Value::from),
            _ => state::set(bucket, key, &value, expect).map(Value::from),
        };
        said.map_or_else(|reason| json!({ "error": reason }), |said| json!({ "ok": said }))
    });
    done(results.collect::<Value>())
}

/// What can be seen of time and random numbers.
pub fn entropy(_input: Value, _host: &dyn Host) -> Answer {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    let begun = Instant::now();
    let look = begun.elapsed().as_nanos() as u64;
    std::thread::sleep(Duration::from_millis(20));
    let slept = begun.elapsed().as_nanos() as u64;
    let number = || RandomState::new().hash_one(1_u8).to_string();
    done(json!({ "wall": wall, "look": look, "slept": slept, "random": [number(), number()] }))
}
