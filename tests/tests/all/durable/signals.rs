//! D12: signals to a process under load. A termination pauses, an interrupt cancels, a second one ends it at once; the next process
//! goes on with what is left, and an outsider finds nothing lost and nothing twice.

use super::shapes::{SHAPES, Shape, log_of, run_of, text};
use crate::cli::packages::hostile_place;
use crate::cli::program::Place;
use orch_tests::{Expected, check_log};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::time::{Duration, Instant};

const RUN: [&str; 6] = ["run", "w.yaml", "--jobs", "2", "--format", "json"];
const RESUME: [&str; 8] = ["resume", "latest", "--workflow", "w.yaml", "--jobs", "2", "--format", "json"];

/// What ends at once does so within this, on a busy machine too.
const AT_ONCE: Duration = Duration::from_secs(2);

const EFFECT: &str =
    "uses: test/hostile/effect@^1, permissions: { fs: [{ mount: folder, path: ledger, access: write }] }";

/// A process that drives a run, and what it has shown.
pub(super) struct UnderWay {
    child: Child,
    out: BufReader<ChildStdout>,
    error: BufReader<ChildStderr>,
    pub(super) shown: Vec<Value>,
    said: String,
}

/// How it ended.
pub(super) struct Over {
    pub(super) code: Option<i32>,
    /// Everything on standard error.
    pub(super) said: String,
}

impl UnderWay {
    pub(super) fn start(place: &Place, arguments: &[&str]) -> UnderWay {
        let mut command = place.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, error) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (out, error) = (BufReader::new(out), BufReader::new(error));
        UnderWay { child, out, error, shown: Vec::new(), said: String::new() }
    }

    /// Reads until so many events of a kind were shown.
    #[track_caller]
    pub(super) fn until(&mut self, kind: &str, count: usize) {
        while self.shown.iter().filter(|line| line["event"]["type"] == kind).count() < count {
            let mut line = String::new();
            let read = self.out.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "it ended before `{kind}`: {:?}", self.shown);
            self.shown.push(serde_json::from_str(&line).unwrap());
        }
    }

    /// Reads standard error until it has a text.
    #[track_caller]
    fn until_said(&mut self, text: &str) {
        while !self.said.contains(text) {
            assert_ne!(self.error.read_line(&mut self.said).unwrap(), 0, "it did not say `{text}`: {}", self.said);
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, which is no bug's.
    #[track_caller]
    pub(super) fn end(&mut self) -> Over {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        self.shown.extend(rest.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        self.error.read_to_string(&mut self.said).unwrap();
        let code = self.child.wait().unwrap().code();
        for bad in ["panicked at", "this is a bug", "overflowed its stack"] {
            assert!(!self.said.contains(bad), "{}", self.said);
        }
        assert_ne!(code, Some(70), "{}", self.said);
        Over { code, said: self.said.clone() }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The events of one kind in the log.
pub(super) fn of<'a>(log: &'a [Value], kind: &str) -> Vec<&'a Value> {
    log.iter().map(|record| &record["event"]).filter(|event| event["type"] == kind).collect()
}

#[track_caller]
fn ends_well(shape: &Shape, place: &Place) {
    shape.bring_to_end(place);
    let breaches = shape.breaches(place);
    assert!(breaches.is_empty(), "{}\n{}", breaches.join("\n"), text(&log_of(place)));
}

/// What was done, by the ledger: the steps that left their effect.
fn done(place: &Place) -> Vec<String> {
    let run = run_of(place).unwrap();
    // The first task that runs makes the folder.
    let names = fs::read_dir(place.path("ledger/marks")).into_iter().flatten();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut done: Vec<String> = names
        .filter_map(|name| name.strip_prefix(&format!("{run}_"))?.strip_suffix(".effect").map(str::to_owned))
        .collect();
    done.sort();
    done
}

/// A place with tasks of its own.
fn place_with(tasks: &str) -> Place {
    let place = hostile_place();
    place.write("w.yaml", format!("schema: orch-wasm/v1\nname: w\n{}", tasks.replace("EFFECT", EFFECT)));
    fs::create_dir(place.path("ledger")).unwrap();
    place.replace("policy.yaml", "access: read", "access: write");
    place
}

/// Waits until the first attempt of a task has left its mark: from then on it sleeps.
fn until_marked(place: &Place, task: &str) {
    let mark = place.path(format!("ledger/marks/{}_{task}.attempt.1", run_of(place).unwrap()));
    let begun = Instant::now();
    while fs::metadata(&mark).map_or(0, |found| found.len()) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "`{task}` does nothing");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn d12_a_termination_under_load_lets_tasks_end_and_begins_nothing() {
    let place = SHAPES[1].place();
    place.replace("w.yaml", "ms: 10,", "ms: 1000,");
    let mut run = UnderWay::start(&place, &RUN);
    run.until("task-started", 2);
    run.signal(Signal::TERM);
    let over = run.end();
    assert_eq!(over.code, Some(4), "{}", over.said);
    let log = log_of(&place);
    // The two that ran came to their end, which is a failure to be retried; nothing else began.
    assert_eq!(of(&log, "task-started").len(), 2, "{}", text(&log));
    assert_eq!(of(&log, "attempt-ended").len(), 2, "{}", text(&log));
    assert_eq!(of(&log, "attempt-lost").len(), 0, "{}", text(&log));
    assert_eq!(log.last().unwrap()["event"]["type"], "run-suspended", "{}", text(&log));
    ends_well(&SHAPES[1], &place);
}

#[test]
fn d12_a_second_termination_ends_it_at_once() {
    let place = SHAPES[0].place();
    place.replace("w.yaml", "with: { ms: 5 }", "with: { ms: 4000 }");
    let mut run = UnderWay::start(&place, &RUN);
    run.until("task-started", 1);
    until_marked(&place, "a");
    run.signal(Signal::TERM);
    run.until_said("pausing");
    let second = Instant::now();
    run.signal(Signal::TERM);
    let over = run.end();
    assert!(second.elapsed() < AT_ONCE, "it took {:?}", second.elapsed());
    assert_eq!(over.code, Some(6), "{}", over.said);
    assert!(done(&place).is_empty(), "it waited for the task");
    assert_eq!(of(&log_of(&place), "task-finished").len(), 0);
    ends_well(&SHAPES[0], &place);
    let log = log_of(&place);
    assert_eq!(of(&log, "attempt-lost").len(), 1, "{}", text(&log));
    assert_eq!(done(&place), ["a", "b", "c", "d"]);
}

#[test]
fn d12_a_task_that_does_not_stop_is_lost_after_the_grace_and_runs_again() {
    let place = place_with(
        "tasks:
  quick: { EFFECT }
  deaf: { uses: test/hostile/wait@^1, with: { ignore: true }, timeout: 6h }
  once: { uses: test/hostile/wait@^1, with: { ignore: true }, timeout: 6h, retry: never, needs: [quick] }
  after: { EFFECT, needs: [deaf] }
",
    );
    let mut run = UnderWay::start(&place, &RUN);
    run.until("task-finished", 1);
    run.until("task-log", 2);
    let asked = Instant::now();
    run.signal(Signal::TERM);
    let over = run.end();
    assert_eq!(over.code, Some(4), "{}", over.said);
    // Ten seconds to end by itself, and five more to be stopped.
    assert!((10..30).contains(&asked.elapsed().as_secs()), "it took {:?}", asked.elapsed());
    let log = log_of(&place);
    let lost = of(&log, "attempt-lost");
    let mut lost: Vec<_> = lost.iter().map(|event| (event["task"].as_str().unwrap(), &event["unknown"])).collect();
    lost.sort_by_key(|(task, _)| *task);
    // Nobody knows what came of the one that says `retry: never`.
    assert_eq!(lost, [("deaf", &Value::Bool(false)), ("once", &Value::Bool(true))]);
    assert_eq!(log.last().unwrap()["event"]["waits"], serde_json::json!(["once"]));
    let mut again = UnderWay::start(&place, &RESUME);
    again.until("task-started", 1);
    again.until("task-log", 1);
    again.signal(Signal::INT);
    assert_eq!(again.end().code, Some(6));
    let log = log_of(&place);
    let started = of(&log, "task-started");
    let deaf: Vec<_> = started.iter().filter(|event| event["task"] == "deaf").map(|event| &event["attempt"]).collect();
    assert_eq!(deaf, [1, 2], "{}", text(&log));
    assert_eq!(started.iter().filter(|event| event["task"] == "once").count(), 1, "{}", text(&log));
    assert_eq!(done(&place), ["quick"]);
    let needs = [("deaf".into(), vec![]), ("once".into(), vec!["quick".into()]), ("after".into(), vec!["deaf".into()])];
    let never = ["once".to_owned()].into();
    let expected = Expected { needs: needs.into(), never, jobs: 2, over: true, ..Expected::default() };
    assert_eq!(check_log(&log, &expected), Vec::<String>::new(), "{}", text(&log));
}

const HOOKED: &str = "tasks:
  a: { EFFECT, with: { ms: 30000 } }
  b: { EFFECT, needs: [a] }
finally:
  - { EFFECT, with: { ms: 3000 } }
";

#[test]
fn d12_an_interrupt_cancels_and_the_hooks_run() {
    let place = place_with(&HOOKED.replace("ms: 3000 ", "ms: 5 "));
    let mut run = UnderWay::start(&place, &RUN);
    run.until("task-started", 1);
    let asked = Instant::now();
    run.signal(Signal::INT);
    let over = run.end();
    assert_eq!(over.code, Some(6), "{}", over.said);
    assert!(asked.elapsed() < Duration::from_secs(10), "the task was waited for: {:?}", asked.elapsed());
    let log = log_of(&place);
    assert_eq!(of(&log, "run-finished")[0]["outcome"], "cancelled", "{}", text(&log));
    let done = done(&place);
    assert!(done.len() == 1 && done[0].starts_with("finally"), "{done:?}");
    // It is over: to resume it once more shows the same end and adds nothing.
    place.run(["resume", "latest", "--workflow", "w.yaml"]).exits(6);
    assert_eq!(log_of(&place), log);
}

#[test]
fn d12_a_second_interrupt_ends_it_at_once_and_the_rest_is_done_later() {
    let place = place_with(HOOKED);
    let mut run = UnderWay::start(&place, &RUN);
    run.until("task-started", 1);
    run.signal(Signal::INT);
    run.until("task-started", 2);
    let second = Instant::now();
    run.signal(Signal::INT);
    let over = run.end();
    assert!(second.elapsed() < AT_ONCE, "it took {:?}", second.elapsed());
    assert_eq!(over.code, Some(6), "{}", over.said);
    assert!(done(&place).is_empty(), "it waited for the hook");
    assert_eq!(of(&log_of(&place), "run-finished").len(), 0);
    // What is left is the hook, and the run stays cancelled.
    place.run(RESUME).exits(6);
    let log = log_of(&place);
    assert_eq!(of(&log, "run-finished")[0]["outcome"], "cancelled", "{}", text(&log));
    let done = done(&place);
    assert!(done.len() == 1 && done[0].starts_with("finally"), "{done:?}\n{}", text(&log));
    let needs = [("a".into(), vec![]), ("b".into(), vec!["a".into()])].into();
    let expected = Expected { needs, jobs: 2, over: true, ..Expected::default() };
    assert_eq!(check_log(&log, &expected), Vec::<String>::new(), "{}", text(&log));
}

#[test]
fn d12_a_process_that_stood_still_goes_on() {
    let place = SHAPES[0].place();
    place.replace("w.yaml", "ms: 5", "ms: 300");
    let mut run = UnderWay::start(&place, &RUN);
    run.until("task-started", 2);
    run.signal(Signal::STOP);
    let stood = Instant::now();
    // It still is the one that drives the run.
    place.run(RESUME).fails(2, "OW0504", &["another process drives"]);
    place.run(["runs", "list", "--workflow", "w.yaml"]).exits(0).says_out("running");
    std::thread::sleep(Duration::from_secs(3).saturating_sub(stood.elapsed()));
    run.signal(Signal::CONT);
    let over = run.end();
    assert_eq!(over.code, Some(0), "{}", over.said);
    let breaches = SHAPES[0].breaches(&place);
    assert!(breaches.is_empty(), "{}\n{}", breaches.join("\n"), text(&log_of(&place)));
    assert_eq!(of(&log_of(&place), "task-started").len(), 4);
    assert_eq!(run.shown.len(), log_of(&place).len());
}
