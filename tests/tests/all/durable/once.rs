//! D10: the same request many times, at once and across a death: one run.

use super::shapes::{SHAPES, faulty, log_of};
use crate::cli::program::Ran;
use std::fs;
use std::process::Stdio;
use std::time::Instant;

const ASK: [&str; 6] = ["run", "w.yaml", "--jobs", "2", "--idempotency-key", "nightly-2026-11-23"];

#[test]
fn d10_the_same_request_a_hundred_times_is_one_run() {
    let shape = &SHAPES[0];
    let place = shape.place();
    // The first one dies in the midst of it.
    let ran = Ran::unchecked(faulty(&place, &ASK, "kill:dispatch.after-attempts:2", ""));
    assert_eq!(ran.code, 128 + 9, "{ran}");
    for _ in 0..10 {
        let mut children = Vec::new();
        for _ in 0..10 {
            let mut command = place.command(ASK);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            children.push((command.spawn().unwrap(), command));
        }
        for (child, command) in children {
            let ran = Ran::end(child, &command, Instant::now()).without_bug();
            // Those that come while another one drives the run are told so.
            assert!(ran.code == 0 || (ran.code == 2 && ran.stderr.contains("OW0504")), "{ran}");
        }
    }
    place.run(ASK).exits(0).says("has this idempotency key");
    assert_eq!(
        place.run(["runs", "list", "--workflow", "w.yaml", "--format", "json"]).exits(0).stdout.lines().count(),
        1
    );
    let breaches = shape.breaches(&place);
    assert!(breaches.is_empty(), "{}\n{}", breaches.join("\n"), super::shapes::text(&log_of(&place)));
    let effects = fs::read_dir(place.path("ledger/marks")).unwrap();
    let effects = effects.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".effect"));
    assert_eq!(effects.count(), 4, "one effect for each task, whoever asked");
    // Another key is another run, and so is another workflow.
    place.run(["run", "w.yaml", "--idempotency-key", "nightly-2026-11-24"]).exits(0);
    assert_eq!(
        place.run(["runs", "list", "--workflow", "w.yaml", "--format", "json"]).exits(0).stdout.lines().count(),
        2
    );
    place.run(["run", "w.yaml", "--idempotency-key", ""]).refused("OW0601", &["1 to 256 bytes"]);
}
