//! Secrets: what a plugin gets of them, and that their values come out nowhere (cases K1 to K5 and K7).
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod cli;
pub(crate) mod interface;
mod masking;
mod state_folder;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use orch_tests::Ended;

/// A value with everything in it that some encoding changes.
const VALUE: &str = "hunter2 val'ue\"of<it>&/+ü?~";

/// A value as it usually is.
const PLAIN: &str = "hunter2-value-of-it";

/// The encodings of case K2, made here and not by the code under test.
fn encodings(value: &str) -> Vec<(&'static str, String)> {
    let hex = |upper: bool| -> String {
        value.bytes().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect()
    };
    let percent = |space: &str, upper: bool| -> String {
        let form = |byte: u8| match byte {
            b' ' => space.to_owned(),
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => char::from(byte).to_string(),
            byte if upper => format!("%{byte:02X}"),
            byte => format!("%{byte:02x}"),
        };
        value.bytes().map(form).collect()
    };
    let json = serde_json::to_string(value).unwrap();
    let xml = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    // The neighbours are a part of what is printed, as they would be in a header of basic authentication.
    let mixed = |before: &str, after: &str| STANDARD.encode(format!("{before}{value}{after}"));
    vec![
        ("raw", value.to_owned()),
        ("trimmed", value.trim().to_owned()),
        ("base64 at 0", mixed("", "")),
        ("base64 at 1", mixed("u", "")),
        ("base64 at 2", mixed("u:", "")),
        ("base64 with a suffix", mixed("", "suffix")),
        ("base64, URL-safe", URL_SAFE.encode(value)),
        ("hex", hex(false)),
        ("hex, upper", hex(true)),
        ("percent", percent("%20", true)),
        ("percent, lower", percent("%20", false)),
        ("form", percent("+", true)),
        ("JSON", json[1..json.len() - 1].to_owned()),
        ("shell", value.replace('\'', "'\\''")),
        ("XML", xml),
    ]
}

/// Nothing that came of an attempt holds a text.
#[track_caller]
fn nowhere(ended: &Ended, what: &str, text: &str) {
    // As it is, and as the log has it.
    let debug = format!("{:?}", ended.seen.logs);
    let json = serde_json::to_string(&ended.seen.findings).unwrap() + &format!("{ended:?}");
    let plain: String = ended
        .seen
        .logs
        .iter()
        .flat_map(|(_, message, fields)| {
            [message.clone()].into_iter().chain(fields.iter().flat_map(|(name, value)| [name.clone(), value.clone()]))
        })
        .collect::<Vec<_>>()
        .join("\n");
    for (place, all) in [("the log", &plain), ("the log, escaped", &debug), ("what came of it", &json)] {
        assert!(!all.contains(text), "{what}: `{text}` is in {place}: {ended:#?}");
    }
}
