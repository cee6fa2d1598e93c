//! What the tests of runs and of the language share: places whose tasks leave marks outside of the sandbox, logs, and processes that are
//! looked at while they run.

use super::packages::hostile_place;
use super::program::{Place, Ran};
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A task that leaves a mark for each attempt.
pub(super) const EFFECT: &str =
    "uses: test/hostile/effect@^1, permissions: { fs: [{ mount: folder, path: ledger, access: write }] }";

/// Longer than anything here takes, and shorter than anybody waits for a test.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A place where the guest may leave marks, with a workflow: EFFECT stands for a task that leaves them, GUEST for its plugin.
pub(super) fn place_with(text: &str) -> Place {
    let place = hostile_place();
    place.replace("policy.yaml", "access: read }] }", "access: write }] }\n    env: { allow: [\"CASE_*\"] }");
    fs::create_dir(place.path("ledger")).unwrap();
    describe(&place, "workflow.yaml", text);
    place
}

/// Writes a workflow file.
pub(super) fn describe(place: &Place, file: &str, text: &str) {
    let text = text.replace("EFFECT", EFFECT).replace("GUEST", "test/hostile");
    place.write(file, format!("schema: orch-wasm/v1\nname: cases\n{text}"));
}

/// The log of a run, as it is on disk.
#[track_caller]
pub(super) fn log(place: &Place, run: &str) -> Vec<Value> {
    place.run(["runs", "verify", run]).exits(0);
    place.run(["runs", "show", run, "--format", "json"]).exits(0).lines()
}

/// The events of one kind.
pub(crate) fn of<'a>(log: &'a [Value], kind: &str) -> Vec<&'a Value> {
    log.iter().map(|line| &line["event"]).filter(|event| event["type"] == kind).collect()
}

/// The steps of the events of one kind, in the order of the log.
pub(super) fn steps(log: &[Value], kind: &str) -> Vec<String> {
    of(log, kind).iter().map(|event| event["task"].as_str().unwrap().to_owned()).collect()
}

/// How a step ended.
#[track_caller]
pub(crate) fn end<'a>(log: &'a [Value], step: &str) -> &'a Value {
    let ends = of(log, "task-finished");
    ends.into_iter().find(|end| end["task"] == step).unwrap_or_else(|| panic!("`{step}` has no end: {log:#?}"))
}

/// The outcome of a step.
#[track_caller]
pub(super) fn outcome<'a>(log: &'a [Value], step: &str) -> &'a str {
    end(log, step)["outcome"].as_str().unwrap()
}

/// The outcome of the run, if it is over.
pub(super) fn run_outcome(log: &[Value]) -> Option<&str> {
    of(log, "run-finished").first().and_then(|end| end["outcome"].as_str())
}

/// The run of a log.
pub(super) fn run_of(log: &[Value]) -> String {
    log[0]["run"].as_str().unwrap().to_owned()
}

/// The attempts of a run that left marks, as `step attempt` in the order of the names, each of which ran once. What separates the
/// parts of a name is `_`.
#[track_caller]
pub(super) fn marks(place: &Place, run: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(place.path("ledger/marks")) else { return Vec::new() };
    let mut marks = Vec::new();
    for entry in entries.map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let Some((step, attempt)) = name.strip_prefix(&format!("{run}_")).and_then(|name| name.split_once(".attempt."))
        else {
            continue;
        };
        match entry.metadata().unwrap().len() {
            // It is about to be left.
            0 => {}
            1 => marks.push(format!("{step} {attempt}")),
            more => panic!("{name} ran {more} times"),
        }
    }
    marks.sort();
    marks
}

/// Waits for what another process does and does not tell.
#[track_caller]
pub(super) fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A run that is under way in a process of its own.
pub(super) struct Live {
    child: Option<Child>,
    command: Command,
    begun: Instant,
    lines: Receiver<String>,
    /// What its log has so far.
    pub(super) seen: Vec<Value>,
}

impl Live {
    pub(super) fn start(place: &Place, arguments: &[&str]) -> Live {
        let mut command = place.command(arguments.iter().chain(&["--format", "json"]));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (to, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| to.send(line)));
        Live { child: Some(child), command, begun: Instant::now(), lines, seen: Vec::new() }
    }

    /// Waits for an event of this kind, of this step if one is named.
    #[track_caller]
    pub(super) fn until(&mut self, kind: &str, step: &str) -> Value {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("no `{kind}` of `{step}`: {:#?}", self.seen);
            };
            let line: Value = serde_json::from_str(&line).unwrap();
            self.seen.push(line.clone());
            if line["event"]["type"] == kind && (step.is_empty() || line["event"]["task"] == step) {
                return line;
            }
        }
    }

    pub(super) fn run(&self) -> String {
        run_of(&self.seen)
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// Waits for its end; gives it with all that it printed.
    #[track_caller]
    pub(super) fn end(mut self) -> (Ran, Vec<Value>) {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.seen.push(serde_json::from_str(&line).unwrap());
        }
        let ran = Ran::end(self.child.take().unwrap(), &self.command, self.begun).without_bug();
        (ran, std::mem::take(&mut self.seen))
    }

    /// Ends it as a power cut does.
    #[track_caller]
    pub(super) fn kill(self) {
        self.signal(Signal::KILL);
        self.end().0.exits(128 + 9);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts the workflow, which comes to wait for people.
#[track_caller]
pub(super) fn waiting(place: &Place) -> String {
    let ran = place.run(["run", "--format", "json"]);
    let log = ran.exits(4).lines();
    assert_eq!(log.last().unwrap()["event"]["type"], "run-suspended", "{ran}");
    run_of(&log)
}

/// How `runs list` calls the state of a run.
#[track_caller]
pub(super) fn listed(place: &Place, run: &str) -> String {
    let ran = place.run(["runs", "list"]);
    let row = ran.exits(0).stdout.lines().find(|line| line.contains(run)).unwrap_or_else(|| panic!("{ran}"));
    let known = ["waiting", "interrupted", "running", "succeeded", "failed", "rejected", "cancelled", "errored"];
    (*known.iter().find(|word| row.contains(**word)).unwrap_or_else(|| panic!("{ran}"))).to_owned()
}

/// What the system says of the account that runs this.
pub(super) fn account(flag: &str) -> String {
    let output = Command::new("id").arg(flag).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// An answer does not count: it is refused with these texts, and nothing of it is kept.
#[track_caller]
pub(super) fn not_taken(place: &Place, arguments: &[&str], texts: &[&str]) {
    let kept = || -> i64 {
        let database = rusqlite::Connection::open(place.path(".orch-wasm/state.db")).unwrap();
        database.query_row("SELECT count(*) FROM wishes", [], |row| row.get(0)).unwrap()
    };
    let before = (log(place, arguments[1]), kept());
    place.run(arguments).refused("OW0505", texts);
    assert_eq!((log(place, arguments[1]), kept()), before);
}

/// Runs the workflow to its end; gives its log.
#[track_caller]
pub(super) fn run(place: &Place, exit: i32) -> Vec<Value> {
    run_with(place, &[], exit)
}

/// As [`run`], with further arguments.
#[track_caller]
pub(super) fn run_with(place: &Place, arguments: &[&str], exit: i32) -> Vec<Value> {
    let ran = place.run(["run", "--format", "json"].iter().chain(arguments));
    let lines = ran.exits(exit).lines();
    assert_eq!(log(place, &run_of(&lines)), lines, "what was printed is the log");
    lines
}

/// A workflow is run to its end, and gives its log.
#[track_caller]
pub(super) fn runs(text: &str, exit: i32) -> (Place, Vec<Value>) {
    let place = place_with(text);
    let lines = run_with(&place, &["--jobs", "4"], exit);
    (place, lines)
}

/// When each event of a run was appended, in milliseconds.
pub(super) fn times(place: &Place, run: &str) -> Vec<i64> {
    let database = Connection::open(place.path(".orch-wasm/state.db")).unwrap();
    let sql = "SELECT e.at FROM events e JOIN runs r ON r.key = e.run WHERE r.id = ?1 ORDER BY e.seq";
    let mut query = database.prepare(sql).unwrap();
    query.query_map([run], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// When the first event of a kind was appended.
#[track_caller]
pub(super) fn at(place: &Place, log: &[Value], kind: &str) -> i64 {
    let position = log.iter().position(|line| line["event"]["type"] == kind);
    times(place, &run_of(log))[position.unwrap_or_else(|| panic!("no `{kind}`: {log:#?}"))]
}

/// The most steps of a task that were on at once, by the order of the log.
pub(super) fn at_once(log: &[Value], task: &str) -> usize {
    let (mut on, mut most) = (0_usize, 0);
    let item = format!("{task}[");
    for event in log.iter().map(|line| &line["event"]) {
        if !event["task"].as_str().is_some_and(|step| step.starts_with(&item)) {
            continue;
        }
        match event["type"].as_str() {
            Some("task-started") => on += 1,
            Some("task-finished" | "attempt-ended") => on = on.saturating_sub(1),
            _ => {}
        }
        most = most.max(on);
    }
    most
}

/// What the items of a task said that they saw.
#[track_caller]
pub(super) fn seen(log: &[Value], task: &str) -> Value {
    let outputs = end(log, task)["output"].as_array().unwrap_or_else(|| panic!("{log:#?}"));
    outputs.iter().map(|output| output["seen"].clone()).collect()
}
