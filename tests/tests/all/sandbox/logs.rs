//! Floods of lines, findings and progress (K8): cut with a marker, bounded in memory, and never a reason to fail for talking.

use orch_core::Size;
use orch_tests::{Call, Ended, Sandbox, alone, hostile, peak_memory};
use serde_json::{Value, json};

/// What a log of 10 MiB may cost our process, kept in memory by the test. In the program it goes to the disk.
const MOST_GROWN: u64 = 96;

/// A flood ends well, is cut and says so; what is kept is within `log` and the process stays small.
#[track_caller]
fn check(sandbox: &Sandbox, name: &str, input: Value) -> Ended {
    let before = peak_memory();
    let ended = sandbox.run(&hostile(), Call::new("flood", input));
    let grown = (peak_memory() - before) >> 20;
    let kept: usize = ended
        .seen
        .logs
        .iter()
        .map(|(_, message, fields)| {
            message.len() + fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
        })
        .sum();
    println!(
        "measured: K8: {name}: {} ms, {} lines with {} KiB kept, {} KiB cut, we grew by {grown} MiB",
        ended.usage.wall_ms,
        ended.seen.logs.len(),
        kept >> 10,
        ended.usage.log_cut >> 10
    );
    ended.output();
    assert!(ended.usage.log_cut > 0, "{name}: nothing was cut");
    let marker = ["[log cut:", "log lines dropped", "[line cut]", "cut: more than"].iter().any(|text| {
        ended.seen.said(text)
            || ended.seen.logs.iter().any(|(_, _, fields)| fields.iter().any(|(_, value)| value.contains(text)))
    });
    assert!(marker, "{name}: no marker");
    assert!(kept as u64 <= (10 << 20) + 4096, "{name}: {kept} bytes");
    assert!(grown < MOST_GROWN, "{name}: {grown} MiB");
    ended
}

#[test]
fn k8_floods_of_lines_are_cut() {
    if !alone("sandbox::logs::k8_floods_of_lines_are_cut") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.run(&hostile(), Call::new("info", Value::Null)).output();
    check(&sandbox, "300,000 lines", json!({ "to": "log", "bytes": 20, "count": 300_000 }));
    check(&sandbox, "300,000 empty lines", json!({ "to": "stdout", "bytes": 0, "count": 300_000 }));
    check(&sandbox, "lines of a mebibyte", json!({ "to": "log", "bytes": 1 << 20, "count": 300 }));
    check(
        &sandbox,
        "a line of 100 MB in pieces",
        json!({ "to": "stdout", "bytes": 1 << 20, "count": 100, "open": true }),
    );
    check(&sandbox, "100 MB of lines through stdout", json!({ "to": "stdout", "bytes": 4_000, "count": 25_000 }));
    check(&sandbox, "100 MB of lines through stderr", json!({ "to": "stderr", "bytes": 4_000, "count": 25_000 }));
    check(&sandbox, "100,000 empty fields a line", json!({ "to": "log", "count": 50, "fields": 100_000 }));
}

#[test]
fn k8_a_second_holds_so_many_lines_and_no_more() {
    let call = Call::new("flood", json!({ "to": "log", "bytes": 5, "count": 1_000 }));
    let ended = Sandbox::new().run(&hostile(), call.limits(|limits| limits.log_rate = 10));
    // One more for each second, since the guest may have begun at the end of one, and the markers.
    let seconds = usize::try_from(ended.usage.wall_ms / 1_000).unwrap() + 1;
    let lines = ended.seen.logs.iter().filter(|(_, message, _)| message == "xxxxx").count();
    assert!((10..=10 * seconds).contains(&lines), "{lines} lines in {seconds} s");
    assert!(ended.seen.said("log lines dropped: more than 10 a second"), "{:?}", ended.seen.logs.last());
}

#[test]
fn k8_a_log_of_empty_lines_ends_too() {
    // Without a limit on lines a second, as it is after a while with one.
    let call = Call::new("flood", json!({ "to": "log", "bytes": 0, "count": 100_000 }));
    let ended = Sandbox::new().run(
        &hostile(),
        call.limits(|limits| {
            limits.log_rate = u64::MAX;
            limits.log = Size::from_bytes(64 << 10);
        }),
    );
    assert!(ended.seen.logs.len() < 2_000, "{} lines", ended.seen.logs.len());
    assert!(ended.seen.said("[log cut: the limit `log` of 64KiB is reached]"));
    assert!(ended.usage.log_cut > 0);
}

/// Bytes on a stream become `expected` lines.
#[track_caller]
fn check_bytes(to: &str, bytes: &[u8], expected: &[&str]) {
    let ended = Sandbox::new().run(&hostile(), Call::new("bytes", json!({ "to": to, "bytes": bytes })));
    ended.output();
    let lines: Vec<&str> = ended.seen.logs.iter().map(|(_, message, _)| message.as_str()).collect();
    assert_eq!(lines, expected);
}

#[test]
fn k8_what_is_no_utf8_becomes_visible() {
    for to in ["stdout", "stderr"] {
        check_bytes(to, b"fine\n\xff\xfe\xfa\nend", &["fine", "\u{fffd}\u{fffd}\u{fffd}", "end"]);
        check_bytes(to, b"cut \xe2\x82\n\x82\xac", &["cut \u{fffd}", "\u{fffd}\u{fffd}"]);
        check_bytes(to, b"\r\n\n\r\nx\r\n", &["", "", "", "x"]);
        check_bytes(to, b"", &[]);
    }
}

#[test]
fn floods_of_findings_end_at_a_limit_and_cost_bounded_memory() {
    if !alone("sandbox::logs::floods_of_findings_end_at_a_limit_and_cost_bounded_memory") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.run(&hostile(), Call::new("info", Value::Null)).output();
    // A list of nothing, and JSON that is a hundred times as large in memory as it is as text.
    let maps = format!("[{}0]", r#"{"":0},"#.repeat(30_000));
    for (name, input) in [
        ("60,000 small ones", json!({ "to": "findings", "bytes": 10, "count": 60_000 })),
        ("with 5,000 empty references", json!({ "to": "findings", "count": 20_000, "references": 5_000 })),
        ("with 30,000 maps as data", json!({ "to": "findings", "count": 300, "data": maps })),
        ("of 100,000 bytes", json!({ "to": "findings", "bytes": 100_000, "count": 3_000 })),
    ] {
        let before = peak_memory();
        let ended = sandbox.run(&hostile(), Call::new("flood", input));
        let grown = (peak_memory() - before) >> 20;
        println!("measured: findings {name}: {} kept, we grew by {grown} MiB", ended.seen.findings.len());
        let (limit, value) = ended.limit();
        assert!(limit == "findings" && (value == "50000" || value == "128MiB"), "{name}: {limit} {value}");
        assert!(ended.seen.findings.len() <= 50_000);
        assert!(grown < 400, "{name}: {grown} MiB");
    }
    // One that is too large by itself is refused, and the others count.
    let ended = sandbox.run(&hostile(), Call::new("flood", json!({ "to": "findings", "bytes": 300_000, "count": 2 })));
    assert_eq!((ended.output(), ended.seen.findings.len()), (&json!(2), 0));
}

#[test]
fn progress_is_let_through_a_few_times_a_second() {
    let ended = Sandbox::new()
        .run(&hostile(), Call::new("flood", json!({ "to": "progress", "bytes": 1_000, "count": 100_000 })));
    ended.output();
    let told = ended.seen.progress.len();
    let most = usize::try_from(ended.usage.wall_ms / 100).unwrap() + 1;
    assert!((1..=most).contains(&told), "{told} in {} ms", ended.usage.wall_ms);
    assert!(
        ended.seen.progress.iter().all(|(_, _, note)| note.as_ref().is_some_and(|note| note.chars().count() <= 200))
    );
}
