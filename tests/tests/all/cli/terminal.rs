//! What a person sees on a terminal: the tree is drawn, and nothing that a guest says acts on the terminal (K9) or fills memory (K8).

use super::packages::hostile_place;
use super::program::Place;
use rustix::fd::OwnedFd;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

/// A terminal of 100 columns: the end that a person looks at, and the end that a program writes to.
fn terminal() -> (File, OwnedFd) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    tcsetwinsize(&master, Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = std::ffi::OsStr::from_bytes(name.as_bytes());
    let slave = OpenOptions::new().read(true).write(true).open(name).unwrap();
    (File::from(master), OwnedFd::from(slave))
}

/// Runs a command on a terminal; returns its exit code and all that was written there.
#[track_caller]
fn on_terminal(mut command: Command) -> (i32, String) {
    let (mut master, slave) = terminal();
    command.env("TERM", "xterm-256color").stdout(slave.try_clone().unwrap()).stderr(slave);
    let mut child = command.spawn().unwrap();
    // The command holds the writing end too; it has to go for the end to be seen.
    drop(command);
    let mut seen = Vec::new();
    let mut part = [0; 4096];
    // A terminal whose other end was closed by all says EIO.
    while let Ok(length @ 1..) = master.read(&mut part) {
        seen.extend_from_slice(&part[..length]);
    }
    let code = child.wait().unwrap().code().unwrap();
    (code, String::from_utf8(seen).expect("only UTF-8 is written"))
}

/// Only what our own drawing uses acts on the terminal: colours, moves of the cursor, erasing, hiding the cursor.
#[track_caller]
fn harmless(seen: &str) {
    let mut rest = seen.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            assert_eq!(rest.next(), Some('['), "an escape that is no CSI in {seen:?}");
            let mut parameters = String::new();
            let last = loop {
                match rest.next() {
                    Some(c @ ('0'..='9' | ';' | '?')) => parameters.push(c),
                    other => break other,
                }
            };
            let fine = match last {
                Some('m') => parameters.split(';').all(|one| one.len() <= 2 && one != "5" && one != "41"),
                Some('A'..='D' | 'G' | 'J' | 'K') => parameters.len() <= 3,
                Some('h' | 'l') => parameters == "?25" || parameters == "?2026",
                _ => false,
            };
            assert!(fine, "`{parameters}{last:?}` in {seen:?}");
            continue;
        }
        let acts = c.is_control() && !matches!(c, '\n' | '\r')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        assert!(!acts, "{c:?} in {seen:?}");
    }
    // The word that a guest puts behind what should take effect is never at the beginning of a line that it made.
    assert!(!seen.contains("\rOWNED") && !seen.contains("\nOWNED"), "{seen:?}");
}

const PAYLOADS: [&str; 12] = [
    "\u{1b}[5;41mOWNED",                          // colours
    "\u{1b}]8;;https://evil.example\u{7}OWNED",   // a link
    "\u{1b}]52;c;T1dORUQ=\u{7}OWNED",             // the clipboard
    "\u{1b}]0;OWNED\u{1b}\\OWNED",                // the title
    "\u{1b}[2J\u{1b}[HOWNED",                     // clear, and go home
    "\u{1b}[6n\u{1b}cOWNED",                      // ask for an answer, reset
    "\u{1b}P+q544e\u{1b}\\OWNED",                 // a device control string
    "\u{9b}5;41mOWNED\u{9d}0;OWNED\u{9c}",        // the same in C1
    "\u{202e}DENWO\u{2066}OWNED\u{200b}\u{feff}", // right to left, isolates, nothing at all
    "fine\rOWNED",                                // over the beginning of the line
    "fine\nOWNED\u{8}\u{8}\u{7f}",                // a line of its own, and back
    "\u{0}\u{b}\u{c}\u{85}\u{2028}\u{2029}OWNED", // other ends of lines
];

#[test]
fn what_a_guest_says_does_not_act_on_the_terminal() {
    let place = hostile_place();
    let tasks: String = PAYLOADS
        .iter()
        .enumerate()
        .map(|(number, payload)| {
            let text = json!(payload).to_string().replace('\u{7f}', "\\u007f");
            let text = text.chars().fold(String::new(), |all, c| match c {
                '\u{80}'..='\u{9f}' | '\u{2000}'..='\u{206f}' | '\u{feff}' => all + &format!("\\u{:04x}", c as u32),
                _ => all + c.encode_utf8(&mut [0; 4]),
            });
            // A NUL is no text of a workflow; a guest could make one, and the log has the same escape for it.
            let text = text.replace("\\u0000", "");
            format!(
                "  say{number}: {{ uses: test/hostile/say@^1, with: {{ text: {text} }} }}\n  fail{number}: {{ uses: test/hostile/fail@^1, with: {{ how: {}, text: {text} }} }}\n",
                ["failed", "dependency", "denied", "invalid", "rejected", "panic"][number % 6]
            )
        })
        .collect();
    place.write("nasty.yaml", format!("schema: orch-wasm/v1\nname: nasty\ntasks:\n{tasks}"));
    let (code, seen) = on_terminal(place.command(["run", "nasty.yaml", "--verbose", "--jobs", "2"]));
    assert!(code == 1 || code == 7, "{code}: {seen}");
    harmless(&seen);
    assert!(seen.contains("\\u{1b}[5;41mOWNED") && seen.contains("\\u{9b}") && seen.contains("\\u{202e}"), "{seen:?}");
    for arguments in [
        ["runs", "show", "latest"].as_slice(),
        &["runs", "logs", "latest"],
        &["runs", "list"],
        &["runs", "show", "latest", "--format", "json"],
        &["runs", "show", "latest", "--format", "sarif"],
        &["runs", "show", "latest", "--format", "junit"],
        &["runs", "show", "latest", "--format", "markdown"],
        &["explain", "latest", "say0"],
        &["plan", "nasty.yaml"],
        &["run", "nasty.yaml", "--format", "json"],
    ] {
        let (_, seen) = on_terminal(place.command(arguments));
        harmless_text(arguments, &seen);
    }
}

/// [`harmless`], of a printed page: what guests wrote may have lines of its own there.
#[track_caller]
fn harmless_text(arguments: &[&str], seen: &str) {
    assert!(!seen.is_empty(), "{arguments:?}");
    harmless(&seen.replace("\nOWNED", "\n OWNED"));
}

#[test]
fn what_a_file_says_does_not_act_on_the_terminal() {
    let place = Place::new();
    for (number, payload) in PAYLOADS.iter().enumerate() {
        let name = format!("file{number}.yaml");
        place.write(
            &name,
            format!("schema: orch-wasm/v1\nname: {payload}\n{payload}: 1\ntasks: {{ a: {{ uses: \"{payload}\" }} }}\n"),
        );
        let (code, seen) = on_terminal(place.command(["validate", &name]));
        assert_eq!(code, 2, "{seen:?}");
        harmless_text(&[&name], &seen);
    }
    for payload in ["\u{1b}[5;41mOWNED", "\u{1b}]0;OWNED\u{7}", "\u{9b}5;41m", "\u{202e}x"] {
        for arguments in [
            ["runs", "show", payload],
            ["plugin", "inspect", payload],
            ["run", "--input", payload],
            ["runs", "verify", payload],
            ["run", "--state", payload],
        ] {
            let (_, seen) = on_terminal(place.command(arguments));
            harmless_text(&arguments, &seen);
        }
        let (code, seen) = on_terminal(place.command(["validate", payload]));
        assert_eq!(code, 2);
        harmless_text(&["validate"], &seen);
    }
}

#[test]
fn the_tree_is_drawn_on_a_terminal_and_only_there() {
    let place = hostile_place();
    let sleep = "uses: test/hostile/sleep@^1, with: { nanoseconds: 300000000 }";
    place.write(
        "tree.yaml",
        format!("schema: orch-wasm/v1\nname: tree\ntasks:\n  first: {{ {sleep} }}\n  second: {{ {sleep}, needs: [first] }}\n"),
    );
    let (code, seen) = on_terminal(place.command(["run", "tree.yaml"]));
    assert_eq!(code, 0, "{seen}");
    harmless(&seen);
    for part in ["\u{1b}[", "▶", "· second", "✔", "succeeded\u{1b}[0m in"] {
        assert!(seen.contains(part), "no {part:?} in {seen:?}");
    }
    // It was drawn more than once over itself: the cursor went up.
    assert!(seen.contains("A\u{1b}[") || seen.contains("A\r") || seen.matches("▶").count() > 2, "{seen:?}");
    let mut command = place.command(["run", "tree.yaml"]);
    command.env("NO_COLOR", "1");
    let (code, seen) = on_terminal(command);
    assert_eq!(code, 0);
    harmless(&seen);
    assert!(!seen.contains("\u{1b}[1m") && !seen.contains("\u{1b}[32m"), "colours in {seen:?}");
    place.run(["run", "tree.yaml"]).exits(0).does_not_say("\u{1b}").says("▶ first");
}

/// The most resident memory that a process has had until now, in KiB.
fn peak(child: &std::process::Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

/// Runs one task, reads its events, and returns the peak of the whole program with the events.
#[track_caller]
fn measured(place: &Place, task: &str) -> (u64, Vec<Value>) {
    place.write("flood.yaml", format!("schema: orch-wasm/v1\nname: flood\ntasks:\n  one: {{ {task} }}\n"));
    let mut child = place
        .command(["run", "flood.yaml", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut most, mut events) = (0, Vec::new());
    for (number, line) in BufReader::new(child.stdout.take().unwrap()).lines().enumerate() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        // The last line is written before the program ends; what it does afterwards is write its reports.
        if number % 200 == 0 || line["event"]["type"] == "task-finished" || line["event"]["type"] == "run-finished" {
            most = most.max(peak(&child).unwrap_or(0));
        }
        events.push(line);
    }
    child.wait().unwrap();
    assert_ne!(most, 0);
    (most, events)
}

/// K8: a guest that talks without end fills neither memory nor disk.
#[test]
fn a_flood_of_logs_is_cut_and_memory_stays_bounded() {
    let place = hostile_place();
    let (base, _) = measured(&place, "uses: test/hostile/info@^1");
    for flood in [
        "to: stdout, bytes: 65000, count: 2000",
        "to: log, bytes: 10, count: 300000",
        "to: log, bytes: 1000000, count: 100",
        "to: stderr, bytes: 100000000, count: 1, open: true",
        "to: progress, bytes: 100, count: 100000",
    ] {
        let (peak, events) = measured(&place, &format!("uses: test/hostile/flood@^1, with: {{ {flood} }}"));
        assert_eq!(events.last().unwrap()["event"]["outcome"], "succeeded", "{flood}");
        // The guest's own memory is at most 256 MiB; what it said is at most 10 MiB of log, kept a few times over.
        let guest = if flood.contains("100000000") { 220 << 10 } else { 0 };
        println!("measured {flood}: {} MiB over {} MiB", (peak.saturating_sub(base)) >> 10, base >> 10);
        assert!(peak < base + guest + (96 << 10), "{flood}: {peak} KiB, and {base} KiB without");
        let logged: usize = events.iter().filter_map(|line| line["event"]["message"].as_str()).map(str::len).sum();
        assert!(logged <= 11 << 20, "{flood}: {logged}");
    }
    place.still_works();
}
