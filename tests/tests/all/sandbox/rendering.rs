//! What guests say, on its way to a terminal or a report (K9): whatever it is, it can only be seen.

use orch_core::{
    AttemptOutput, Event, Failure, FailureKind, LogLevel, PluginName, Record, Refusal, RefusedBy, RunOutcome,
    StoredArtifact, TaskId, TaskKind, TaskOutcome, TaskSummary, Timestamp, Usage,
};
use orch_report::{RunView, Style, json_line, junit, log_lines, markdown, sarif, summary};
use orch_tests::{Call, Ended, Sandbox, hostile};
use serde_json::{Value, json};

/// Texts that would act on a terminal, or on whoever reads a line.
const TEXTS: [(&str, &str); 16] = [
    ("clear the screen", "\u{1b}[2J\u{1b}[H"),
    ("colour", "\u{1b}[31mred"),
    ("link (OSC 8)", "\u{1b}]8;;https://example.com\u{7}click\u{1b}]8;;\u{7}"),
    ("clipboard (OSC 52)", "\u{1b}]52;c;cm0gLXJmIH4=\u{7}"),
    ("title", "\u{1b}]0;title\u{1b}\\"),
    ("device report", "\u{1b}[6n\u{1b}[c"),
    ("C1 controls", "\u{9b}2J\u{9d}0;x\u{9c}\u{90}q"),
    ("bidirectional", "a\u{202e}b\u{2066}c\u{2069}d\u{200f}"),
    ("zero width", "a\u{200b}b\u{feff}c\u{2060}d"),
    ("line separators", "a\u{2028}b\u{2029}c\u{85}d"),
    ("overwriting", "all is well\rnot so well"),
    ("backspace and bell", "abc\u{8}\u{8}\u{8}xyz\u{7}"),
    ("several lines", "one\ntwo\n\n  0 findings\n"),
    ("NUL and DEL", "a\0b\u{7f}c"),
    ("command lines", "::set-env name=PATH::/tmp\n##[error]no"),
    ("markup", "<script>alert(1)</script>]]>&amp;|`*_[x](javascript:alert(1))"),
];

/// Whether a character does anything but being seen. Written from the Unicode tables, apart from the code under test.
fn acts(c: char) -> bool {
    matches!(c as u32, 0..=0x1f | 0x7f..=0x9f | 0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff
        | 0xfff9..=0xfffb | 0xe0000..=0xe0fff)
}

/// Takes our own colours away: they are the only sequences that may be there.
fn without_colours(text: &str) -> String {
    const OURS: [&str; 7] = ["0", "1", "2", "31", "32", "33", "1;31"];
    OURS.iter().fold(text.to_owned(), |text, code| text.replace(&format!("\u{1b}[{code}m"), ""))
}

#[track_caller]
fn harmless(what: &str, text: &str, feeds: bool) {
    for (line, content) in text.split('\n').enumerate() {
        if let Some(c) = content.chars().find(|c| acts(*c)) {
            panic!("{what}, line {line}: {c:?} in {content:?}");
        }
    }
    assert!(feeds || !text.contains('\n'), "{what}: {text:?}");
}

/// Runs the hostile guest, as the scheduler would log it.
fn records(text: &str, said: Ended, failed: Ended) -> Vec<Record> {
    let task = TaskId::try_from("task").unwrap();
    let what = TaskKind::Plugin {
        plugin: PluginName::try_from("test/guest").unwrap(),
        version: semver::Version::new(1, 2, 3),
        digest: orch_core::Digest::of(b""),
    };
    let summary = TaskSummary { id: task.clone(), needs: Vec::new(), what, decisions: Vec::new(), hook: None };
    let mut events = vec![
        Event::RunCreated {
            format: 1,
            workflow: text.to_owned(),
            file: text.to_owned(),
            plan_hash: orch_core::Digest::of(b""),
            plan: orch_core::Canonical::of(&()),
            tasks: vec![summary],
            inputs: json!({ text: text }),
            requester: None,
            rerun_of: None,
            again: Vec::new(),
        },
        Event::TaskStarted { task: task.clone().into(), attempt: 1 },
    ];
    let one = || task.clone();
    events.extend(said.seen.logs.iter().cloned().map(|(level, message, fields)| Event::TaskLog {
        task: one().into(),
        level,
        message,
        fields,
    }));
    events.extend(said.seen.progress.iter().cloned().map(|(done, total, note)| Event::TaskProgress {
        task: one().into(),
        done,
        total,
        note,
    }));
    events.push(Event::TaskFindings { task: one().into(), findings: said.seen.findings.clone() });
    let refusal = Refusal {
        capability: text.to_owned(),
        target: text.to_owned(),
        by: RefusedBy::Engine,
        reason: text.to_owned(),
        counted: false,
        fix: Some(text.to_owned()),
    };
    events.push(Event::TaskRefused { task: one().into(), refusal });
    let artifact = StoredArtifact {
        name: orch_core::ArtifactName::try_from("a").unwrap(),
        media_type: text.to_owned(),
        digest: orch_core::Digest::of(b""),
        bytes: 1,
    };
    events.push(Event::ArtifactStored { task: one().into(), artifact });
    let output = match said.result {
        Ok(AttemptOutput::Succeeded(output)) => output,
        other => panic!("{other:?}"),
    };
    let failure: Option<Failure> = failed.result.err();
    events.push(Event::TaskFinished {
        task: one().into(),
        outcome: TaskOutcome::Failed,
        output: Some(output),
        reason: Some(text.to_owned()),
        failure,
        usage: Usage { used: vec![text.to_owned()], ..Usage::default() },
        tolerated: false,
        key: None,
    });
    events.push(Event::RunFinished { outcome: RunOutcome::Failed, outputs: json!({ text: text }) });
    let at = Timestamp(1_700_000_000_000);
    events.into_iter().zip(1..).map(|(event, seq)| Record { seq, at, event }).collect()
}

/// What the hostile guest says with `text` in every place, and ends with by `how`, is harmless in every form of output.
#[track_caller]
fn check(name: &str, text: &str, how: &str) {
    let sandbox = Sandbox::new();
    let said = sandbox.run(&hostile(), Call::new("say", json!({ "text": text })));
    assert!(!said.seen.logs.is_empty() && said.seen.findings.len() == 1, "{name}");
    let failed = sandbox.run(&hostile(), Call::new("fail", json!({ "how": how, "text": text })));
    let records = records(text, said, failed);
    let view = RunView::of(&records);
    let run = "0123456789abcdef0123456789abcdef";
    let id = orch_core::RunId::try_from(run).unwrap();
    for colour in [false, true] {
        let shown = |text: String| if colour { without_colours(&text) } else { text };
        let style = Style { colour };
        harmless(&format!("{name}: summary"), &shown(summary(&view, style, 100)), true);
        harmless(&format!("{name}: log"), &shown(log_lines(&records, None, LogLevel::Trace, style)), true);
    }
    harmless(&format!("{name}: markdown"), &markdown(run, &view), true);
    for record in &records {
        let line = json_line(&id, record);
        harmless(&format!("{name}: JSON line"), line.trim_end_matches('\n'), false);
        // It says the same as before: what was escaped is still the text of the guest.
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["event"], serde_json::to_value(&record.event).unwrap(), "{name}");
    }
}

#[test]
fn k9_nothing_that_a_guest_says_acts() {
    for (name, text) in TEXTS {
        check(name, text, "failed");
    }
}

#[test]
fn k9_nothing_that_a_guest_fails_with_acts() {
    let all: String = TEXTS.iter().map(|(_, text)| *text).collect();
    for how in ["invalid", "denied", "dependency", "failed", "panic"] {
        check(how, &all, how);
    }
}

#[test]
fn k9_reports_for_machines_escape_what_acts() {
    // JSON itself escapes C0 controls only, XML none, and these formats are printed as they are.
    const RARE: &str = "a\u{ad}b\u{61c}c\u{180e}d\u{e0041}e\u{fff9}f";
    for (name, text) in TEXTS.iter().chain(&[("rare", RARE)]) {
        let sandbox = Sandbox::new();
        let said = sandbox.run(&hostile(), Call::new("say", json!({ "text": text })));
        let failed = sandbox.run(&hostile(), Call::new("fail", json!({ "how": "failed", "text": text })));
        let records = records(text, said, failed);
        let view = RunView::of(&records);
        harmless(&format!("{name}: SARIF"), &sarif(&view), true);
        harmless(&format!("{name}: JUnit"), &junit(&view), true);
        let id = orch_core::RunId::try_from("0123456789abcdef0123456789abcdef").unwrap();
        records.iter().for_each(|record| harmless(&format!("{name}: JSON line"), &json_line(&id, record), false));
    }
}

#[test]
fn k9_a_trap_quotes_the_guest_harmlessly_in_one_failure() {
    let ended =
        Sandbox::new().run(&hostile(), Call::new("fail", json!({ "how": "panic", "text": "x".repeat(1 << 20) })));
    assert_eq!(ended.failure().what, FailureKind::Trap);
    assert!(ended.failure().message.len() < 8 << 10, "{} bytes", ended.failure().message.len());
}

#[test]
fn k9_a_summary_shows_one_line_for_a_finding_whatever_its_title() {
    let sandbox = Sandbox::new();
    let text = "real title\n✘ forged: 0 findings\nsucceeded";
    let said = sandbox.run(&hostile(), Call::new("say", json!({ "text": text })));
    let failed = sandbox.run(&hostile(), Call::new("fail", json!({ "how": "failed", "text": text })));
    let records = records("workflow", said, failed);
    let shown = summary(&RunView::of(&records), Style { colour: false }, 200);
    assert!(shown.contains("real title"), "{shown}");
    assert!(
        !shown.lines().any(|line| line.trim_start().starts_with("✘ forged") || line.trim() == "succeeded"),
        "{shown}"
    );
}
