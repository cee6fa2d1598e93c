//! `undo`, `on-failure` and `finally`: forms, what their expressions see, and how they stand in the plan.

use crate::support::{World, check};
use orch_core::Hook;
use orch_workflow::Plan;

fn shape(plan: &Plan) -> Vec<String> {
    let text = |task: &orch_workflow::PlannedTask| {
        let needs: Vec<_> = task.needs.iter().map(|need| need.to_string()).collect();
        let hook = task.hook.map(|hook| format!(" {hook:?}")).unwrap_or_default();
        let undo = task.undo.as_ref().map(|id| format!(" undo {id}")).unwrap_or_default();
        format!("{} [{}]{hook}{undo}", task.id, needs.join(" "))
    };
    plan.tasks().iter().map(text).collect()
}

#[test]
fn tasks_then_undos_then_hooks() {
    let text = "defaults: { retry: { attempts: 2 }, timeout: 5m, continue-on-error: true, cache: true }\n\
                finally: [{ uses: orch/any@^1, if: \"run.outcome == 'failed'\" }, { uses: orch/any@^1, retry: never, timeout: 1m }]\n\
                on-failure: [{ uses: orch/any@^1, continue-on-error: true }]\n\
                tasks:\n  b: { uses: orch/any@^1, needs: a, undo: { uses: orch/any@^1 } }\n  \
                a: { uses: orch/any@^1, strategy: { matrix: { x: [1] } }, undo: { uses: orch/any@^1, timeout: 2m } }";
    let plan = World::new().planned(text);
    assert_eq!(
        shape(&plan),
        [
            "a [] undo undo/a",
            "b [a] undo undo/b",
            "undo/a [a] Undo",
            "undo/b [a b] Undo",
            "on-failure/1 [] OnFailure",
            "finally/1 [] Finally",
            "finally/2 [] Finally",
        ]
    );
    let tasks = plan.tasks();
    let timeouts: Vec<_> = tasks.iter().map(|task| task.timeout.to_string()).collect();
    assert_eq!(timeouts, ["5m", "5m", "2m", "5m", "5m", "5m", "1m"]);
    let tolerated: Vec<_> = tasks.iter().map(|task| task.continue_on_error).collect();
    assert_eq!(tolerated, [true, true, false, false, true, false, false]);
    let cached: Vec<_> = tasks.iter().map(|task| task.cache).collect();
    assert_eq!(cached, [true, true, false, false, false, false, false]);
    let attempts: Vec<_> = tasks.iter().map(|task| task.retry.attempts).collect();
    assert_eq!(attempts, [2, 2, 2, 2, 2, 2, 1]);
    assert!(tasks[0].strategy.is_some() && tasks[2].strategy.is_none(), "an undo runs once for each item by itself");
    assert_eq!(tasks[2].hook, Some(Hook::Undo));
    assert!(tasks[5].condition.is_some());
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

#[test]
fn forms() {
    let case = |text: &str, expected: &[&str]| check(&format!("{text}\ntasks: {{ a: {{ uses: o/a@1 }} }}"), expected);
    case("finally: {}", &["3:10 OW0104 `finally` is a list, not a mapping"]);
    case(
        "on-failure: [a]",
        &[
            "3:14 OW0104 a task that runs at the end is a mapping, not text (known: `uses`, `with`, `permissions`, `limits`, `timeout`, `retry`, `if`, `continue-on-error`)",
        ],
    );
    case("finally: [{ with: {} }]", &["3:13 OW0105 a task that runs at the end needs the key `uses`"]);
    case(
        "finally: [{ uses: o/a@1, needs: [a] }]",
        &[
            "3:26 OW0103 a task that runs at the end has no key `needs` (known: `uses`, `with`, `permissions`, `limits`, `timeout`, `retry`, `if`, `continue-on-error`)",
        ],
    );
    case(
        "finally: [{ uses: o/a }]",
        &[
            "3:19 OW0201 `o/a` names no version (write `namespace/name@^1.2` for the registry or `./file.wasm` for a file)",
        ],
    );
    let many = vec!["{ uses: o/a@1 }"; 101].join(", ");
    case(&format!("finally: [{many}]"), &["3:10 OW0115 `finally` has 101 entries, at most 100 are allowed"]);
    let undo =
        |undo: &str, expected: &[&str]| check(&format!("tasks: {{ a: {{ uses: o/a@1, undo: {undo} }} }}"), expected);
    undo("{}", &["3:34 OW0105 `undo` needs the key `uses`"]);
    undo(
        "x",
        &[
            "3:34 OW0104 `undo` is a mapping, not text (known: `uses`, `with`, `permissions`, `limits`, `timeout`, `retry`)",
        ],
    );
    undo(
        "{ uses: o/a@1, if: true }",
        &["3:49 OW0103 `undo` has no key `if` (known: `uses`, `with`, `permissions`, `limits`, `timeout`, `retry`)"],
    );
    undo("{ uses: o/a@1, retry: {} }", &["3:56 OW0105 `retry` without `attempts` never tries again"]);
}

#[test]
fn what_hooks_see() {
    let case = |hook: &str, expected: &[&str]| {
        check(
            &format!(
                "inputs: {{ i: {{ type: string, default: a }} }}\n{hook}\ntasks:\n  a: {{ uses: o/a@1 }}\n  \
                 b: {{ uses: o/a@1, for-each: [1] }}\n  g: {{ gate: {{ checks: [{{ id: a, assert: true }}] }} }}"
            ),
            expected,
        );
    };
    case(
        "finally: [{ uses: o/a@1, if: tasks.a.outcome == 'failed' && run.outcome != 'cancelled', \
         with: { a: '${{ tasks.a.outputs.x }}', b: '${{ tasks.b.outputs[0].x }}', c: '${{ run.id }} ${{ run.outcome }} ${{ inputs.i }}' } }]",
        &[],
    );
    case(
        "on-failure: [{ uses: o/a@1, with: { a: '${{ tasks.c.outcome }}' } }]",
        &["4:45 OW0111 there is no task `c` (known: `a`, `b`, `g`)"],
    );
    case(
        "on-failure: [{ uses: o/a@1, with: { a: '${{ tasks.g.outputs.x }}' } }]",
        &["4:45 OW0111 the gate `g` has no outputs (a gate decides; ask for `tasks['g'].outcome`)"],
    );
    case(
        "finally: [{ uses: o/a@1, if: failure() }]",
        &["4:30 OW0110 `failure()` looks at `needs`, and this has none (ask for `run.outcome`)"],
    );
    case(
        "finally: [{ uses: o/a@1, if: run.outcome }]",
        &["4:30 OW0104 a condition is a boolean, and this yields text"],
    );
    case(
        "finally: [{ uses: o/a@1, with: { a: '${{ run.url }}' } }]",
        &["4:42 OW0111 `run` has no `url` (known: `id`, `workflow`, `outcome`)"],
    );
    case(
        "finally: [{ uses: o/a@1, with: { a: '${{ matrix.x }}' } }]",
        &["4:42 OW0111 `matrix` is known in a task with `strategy` only (known: `inputs`, `tasks`, `run`)"],
    );
    let only = "`run.outcome` is known in `on-failure` and `finally` only (known: `id`, `workflow`)";
    check("tasks: { a: { uses: o/a@1, with: { x: '${{ run.outcome }}' } } }", &[&format!("3:44 OW0111 {only}")]);
    check("tasks: { a: { uses: o/a@1 } }\noutputs: { x: '${{ run.outcome }}' }", &[&format!("4:20 OW0111 {only}")]);
}

#[test]
fn what_an_undo_sees() {
    let case = |expression: &str, expected: &[&str]| {
        check(
            &format!(
                "tasks:\n  far: {{ uses: o/a@1 }}\n  other: {{ uses: o/a@1 }}\n  a:\n    uses: o/a@1\n    needs: far\n    for-each: [1]\n    \
                 outputs: {{ made: 1 }}\n    undo:\n      uses: o/a@1\n      with: {{ x: \"${{{{ {expression} }}}}\" }}"
            ),
            expected,
        );
    };
    for right in ["tasks.a.outputs.made", "tasks.far.outputs.x", "item", "index", "tasks.a.outcome", "run.id"] {
        case(right, &[]);
    }
    case("tasks.a.outputs.lost", &["13:23 OW0111 the task `a` has no output `lost` (known: `made`)"]);
    case("tasks.other.outcome", &["13:23 OW0111 the task `other` is not in `needs` (add `other` to `needs`)"]);
    case(
        "run.outcome",
        &["13:23 OW0111 `run.outcome` is known in `on-failure` and `finally` only (known: `id`, `workflow`)"],
    );
    // What the plugin returns is known with the plan; here of one item, not of all.
    let scan = "uses: orch/scan@^1, permissions: { fs: [{ mount: source, path: ., access: read }] }, for-each: [1]";
    let undo = |expression: &str| {
        format!(
            "tasks:\n  s:\n    {{ {scan},\n      undo: {{ uses: orch/any@^1, with: {{ x: '${{{{ {expression} }}}}' }} }} }}"
        )
    };
    World::new().check(&undo("tasks.s.outputs.report.ratio"), &[]);
    World::new().check(
        &undo("tasks.s.outputs.lost"),
        &["6:50 OW0111 the task `s` has no output `lost` (known: `items`, `open`, `report`)"],
    );
}
