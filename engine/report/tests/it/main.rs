//! Reports over one made-up run, whose guest says the worst that a guest can say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use orch_core::{
    ArtifactName, CheckResult, CheckVerdict, Code, Decision, Diagnostic, Digest, Event, Failure, FailureKind, Finding,
    FindingStatus, GateDecision, Location, LogLevel, PluginName, Record, Refusal, RefusedBy, RunId, RunOutcome,
    Severity, Source, Sources, StoredArtifact, TaskId, TaskKind, TaskOutcome, TaskSummary, Timestamp, Usage, Verdict,
};
use orch_report::{
    RunView, Style, json_line, junit, log_lines, markdown, render_diagnostics, sarif, summary, task_table,
};

/// Clears the screen, sets the clipboard and the title, turns the direction of writing, returns to the start of the line; and
/// markup for each kind of report.
const EVIL: &str =
    "\u{1b}[2J\u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}evil\r\n::set-env name=X::y <script>]]> | `a` [x](javascript:1) ";

fn task(id: &str) -> TaskId {
    id.parse().unwrap()
}

fn finding(rule: &str, severity: Severity, status: FindingStatus, path: &str) -> Finding {
    Finding {
        rule: rule.into(),
        severity,
        status,
        title: format!("title {EVIL}"),
        detail: Some(format!("detail {EVIL}")),
        fingerprint: format!("{rule}:{path}"),
        location: Some(Location { path: path.into(), line: Some(3), column: Some(7), end_line: None }),
        remediation: Some("mend it".into()),
        references: vec!["https://example.org/a b".into(), "javascript:alert(1)".into()],
        data: None,
    }
}

fn records() -> Vec<Record> {
    let allowed = |rule: &str| Decision {
        rule: rule.into(),
        reason: "r".into(),
        asked: "read".into(),
        granted: "/x read".into(),
        allowed: "yes".into(),
        verdict: Verdict::Allowed,
    };
    let plugin: PluginName = "orch/scan".parse().unwrap();
    let what = TaskKind::Plugin { plugin, version: semver::Version::new(1, 2, 3), digest: Digest::of(b"c") };
    let scan = TaskSummary {
        id: task("scan"),
        needs: vec![],
        what: what.clone(),
        decisions: vec![allowed("fs source read"), allowed("fs config read")],
        hook: None,
    };
    let broken = TaskSummary { id: task("broken"), needs: vec![], what, decisions: vec![], hook: None };
    let gate = TaskSummary {
        id: task("gate"),
        needs: vec![task("scan")],
        what: TaskKind::Gate,
        decisions: vec![],
        hook: None,
    };
    let refusal = Refusal {
        capability: "fs".into(),
        target: EVIL.into(),
        by: RefusedBy::Engine,
        reason: EVIL.into(),
        counted: false,
        fix: Some("grant it".into()),
    };
    let usage = Usage { wall_ms: 1_234, used: vec!["fs source read".into()], ..Usage::default() };
    let finished = |id: &str, outcome, failure, usage| Event::TaskFinished {
        task: task(id).into(),
        outcome,
        output: None,
        reason: None,
        failure,
        usage,
        tolerated: false,
        key: None,
    };
    let events = vec![
        Event::RunCreated {
            format: 1,
            workflow: "release".into(),
            file: "w.yaml".into(),
            plan_hash: Digest::of(b"p"),
            plan: orch_core::Canonical::of(&serde_json::json!({})),
            tasks: vec![scan, broken, gate],
            inputs: serde_json::json!({}),
            requester: None,
            rerun_of: None,
            again: Vec::new(),
        },
        Event::TaskStarted { task: task("scan").into(), attempt: 1 },
        Event::TaskLog {
            task: task("scan").into(),
            level: LogLevel::Warn,
            message: EVIL.into(),
            fields: vec![(EVIL.into(), EVIL.into())],
        },
        Event::TaskProgress { task: task("scan").into(), done: 1, total: Some(2), note: Some(EVIL.into()) },
        Event::TaskFindings {
            task: task("scan").into(),
            findings: vec![
                finding("low-rule", Severity::Low, FindingStatus::Open, "b.txt"),
                finding("bad-rule", Severity::Critical, FindingStatus::Open, "dir/ä b#.txt"),
                finding("good-rule", Severity::High, FindingStatus::Passed, "c.txt"),
                finding("waived-rule", Severity::High, FindingStatus::Open, "w.txt"),
            ],
        },
        Event::TaskRefused { task: task("scan").into(), refusal },
        Event::ArtifactStored {
            task: task("scan").into(),
            artifact: StoredArtifact {
                name: ArtifactName::try_from("a.json").unwrap(),
                media_type: "x".into(),
                digest: Digest::of(b"a"),
                bytes: 7,
            },
        },
        finished("scan", TaskOutcome::Succeeded, None, usage),
        Event::TaskStarted { task: task("broken").into(), attempt: 1 },
        finished(
            "broken",
            TaskOutcome::Errored,
            Some(Failure::new(FailureKind::Trap, EVIL).with_fix("look")),
            Usage::default(),
        ),
        Event::TaskStarted { task: task("gate").into(), attempt: 1 },
        Event::GateDecided {
            task: task("gate").into(),
            decision: GateDecision {
                checks: vec![
                    CheckResult {
                        id: "none".into(),
                        assert: "x == 0".into(),
                        verdict: CheckVerdict::Failed,
                        detail: Some(EVIL.into()),
                    },
                    CheckResult {
                        id: "soft".into(),
                        assert: "y == 0".into(),
                        verdict: CheckVerdict::Warned,
                        detail: None,
                    },
                ],
                baseline: None,
                new: 2,
                open: 2,
                waived: vec!["waived-rule:w.txt".into()],
                expired_waivers: vec![EVIL.into()],
            },
        },
        finished("gate", TaskOutcome::Blocked, None, Usage::default()),
        Event::RunFinished { outcome: RunOutcome::Errored, outputs: serde_json::json!({ "o": EVIL }) },
    ];
    events
        .into_iter()
        .enumerate()
        .map(|(index, event)| Record { seq: index as u64 + 1, at: Timestamp(1_000 * index as i64), event })
        .collect()
}

fn run() -> RunId {
    RunId::try_from("0".repeat(32)).unwrap()
}

/// Nothing but printable text, line feeds and, with colours, our own SGR sequences.
#[track_caller]
fn inert(what: &str, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        let after = &rest[at + 1..];
        let end = after.find('m').unwrap_or(0);
        let ours =
            after.starts_with('[') && after[1..end.max(1)].bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
        assert!(ours, "{what} lets an escape through: {:?}", &after[..20.min(after.len())]);
        rest = &after[end..];
    }
    let acts = text
        .chars()
        .find(|c| (c.is_control() && *c != '\n' && *c != '\u{1b}') || ('\u{202a}'..='\u{202e}').contains(c));
    assert_eq!(acts, None, "{what} lets {acts:?} through");
    assert!(text.contains("evil"), "{what} shows the text itself");
}

#[test]
fn nothing_of_a_guest_acts_in_any_report() {
    let (records, view) = (records(), RunView::of(&records()));
    for style in [Style { colour: false }, Style { colour: true }] {
        inert("summary", &summary(&view, style, 200));
        inert("log", &log_lines(&records, None, LogLevel::Trace, style));
    }
    inert("markdown", &markdown("r", &view));
    inert("json lines", &records.iter().map(|record| json_line(&run(), record) + "\n").collect::<String>());
    inert("sarif", &sarif(&view));
    inert("junit", &junit(&view));
}

#[test]
fn markdown_holds_no_markup_of_a_guest() {
    let text = markdown("r", &RunView::of(&records()));
    for markup in ["<script", "](javascript", "`a`", "\n::set-env"] {
        assert!(!text.contains(markup), "{markup}");
    }
    let cells = |line: &&str| line.starts_with('|') && line.matches('|').count() > 7;
    assert_eq!(text.lines().find(cells), None, "a bar of a guest makes no column");
}

#[test]
fn junit_holds_no_markup_of_a_guest_and_counts() {
    let text = junit(&RunView::of(&records()));
    assert!(!text.contains("<script"));
    assert!(
        text.contains(r#"<testsuites name="release" tests="9" skipped="2" failures="3" errors="1""#),
        "{}",
        &text[..300]
    );
}

#[test]
fn sarif_is_whole() {
    let sarif: serde_json::Value = serde_json::from_str(&sarif(&RunView::of(&records()))).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "orch/scan");
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
    }
    let by_rule = |rule: &str| results.iter().find(|result| result["ruleId"] == rule).unwrap();
    assert_eq!((&by_rule("bad-rule")["level"], &by_rule("bad-rule")["kind"]), (&"error".into(), &"fail".into()));
    assert_eq!(by_rule("good-rule")["kind"], "pass");
    assert_eq!(by_rule("waived-rule")["suppressions"][0]["status"], "accepted");
    let place = &by_rule("bad-rule")["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "dir/%C3%A4%20b%23.txt");
    assert_eq!(place["region"]["startLine"], 3);
    assert_eq!(run["tool"]["driver"]["rules"][0]["helpUri"], "https://example.org/a%20b");
}

#[test]
fn the_summary_says_what_matters() {
    let view = RunView::of(&records());
    let text = summary(&view, Style { colour: false }, 120);
    for part in [
        "Findings: 1 critical, 1 high, 1 low",
        "✘ failed  none",
        "! warned  soft",
        "Refused: 1 attempt",
        "Granted and never used\n  scan: fs config read\n",
        "the engine refused `fs",
        "fix: look",
        "release errored in 13.0 s",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let order =
        ["critical  bad-rule", "high      waived-rule", "low       low-rule"].map(|row| text.find(row).unwrap());
    assert!(order.is_sorted(), "the worst first");
    assert!(task_table(&view, Style { colour: false }).contains("✘ broken errored"));
}

#[test]
fn a_log_that_was_cut_off_can_be_shown() {
    let records = records();
    for end in 0..records.len() {
        let view = RunView::of(&records[..end]);
        assert!(!summary(&view, Style { colour: false }, 100).is_empty());
        assert!(!junit(&view).is_empty());
        markdown("r", &view);
        sarif(&view);
    }
}

#[test]
fn a_problem_is_shown_where_it_stands() {
    let mut sources = Sources::default();
    sources.add(Source::new("w.yaml", "tasks:\n  ä: { uses: x }\n"));
    let span = 12..13;
    let problem = Diagnostic::error(Code::InvalidName, "w.yaml", span, "`ä` is not a name")
        .label("here")
        .note("a note")
        .help("a help");
    let text = render_diagnostics(std::slice::from_ref(&problem), &sources, false);
    for part in ["error[OW0109]: `ä` is not a name", "--> w.yaml:2:", "here", "note: a note", "help: a help"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    // Spans beyond the text or inside a character come from a bug, and must not become a panic.
    for span in [0..0, 10..11, 500..600, 11..12] {
        let odd = Diagnostic { span: Some(span), ..problem.clone() };
        assert!(!render_diagnostics(&[odd], &sources, false).is_empty());
    }
}

#[test]
fn a_source_line_with_escapes_is_inert() {
    let mut sources = Sources::default();
    sources.add(Source::new("w.yaml", format!("name: {EVIL}\n")));
    let problem = Diagnostic::error(Code::Syntax, "w.yaml", 0..4, "evil");
    let text = render_diagnostics(&[problem], &sources, false);
    assert!(!text.contains('\u{1b}') && !text.contains('\r') && !text.contains('\u{202e}'), "{text:?}");
}
