//! Very many attempts: what one leaves for the next (S13), what a cancel at any moment leaves (S14), and hosts that come and go (S20).

use orch_core::{Access, FailureKind};
use orch_tests::{Call, Guest, Interruption, Sandbox, alone, guest_returning, hostile, open_files, threads, wat_guest};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Alternations of a guest that writes and one that looks.
const ALTERNATIONS: usize = 10_000;
/// Attempts at once.
const AT_ONCE: usize = 16;

/// Pages that each of them has in the end: those that it begins with and those that it asks for.
const GROWN: u32 = 12;

/// Looks at every word above the first page, before and after it has grown, and leaves `pattern` in all of them.
fn looks_and_leaves(pattern: u64) -> Guest {
    let items = "
        (func $zero (param $at i32) (param $end i32)
          (loop $next
            (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (unreachable)))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $next (i32.lt_u (local.get $at) (local.get $end)))))
        (func $leave (param $at i32) (param $end i32)
          (loop $next
            (i64.store (local.get $at) (i64.const PATTERN))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $next (i32.lt_u (local.get $at) (local.get $end)))))
        (table $table 64 funcref)
        (global $kept (mut i64) (i64.const 0))"
        .replace("PATTERN", &pattern.to_string());
    // What the host passes in lies in the second page.
    let end = (4 + GROWN) * 65_536;
    let body = format!(
        "(if (i64.ne (global.get $kept) (i64.const 0)) (then (unreachable)))
         (if (i32.eqz (ref.is_null (table.get $table (i32.const 7)))) (then (unreachable)))
         (if (i32.ne (memory.size) (i32.const 4)) (then (unreachable)))
         (call $zero (i32.const 131072) (i32.const 262144))
         (if (i32.ne (memory.grow (i32.const {GROWN})) (i32.const 4)) (then (unreachable)))
         (call $zero (i32.const 262144) (i32.const {end}))
         (call $leave (i32.const 131072) (i32.const {end}))
         (global.set $kept (i64.const {pattern}))
         (table.set $table (i32.const 7) (ref.func $zero))"
    );
    wat_guest(&format!("{items} (elem declare func $zero)"), &body)
}

#[test]
fn s13_an_instance_sees_nothing_of_another() {
    let sandbox = Sandbox::new();
    let guests = [looks_and_leaves(0x5EC2_E75E_C2E7_5EC2), looks_and_leaves(0x1357_9BDF_0246_8ACE)];
    let begun = Instant::now();
    for round in 0..ALTERNATIONS / AT_ONCE {
        let start = |at: usize| sandbox.start(&guests[(round + at) % 2], Call::new("run", Value::Null));
        let running: Vec<_> = (0..AT_ONCE).map(start).collect();
        for running in running {
            assert_eq!(running.end().output(), &Value::Null, "round {round}");
        }
    }
    println!("measured: S13: {ALTERNATIONS} instances in {} ms", begun.elapsed().as_millis());
}

#[test]
fn s13_the_guest_would_notice() {
    // The same guest, with a word in its memory that somebody else could have left.
    let Guest { bytes, .. } = looks_and_leaves(1);
    let guest = wat_guest(
        "(func $zero (param $at i32) (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (unreachable))))
         (data (i32.const 200000) \"\\01\")",
        "(call $zero (i32.const 200000))",
    );
    assert_ne!(bytes, guest.bytes);
    let ended = Sandbox::new().run(&guest, Call::new("run", Value::Null));
    assert!(ended.trap().contains("it panicked or aborted"), "{}", ended.trap());
}

/// Interruptions at await points.
const INTERRUPTIONS: usize = 10_000;
/// Then a task that waits for what does not come is over.
const LONGEST: Duration = Duration::from_millis(300);

/// A generator that is enough for picking moments.
struct Moments(u64);

impl Moments {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

#[test]
fn s14_cancelled_at_any_moment() {
    if !alone("sandbox::many::s14_cancelled_at_any_moment") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "content").unwrap();
    let step = |op: &str, path: &str| json!({ "op": op, "mount": "/work", "path": path });
    let script = [step("read", "file"), step("create", "new"), step("open-folder", "."), step("unlink", "new")];
    let script: Vec<Value> = script.iter().cycle().take(200).cloned().collect();
    let artifact = json!({ "name": "a", "media-type": "text/plain", "steps": [{ "op": "write", "bytes": 30_000 }, { "op": "finish" }] });
    let kept: Vec<Value> =
        (0..20).map(|key| json!({ "op": "set", "bucket": "seen", "key": key.to_string(), "value": "v" })).collect();
    let inputs = [
        ("files", json!({ "steps": script })),
        ("artifact", artifact),
        ("kept", json!({ "steps": kept })),
        ("say", json!({ "text": "said" })),
        ("sleep", json!({ "nanoseconds": 2_000_000 })),
        ("poll", json!({ "count": 100 })),
        ("spin", Value::Null),
    ];
    let call = |(task, input): &(&str, Value)| {
        let call = Call::new(task, input.clone()).artifact("a").bucket("seen", 100_000);
        call.mount("work", folder.path(), Access::Write)
    };
    let sandbox = Sandbox::new();
    // Starts what stays, and says how long each takes undisturbed.
    for input in &inputs[..5] {
        let _ = sandbox.run(&hostile(), call(input)).output();
    }
    let (files, before) = (open_files(), threads());
    interrupted_at_every_await_point(&sandbox);
    let mut moments = Moments(14);
    let (mut seeds, mut cancelled) = (0_u32, 0_u32);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        // Several at once, each with its moment; spinning is finer than any sleep.
        let mut batch: Vec<_> = (0..8_usize)
            .map(|at| {
                let running = sandbox.start(&hostile(), call(&inputs[(seeds as usize + at) % inputs.len()]));
                (Instant::now() + Duration::from_micros(moments.below(40_000)), running)
            })
            .collect();
        batch.sort_by_key(|(moment, _)| *moment);
        for (moment, running) in &mut batch {
            while Instant::now() < *moment {
                std::hint::spin_loop();
            }
            running.cancel();
        }
        for (_, running) in batch {
            match running.try_end().expect("no panic").result {
                Ok(_) => {}
                Err(failure) => {
                    assert_eq!(failure.what, FailureKind::Cancelled, "seed {seeds}: {}", failure.message);
                    cancelled += 1;
                }
            }
            seeds += 1;
        }
    }
    println!("measured: S14: {seeds} moments, {cancelled} of them before the end");
    assert!(cancelled > 50, "{cancelled} of {seeds}: the moments are not in the midst of anything");
    assert_eq!(open_files(), files, "files stay open");
    assert!(threads() <= before + 2, "{} threads, {before} before", threads());
    assert_eq!(std::fs::read_dir(sandbox.state().join("work")).map_or(0, Iterator::count), 0, "something is left");
    // It goes on as before.
    assert_eq!(sandbox.run(&hostile(), Call::new("info", Value::Null)).output()["attempt"], 1);
}

/// A task that is interrupted where it waits.
struct Kind {
    task: &'static str,
    input: Value,
    /// How many of its await points are tried, one after the other, and then from the first again: what else goes on is never the same.
    points: u32,
    /// How many of [`AT_ONCE`] are of this kind.
    share: usize,
    /// Whether it ends soon when it is asked to. The others are mostly dropped: to end them takes its time.
    stops: bool,
}

fn kinds() -> [Kind; 4] {
    [
        // Waits a millisecond, again and again.
        Kind { task: "wait", input: json!({}), points: 12, share: 12, stops: true },
        Kind { task: "sleep", input: json!({ "nanoseconds": 2_000_000 }), points: 2, share: 2, stops: true },
        Kind { task: "poll", input: json!({ "count": 100 }), points: 1, share: 1, stops: false },
        // Waits for nothing; the host makes it let others go on.
        Kind { task: "spin", input: Value::Null, points: 3, share: 1, stops: false },
    ]
}

/// Every second time nobody drives the attempt any more where it waits; else it is asked to stop there.
fn interrupted_at_every_await_point(sandbox: &Sandbox) {
    let kinds = kinds();
    let order: Vec<usize> =
        kinds.iter().enumerate().flat_map(|(kind, of)| std::iter::repeat_n(kind, of.share)).collect();
    assert_eq!(order.len(), AT_ONCE);
    let (mut next, mut deepest) = ([0_u32; 4], [0_u32; 4]);
    let (mut dropped, mut cancelled, mut over) = (0, 0, 0);
    let begun = Instant::now();
    for batch in 0..INTERRUPTIONS / AT_ONCE {
        let running: Vec<_> = order
            .iter()
            .map(|&kind| {
                let Kind { task, input, points, stops, .. } = &kinds[kind];
                let at = next[kind];
                next[kind] = (at + 1) % points;
                let is_asked = if *stops { (batch + at as usize).is_multiple_of(2) } else { batch.is_multiple_of(50) };
                let how = if is_asked { Interruption::Cancelled } else { Interruption::Dropped };
                let call = Call::new(task, input.clone()).timeout(LONGEST);
                (kind, at, sandbox.interrupt(&hostile(), call, at, how))
            })
            .collect();
        for (kind, at, interrupted) in running {
            match interrupted.end().expect("no panic").map(|ended| ended.result) {
                None => dropped += 1,
                Some(Err(failure)) if failure.what == FailureKind::Cancelled => cancelled += 1,
                // It was over before.
                Some(ended) => {
                    let is_over = ended.as_ref().map_or_else(|failure| failure.what == FailureKind::Timeout, |_| true);
                    assert!(is_over, "{}, point {at}: {ended:?}", kinds[kind].task);
                    over += 1;
                    continue;
                }
            }
            deepest[kind] = deepest[kind].max(at + 1);
        }
    }
    println!(
        "measured: S14: {INTERRUPTIONS} interruptions in {} ms: {dropped} dropped, {cancelled} cancelled, {over} over before; await points {deepest:?}",
        begun.elapsed().as_millis()
    );
    assert!(dropped > 3_000 && cancelled > 3_000, "{dropped} {cancelled} {over}");
    assert_eq!([deepest[0], deepest[2], deepest[3]], [12, 1, 3], "await points that were tried");
}

/// Components, and the hosts among which they come and go.
const COMPONENTS: usize = 200;
const THREADS: usize = 4;

#[test]
fn s20_components_come_and_go_on_two_hosts() {
    if !alone("sandbox::many::s20_components_come_and_go_on_two_hosts") {
        return;
    }
    let words: Vec<String> = (0..COMPONENTS).map(|number| format!("w{number:03}")).collect();
    let guests: Vec<Guest> = words.iter().map(|word| guest_returning(word)).collect();
    let broken = Guest::new(b"\0asm\x0d\0\x01\0 and then nothing that is a component".to_vec());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (words, guests, broken) = (&words, &guests, &broken);
            scope.spawn(move || {
                // Two at a time in each thread, and every one of them is dropped while others work.
                for part in 0..COMPONENTS / 20 {
                    let (one, other) = (Sandbox::new(), Sandbox::new());
                    for at in 0..20 / THREADS {
                        let number = (part * 20 + thread * (20 / THREADS) + at) % COMPONENTS;
                        let running = one.start(&guests[number], Call::new("run", Value::Null));
                        assert!(other.load(broken).is_err(), "a component that is none");
                        let there = other.run(&guests[number], Call::new("run", Value::Null));
                        assert_eq!(there.output(), &json!(words[number]));
                        // The same twice, and one that the host has never heard of.
                        assert!(other.load(&guests[number]).is_ok());
                        assert_eq!(running.end().output(), &json!(words[number]));
                    }
                    drop(other);
                    assert_eq!(one.run(&guests[part], Call::new("run", Value::Null)).output(), &json!(words[part]));
                }
            });
        }
    });
    println!("measured: S20: {COMPONENTS} components on pairs of hosts in {} ms", begun.elapsed().as_millis());
}
