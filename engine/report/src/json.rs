//! One event a line, as it stands in the log.

use orch_core::Record;

/// A record as one line of JSON, without the line end. Escapes make every control of a guest's text harmless.
pub fn json_line(run: &orch_core::RunId, record: &Record) -> String {
    let at = jiff::Timestamp::from_millisecond(record.at.0).map_or_else(|_| String::new(), |at| at.to_string());
    let line = serde_json::json!({ "run": run.as_str(), "seq": record.seq, "at": at, "event": record.event });
    // JSON itself escapes C0 only.
    orch_core::inert_json(&line.to_string()).into_owned()
}
