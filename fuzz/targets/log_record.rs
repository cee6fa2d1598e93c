//! The stored events of a run, one a line, read back: they survive being stored, and every report can show them harmlessly.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orch_core::{Event, LogLevel, Record, RunId, Timestamp};
use orch_fuzz::{survives, text};
use orch_report::{RunView, Style, json_line, junit, log_lines, markdown, sarif, summary};
use serde_json::Value;

/// What would act on a terminal, except for the end of a line.
fn acts(character: char) -> bool {
    character != '\n' && character.is_control()
}

fuzz_target!(|input: &[u8]| {
    let Some(text) = text(input) else { return };
    let events = text.lines().take(100).filter_map(|line| serde_json::from_str::<Event>(line).ok());
    let records: Vec<Record> = (1..)
        .zip(events)
        .map(|(seq, event)| Record { seq, at: Timestamp(1_700_000_000_000 + seq.cast_signed()), event })
        .collect();
    if records.is_empty() {
        return;
    }
    let run = RunId::try_from("0123456789abcdef0123456789abcdef").expect("it is an id");
    for record in &records {
        survives(record);
        let line = json_line(&run, record);
        assert!(!line.contains('\n'), "one line: {line:?}");
        serde_json::from_str::<Value>(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    let view = RunView::of(&records);
    let style = Style { colour: false };
    let shown = [
        summary(&view, style, 100),
        log_lines(&records, None, LogLevel::Trace, style),
        markdown(run.as_str(), &view),
        junit(&view),
    ];
    for shown in shown {
        assert!(!shown.contains(acts), "a control character: {shown:?}");
    }
    serde_json::from_str::<Value>(&sarif(&view)).expect("SARIF is JSON");
});
