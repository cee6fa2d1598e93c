//! Three shapes of workflows whose tasks leave effects outside of the sandbox, and what an outsider finds after a run: the log in
//! the database, and the ledger that the guests wrote.

use crate::cli::packages::hostile_place;
use crate::cli::program::{Place, Ran};
use orch_tests::{Expected, check_log};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// A workflow and what its author expects.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    text: &'static str,
    /// The exit code of a run that came to its end.
    pub(crate) exit: i32,
}

const EFFECT: &str =
    "uses: test/hostile/effect@^1, permissions: { fs: [{ mount: folder, path: ledger, access: write }] }";

pub(crate) const SHAPES: [Shape; 3] = [
    Shape {
        name: "chain",
        exit: 0,
        text: "concurrency: { group: one }
tasks:
  a: { EFFECT, with: { ms: 5 } }
  b: { EFFECT, needs: [a], with: { ms: 5, seen: '${{ tasks.a.outputs.attempt }}' } }
  c: { EFFECT, needs: [b], with: { ms: 5, seen: '${{ tasks.b.outputs.attempt }}' } }
  d: { EFFECT, needs: [c], with: { ms: 5, seen: '${{ tasks.c.outputs.attempt }}' } }
",
    },
    Shape {
        name: "fan",
        exit: 0,
        text: "tasks:
  matrix: { EFFECT, with: { ms: 10, fails: 1 }, strategy: { matrix: { n: [1, 2, 3, 4] }, max-parallel: 2 }, retry: { attempts: 3, initial: 10ms, max: 20ms, retry-on: [failed, errored] } }
  each: { EFFECT, needs: [matrix], for-each: '${{ tasks.matrix.outputs }}', with: { ms: 5, seen: '${{ item.attempt }}' } }
  join: { EFFECT, needs: [each], with: { seen: '${{ tasks.each.outputs }}' } }
",
    },
    Shape {
        name: "people",
        exit: 1,
        text: "tasks:
  work: { EFFECT, with: { ms: 5 }, undo: { EFFECT, with: { ms: 5 } } }
  sign-off: { needs: [work], approval: { prompt: 'go on?' } }
  deploy: { EFFECT, needs: [sign-off], with: { ms: 20 }, retry: never, undo: { EFFECT } }
  breaks: { uses: test/hostile/fail@^1, needs: [deploy], with: { how: failed, text: no } }
finally:
  - { EFFECT }
",
    },
];

impl Shape {
    /// A place with the workflow and the guest.
    pub(crate) fn place(&self) -> Place {
        let place = hostile_place();
        let text = format!("schema: orch-wasm/v1\nname: {}\n{}", self.name, self.text.replace("EFFECT", EFFECT));
        place.write("w.yaml", text);
        fs::create_dir(place.path("ledger")).unwrap();
        place.replace("policy.yaml", "access: read", "access: write");
        place
    }

    fn expected(&self) -> Expected {
        let needs: &[(&str, &[&str])] = match self.name {
            "chain" => &[("a", &[]), ("b", &["a"]), ("c", &["b"]), ("d", &["c"])],
            "fan" => &[("matrix", &[]), ("each", &["matrix"]), ("join", &["each"])],
            _ => &[("work", &[]), ("sign-off", &["work"]), ("deploy", &["sign-off"]), ("breaks", &["deploy"])],
        };
        let own = |name: &&str| (*name).to_owned();
        let mut expected = Expected { jobs: 2, over: true, ..Expected::default() };
        expected.needs = needs.iter().map(|(task, needs)| (own(task), needs.iter().map(own).collect())).collect();
        expected.attempts = [("matrix".to_owned(), 3)].into();
        expected.max_parallel = [("matrix".to_owned(), 2)].into();
        expected.never = ["deploy".to_owned()].into();
        expected
    }

    /// Drives what is left of a run to its end, as a person would: resume, answer, resume.
    #[track_caller]
    pub(crate) fn bring_to_end(&self, place: &Place) {
        for _ in 0..12 {
            if run_of(place).is_none() {
                // It died before the run existed: nothing was acknowledged, so nothing is lost.
                let ran = place.run(["run", "w.yaml", "--jobs", "2"]);
                assert!([self.exit, 4].contains(&ran.code), "{ran}");
                continue;
            }
            let log = log_of(place);
            if log.iter().any(|record| record["event"]["type"] == "run-finished") {
                return;
            }
            let last = &log[log.len() - 1]["event"];
            let waits: Vec<String> = match last["type"].as_str() {
                Some("run-suspended") => {
                    last["waits"].as_array().unwrap().iter().map(|step| step.as_str().unwrap().to_owned()).collect()
                }
                _ => Vec::new(),
            };
            for step in waits {
                let asked =
                    log.iter().any(|r| r["event"]["type"] == "approval-requested" && r["event"]["task"] == *step);
                let state = ["--workflow", "w.yaml"];
                match asked {
                    true => place.run(["approve", "latest", &step].iter().chain(&state)).exits(0),
                    false => place.run(["settle", "latest", &step, "--as", "again"].iter().chain(&state)).exits(0),
                };
            }
            let ran = place.run(["resume", "latest", "--workflow", "w.yaml", "--jobs", "2"]);
            assert!([self.exit, 4].contains(&ran.code), "{ran}");
        }
        panic!("the run does not come to its end:\n{}", text(&log_of(place)));
    }

    /// What the log and the ledger say of a run that is over.
    pub(crate) fn breaches(&self, place: &Place) -> Vec<String> {
        let log = log_of(place);
        let mut breaches = check_log(&log, &self.expected());
        breaches.extend(ledger(place, &log));
        breaches.extend(database(place));
        breaches
    }
}

/// A start of the program with a fault in it.
pub(crate) fn faulty(place: &Place, arguments: &[&str], fault: &str, bug: &str) -> Command {
    let mut command = Command::new(orch_tests::program("orch-tests-faulty"));
    command.args(arguments);
    place.surround(&mut command);
    if !fault.is_empty() {
        command.env("ORCH_TEST_FAULT", fault);
    }
    if !bug.is_empty() {
        command.env("ORCH_TEST_BUG", bug);
    }
    command
}

/// Runs a faulty program to its end, whatever that is.
pub(crate) fn run_faulty(place: &Place, arguments: &[&str], fault: &str, bug: &str) -> Ran {
    Ran::unchecked(faulty(place, arguments, fault, bug))
}

fn open(place: &Place) -> Option<Connection> {
    let file = place.path(".orch-wasm/state.db");
    file.exists().then(|| Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap())
}

/// The id of the one run, if it came to exist.
pub(crate) fn run_of(place: &Place) -> Option<String> {
    open(place)?.query_row("SELECT id FROM runs ORDER BY key LIMIT 1", [], |row| row.get(0)).ok()
}

/// The log of the one run, as it stands in the database.
pub(crate) fn log_of(place: &Place) -> Vec<Value> {
    let Some(connection) = open(place) else { return Vec::new() };
    let Ok(mut query) = connection.prepare("SELECT seq, body FROM events ORDER BY run, seq") else { return Vec::new() };
    let rows = query.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).unwrap();
    rows.map(|row| {
        let (seq, body) = row.unwrap();
        serde_json::json!({ "seq": seq, "event": serde_json::from_str::<Value>(&body).unwrap() })
    })
    .collect()
}

pub(crate) fn text(log: &[Value]) -> String {
    log.iter().skip(1).map(|record| format!("{} {}\n", record["seq"], record["event"])).collect()
}

/// I5: at most one effect for each key, no attempt that the log does not have, none of them twice.
fn ledger(place: &Place, log: &[Value]) -> Vec<String> {
    let mut breaches = Vec::new();
    let run = run_of(place).unwrap_or_default();
    let mark = |step: &str| format!("{run}/{step}").replace(['/', '[', ']'], "_");
    let mut known = BTreeSet::new();
    let mut done = BTreeSet::new();
    for record in log {
        let event = &record["event"];
        let step = event["task"].as_str().unwrap_or_default();
        match event["type"].as_str() {
            Some("task-started") => drop(known.insert(format!("{}.attempt.{}", mark(step), event["attempt"]))),
            Some("task-finished") if event["outcome"] == "succeeded" && event["output"]["attempt"].is_u64() => {
                done.insert(format!("{}.effect", mark(step)));
            }
            _ => {}
        }
    }
    let marks = place.path("ledger/marks");
    let names: BTreeSet<String> = fs::read_dir(&marks)
        .map(|all| all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    for name in &names {
        if name.contains(".attempt.") && !known.contains(name) {
            breaches.push(format!("{name} ran, and the log does not know of it"));
        }
        // Nothing in it: the attempt died between making the mark and writing to it.
        if name.contains(".attempt.") && fs::metadata(marks.join(name)).unwrap().len() > 1 {
            breaches.push(format!("{name} ran twice"));
        }
    }
    breaches.extend(done.difference(&names).map(|name| format!("{name} is in the log and was never done")));
    breaches
}

/// I13, and that the outcome of the run's row is that of its log.
fn database(place: &Place) -> Vec<String> {
    let Some(connection) = open(place) else { return vec!["there is no database".into()] };
    let mut breaches = Vec::new();
    let integrity: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    if integrity != "ok" {
        breaches.push(format!("the database is damaged: {integrity}"));
    }
    let runs: i64 =
        connection.query_row("SELECT count(*) FROM runs WHERE outcome IS NOT NULL", [], |row| row.get(0)).unwrap();
    if runs != 1 {
        breaches.push(format!("{runs} runs are over, and there is one"));
    }
    breaches
}
