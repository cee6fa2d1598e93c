//! D1, D2: the whole program killed at every named point and at random moments. After each death the next process goes on, and an
//! outsider finds nothing lost, nothing twice, nothing that cannot be.

use super::shapes::{SHAPES, Shape, faulty, log_of, run_faulty, run_of, text};
use crate::cli::packages::hostile_place;
use crate::cli::program::Place;
use orch_tests::from_environment;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

const RUN: [&str; 4] = ["run", "w.yaml", "--jobs", "2"];

/// How often a point is tried within a shape: the first times, where a run begins, and some of those that follow.
const VISITS: [u32; 5] = [1, 2, 3, 5, 8];

/// Random deaths over all shapes.
const RANDOM: u64 = 60;

#[track_caller]
fn check(shape: &Shape, place: &Place, what: &str) {
    shape.bring_to_end(place);
    let breaches = shape.breaches(place);
    assert!(breaches.is_empty(), "{}, {what}:\n{}\n{}", shape.name, breaches.join("\n"), text(&log_of(place)));
}

/// How often a run of a shape passes each point.
fn visits(shape: &Shape) -> BTreeMap<String, u32> {
    let place = shape.place();
    let file = place.outside("points");
    run_faulty(&place, &RUN, &format!("count:{}", file.display()), "").without_bug();
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, count)| (name.to_owned(), count.parse().unwrap()))
        .collect()
}

#[test]
fn d1_killed_at_every_named_point() {
    let all: Vec<&str> = [orch_scheduler::FAULT_POINTS, orch_store::FAULT_POINTS, orch_host::FAULT_POINTS].concat();
    let (mut killed, mut reached) = (0, Vec::new());
    for shape in &SHAPES {
        for (point, count) in visits(shape) {
            assert!(all.contains(&point.as_str()), "`{point}` is in no list of points");
            reached.push(point.clone());
            for visit in VISITS.into_iter().filter(|visit| *visit <= count) {
                let place = shape.place();
                let ran = run_faulty(&place, &RUN, &format!("kill:{point}:{visit}"), "");
                assert_eq!(ran.code, 128 + 9, "{point} {visit}: {ran}");
                check(shape, &place, &format!("killed at {point}, visit {visit}"));
                killed += 1;
            }
        }
    }
    // No run passes those: answers and kept values are killed below, pruning by tests of its own.
    let elsewhere = |point: &str| ["wish.", "kv.", "prune."].iter().any(|beginning| point.starts_with(beginning));
    let missed: Vec<&&str> =
        all.iter().filter(|point| !reached.iter().any(|r| r == **point) && !elsewhere(point)).collect();
    assert!(missed.is_empty(), "no run passes {missed:?}");
    println!("{killed} kills at {} points", all.len());
}

#[test]
fn d1_killed_while_it_recovers() {
    let mut killed = 0;
    for shape in &SHAPES {
        for point in orch_scheduler::FAULT_POINTS {
            let place = shape.place();
            run_faulty(&place, &RUN, "kill:dispatch.after-attempts:2", "");
            for visit in [1, 2] {
                let resume = ["resume", "latest", "--workflow", "w.yaml", "--jobs", "2"];
                let ran = run_faulty(&place, &resume, &format!("kill:{point}:{visit}"), "");
                killed += u32::from(ran.code == 128 + 9);
            }
            check(shape, &place, &format!("killed while it recovers, at {point}"));
        }
    }
    assert!(killed >= 12, "only {killed} processes died");
}

#[test]
fn d1_killed_while_a_person_answers() {
    let shape = &SHAPES[2];
    for point in orch_store::FAULT_POINTS.iter().filter(|point| point.starts_with("wish.")) {
        let place = shape.place();
        place.run(RUN).exits(4);
        let answer = ["approve", "latest", "sign-off", "--workflow", "w.yaml"];
        let ran = run_faulty(&place, &answer, &format!("kill:{point}:1"), "");
        assert_eq!(ran.code, 128 + 9, "{point}: {ran}");
        check(shape, &place, &format!("killed while a person answers, at {point}"));
    }
}

#[test]
fn d1_killed_while_a_value_is_kept() {
    for point in orch_store::FAULT_POINTS.iter().filter(|point| point.starts_with("kv.")) {
        let place = hostile_place();
        place.replace("policy.yaml", "access: read }] }", "access: read }] }\n    kv: { quota: 1MiB }");
        place.write(
            "w.yaml",
            "schema: orch-wasm/v1\nname: keeps\ntasks:\n  a:\n    uses: test/hostile/kept@^1\n    permissions: { kv: [{ bucket: seen }] }\n    \
             with: { steps: [{ op: get, bucket: seen, key: a }, { op: set, bucket: seen, key: a, value: whole, expect: 0 }, \
             { op: get, bucket: seen, key: a }] }\n",
        );
        let ran = run_faulty(&place, &RUN, &format!("kill:{point}:1"), "");
        assert_eq!(ran.code, 128 + 9, "{point}: {ran}");
        place.run(["resume", "latest", "--workflow", "w.yaml"]).exits(0);
        let log = log_of(&place);
        let end = log.iter().map(|line| &line["event"]).find(|event| event["type"] == "task-finished").unwrap();
        // Before the commit nothing is there, after it all of it.
        let before = if point.ends_with("before-commit") { json!(null) } else { json!(["whole", 1]) };
        assert_eq!(end["output"][0]["ok"], before, "{point}: {end}");
        assert_eq!(end["output"][2]["ok"], json!(["whole", 1]), "{point}: {end}");
    }
}

/// The same number for the same seed, spread over a range.
fn random(seed: u64, below: u64) -> u64 {
    let digest = orch_core::Digest::of(&seed.to_le_bytes());
    u64::from_str_radix(&digest.hex()[..12], 16).unwrap() % below
}

fn kill(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn d2_killed_at_random_moments() {
    let from = from_environment("ORCH_TEST_SEED").unwrap_or(0);
    let seeds = from_environment("ORCH_TEST_SEEDS").unwrap_or(RANDOM);
    let mut begun = 0;
    for seed in from..from + seeds {
        let shape = &SHAPES[(seed % 3) as usize];
        let place = shape.place();
        for (number, arguments) in [&RUN[..], &["resume", "latest", "--workflow", "w.yaml"]].iter().enumerate() {
            let mut command = faulty(&place, arguments, "", "");
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let child = command.spawn().unwrap();
            // From before the first byte is written to about the end of the run.
            std::thread::sleep(Duration::from_millis(10 + random(seed * 2 + number as u64, 250)));
            kill(child);
        }
        begun += u64::from(run_of(&place).is_some());
        check(
            shape,
            &place,
            &format!("random kill; ORCH_TEST_SEED={seed} ORCH_TEST_SEEDS=1 cargo test --package orch-tests d2_killed"),
        );
    }
    assert!(begun * 6 > seeds, "only {begun} of {seeds} runs had begun when they were killed");
    println!("{seeds} runs killed at random, {begun} of them under way");
}
