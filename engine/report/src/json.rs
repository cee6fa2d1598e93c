//! One event a line, as it stands in the log.

use orch_core::Record;

/// A record as one line of JSON, without the line end. Escapes make every control of a guest's text harmless.
pub fn json_line(run: &orch_core::RunId, record: &Record) -> String {
    let at = jiff::Timestamp::from_millisecond(record.at.0).map_or_else(|_| String::new(), |at| at.to_string());
    let line = serde_json::json!({ "run": run.as_str(), "seq": record.seq, "at": at, "event": record.event });
    // JSON escapes C0 only; the rest that can act on a terminal is escaped here, still as valid JSON.
    line.to_string().chars().fold(String::new(), |mut out, c| {
        if c.is_control() || ('\u{200b}'..='\u{206f}').contains(&c) || c == '\u{feff}' {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
        out
    })
}
