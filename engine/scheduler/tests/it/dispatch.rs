use crate::fakes::{MemoryStore, Scripted, by_name, plan, plan_of, run, run_with};
use orch_core::{AttemptOutput, AttemptResult, CancelReason, Event, Failure, FailureKind, RunOutcome, Usage};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

#[test]
fn needs_are_kept_and_a_failure_stops_what_hangs_on_it() {
    let plan = plan(
        "  a: { uses: test/any@1 }\n  fails-b: { uses: test/any@1, needs: [a] }\n  c: { uses: test/any@1, needs: [fails-b] }\n  d: { uses: test/any@1, needs: [a] }\n",
    );
    run(plan, Scripted::by_name(), 4).check(
        RunOutcome::Failed,
        &[("a", "succeeded"), ("fails-b", "failed"), ("c", "unreachable"), ("d", "succeeded")],
    );
}

#[test]
fn the_worst_task_names_the_run() {
    for (tasks, outcome) in [
        ("  a: { uses: test/any@1 }\n", RunOutcome::Succeeded),
        ("  skips-a: { uses: test/any@1 }\n", RunOutcome::Succeeded),
        ("  rejects-a: { uses: test/any@1 }\n", RunOutcome::Failed),
        ("  fails-a: { uses: test/any@1 }\n  traps-b: { uses: test/any@1 }\n", RunOutcome::Errored),
        ("  late-a: { uses: test/any@1 }\n  fails-b: { uses: test/any@1 }\n", RunOutcome::TimedOut),
        (
            "  fails-a: { uses: test/any@1, continue-on-error: true }\n  b: { uses: test/any@1, needs: [fails-a] }\n",
            RunOutcome::Succeeded,
        ),
    ] {
        assert_eq!(run(plan(tasks), Scripted::by_name(), 2).outcome.unwrap(), outcome, "{tasks}");
    }
}

#[test]
fn conditions_decide_with_the_outputs_of_needs() {
    let plan = plan(
        "  a: { uses: test/any@1 }\n  yes: { uses: test/any@1, needs: [a], if: \"tasks.a.outputs.from == 'a'\" }\n  no: { uses: test/any@1, needs: [a], if: \"tasks.a.outputs.from == 'b'\" }\n  after: { uses: test/any@1, needs: [no] }\n  fails-x: { uses: test/any@1 }\n  clean: { uses: test/any@1, needs: [fails-x], if: \"always()\" }\n  alarm: { uses: test/any@1, needs: [fails-x], if: \"failure()\" }\n",
    );
    run(plan, Scripted::by_name(), 2).check(
        RunOutcome::Failed,
        &[
            ("a", "succeeded"),
            ("yes", "succeeded"),
            ("no", "skipped"),
            ("after", "succeeded"),
            ("fails-x", "failed"),
            ("clean", "succeeded"),
            ("alarm", "succeeded"),
        ],
    );
}

#[test]
fn an_input_is_filled_in_and_an_expression_that_breaks_is_the_task_s_own() {
    let inputs: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&inputs);
    let runner = Scripted::new(move |attempt, _| {
        kept.lock().unwrap().push(attempt.input.clone());
        Box::pin(async move { by_name(attempt.task.task.as_str()) })
    });
    let plan = plan(
        "  a: { uses: test/any@1 }\n  b: { uses: test/any@1, needs: [a], with: { text: \"${{ tasks.a.outputs.from }} said\" } }\n  c: { uses: test/any@1, needs: [a], with: { n: \"${{ tasks.a.outputs.missing }}\" } }\n",
    );
    run(plan, runner, 1).check(RunOutcome::Errored, &[("a", "succeeded"), ("b", "succeeded"), ("c", "errored")]);
    assert_eq!(*inputs.lock().unwrap(), ["{}", r#"{"text":"a said"}"#], "a task whose input cannot be made never runs");
}

#[test]
fn no_more_than_jobs_at_once_and_as_many_as_that() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, highest) = (Arc::clone(&now), Arc::clone(&most));
    let runner = Scripted::new(move |attempt, _| {
        let (now, most) = (Arc::clone(&counted), Arc::clone(&highest));
        Box::pin(async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            by_name(attempt.task.task.as_str())
        })
    });
    let tasks: String = (0..20).map(|task| format!("  t{task}: {{ uses: test/any@1 }}\n")).collect();
    let ran = run(plan(&tasks), runner, 3);
    assert_eq!((ran.outcome.unwrap(), most.load(Ordering::SeqCst)), (RunOutcome::Succeeded, 3));
}

#[test]
fn the_end_of_a_task_and_the_start_of_the_next_share_an_append() {
    let tasks: String = (0..50)
        .map(|task| match task {
            0 => "  t0: { uses: test/any@1 }\n".to_owned(),
            _ => format!("  t{task}: {{ uses: test/any@1, needs: [t{}] }}\n", task - 1),
        })
        .collect();
    let ran = run(plan(&tasks), Scripted::by_name(), 2);
    assert_eq!(ran.outcome.unwrap(), RunOutcome::Succeeded);
    assert_eq!(ran.store.appends.lock().unwrap().len(), 51, "one for each task and one for the end");
}

#[test]
fn nothing_starts_before_its_start_is_on_disk() {
    // The second append, which holds the start of `b`, fails.
    let started: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&started);
    let runner = Scripted::new(move |attempt, _| {
        kept.lock().unwrap().push(attempt.task.to_string());
        Box::pin(async move { by_name(attempt.task.task.as_str()) })
    });
    let plan = plan("  a: { uses: test/any@1 }\n  b: { uses: test/any@1, needs: [a] }\n");
    let store = MemoryStore { fails_after: Some(1), ..MemoryStore::default() };
    let ran = run_with(plan, runner, 1, store, CancellationToken::new(), 1);
    assert!(ran.outcome.is_err());
    assert_eq!(*started.lock().unwrap(), ["a"]);
    assert_eq!(ran.records, ran.seen, "nobody saw what is not on disk");
}

#[test]
fn a_panic_of_the_runner_costs_one_task() {
    let runner = Scripted::new(|attempt, _| {
        Box::pin(async move {
            assert!(attempt.task.task.as_str() != "bad", "planted");
            by_name(attempt.task.task.as_str())
        })
    });
    let plan = plan(
        "  bad: { uses: test/any@1 }\n  good: { uses: test/any@1 }\n  hangs: { uses: test/any@1, needs: [bad] }\n",
    );
    let ran = run(plan, runner, 2);
    ran.check(RunOutcome::Errored, &[("bad", "errored"), ("good", "succeeded"), ("hangs", "unreachable")]);
}

#[test]
fn a_cancelled_run_stops_what_runs_and_starts_nothing_more() {
    let cancel = CancellationToken::new();
    let wish = cancel.clone();
    let runner = Scripted::new(move |attempt, _| {
        let wish = wish.clone();
        Box::pin(async move {
            wish.cancel();
            let reason = attempt.cancel.await;
            assert_eq!(reason, CancelReason::Requested);
            AttemptResult { result: Err(Failure::new(FailureKind::Cancelled, "stopped")), usage: Usage::default() }
        })
    });
    let plan = plan("  a: { uses: test/any@1 }\n  b: { uses: test/any@1, needs: [a] }\n  c: { uses: test/any@1 }\n");
    let ran = run_with(plan, runner, 1, MemoryStore::default(), cancel, 1);
    ran.check(RunOutcome::Cancelled, &[("a", "cancelled"), ("b", "cancelled"), ("c", "cancelled")]);
}

#[test]
fn a_run_that_takes_too_long_is_stopped() {
    let runner = Scripted::new(|attempt, _| {
        Box::pin(async move {
            attempt.cancel.await;
            AttemptResult { result: Err(Failure::new(FailureKind::Cancelled, "stopped")), usage: Usage::default() }
        })
    });
    let plan = plan_of("schema: orch-wasm/v1\nname: w\ntimeout: 5s\ntasks:\n  a: { uses: test/any@1, timeout: 1h }\n");
    run(plan, runner, 1).check(RunOutcome::TimedOut, &[("a", "cancelled")]);
}

#[test]
fn what_a_task_says_stands_before_its_end() {
    let runner = Scripted::new(|_, live| {
        Box::pin(async move {
            for line in 0..100 {
                live.log(orch_core::LogLevel::Info, line.to_string(), Vec::new());
            }
            AttemptResult { result: Ok(AttemptOutput::Succeeded(serde_json::json!({}))), usage: Usage::default() }
        })
    });
    let ran = run(plan("  a: { uses: test/any@1 }\n"), runner, 1);
    let words: Vec<_> = ran.records.iter().map(|record| record.event.word()).collect();
    assert_eq!(words.iter().filter(|word| **word == "task-log").count(), 100);
    assert_eq!(words[words.len() - 2..], ["task-finished", "run-finished"]);
}

#[test]
fn a_talkative_task_is_seen_while_it_runs() {
    // Each line comes before the one before it has waited its turn: still they must come out.
    let runner = Scripted::new(|_, live| {
        Box::pin(async move {
            for line in 0..50 {
                live.log(orch_core::LogLevel::Info, line.to_string(), Vec::new());
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            AttemptResult { result: Ok(AttemptOutput::Succeeded(serde_json::json!({}))), usage: Usage::default() }
        })
    });
    let ran = run(plan("  a: { uses: test/any@1 }\n"), runner, 1);
    let appends = ran.store.appends.lock().unwrap().len();
    assert!((8..=20).contains(&appends), "a second of talk in {appends} appends: one every tenth of a second");
    assert!(ran.records.iter().any(|record| matches!(record.event, Event::TaskLog { .. })));
}
