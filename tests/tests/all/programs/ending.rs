//! The end of a program and of all that it started: X6, X7, X8.

use super::world::{World, alive, all_born, all_dead, spawn};
use orch_core::{FailureKind, Size};
use orch_tests::{marker, programs, this_program};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A word that is in the arguments of every process of one test.
fn word(name: &str) -> String {
    format!("{name}-{}-{:?}", std::process::id(), std::thread::current().id()).replace(['(', ')'], "")
}

/// The processes of mode `tree`: itself, and five that it started. Two more are over before they are counted.
const TREE: usize = 6;

#[test]
fn x6_forks_double_forks_sessions_and_the_deaf_die_with_a_cancel() {
    let world = World::new();
    let word = word("x6-cancel");
    let steps = json!([spawn(&[]), { "do": "say", "text": "started" }, { "do": "stdout", "as": "p" }]);
    let mut running = world.start(world.call(world.grant(&["tree", &word], json!({})), steps));
    all_born(&word, TREE);
    let begun = Instant::now();
    running.cancel();
    let ended = running.end();
    let took = begun.elapsed();
    assert_eq!(ended.failure().what, FailureKind::Cancelled);
    println!(
        "measured: X6 cancel: {} ms to the attempt's end, {} ms more to the last process",
        took.as_millis(),
        all_dead(&word).as_millis()
    );
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn x6_they_die_with_a_timeout() {
    let world = World::new();
    let word = word("x6-timeout");
    let steps = json!([spawn(&[]), { "do": "stdout", "as": "p" }]);
    let timeout = Duration::from_secs(4);
    let begun = Instant::now();
    let running = world.start(world.call(world.grant(&["tree", &word], json!({})), steps).timeout(timeout));
    all_born(&word, TREE);
    assert_eq!(running.end().failure().what, FailureKind::Timeout);
    let over = begun.elapsed().saturating_sub(timeout);
    println!(
        "measured: X6 timeout: {} ms past it, {} ms more to the last process",
        over.as_millis(),
        all_dead(&word).as_millis()
    );
    assert!(over < Duration::from_secs(2), "{over:?}");
}

#[test]
fn x6_they_die_with_kill_with_drop_and_with_the_end_of_the_task() {
    let world = World::new();
    for last in
        [json!({ "do": "kill", "as": "p" }), json!({ "do": "drop", "as": "p" }), json!({ "do": "say", "text": "end" })]
    {
        let word = word("x6-kill");
        // One line of each that stays, so that they are all there.
        let line = json!({ "do": "stdout", "as": "p", "once": true });
        let steps = json!([spawn(&[]), line, line, last]);
        let ended = world.run(world.grant(&["tree", &word], json!({})), steps);
        assert!(ended.output()[1]["text"].as_str().unwrap().contains("pid "), "{}", ended.output());
        all_dead(&word);
    }
}

#[test]
fn x6_a_fork_bomb_is_ended_and_its_task_is_told() {
    let world = World::new();
    let word = word("x6-bomb");
    // 3 + 9 + 27 + 81 + 243: more than the 128 that are allowed.
    let steps = json!([spawn(&[]), { "do": "wait", "as": "p" }]);
    let begun = Instant::now();
    let ended = world.run(world.grant(&["bomb", &word, "5"], json!({})), steps);
    println!("measured: X6 bomb: over after {} ms", begun.elapsed().as_millis());
    assert!(ended.output()[1]["error"].as_str().unwrap().contains("too many processes"), "{}", ended.output());
    all_dead(&word);
}

#[test]
fn x6_a_few_children_are_allowed() {
    let world = World::new();
    let word = word("x6-few");
    let steps = json!([spawn(&[]), { "do": "say", "text": "started" }, { "do": "wait", "as": "p" }]);
    let mut running = world.start(world.call(world.grant(&["bomb", &word, "3"], json!({})), steps));
    all_born(&word, 40);
    running.cancel();
    running.end();
    all_dead(&word);
}

#[test]
fn x7_a_flood_is_cut_and_the_program_goes_on() {
    let world = World::new();
    let steps =
        json!([spawn(&[]), { "do": "wait", "as": "p" }, { "do": "stdout", "as": "p" }, { "do": "stderr", "as": "p" }]);
    let call = world.call(world.grant(&["flood", "8000000"], json!({})), steps.clone());
    let ended = world.sandbox.run(&programs(), call.limits(|limits| limits.exec_output = Size::from_mib(1)));
    let output = ended.output();
    assert_eq!(output[1], json!({ "code": 0, "signal": null, "truncated": true }));
    let kept = output[2]["bytes"].as_u64().unwrap() + output[3]["bytes"].as_u64().unwrap();
    assert_eq!(kept, 1 << 20, "both together");
    let call = world.call(world.grant(&["flood", "500000"], json!({})), steps);
    let ended = world.sandbox.run(&programs(), call.limits(|limits| limits.exec_output = Size::from_mib(1)));
    assert_eq!(ended.output()[1]["truncated"], false);
    assert_eq!((&ended.output()[2]["bytes"], &ended.output()[3]["bytes"]), (&json!(500_000), &json!(500_000)));
}

#[test]
fn x7_a_pipe_that_a_grandchild_holds_keeps_nobody_waiting() {
    let world = World::new();
    let word = word("x7");
    let steps = json!([spawn(&[]), { "do": "wait", "as": "p" }, { "do": "stdout", "as": "p" }]);
    let begun = Instant::now();
    let ended = world.run(world.grant(&["leave", &word], json!({})), steps);
    let took = begun.elapsed();
    assert_eq!(ended.output()[1]["code"], 0, "{}", ended.output());
    assert!(ended.output()[2]["text"].as_str().unwrap().contains("left"), "{}", ended.output());
    assert!(took < Duration::from_secs(20), "{took:?}: the grandchild stays for a minute");
    all_dead(&word);
}

const WORD: &str = "WORD";

/// The engine of the test below, in a process of its own; in the ordinary test process it does nothing.
#[test]
fn x8_engine() {
    let Some(word) = marker(WORD) else { return };
    let world = World::new();
    let steps = json!([spawn(&[]), { "do": "stdout", "as": "p" }]);
    println!("measured: folder {}", world.text("bin"));
    let running = world.start(world.call(world.grant(&["tree", &word], json!({})), steps));
    let _ = running.end();
}

#[test]
fn x8_they_die_with_an_engine_that_is_killed() {
    let word = word("x8");
    let mut command = Command::new(this_program());
    command.args(["--exact", "programs::ending::x8_engine", "--test-threads=1", "--nocapture"]);
    command.env("ORCH_TESTS_WORD", &word).env("ORCH_TESTS_PROGRAMS", orch_tests::program(""));
    let mut engine = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    all_born(&word, TREE);
    engine.kill().unwrap();
    println!("measured: X8: {} ms from kill -9 of the engine to the last process", all_dead(&word).as_millis());
    // What the killed one could not clean up.
    for line in BufReader::new(engine.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if let Some((_, folder)) = line.split_once("measured: folder ") {
            let _ = std::fs::remove_dir_all(std::path::Path::new(folder).parent().unwrap());
        }
    }
    engine.wait().unwrap();
    assert_eq!(alive(&word), Vec::<String>::new());
}
