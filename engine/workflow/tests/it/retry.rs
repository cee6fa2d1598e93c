//! `retry`, `timeout`, `cache` and what `defaults` says of them: good forms, wrong ones, and what a task gets in the end.

use crate::support::{World, check, manifest};
use orch_workflow::Plan;

fn task(keys: &str) -> String {
    format!("tasks: {{ a: {{ uses: orch/any@^1{keys} }} }}")
}

#[test]
fn forms_of_retry() {
    let case = |retry: &str, expected: &[&str]| check(&task(&format!(", retry: {retry}")), expected);
    for right in [
        "never",
        "{ attempts: 1 }",
        "{ attempts: 100, backoff: fixed, initial: 0s, max: 0s, jitter: none, retry-on: [failed], budget: 1ms }",
        "{ attempts: 3, backoff: linear, initial: 2m }",
        "{ attempts: 3, backoff: exponential, max: 500ms, jitter: full, retry-on: [failed, errored, timed-out] }",
    ] {
        case(right, &[]);
    }
    case("always", &["3:41 OW0104 `retry` is `never` or a mapping, not `always` (write `retry: { attempts: 3 }`)"]);
    case(
        "3",
        &[
            "3:41 OW0104 `retry` is a mapping, not an integer (known: `attempts`, `backoff`, `initial`, `max`, `jitter`, \
           `retry-on`, `budget`)",
        ],
    );
    case("{}", &["3:41 OW0105 `retry` without `attempts` never tries again"]);
    case("{ backoff: fixed }", &["3:43 OW0105 `retry` without `attempts` never tries again"]);
    case("{ attempts: 0 }", &["3:53 OW0104 `attempts` is a whole number from 1 to 100, not `0`"]);
    case("{ attempts: 101 }", &["3:53 OW0104 `attempts` is a whole number from 1 to 100, not `101`"]);
    case("{ attempts: many }", &["3:53 OW0104 `attempts` is a whole number from 1 to 100, not text"]);
    case(
        "{ attempts: 2, backoff: exp, jitter: half }",
        &[
            "3:65 OW0104 `exp` is not a value of `backoff` (known: `fixed`, `linear`, `exponential`)",
            "3:78 OW0104 `half` is not a value of `jitter` (known: `none`, `full`)",
        ],
    );
    case(
        "{ attempts: 2, initial: 1m, max: 10s }",
        &["3:74 OW0112 the longest wait (`max`, 10s) is shorter than the first one (`initial`, 1m)"],
    );
    case("{ attempts: 2, retry-on: [] }", &["3:66 OW0104 `retry-on` is empty (write `retry: never`)"]);
    case(
        "{ attempts: 2, retry-on: [failed, blocked, failed] }",
        &[
            "3:75 OW0104 `blocked` is not a value of `retry-on` (known: `failed`, `errored`, `timed-out`)",
            "3:84 OW0112 `failed` stands twice in `retry-on`",
        ],
    );
    case("{ attempts: 2, retry-on: failed }", &["3:66 OW0104 `retry-on` is a list, not text"]);
    case("{ attempts: 2, budget: 0s }", &["3:64 OW0104 a budget of nothing leaves no time for a second attempt"]);
    case(
        "{ attemps: 2 }",
        &[
            "3:43 OW0103 `retry` has no key `attemps` (did you mean `attempts`? known: `attempts`, `backoff`, `initial`, `max`, \
             `jitter`, `retry-on`, `budget`)",
            "3:43 OW0105 `retry` without `attempts` never tries again",
        ],
    );
}

/// The retry of each task as JSON, without what is default.
fn retries(plan: &Plan) -> Vec<String> {
    let text = |task: &orch_workflow::PlannedTask| {
        let retry = &task.retry;
        let on: Vec<_> = retry.on.iter().map(|outcome| outcome.word()).collect();
        format!(
            "{} {} {:?} {}..{} {:?} {} {}",
            if retry.never { "never" } else { "again" },
            retry.attempts,
            retry.backoff,
            retry.initial,
            retry.max,
            retry.jitter,
            on.join("+"),
            retry.budget.map(|it| it.to_string()).unwrap_or_default()
        )
    };
    plan.tasks().iter().map(text).collect()
}

#[test]
fn what_a_task_does_not_say_is_what_defaults_says() {
    let text = "defaults: { retry: { attempts: 5, initial: 10s, budget: 1h } }\n\
                tasks:\n  a: { uses: orch/any@^1 }\n  b: { uses: orch/any@^1, retry: { backoff: fixed, max: 20s } }\n  \
                c: { uses: orch/any@^1, retry: never }\n  d: { uses: orch/any@^1, retry: { attempts: 2, initial: 5m } }\n  \
                g: { gate: { checks: [{ id: x, assert: true }] } }";
    assert_eq!(
        retries(&World::new().planned(text)),
        [
            "again 5 Exponential 10s..1m Full errored+timed-out 1h",
            "again 5 Fixed 10s..20s Full errored+timed-out 1h",
            "never 1 Exponential 1s..1m Full errored+timed-out ",
            "again 2 Exponential 5m..5m Full errored+timed-out 1h",
            "again 1 Exponential 1s..1m Full errored+timed-out ",
        ]
    );
    let text = "defaults: { retry: never }\ntasks:\n  a: { uses: orch/any@^1 }\n  \
                b: { uses: orch/any@^1, retry: { attempts: 2, max: 100ms, retry-on: [failed] } }";
    assert_eq!(
        retries(&World::new().planned(text)),
        ["never 1 Exponential 1s..1m Full errored+timed-out ", "again 2 Exponential 100ms..100ms Full failed "]
    );
    check(
        "defaults: { retry: { attempts: 2, initial: 30s } }\ntasks: { a: { uses: o/a@1, retry: { max: 10s } }, b: { uses: o/a@1 } }",
        &["4:42 OW0112 the longest wait (`max`, 10s) is shorter than the first one (`initial`, 30s)"],
    );
    check(
        "defaults: { retry: { initial: 30s, max: 1s } }\ntasks: { a: { uses: o/a@1, retry: { attempts: 2 } } }",
        &["3:41 OW0112 the longest wait (`max`, 1s) is shorter than the first one (`initial`, 30s)"],
    );
}

#[test]
fn forms_of_timeouts() {
    let case = |timeout: &str, expected: &[&str]| check(&task(&format!(", timeout: {timeout}")), expected);
    for right in ["10m", "{ attempt: 1m }", "{ task: 1h }", "{ attempt: 1m, task: 1m }"] {
        case(right, &[]);
    }
    case("{}", &["3:43 OW0105 `timeout` needs the key `attempt` or the key `task`"]);
    case(
        "{ all: 1m }",
        &[
            "3:45 OW0103 `timeout` has no key `all` (known: `attempt`, `task`)",
            "3:45 OW0105 `timeout` needs the key `attempt` or the key `task`",
        ],
    );
    case("{ attempt: 0s }", &["3:54 OW0104 a timeout of nothing would end every task at once"]);
    case(
        "{ attempt: 10m, task: 1m }",
        &["3:65 OW0112 the whole task (`task`, 1m) has less time than one attempt (`attempt`, 10m)"],
    );
    check(
        "defaults: { timeout: { task: 10m } }\ntasks: { a: { uses: o/a@1, timeout: 20m }, b: { uses: o/a@1 } }",
        &["4:37 OW0112 the whole task (`task`, 10m) has less time than one attempt (`attempt`, 20m)"],
    );
    check(
        "defaults: { timeout: { attempt: 10m, task: 1m } }\ntasks: { a: { uses: o/a@1 } }",
        &["3:44 OW0112 the whole task (`task`, 1m) has less time than one attempt (`attempt`, 10m)"],
    );
    check("timeout: { task: 1m }\ntasks: { a: { uses: o/a@1 } }", &["3:10 OW0104 `timeout` is text, not a mapping"]);
    let text = "defaults: { timeout: { attempt: 1m, task: 1h } }\ntasks:\n  a: { uses: orch/any@^1 }\n  \
                b: { uses: orch/any@^1, timeout: 2m }\n  c: { uses: orch/any@^1, timeout: { task: 90s } }\n  \
                g: { gate: { checks: [{ id: x, assert: true }] } }";
    let times = |plan: Plan| {
        let text = |task: &orch_workflow::PlannedTask| {
            format!("{} {}", task.timeout, task.task_timeout.map(|it| it.to_string()).unwrap_or_default())
        };
        plan.tasks().iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(times(World::new().planned(text)), ["1m 1h", "2m 1h", "1m 90s", "1m "]);
    assert_eq!(times(World::new().planned(&task(", timeout: { task: 90s }"))), ["90s 90s"]);
    assert_eq!(times(World::new().planned(&task(", timeout: { task: 90m }"))), ["10m 90m"]);
}

#[test]
fn limits_of_defaults() {
    let text = "defaults: { limits: { memory: 64MiB, log: 1MiB } }\n\
                tasks: { a: { uses: orch/any@^1, limits: { log: 2MiB } }, b: { uses: orch/any@^1, limits: {} } }";
    let plan = World::new().planned(text);
    let limits = |index: usize| match &plan.tasks()[index].kind {
        orch_workflow::PlannedKind::Plugin(plugin) => {
            (plan.terms(plugin).limits.memory.to_string(), plan.terms(plugin).limits.log.to_string())
        }
        _ => panic!(),
    };
    assert_eq!(limits(0), ("64MiB".into(), "2MiB".into()));
    assert_eq!(limits(1), ("64MiB".into(), "1MiB".into()));
}

#[test]
fn earlier_results() {
    let mut world = World::new();
    let mut twice = manifest("orch/twice");
    twice.tasks.values_mut().next().unwrap().idempotent = false;
    world.add("orch/twice@^1", twice);
    let mut writer = crate::support::scanner();
    writer.permissions.fs[0].access = orch_core::Access::Write;
    world.add("orch/writer@^1", writer);
    let fs = "permissions: { fs: [{ mount: source, path: ., access: write }] }";
    let cached = |text: &str| world.planned(text).tasks().iter().map(|task| task.cache).collect::<Vec<_>>();
    assert_eq!(cached(&task("")), [false]);
    assert_eq!(cached(&task(", cache: true")), [true]);
    let all = format!(
        "defaults: {{ cache: true }}\ntasks:\n  a: {{ uses: orch/any@^1 }}\n  b: {{ uses: orch/twice@^1 }}\n  \
         c: {{ uses: orch/writer@^1, {fs} }}\n  d: {{ uses: orch/any@^1, cache: false }}\n  \
         g: {{ gate: {{ checks: [{{ id: x, assert: true }}] }} }}"
    );
    assert_eq!(cached(&all), [true, false, false, false, false]);
    world.check(
        &format!(
            "tasks:\n  b: {{ uses: orch/twice@^1, cache: true }}\n  c: {{ uses: orch/writer@^1, {fs}, cache: true }}"
        ),
        &[
            "4:36 OW0112 the result of the task `b` cannot be used again: `orch/twice` does not say that it is `idempotent`, \
             and its `clock` and `random` are not both `fixed` (remove `cache`)",
            "5:103 OW0112 the result of the task `c` cannot be used again: it may write to the mount `source`, and an earlier \
             result writes nothing (remove `cache`)",
        ],
    );
    check(&task(", cache: {}"), &["3:41 OW0104 `cache` is a boolean, not a mapping (known: `true`, `false`)"]);
}

#[test]
fn keys_that_gates_and_people_do_not_have() {
    for (kind, subject) in
        [("gate: { checks: [{ id: a, assert: true }] }", "a gate"), ("approval: { prompt: x }", "an approval")]
    {
        for key in [
            "with: {}",
            "permissions: {}",
            "limits: {}",
            "timeout: 1m",
            "retry: never",
            "cache: true",
            "outputs: {}",
            "undo: { uses: o/a@1 }",
            "strategy: { matrix: { a: [1] } }",
            "for-each: [1]",
            "max-parallel: 1",
            "fail-fast: true",
        ] {
            let name = key.split(':').next().unwrap();
            let column = kind.len() + 17;
            let expected = format!("3:{column} OW0112 {subject} runs no plugin, so it takes no `{name}`");
            check(&format!("tasks: {{ a: {{ {kind}, {key} }} }}"), &[&expected]);
        }
    }
}
