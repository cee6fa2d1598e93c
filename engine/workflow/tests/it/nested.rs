//! Workflows that run other workflow files: loading them, their inputs, and how their tasks stand in the plan.

use crate::support::{FOLDER, HEAD, World, check};
use orch_core::{Source, TaskKind};
use orch_workflow::{Plan, PlannedKind, PlannedWorkflow, RunView, Scope, TaskView, absolute, load, parse};
use serde_json::json;
use std::collections::BTreeMap;

const BUILD: &str = "inputs:\n  target: { type: string }\n  level: { type: choice, options: [low, high], default: low }\n  \
                     source: { type: directory, default: . }\n  count: { type: integer, required: false }\n\
                     timeout: 20m\ndefaults: { timeout: 3m }\n\
                     tasks:\n  compile: { uses: orch/any@^1, with: { t: '${{ inputs.target }}' } }\n  \
                     scan:\n    needs: compile\n    uses: orch/scan@^1\n    \
                     permissions: { fs: [{ mount: source, path: '${{ inputs.source }}', access: read }] }\n\
                     outputs: { image: '${{ tasks.compile.outputs.image }}', ratio: '${{ tasks.scan.outputs.report.ratio }}' }";

fn world() -> World {
    World::new().file("./ci/build.yaml", BUILD)
}

fn shape(plan: &Plan) -> Vec<String> {
    let text = |task: &orch_workflow::PlannedTask| {
        let needs: Vec<_> = task.needs.iter().map(ToString::to_string).collect();
        let parent = task.parent.as_ref().map(|parent| format!(" in {parent}")).unwrap_or_default();
        format!("{} [{}]{parent}", task.id, needs.join(" "))
    };
    plan.tasks().iter().map(text).collect()
}

#[track_caller]
fn workflow(plan: &Plan, index: usize) -> &PlannedWorkflow {
    match &plan.tasks()[index].kind {
        PlannedKind::Workflow(workflow) => workflow,
        _ => panic!("task {index} runs no workflow"),
    }
}

#[test]
fn the_tasks_of_the_other_file_follow_their_caller() {
    let text = "inputs: { source: { type: directory, default: app } }\n\
                tasks:\n  first: { uses: orch/any@^1 }\n  build:\n    workflow: ./ci/build.yaml\n    needs: first\n    if: always()\n    \
                continue-on-error: true\n    timeout: { task: 30m }\n    \
                with: { target: '${{ tasks.first.outputs.x }}', source: '${{ inputs.source }}', count: 3 }\n  \
                last: { uses: orch/any@^1, needs: build, with: { x: '${{ tasks.build.outputs.image }}' } }";
    let plan = world().planned(text);
    assert_eq!(
        shape(&plan),
        [
            "first []",
            "build [first]",
            "build/compile [] in build",
            "build/scan [build/compile] in build",
            "last [build]"
        ]
    );
    let [_, build, compile, scan, _] = plan.tasks() else { panic!() };
    assert!(build.continue_on_error && build.ignores_failed_needs() && build.condition.is_some());
    assert_eq!(build.task_timeout.unwrap().to_string(), "20m", "the file's own, which is smaller");
    assert_eq!((compile.timeout.to_string(), compile.continue_on_error), ("3m".into(), false));
    let PlannedKind::Plugin(plugin) = &scan.kind else { panic!() };
    // The path was given by the first file, so it lies in that file's folder.
    assert_eq!(plan.terms(plugin).grants.fs[0].path().as_str(), "/home/me/project/app");
    let inner = workflow(&plan, 1);
    assert_eq!((inner.file.as_str(), inner.name.as_str()), ("./ci/build.yaml", "test"));
    assert_eq!(plan.summaries()[1].what, TaskKind::Workflow { file: "./ci/build.yaml".into() });
    // What only the run knows is rendered in it, and checked again.
    let returned = |value| json!({ "x": value });
    for (value, expected) in [
        (
            json!("amd64"),
            Ok(json!({ "target": "amd64", "level": "low", "source": "/home/me/project/app", "count": 3 })),
        ),
        (json!(7), Err("the input `target` takes text, and this is `7`".to_owned())),
    ] {
        let outputs = returned(value);
        let view = TaskView { outcome: orch_core::TaskOutcome::Succeeded, tolerated: false, outputs: &outputs };
        let tasks = BTreeMap::from([(plan.tasks()[0].id.clone(), view)]);
        let scope = Scope {
            inputs: plan.inputs(),
            tasks: &tasks,
            run: RunView::default(),
            needs: &build.needs,
            each: orch_workflow::EachView::Once,
            findings: None,
        };
        assert_eq!(inner.inputs(&scope).map_err(|error| error.message), expected);
    }
    let stored = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&stored).unwrap(), plan);
}

#[test]
fn a_default_path_lies_beside_the_file_that_says_it() {
    let plan = world().planned("tasks: { b: { workflow: ./ci/build.yaml, with: { target: x } } }");
    let PlannedKind::Plugin(plugin) = &plan.tasks()[2].kind else { panic!() };
    assert_eq!(plan.terms(plugin).grants.fs[0].path().as_str(), format!("{FOLDER}/ci"));
    assert_eq!(workflow(&plan, 0).inputs[2].value.as_literal(), Some(&json!(".")));
    assert_eq!(plan.tasks()[0].task_timeout.unwrap().to_string(), "20m");
}

#[test]
fn inputs_are_checked_at_the_caller() {
    let case = |with: &str, expected: &[&str]| {
        world().check(
            &format!(
                "inputs: {{ n: {{ type: integer, default: 3 }}, l: {{ type: string, default: mid }} }}\n\
                 tasks:\n  f: {{ uses: orch/any@^1 }}\n  b: {{ needs: f, workflow: ./ci/build.yaml, with: {{ {with} }} }}"
            ),
            expected,
        );
    };
    case("target: x, level: high, count: '${{ inputs.n }}'", &[]);
    case("target: '${{ tasks.f.outputs.x }}', level: '${{ tasks.f.outputs.y }}'", &[]);
    case("", &["6:28 OW0114 `./ci/build.yaml` needs a value for its input `target` (add `with: { target: … }`)"]);
    case(
        "target: x, taget: y",
        &[
            "6:64 OW0114 `./ci/build.yaml` has no input `taget` (did you mean `target`? known: `target`, `level`, `source`, `count`)",
        ],
    );
    case("target: 3", &["6:61 OW0114 the input `target` of `./ci/build.yaml` takes text, and this is `3`"]);
    case("target: null", &["6:61 OW0114 the input `target` of `./ci/build.yaml` takes text, and this is `null`"]);
    case("target: x, count: null", &[]);
    case(
        "target: x, count: '${{ inputs.l }}'",
        &["6:71 OW0114 the input `count` of `./ci/build.yaml` takes an integer of 64 bits, and this is `mid`"],
    );
    case(
        "target: x, level: '${{ inputs.l }}'",
        &["6:71 OW0114 `mid` is no value of the input `level` of `./ci/build.yaml` (known: `low`, `high`)"],
    );
    case("target: 'n is ${{ 1 / (inputs.n - 3) }}'", &["6:61 OW0110 `1 / (inputs.n - 3)`: division by zero"]);
    case(
        "target: x, source: '${{ tasks.f.outputs.dir }}'",
        &[
            "6:72 OW0114 the input `source` is known only in the run, and `./ci/build.yaml` needs it before, for the path of the \
           mount `source` of its task `scan` (give a value without `tasks` and `run`)",
        ],
    );
}

/// An input that is wrong is told once, and hides nothing else.
#[test]
fn a_wrong_input_is_one_problem() {
    World::new().file("./ci/build.yaml", BUILD).check(
        "inputs: { n: { type: string } }\nconcurrency: { group: '${{ inputs.n }}' }\n\
         tasks:\n  b: { workflow: ./ci/build.yaml, with: { target: '${{ inputs.n }}', source: '${{ inputs.n }}', level: top } }\n  \
         c: { uses: orch/any@^1, strategy: { matrix: { x: '${{ [inputs.n] }}', y: '${{ [1 / 0] }}' } } }\n  \
         d: { uses: orch/any@^1, permissions: { fs: [{ mount: m, path: '${{ inputs.n }}', access: read }] } }",
        &[
            "OW0114 the input `n` needs a value (add `--input n=…`)",
            "6:104 OW0114 `top` is no value of the input `level` of `./ci/build.yaml` (known: `low`, `high`)",
            "7:76 OW0110 `[1 / 0]`: division by zero",
        ],
    );
}

#[test]
fn axes_that_come_too_late() {
    let inner = "inputs: { list: { type: string } }\n\
                 tasks: { a: { uses: orch/any@^1, strategy: { matrix: { x: \"${{ inputs.list.split(',') }}\" } } } }";
    let middle = "inputs: { list: { type: string } }\ntasks: { m: { workflow: ./inner.yaml, with: { list: '${{ inputs.list }}' } } }";
    let world = World::new().file("inner.yaml", inner).file("middle.yaml", middle);
    let text = |value: &str| {
        format!(
            "tasks: {{ f: {{ uses: orch/any@^1 }}, b: {{ needs: f, workflow: ./middle.yaml, with: {{ list: '{value}' }} }} }}"
        )
    };
    let plan = world.planned(&text("a,b"));
    assert_eq!(shape(&plan), ["f []", "b [f]", "b/m [] in b", "b/m/a [] in b/m"]);
    assert!(plan.tasks()[3].strategy.is_some());
    world.check(
        &text("${{ tasks.f.outputs.list }}"),
        &["middle.yaml:4:53 OW0114 the input `list` is known only in the run, and `./inner.yaml` needs it before, for the axis `x` \
           of its task `a` (give a value without `tasks` and `run`)"],
    );
}

#[test]
fn forms() {
    let case = |keys: &str, expected: &[&str]| check(&format!("tasks: {{ a: {{ {keys} }} }}"), expected);
    case("workflow: ./a.yaml, with: { x: 1 }, needs: [], if: true, timeout: { task: 1h }", &[]);
    case(
        "workflow: build",
        &[
            "3:25 OW0104 `build` is no path of a workflow (a path starts with `./`, `../` or `/` and ends with `.yaml`, `.yml` or `.json`)",
        ],
    );
    case("workflow: [a]", &["3:25 OW0104 `workflow` is text, not a list"]);
    case("workflow: ./a.yaml, with: [a]", &["3:41 OW0104 `with` is a mapping, not a list"]);
    case("workflow: ./a.yaml, with: { x: [1] }", &["3:46 OW0104 the input `x` is a single value, not a list"]);
    case(
        "workflow: ./a.yaml, with: { 'a b': 1 }",
        &[
            "3:43 OW0109 `a b` is not a valid input name: ` ` at byte 1 is not allowed (a letter, then letters, digits, `_` and `-`)",
        ],
    );
    case(
        "workflow: ./a.yaml, timeout: 1h",
        &[
            "3:44 OW0112 a task that runs a workflow has no attempts, so it takes no timeout of one (write `timeout: { task: 1h }`)",
        ],
    );
    case(
        "workflow: ./a.yaml, uses: o/a@1",
        &["3:15 OW0112 the task `a` has both `uses` and `workflow` (make two tasks of it)"],
    );
    for key in [
        "permissions: {}",
        "limits: {}",
        "retry: never",
        "cache: true",
        "outputs: {}",
        "for-each: [1]",
        "undo: { uses: o/a@1 }",
    ] {
        let name = key.split(':').next().unwrap();
        case(
            &format!("workflow: ./a.yaml, {key}"),
            &[&format!(
                "3:35 OW0112 a task that runs a workflow takes no `{name}`: the tasks of that file have their own"
            )],
        );
    }
    check("tasks: { undo: { workflow: ./a.yaml } }", &["3:28 OW0109 a task that runs a workflow is not called `undo`"]);
    check(
        "tasks: { a: { workflow: ./a.yaml, with: { x: '${{ tasks.b.outcome }}' } } }",
        &["3:51 OW0111 there is no task `b` (known: `a`)"],
    );
    let source = Source::new(
        "w",
        format!(
            "{HEAD}tasks: {{ a: {{ workflow: ./x.yaml }}, b: {{ workflow: ./x.yaml }}, c: {{ workflow: ../y.yml }} }}"
        ),
    );
    let (flow, _) = parse(&source);
    let files: Vec<_> = flow.unwrap().nested_files().iter().map(|file| (file.path.clone(), file.span.start)).collect();
    assert_eq!(files, [("./x.yaml".to_owned(), 56), ("../y.yml".to_owned(), 110)]);
}

#[test]
fn outputs_of_the_other_file() {
    let case = |expression: &str, expected: &[&str]| {
        world().check(
            &format!(
                "tasks:\n  b: {{ workflow: ./ci/build.yaml, with: {{ target: x }} }}\n  c: {{ needs: b, uses: orch/any@^1, \
                 with: {{ x: '${{{{ {expression} }}}}' }} }}"
            ),
            expected,
        );
    };
    case("tasks.b.outputs.image", &[]);
    case("tasks.b.outputs.image.anything", &[]);
    case("has(tasks.b.outputs.lost)", &[]);
    case(
        "tasks.b.outputs.imag",
        &["5:53 OW0111 the task `b` has no output `imag` (did you mean `image`? known: `image`, `ratio`)"],
    );
}

#[test]
fn problems_of_the_other_file_are_told_once() {
    let broken =
        World::new().file("b.yaml", "tasks: { a: { uses: orch/lost@^1 } }\noutputs: { x: '${{ tasks.a.outputs.y }}' }");
    broken.check(
        "tasks: { a: { workflow: ./b.yaml }, b: { workflow: ./b.yaml } }",
        &["b.yaml:3:21 OW0202 the plugin `orch/lost@^1` was not found"],
    );
    let broken = World::new().file("b.yaml", "tasks: { a: { uses: orch/any@^1, needs: b } }");
    broken.check(
        "tasks: { a: { workflow: ./b.yaml }, b: { workflow: ./b.yaml } }",
        &["b.yaml:3:41 OW0107 the task `a` needs `b`, which is not in this workflow (known: `a`)"],
    );
    World::new().check(
        "tasks: { a: { workflow: ./b.yaml }, b: { workflow: ./b.yaml } }",
        &["3:25 OW0113 the workflow `./b.yaml` cannot be read: there is none"],
    );
    let outer = "priority: 3\nsecrets: {}\nconcurrency: { group: a }\nfinally: []\non-failure: []\ntasks: { a: { uses: orch/any@^1 } }";
    let message = |line: usize, key: &str| {
        format!(
            "b.yaml:{line}:1 OW0112 `{key}` belongs to the workflow that runs this one (remove it, or run this file by itself)"
        )
    };
    let expected = [
        message(3, "priority"),
        message(4, "secrets"),
        message(5, "concurrency"),
        message(7, "on-failure"),
        message(6, "finally"),
    ];
    World::new()
        .file("b.yaml", outer)
        .check("tasks: { a: { workflow: ./b.yaml } }", &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn undos_and_files_of_inner_workflows() {
    let inner = "tasks:\n  d: { uses: orch/any@^1, undo: { uses: orch/any@^1, with: { x: '${{ tasks.d.outputs.y }}' } } }\n  \
                 g: { needs: d, gate: { waivers: w.yaml, checks: [{ id: a, assert: \"findings.of('d').open == 0\" }] } }";
    let mut world = World::new().file("sub/inner.yaml", inner);
    world.waivers.insert("w.yaml".into(), Default::default());
    let plan = world.planned(
        "finally: [{ uses: orch/any@^1 }]\ntasks: { a: { uses: orch/any@^1, undo: { uses: orch/any@^1 } }, b: { needs: a, workflow: ./sub/inner.yaml } }",
    );
    assert_eq!(
        shape(&plan),
        ["a []", "b [a]", "b/d [] in b", "b/g [b/d] in b", "undo/a [a]", "undo/b/d [b/d] in b", "finally/1 []"]
    );
    assert_eq!(plan.tasks()[2].undo.as_ref().unwrap().as_str(), "undo/b/d");
}

/// What a gate of an inner file counts goes by the names of that file; a gate outside counts what all its tasks found.
#[test]
fn gates_count_below() {
    let inner = "tasks:\n  s: { uses: orch/any@^1 }\n  g: { needs: s, gate: { checks: [{ id: a, assert: \"findings.of('s').open == 1\" }] } }";
    let plan = World::new().file("i.yaml", inner).planned(
        "tasks:\n  b: { workflow: ./i.yaml }\n  bc: { uses: orch/any@^1 }\n  \
         g: { needs: b, gate: { checks: [{ id: a, assert: \"findings.of('b').open == 1 && findings.all().open == 1\" }] } }",
    );
    let finding = |rule: &str| orch_core::Finding {
        rule: rule.into(),
        severity: orch_core::Severity::High,
        status: orch_core::FindingStatus::Open,
        title: "found".into(),
        detail: None,
        fingerprint: rule.into(),
        location: None,
        remediation: None,
        references: Vec::new(),
        data: None,
    };
    let findings =
        BTreeMap::from([("b/s".parse().unwrap(), vec![finding("A")]), ("bc".parse().unwrap(), vec![finding("B")])]);
    let nothing = BTreeMap::new();
    let scope = Scope {
        inputs: plan.inputs(),
        tasks: &nothing,
        run: RunView::default(),
        needs: &[],
        each: orch_workflow::EachView::Once,
        findings: None,
    };
    let mut gates = 0;
    for task in plan.tasks() {
        if let PlannedKind::Gate(gate) = &task.kind {
            let decision = gate.decide(&findings, None, &scope, "2026-01-01");
            assert!(
                decision.checks.iter().all(|check| check.verdict == orch_core::CheckVerdict::Passed),
                "{decision:?}"
            );
            gates += 1;
        }
    }
    assert_eq!(gates, 2);
}

fn runs(file: &str) -> String {
    format!("tasks: {{ a: {{ workflow: {file} }} }}")
}

/// T7: recursive sub-workflow.
#[test]
fn t7_a_file_that_runs_itself() {
    let world = World::new().file("workflow.yaml", "tasks: { a: { uses: orch/any@^1 } }");
    world.check(&runs("./workflow.yaml"), &["3:25 OW0108 a workflow runs itself: workflow.yaml -> workflow.yaml"]);
    let world = World::new().file("b.yaml", &runs("./sub/c.yaml")).file("sub/c.yaml", &runs("../b.yaml"));
    world.check(&runs("./b.yaml"), &["sub/c.yaml:3:25 OW0108 a workflow runs itself: b.yaml -> c.yaml -> b.yaml"]);
    let world = World::new().file("b.yaml", &runs("./sub/../workflow.yaml"));
    world.check(
        &runs("./b.yaml"),
        &["b.yaml:3:25 OW0108 a workflow runs itself: workflow.yaml -> b.yaml -> workflow.yaml"],
    );
}

/// T7: bounds of depth, files and tasks, each counted before anything is made.
#[test]
fn t7_too_deep_too_many() {
    let chain = |length: usize| {
        let world = World::new().file(&format!("f{length}.yaml"), "tasks: { a: { uses: orch/any@^1 } }");
        (1..length).fold(world, |world, number| {
            world.file(&format!("f{number}.yaml"), &runs(&format!("./f{}.yaml", number + 1)))
        })
    };
    let plan = chain(8).planned(&runs("./f1.yaml"));
    assert_eq!(plan.tasks().last().unwrap().id.as_str(), "a/a/a/a/a/a/a/a/a");
    chain(9).check(&runs("./f1.yaml"), &["f8.yaml:3:25 OW0115 workflows run each other more than 8 deep"]);
    // Deep below a file that was seen before, at a place that is not deep.
    chain(8).file("g.yaml", &runs("./f1.yaml")).check(
        "tasks: { a: { workflow: ./f1.yaml }, b: { workflow: ./g.yaml } }",
        &["g.yaml:3:25 OW0115 workflows run each other more than 8 deep"],
    );
    let calls = |count: usize, file: &str| -> String {
        let tasks: Vec<_> = (0..count).map(|number| format!("t{number}: {{ workflow: {file} }}")).collect();
        format!("tasks: {{ {} }}", tasks.join(", "))
    };
    // 20 * 20 * 20 * 20 tasks.
    let world = World::new()
        .file("1.yaml", &calls(20, "./2.yaml"))
        .file("2.yaml", &calls(20, "./3.yaml"))
        .file("3.yaml", &calls(20, "./4.yaml"))
        .file("4.yaml", "tasks: { a: { uses: orch/any@^1 } }");
    let (plan, found) = world.plan(&calls(20, "./1.yaml"));
    assert!(plan.is_none());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("OW0115 with the files that it runs the workflow has more than 10000 tasks"),
        "{found:?}"
    );
    let many: Vec<_> = (0..101).map(|number| format!("t{number}: {{ workflow: ./{number}.yaml }}")).collect();
    let world = (0..101).fold(World::new(), |world, number| {
        world.file(&format!("{number}.yaml"), "tasks: { a: { uses: orch/any@^1 } }")
    });
    let (_, found) = world.plan(&format!("tasks: {{ {} }}", many.join(", ")));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("OW0115 the workflows run more than 100 files"), "{found:?}");
}

#[test]
fn each_file_is_read_once() {
    let source = Source::new(
        "w.yaml",
        format!(
            "{HEAD}tasks: {{ a: {{ workflow: ./x.yaml }}, b: {{ workflow: ./y/../x.yaml }}, c: {{ workflow: ./y.yaml }} }}"
        ),
    );
    let (flow, _) = parse(&source);
    let mut read = Vec::new();
    let (files, found) = load("/p/w.yaml".into(), &flow.unwrap(), &source, &mut |path| {
        read.push(path.to_string());
        let inner = if path.ends_with("y.yaml") { runs("./x.yaml") } else { "tasks: { a: { uses: o/a@1 } }".into() };
        Ok(Source::new(path.as_str(), format!("{HEAD}{inner}")))
    });
    assert_eq!(found, []);
    assert_eq!(read, ["/p/x.yaml", "/p/y.yaml"]);
    let paths: Vec<_> = files.iter().map(|(path, file)| (path.to_string(), file.folder().to_string())).collect();
    assert_eq!(paths, [("/p/x.yaml".to_owned(), "/p".to_owned()), ("/p/y.yaml".to_owned(), "/p".to_owned())]);
    assert_eq!(absolute("/p/q".into(), "../x.yaml"), "/p/x.yaml");
}
