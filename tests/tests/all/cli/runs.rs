//! Runs from the outside: exit codes, the log as events, what is read back, signals, and several at once.

use super::packages::{hostile_place, pack, publish};
use super::program::{Place, Ran};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

/// A workflow of tasks of the guest that means harm: name, its task, what stands in the braces besides.
fn workflow(tasks: &[(&str, &str, &str)]) -> String {
    let tasks: String = tasks
        .iter()
        .map(|(name, task, rest)| format!("  {name}: {{ uses: test/hostile/{task}@^1{rest} }}\n"))
        .collect();
    format!("schema: orch-wasm/v1\nname: cases\ntasks:\n{tasks}")
}

/// Runs one task and says how it ended.
#[track_caller]
fn one(place: &Place, task: &str, rest: &str, exit: i32, outcome: &str) -> Vec<Value> {
    place.write("one.yaml", workflow(&[("one", task, rest)]));
    let ran = place.run(["run", "one.yaml", "--format", "json"]);
    let lines = ran.exits(exit).lines();
    agrees(place, &lines);
    assert_eq!(of(&lines, "run-finished")[0]["outcome"], outcome, "{ran}");
    lines
}

/// The events of one kind.
fn of<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().map(|line| &line["event"]).filter(|event| event["type"] == kind).collect()
}

/// What was printed is a whole log, and the latest run that is remembered is just that.
#[track_caller]
fn agrees(place: &Place, lines: &[Value]) {
    for (place, line) in lines.iter().enumerate() {
        assert_eq!(line["seq"], place + 1, "{line}");
        assert_eq!(line["run"], lines[0]["run"]);
    }
    assert_eq!(lines.first().unwrap()["event"]["type"], "run-created");
    assert_eq!(lines.last().unwrap()["event"]["type"], "run-finished");
    assert_eq!(of(lines, "run-created").len() + of(lines, "run-finished").len(), 2);
    let id = lines[0]["run"].as_str().unwrap();
    assert_eq!(place.run(["runs", "show", id, "--format", "json"]).exits(0).lines(), lines);
    let listed = place.run(["runs", "list", "--most", "1", "--format", "json"]).exits(0).lines();
    assert_eq!((&listed[0]["run"], &listed[0]["events"]), (&lines[0]["run"], &json!(lines.len())));
    assert_eq!(listed[0]["outcome"], lines.last().unwrap()["event"]["outcome"]);
    place.run(["runs", "verify", id]).exits(0).says_out(&format!("{} events", lines.len()));
}

#[test]
fn each_end_has_its_exit_code() {
    let place = hostile_place();
    let with = |how: &str| format!(", with: {{ how: {how}, text: because }}");
    one(&place, "info", "", 0, "succeeded");
    one(&place, "fail", &with("skipped"), 0, "succeeded");
    one(&place, "fail", &with("failed"), 1, "failed");
    one(&place, "fail", &with("rejected"), 1, "failed");
    one(&place, "fail", &with("dependency"), 1, "failed");
    one(&place, "fail", &with("failed, x: 1, y"), 1, "failed");
    let trapped = one(&place, "fail", &with("panic"), 7, "errored");
    assert_eq!(of(&trapped, "task-finished")[0]["failure"]["what"]["kind"], "trap");
    let late = one(&place, "spin", ", timeout: 1s", 7, "timed-out");
    assert_eq!(of(&late, "task-finished")[0]["outcome"], "timed-out");
    let slept = one(&place, "sleep", ", timeout: 1s, with: { nanoseconds: 60000000000 }", 7, "timed-out");
    assert_eq!(of(&slept, "task-finished").len(), 1);
    one(&place, "fail", &(with("failed") + ", continue-on-error: true"), 0, "succeeded");
    // A gate says no.
    place.write(
        "gate.yaml",
        workflow(&[("one", "info", "")])
            + "  gate: { needs: [one], gate: { checks: [{ id: never, assert: \"false\" }] } }\n",
    );
    let ran = place.run(["run", "gate.yaml", "--format", "json"]);
    let lines = ran.exits(3).lines();
    agrees(&place, &lines);
    assert_eq!(of(&lines, "gate-decided")[0]["decision"]["checks"][0]["id"], "never");
    // Invalid input, before any run.
    let before = place.runs();
    place.run(["run", "one.yaml", "--jobs", "0"]).exits(2);
    place.run(["run", "--no-such-flag"]).exits(2);
    place.run(["no-such-verb"]).exits(2);
    assert_eq!(place.runs(), before);
    place.still_works();
}

#[test]
fn what_follows_a_failure_does_not_run() {
    let place = hostile_place();
    let tasks = [
        ("breaks", "fail", ", with: { how: panic }"),
        ("after", "info", ", needs: [breaks]"),
        ("later", "info", ", needs: [after]"),
        ("beside", "info", ""),
        ("always", "info", ", needs: [breaks], if: \"${{ always() }}\""),
    ];
    place.write("chain.yaml", workflow(&tasks));
    let ran = place.run(["run", "chain.yaml", "--format", "json"]);
    let lines = ran.exits(7).lines();
    agrees(&place, &lines);
    let outcome = |task: &str| {
        let ends = of(&lines, "task-finished");
        ends.iter().find(|end| end["task"] == task).unwrap()["outcome"].as_str().unwrap().to_owned()
    };
    let ends: Vec<_> = tasks.iter().map(|(task, ..)| outcome(task)).collect();
    assert_eq!(ends, ["errored", "unreachable", "unreachable", "succeeded", "succeeded"]);
    let started: Vec<_> = of(&lines, "task-started").iter().map(|event| event["task"].as_str().unwrap()).collect();
    assert!(!started.contains(&"after") && !started.contains(&"later"), "{started:?}");
}

/// The most tasks that were on at once, by the order of the log.
fn most_at_once(lines: &[Value]) -> usize {
    let (mut on, mut most) = (0_usize, 0);
    for line in lines {
        match line["event"]["type"].as_str() {
            Some("task-started") => on += 1,
            Some("task-finished") => on -= 1,
            _ => {}
        }
        most = most.max(on);
    }
    most
}

#[test]
fn tasks_without_needs_run_at_once_and_never_more_than_the_jobs() {
    let place = hostile_place();
    let sleep = ", with: { nanoseconds: 100000000 }";
    let tasks: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(|name| (name, "sleep", sleep)).into();
    place.write("many.yaml", workflow(&tasks));
    for jobs in [1, 2, 4] {
        let ran = place.run(["run", "many.yaml", "--format", "json", "--jobs", &jobs.to_string()]);
        let lines = ran.exits(0).lines();
        agrees(&place, &lines);
        // Each says `started` itself before it sleeps: with two at once both say so before one of them ends.
        assert_eq!(most_at_once(&lines), jobs, "{ran}");
        let before_first_end =
            lines.iter().take_while(|line| line["event"]["type"] != "task-finished").cloned().collect::<Vec<_>>();
        assert_eq!(of(&before_first_end, "task-log").len(), jobs, "{ran}");
    }
}

/// Starts a run that goes on until it is stopped, and reads its log until the guest says that it runs.
fn started(place: &Place, input: &str) -> (Child, Command, BufReader<ChildStdout>, Vec<Value>) {
    place.write("long.yaml", workflow(&[("long", "wait", &format!(", with: {input}"))]));
    let mut command = place.command(["run", "long.yaml", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    while lines.iter().all(|line: &Value| line["event"]["type"] != "task-log") {
        let mut line = String::new();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "it ended before it began: {lines:?}");
        lines.push(serde_json::from_str(&line).unwrap());
    }
    (child, command, out, lines)
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_signal_cancels_the_run_and_the_log_says_so() {
    let place = hostile_place();
    // A guest that stops when asked, and one that does not care.
    for input in ["{}", "{ ignore: true }"] {
        let (child, command, mut out, mut lines) = started(&place, input);
        signal(&child, Signal::INT);
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        lines.extend(rest.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        Ran::end(child, &command, Instant::now()).without_bug().exits(6);
        agrees(&place, &lines);
        assert_eq!(of(&lines, "cancel-requested").len(), 1);
        assert_eq!(of(&lines, "task-finished")[0]["outcome"], "cancelled");
        assert_eq!(of(&lines, "run-finished")[0]["outcome"], "cancelled");
    }
    place.run(["runs", "list"]).exits(0).says_out("cancelled");
    place.still_works();
}

#[test]
fn a_second_signal_ends_it_at_once_and_a_kill_loses_nothing_that_was_written() {
    let place = hostile_place();
    let (child, command, mut out, _) = started(&place, "{ ignore: true }");
    signal(&child, Signal::INT);
    // The second is sent when the first one was heard; by then the run may have ended in order, which has the same exit code.
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(line.contains("cancel-requested"), "{line}");
    let _ = kill_process(Pid::from_child(&child), Signal::INT);
    Ran::end(child, &command, Instant::now()).without_bug().exits(6);
    drop(out);

    let (mut child, _, _, lines) = started(&place, "{}");
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    let id = lines[0]["run"].as_str().unwrap();
    let kept = place.run(["runs", "show", id, "--format", "json"]).exits(0).lines();
    let begun: Vec<_> = kept.iter().map(|line| line["event"]["type"].as_str().unwrap()).collect();
    assert!(begun.starts_with(&["run-created", "task-started"]), "{begun:?}");
    place.run(["runs", "verify", id]).exits(0);
    place.run(["runs", "list"]).exits(0).says_out("interrupted");
    place.run(["runs", "show", id]).exits(0);
    place.still_works();
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    // The reading end is closed before the program starts to write, and after the first line.
    for lines in [0, 1] {
        for arguments in [["run", "--format", "json"].as_slice(), &["run"], &["schema"], &["--help"], &["runs", "list"]]
        {
            let mut command = place.command(arguments);
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut out = BufReader::with_capacity(1, child.stdout.take().unwrap());
            (0..lines).for_each(|_| {
                out.read_line(&mut String::new()).unwrap();
            });
            drop(out);
            Ran::end(child, &command, Instant::now()).without_bug().exits(0);
        }
    }
    assert_eq!(place.runs(), 4, "a run whose reader went away ran to its end");
    place.run(["runs", "verify"]).exits(0);
    // Standard output that cannot take anything is an error, and no bug.
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" schema > /dev/full"]).arg(super::program::binary());
    place.surround(&mut command);
    assert_ne!(Ran::of(command).code, 0);
}

#[test]
fn reports_are_well_formed_and_agree() {
    let place = hostile_place();
    let nasty = "<&\\\"'>]]>\\u0001\\u001b[31m\\n| `x` |";
    let say = format!(", with: {{ text: \"{nasty}\" }}");
    place.write(
        "report.yaml",
        workflow(&[
            ("says", "say", &say),
            ("again", "say", ", with: { text: other }"),
            ("breaks", "fail", ", with: { how: panic, text: \"]]>\" }"),
        ]) + "  gate: { needs: [says], gate: { checks: [{ id: none, assert: \"findings.of('says').open == 0\" }] } }\n",
    );
    let ran = place.run(["run", "report.yaml", "--reports", "out"]);
    ran.exits(7).says("reports in out");
    for (format, file) in [("sarif", "out/findings.sarif"), ("junit", "out/junit.xml"), ("markdown", "out/report.md")] {
        let shown = place.run(["runs", "show", "--format", format]);
        assert_eq!(shown.exits(0).stdout.trim_end(), place.read(file).trim_end(), "{format}");
        assert!(!shown.stdout.contains(['\u{1b}', '\u{1}']), "{format}: {shown}");
    }
    sarif(&serde_json::from_str(&place.read("out/findings.sarif")).unwrap());
    junit(&place.read("out/junit.xml"));
    let markdown = place.read("out/report.md");
    assert!(markdown.starts_with('#') && markdown.contains("cases"), "{markdown}");
    place.run(["runs", "show"]).exits(0).says_out("says").says_out("breaks");
    place.run(["runs", "logs", "latest", "says"]).exits(0).says_out("\\u{1b}");
    place.run(["runs", "logs", "latest", "nobody"]).refused("OW0107", &["`says`"]);
    // A folder for reports that cannot be made does not undo the run.
    place.write("file", "");
    let ran = place.run(["run", "--reports", "file/out"]);
    ran.exits(7).says("error[OW0501]").says("orch-wasm runs show");
    place.run(["runs", "show"]).exits(0).says_out("succeeded");
}

#[track_caller]
fn sarif(log: &Value) {
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().contains("sarif"));
    let mut results = 0;
    for run in log["runs"].as_array().unwrap() {
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert!(run["tool"]["driver"]["name"].is_string());
        for result in run["results"].as_array().unwrap() {
            let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[rule]["id"], result["ruleId"], "{result}");
            assert!(result["message"]["text"].is_string(), "{result}");
            assert!(["none", "note", "warning", "error"].contains(&result["level"].as_str().unwrap()), "{result}");
            results += 1;
        }
    }
    assert_eq!(results, 2);
}

fn unescape(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|value| quick_xml::escape::unescape(value).is_ok())
}

#[track_caller]
fn junit(text: &str) {
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let (mut open, mut cases, mut failures) = (Vec::new(), 0, 0);
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {text}")) {
            quick_xml::events::Event::Start(tag) => {
                let name = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
                cases += usize::from(name == "testcase");
                failures += usize::from(name == "failure" || name == "error");
                // Every attribute is well-formed, with no reference that XML does not have.
                assert!(tag.attributes().all(|attribute| attribute.is_ok_and(|one| unescape(&one.value))), "{text}");
                open.push(name);
            }
            quick_xml::events::Event::Empty(tag) => {
                let name = tag.name();
                cases += usize::from(name.as_ref() == b"testcase");
                failures += usize::from(name.as_ref() == b"failure" || name.as_ref() == b"error");
            }
            quick_xml::events::Event::End(_) => {
                open.pop().unwrap();
            }
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(cases >= 7 && failures >= 3, "{cases} {failures}: {text}");
}

#[test]
fn a_changed_event_is_noticed() {
    let place = Place::new();
    place.run(["run"]).exits(0);
    place.run(["run"]).exits(0);
    place.run(["runs", "verify"]).exits(0);
    let change = |sql: &str| {
        let database = rusqlite::Connection::open(place.path(".orch-wasm/state.db")).unwrap();
        assert_eq!(database.execute(sql, []).unwrap(), 1, "{sql}");
    };
    change("UPDATE events SET body = replace(body, 'world', 'worlf') WHERE run = 2 AND seq = 3 + 1");
    place.run(["runs", "verify"]).exits(1).says_out("event 4 is not as it was written");
    change("UPDATE events SET body = replace(body, 'worlf', 'world') WHERE run = 2 AND seq = 4");
    place.run(["runs", "verify"]).exits(0);
    change("UPDATE events SET at = at + 1 WHERE run = 2 AND seq = 2");
    place.run(["runs", "verify"]).exits(1).says_out("event 2 ");
    change("DELETE FROM events WHERE run = 2 AND seq = 1");
    place.run(["runs", "verify"]).exits(1).says_out("event 1 ");
    change("UPDATE events SET body = '{' WHERE run = 1 AND seq = 3");
    let older = place.run(["runs", "list", "--format", "json"]).exits(0).lines()[1]["run"].as_str().unwrap().to_owned();
    place.run(["runs", "show", &older]).fails(7, "OW0501", &["event 3"]);
    place.run(["runs", "verify", &older]).exits(1).says_out("event 3 ");
    place.still_works();
}

#[test]
fn the_end_of_a_log_is_part_of_what_is_verified() {
    let place = Place::new();
    place.run(["run"]).exits(0);
    let database = rusqlite::Connection::open(place.path(".orch-wasm/state.db")).unwrap();
    database.execute("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)", []).unwrap();
    drop(database);
    place.run(["runs", "verify"]).exits(1).says_out("is not as it was written");
}

#[test]
fn a_run_is_named_by_a_unique_part_of_its_id() {
    let place = Place::new();
    place.run(["runs", "list"]).exits(0).says("there are no runs");
    place.run(["runs", "show"]).refused("OW0502", &["there are no runs"]);
    for _ in 0..3 {
        place.run(["run"]).exits(0);
    }
    let ids: Vec<_> = place.run(["runs", "list", "--format", "json"]).exits(0).lines();
    let ids: Vec<_> = ids.iter().map(|line| line["run"].as_str().unwrap().to_owned()).collect();
    for id in &ids {
        place.run(["runs", "show", id]).exits(0).says_out(id);
        place.run(["runs", "show", &id[20..]]).exits(0).says_out(id);
    }
    place.run(["runs", "show"]).exits(0).says_out(&ids[0]);
    place.run(["runs", "show", &ids[0][..4]]).refused("OW0502", &[&ids[0], &ids[1], "runs list"]);
    for unknown in ["ffffffffffff", "%", "../..", "", "LATEST"] {
        place.run(["runs", "show", unknown]).refused("OW0502", &["runs list"]);
    }
    place.run(["runs", "list", "--most", "1"]).exits(0).says_out(&ids[0]);
    place.run(["explain", "latest", "greet"]).exits(0).says_out(&ids[0]);
}

#[test]
fn colours_are_for_terminals_and_those_who_ask() {
    let place = Place::new();
    place.run(["run"]).exits(0);
    let escapes = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = place.command(arguments);
        command.envs(variables.iter().copied());
        let ran = Ran::of(command);
        (ran.stdout + &ran.stderr).contains('\u{1b}')
    };
    for arguments in [["runs", "show"].as_slice(), &["run"], &["plan"], &["doctor"], &["validate", "nowhere"]] {
        assert!(!escapes(arguments, &[]), "{arguments:?}");
        assert!(!escapes(arguments, &[("NO_COLOR", "1"), ("TERM", "xterm-256color")]), "{arguments:?}");
    }
    assert!(escapes(&["runs", "show", "--colour", "always"], &[]));
    assert!(escapes(&["runs", "show", "--colour", "always"], &[("NO_COLOR", "1")]), "who asks for it gets it");
    assert!(!escapes(&["runs", "show", "--colour", "never"], &[]));
}

#[test]
fn several_runs_in_one_folder_do_not_disturb_each_other() {
    let place = Place::new();
    let spawn = || {
        let mut command = place.command(["run", "--format", "json"]);
        (command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(), command)
    };
    // The first ones also race for the state folder, the lock file and the code cache.
    let all: Vec<_> = (0..6).map(|_| spawn()).collect();
    let mut ids: Vec<_> = all
        .into_iter()
        .map(|(child, command)| {
            let ran = Ran::end(child, &command, Instant::now()).without_bug();
            ran.exits(0).lines()[0]["run"].as_str().unwrap().to_owned()
        })
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), place.runs()), (6, 6));
    for id in ids {
        place.run(["runs", "verify", &id]).exits(0);
    }
    place.still_works();
}

#[test]
fn what_is_made_is_private() {
    let place = Place::new();
    place.run(["run"]).exits(0);
    for folder in [place.path(".orch-wasm"), place.code_cache(), place.outside("home/.config/orch-wasm")] {
        let mode = fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", folder.display());
    }
    let key = place.outside("home/.config/orch-wasm/signing.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(place.read(".orch-wasm/.gitignore"), "*\n");
    // A key that others can read signs nothing.
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    place.write("package.wasm", pack("acme/tool", "1.0.0", json!({})));
    place.run(["plugin", "publish", "package.wasm"]).refused("OW0215", &["chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    publish(&place, &pack("acme/tool", "1.0.0", json!({})));
}
