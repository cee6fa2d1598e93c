//! From a workflow to a plan: inputs, plugins, `with`, permissions, limits, and what the plan says.

use crate::support::{FOLDER, World};
use orch_core::{Access, Digest, Size, TaskId, TaskOutcome};
use orch_workflow::{Plan, PlannedKind, PlannedPlugin, PluginTerms, RunView, Scope, TaskView};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn world() -> World {
    World::new()
}

#[track_caller]
fn plugin(plan: &Plan, index: usize) -> &PluginTerms {
    plan.terms(planned(plan, index))
}

#[track_caller]
fn planned(plan: &Plan, index: usize) -> &PlannedPlugin {
    match &plan.tasks()[index].kind {
        PlannedKind::Plugin(plugin) => plugin,
        _ => panic!("task {index} is a gate"),
    }
}

/// A task that scans with the folder that it needs, and more keys.
fn scan(more: &str) -> String {
    let fs = "permissions: { fs: [{ mount: source, path: ., access: read }] }";
    format!("tasks: {{ s: {{ uses: orch/scan@^1, {fs}{more} }} }}")
}

#[test]
fn inputs_from_the_command_line() {
    let text = "inputs:\n  word: { type: string }\n  count: { type: integer, default: 1 }\n  ratio: { type: number, default: 0.5 }\n  \
                on: { type: boolean, default: false }\n  env: { type: choice, options: [staging, production], default: staging }\n  \
                dir: { type: directory, default: . }\n  maybe: { type: file, required: false }\ntasks: { a: { uses: orch/any@^1 } }";
    let plan = world().input("word", "1.10").planned(text);
    let expected =
        json!({ "word": "1.10", "count": 1, "ratio": 0.5, "on": false, "env": "staging", "dir": ".", "maybe": null });
    assert_eq!(*plan.inputs(), expected);
    let given = world()
        .input("word", "${{ run.id }}")
        .input("count", "-7")
        .input("ratio", "2")
        .input("on", "true")
        .input("env", "production")
        .input("dir", "../x")
        .input("maybe", "a b");
    let expected = json!({ "word": "${{ run.id }}", "count": -7, "ratio": 2, "on": true, "env": "production", "dir": "../x", "maybe": "a b" });
    assert_eq!(*given.planned(text).inputs(), expected);
    world().check(text, &["OW0114 the input `word` needs a value (add `--input word=…`)"]);
    let wrong = world()
        .input("wrd", "x")
        .input("word", "x")
        .input("count", "1.5")
        .input("ratio", "NaN")
        .input("on", "yes")
        .input("env", "prodction")
        .input("dir", "");
    wrong.check(text, &[
        "OW0114 the workflow has no input `wrd` (did you mean `word`? known: `word`, `count`, `ratio`, `on`, `env`, `dir`, `maybe`)",
        "OW0114 `1.5` is no value of the input `count` (it takes an integer of 64 bits)",
        "OW0114 `NaN` is no value of the input `ratio` (it takes a number)",
        "OW0114 `yes` is no value of the input `on` (it takes `true` or `false`)",
        "OW0114 `prodction` is no value of the input `env` (did you mean `production`? known: `staging`, `production`)",
        "OW0114 `` is no value of the input `dir` (it takes the path of a folder)",
    ]);
}

#[test]
fn plugins_and_their_tasks() {
    world().check("tasks: { a: { uses: orch/lost@^1 } }", &["3:21 OW0202 the plugin `orch/lost@^1` was not found"]);
    world().check("tasks: { a: { uses: orch/many@^1 } }", &[
        "3:21 OW0202 the plugin `orch/many` has 2 tasks, and none is named (known: `list`, `run`; write `orch/many/list@…`)",
    ]);
    world().check(
        "tasks: { a: { uses: orch/many/lost@^1 } }",
        &["3:21 OW0202 the plugin `orch/many` has no task `lost` (did you mean `list`? known: `list`, `run`)"],
    );
    let plan = world().planned("tasks: { a: { uses: orch/many/list@^1 } }");
    assert_eq!(plugin(&plan, 0).plugin.task.as_str(), "list");
    assert_eq!(planned(&plan, 0).with.as_literal(), Some(&json!({})));
}

#[test]
fn with_against_the_schema() {
    let case = |with: &str, expected: &[&str]| world().check(&scan(&format!(", with: {{ {with} }}")), expected);
    let head = "`orch/scan` does not take this:";
    case("lockfile: Cargo.lock, level: low, depth: 2, deep: { a: true }", &[]);
    case(
        "lockfil: x",
        &[&format!(
            "3:108 OW0117 {head} there is no key `lockfil` (did you mean `lockfile`? known: `deep`, `depth`, `level`, `lockfile`)"
        )],
    );
    case(
        "level: hig",
        &[&format!("3:115 OW0117 {head} `hig` is no value of `level` (did you mean `high`? known: `low`, `high`)")],
    );
    case("depth: 0", &[&format!("3:115 OW0117 {head} `depth`: value is less than the minimum of 1")]);
    case(
        "depth: x, lockfile: 3",
        &[
            &format!("3:115 OW0117 {head} `depth`: value is not of type \"integer\""),
            &format!("3:128 OW0117 {head} `lockfile`: value is not of type \"string\""),
        ],
    );
    case("deep: { b: 1 }", &[&format!("3:116 OW0117 {head} there is no key `b` (known: `a`)")]);
    // What is not known yet is not judged; what is known beside it is.
    case("depth: '${{ run.id }}', level: 'x${{ run.id }}'", &[]);
    case(
        "depth: '${{ run.id }}', foo: '${{ run.id }}'",
        &[&format!("3:132 OW0117 {head} there is no key `foo` (known: `deep`, `depth`, `level`, `lockfile`)")],
    );
    case("deep: { a: '${{ run.id }}', b: 1 }", &[&format!("3:136 OW0117 {head} there is no key `b` (known: `a`)")]);
    let mut strict = crate::support::manifest("orch/strict");
    let task = strict.tasks.values_mut().next().unwrap();
    task.input = json!({ "type": "object", "required": ["url"], "properties": { "url": {}, "n": {} } });
    let mut world = world();
    world.add("orch/strict@^1", strict);
    let head = "`orch/strict` does not take this:";
    world.check("tasks: { a: { uses: orch/strict@^1 } }", &[&format!("3:21 OW0117 {head} the key `url` is missing")]);
    world.check(
        "tasks: { a: { uses: orch/strict@^1, with: { n: '${{ run.id }}' } } }",
        &[&format!("3:43 OW0117 {head} the key `url` is missing")],
    );
    world.check("tasks: { a: { uses: orch/strict@^1, with: { url: '${{ run.id }}' } } }", &[]);
}

#[test]
fn outputs_against_the_schema() {
    let case = |expression: &str, expected: &[&str]| {
        let scan = scan("");
        let scan = scan.strip_suffix(" }").unwrap();
        world().check(
            &format!("{scan}, b: {{ uses: orch/any@^1, needs: s, with: {{ x: '${{{{ {expression} }}}}' }} }} }}"),
            expected,
        );
    };
    case("tasks.s.outputs.report.ratio", &[]);
    case("tasks.s.outputs.open.whatever", &[]);
    case("has(tasks.s.outputs.lost)", &[]);
    case(
        "tasks.s.outputs.reprt",
        &["3:152 OW0111 the task `s` has no output `reprt` (did you mean `report`? known: `items`, `open`, `report`)"],
    );
    case("tasks.s.outputs.report.rate", &["3:152 OW0111 the task `s` has no output `rate` (known: `ratio`)"]);
    let reshaped = scan(", outputs: { reprt: '${{ output.report.ratio }}' }");
    world().check(&format!("{reshaped}\noutputs: {{ x: '${{{{ tasks.s.outputs.reprt }}}}' }}"), &[]);
}

#[test]
fn permissions() {
    let plan = world().input("source", "../../other").plan(
        "inputs: { source: { type: directory } }\n\
         tasks: { s: { uses: orch/scan@^1, permissions: { fs: [{ mount: source, path: '${{ inputs.source }}/./x', access: read }] } } }",
    );
    let expected = "4:55 OW0301 the task `s` cannot run: the policy refused `fs source read`: `/home/other/x` is outside of what the \
         built-in policy allows: `/home/me/project` (write) (write a policy.yaml beside the workflow, which takes the place \
         of the built-in policy: { schema: orch-policy/v1, plugins: [{ plugins: orch/scan, fs: { allow: [{ path: /home/other/x, \
         access: read }] } }] })";
    assert_eq!(plan.1, [expected]);
    world().check("tasks: { s: { uses: orch/scan@^1 } }", &[
        "3:21 OW0301 the task `s` cannot run: the workflow refused `fs source read`: the plugin asks for it and the task \
         does not grant it (add to the task: permissions: { fs: [{ mount: source, path: ./source, access: read }] })",
    ]);
    let (plan, found) = world().plan(
        "tasks: { s: { uses: orch/scan@^1, permissions: { fs: [{ mount: source, path: ., access: read }, { mount: extra, path: ., \
         access: read }], env: [HOME], artifacts: [report.json] } } }",
    );
    assert_eq!(
        found,
        [
            "3:97 OW0303 the task `s` grants `fs extra read`, which `orch/scan` never asks for (remove it: what is not granted cannot be \
         misused)",
            "3:145 OW0303 the task `s` grants `env HOME`, which `orch/scan` never asks for (remove it: what is not granted cannot be \
         misused)",
        ]
    );
    let plan = plan.unwrap();
    let grants = &plugin(&plan, 0).grants;
    assert_eq!(grants.fs.len(), 1);
    assert_eq!((grants.fs[0].path().as_str(), grants.fs[0].access), (FOLDER, Access::Read));
    assert_eq!(grants.artifacts.len(), 1);
    assert!(grants.env.is_empty());
    // The whole chain of decisions goes with the plan.
    assert_eq!(plan.summaries()[0].decisions.len(), 5);
    world().input("n", "").check(
        "inputs: { n: { type: string } }\n\
         tasks: { s: { uses: orch/any@^1, permissions: { fs: [{ mount: a, path: '${{ inputs.n }}', access: read }] } } }",
        &["4:72 OW0302 `` is no path of a folder"],
    );
    world().check(
        "inputs: { n: { type: integer, default: 1 } }\n\
         tasks: { s: { uses: orch/any@^1, permissions: { fs: [{ mount: a, path: '${{ inputs.n }}', access: read }] } } }",
        &["4:72 OW0302 the path of the mount `a` is text, and this is `1`"],
    );
}

#[test]
fn limits_and_timeouts() {
    let text = "defaults: { timeout: 5m, continue-on-error: true }\ntimeout: 1h\ntasks:\n  \
                a: { uses: orch/any@^1, limits: { memory: 64MiB } }\n  b: { uses: orch/any@^1, timeout: 90s, continue-on-error: false }\n  \
                g: { gate: { checks: [{ id: x, assert: true }] } }";
    let plan = world().planned(text);
    let timeouts: Vec<_> = plan.tasks().iter().map(|task| (task.timeout.to_string(), task.continue_on_error)).collect();
    assert_eq!(timeouts, [("5m".into(), true), ("90s".into(), false), ("5m".into(), false)]);
    assert_eq!(plugin(&plan, 0).limits.memory, Size::from_mib(64));
    assert_eq!(plugin(&plan, 1).limits.memory, Size::from_mib(256));
    assert_eq!(plan.timeout().map(|timeout| timeout.to_string()).as_deref(), Some("1h"));
    let plan = world().planned("tasks: { a: { uses: orch/any@^1 } }");
    assert_eq!(plan.tasks()[0].timeout.to_string(), "10m");
}

const WHOLE: &str = r#"inputs: { n: { type: integer, default: 3 } }
timeout: 1h
tasks:
  last:
    needs: [gate, scan]
    if: "always() && tasks.scan.outputs.ok"
    uses: orch/any@^1
    with: { list: [1, "${{ inputs.n }}", { deep: "n=${{ tasks.scan.outputs.ok }}" }], text: plain, ratio: 0.1 }
    outputs: { twice: "${{ [output.x, output.x] }}", fixed: 1 }
  scan:
    uses: orch/scan@^1
    permissions: { fs: [{ mount: source, path: ./src/../lib, access: write }] }
    continue-on-error: true
    outputs: { ok: "${{ output.report.ratio > 0.5 }}" }
  gate:
    needs: [scan]
    gate:
      baseline: last-succeeded
      waivers: w.yaml
      checks: [{ id: none, assert: "findings.all().open == 0", on-fail: warn }]
outputs: { ok: "${{ tasks.scan.outputs.ok }}", text: done }
"#;

fn whole() -> Plan {
    let mut world = world();
    let waivers =
        "schema: orch-waivers/v1\nwaivers: [{ rule: R1, path: src, owner: me, reason: known, expires: 2026-12-31 }]";
    let (waivers, found) = orch_workflow::parse_waivers(&orch_core::Source::new("w.yaml", waivers));
    assert_eq!(found, []);
    world.waivers.insert("w.yaml".into(), waivers.unwrap());
    world.planned(WHOLE)
}

#[test]
fn a_plan_survives_its_stored_form() {
    let plan = whole();
    let text = serde_json::to_string(&plan).unwrap();
    let back: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(back, plan);
    assert_eq!(back.hash(), plan.hash());
    let value = serde_json::to_value(&plan).unwrap();
    assert_eq!(serde_json::from_value::<Plan>(value.clone()).unwrap(), plan);
    assert_eq!(value["format"], 2);
    let mut newer = value.clone();
    newer["format"] = json!(3);
    assert_eq!(
        serde_json::from_value::<Plan>(newer).unwrap_err().to_string(),
        "this version reads plans of format 2, not 3"
    );
    let mut broken = value;
    broken["tasks"][2]["condition"] = json!("1 +");
    assert!(serde_json::from_value::<Plan>(broken).is_err());
}

#[test]
fn the_deepest_template_survives_its_stored_form() {
    let deep = format!("{}'${{{{ run.id }}}}'{}", "[".repeat(31), "]".repeat(31));
    let plan = world().planned(&format!("tasks: {{ a: {{ uses: orch/any@^1, with: {{ x: {deep} }} }} }}"));
    let text = serde_json::to_string(&json!({ "event": { "plan": plan } })).unwrap();
    let back: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::from_value::<Plan>(back["event"]["plan"].clone()).unwrap(), plan);
}

#[test]
fn the_hash_covers_what_will_run() {
    let plan = |digest: &str, text: &str| {
        let mut world = world();
        world.plugins.get_mut("orch/any@^1").unwrap().digest = Digest::of(digest.as_bytes());
        world.planned(text).hash()
    };
    let text = "tasks: { a: { uses: orch/any@^1, with: { x: 1 } } }";
    assert_eq!(plan("a", text), plan("a", "tasks:\n  a:\n    with: { x: 1 } # the same\n    uses: orch/any@^1"));
    assert_ne!(plan("a", text), plan("b", text));
    assert_ne!(plan("a", text), plan("a", "tasks: { a: { uses: orch/any@^1, with: { x: 2 } } }"));
    let mut waived = world();
    waived.waivers.insert("w".into(), Default::default());
    let gate = "tasks: { g: { gate: { waivers: w, checks: [{ id: a, assert: true }] } } }";
    let before = waived.planned(gate).hash();
    let file = "schema: orch-waivers/v1\nwaivers: [{ fingerprint: f, owner: o, reason: r, expires: 2026-01-01 }]";
    let (file, _) = orch_workflow::parse_waivers(&orch_core::Source::new("w", file));
    waived.waivers.insert("w".into(), file.unwrap());
    assert_ne!(before, waived.planned(gate).hash());
}

fn scope<'a>(plan: &'a Plan, tasks: &'a BTreeMap<TaskId, TaskView<'a>>, needs: &'a [TaskId]) -> Scope<'a> {
    let run = RunView { id: "r1", workflow: plan.workflow(), outcome: None };
    Scope { inputs: plan.inputs(), tasks, run, needs, each: orch_workflow::EachView::Once, findings: None }
}

#[test]
fn a_run_of_the_whole_plan() {
    let plan = whole();
    let ids: Vec<_> = plan.tasks().iter().map(|task| task.id.as_str()).collect();
    assert_eq!(ids, ["scan", "gate", "last"]);
    let [scan, gate, last] = plan.tasks() else { panic!() };
    assert!(last.ignores_failed_needs() && !scan.ignores_failed_needs() && !gate.ignores_failed_needs());
    let mut tasks = BTreeMap::new();
    assert_eq!(scan.condition_holds(&scope(&plan, &tasks, &scan.needs)), Ok(true));
    assert_eq!(scan.input(&scope(&plan, &tasks, &scan.needs)).unwrap(), json!({}));
    let returned = json!({ "report": { "ratio": 0.9 } });
    let outputs = scan.outputs(&returned, &scope(&plan, &tasks, &scan.needs)).unwrap();
    assert_eq!(outputs, json!({ "ok": true }));
    tasks.insert(scan.id.clone(), TaskView { outcome: TaskOutcome::Failed, tolerated: true, outputs: &outputs });
    assert_eq!(gate.condition_holds(&scope(&plan, &tasks, &gate.needs)), Ok(true));
    let null = Value::Null;
    tasks.insert(gate.id.clone(), TaskView { outcome: TaskOutcome::Blocked, tolerated: false, outputs: &null });
    let here = scope(&plan, &tasks, &last.needs);
    assert!(!here.needs_succeeded() && here.a_need_failed());
    assert_eq!(last.condition_holds(&here), Ok(true));
    let expected = json!({ "list": [1, 3, { "deep": "n=true" }], "text": "plain", "ratio": 0.1 });
    assert_eq!(last.input(&here).unwrap(), expected);
    assert_eq!(last.outputs(&json!({ "x": [1] }), &here).unwrap(), json!({ "twice": [[1], [1]], "fixed": 1 }));
    assert_eq!(plan.render_outputs(&here).unwrap(), json!({ "ok": true, "text": "done" }));
    let error = last.outputs(&json!({}), &here).unwrap_err();
    assert_eq!(error.message, "`[output.x, output.x]`: there is no `x`");
}

#[test]
fn status_functions() {
    let text = "tasks:\n  a: { uses: orch/any@^1 }\n  b: { uses: orch/any@^1 }\n  s: { uses: orch/any@^1, needs: [a, b], if: success() }\n  \
                f: { uses: orch/any@^1, needs: [a, b], if: failure() }\n  w: { uses: orch/any@^1, needs: [a, b], if: always() }\n  \
                d: { uses: orch/any@^1, needs: [a, b] }";
    let plan = world().planned(text);
    let null = Value::Null;
    // Outcomes of `a` and `b`, whether `a` is tolerated; whether success(), failure(), always() and no condition hold.
    use TaskOutcome::{Blocked, Cancelled, Errored, Failed, Skipped, Succeeded, TimedOut, Unreachable};
    let cases = [
        ((Succeeded, Succeeded, false), [true, false, true, true]),
        ((Skipped, Succeeded, false), [true, false, true, true]),
        ((Failed, Succeeded, false), [false, true, true, false]),
        ((Failed, Succeeded, true), [true, false, true, true]),
        ((Unreachable, Succeeded, false), [false, true, true, false]),
        ((Blocked, Succeeded, false), [false, true, true, false]),
        ((Errored, Succeeded, false), [false, true, true, false]),
        ((TimedOut, Succeeded, false), [false, true, true, false]),
        ((Cancelled, Succeeded, false), [false, false, true, false]),
        ((Cancelled, Failed, false), [false, true, true, false]),
    ];
    for ((a, b, tolerated), expected) in cases {
        let view = |outcome, tolerated| TaskView { outcome, tolerated, outputs: &null };
        let id = |name: &str| TaskId::try_from(name).unwrap();
        let tasks = BTreeMap::from([(id("a"), view(a, tolerated)), (id("b"), view(b, false))]);
        let holds =
            plan.tasks()[2..].iter().map(|task| task.condition_holds(&scope(&plan, &tasks, &task.needs)).unwrap());
        assert_eq!(holds.collect::<Vec<_>>(), expected, "{a} {b} {tolerated}");
    }
}

#[test]
fn a_waivers_file_that_was_not_read() {
    world().check(
        "tasks: { g: { gate: { waivers: w.yaml, checks: [{ id: a, assert: true }] } } }",
        &["3:32 OW0113 the waivers file `w.yaml` was not read"],
    );
}

#[test]
fn a_schema_that_is_none() {
    for schema in [json!({ "type": 3 }), json!({ "$ref": "https://example.org/x.json" }), json!({ "pattern": "(" })] {
        let mut broken = crate::support::manifest("orch/broken");
        broken.tasks.values_mut().next().unwrap().input = schema.clone();
        let mut world = world();
        world.add("orch/broken@^1", broken);
        let (plan, found) = world.plan("tasks: { a: { uses: orch/broken@^1 } }");
        assert!(plan.is_none(), "{schema}");
        assert!(found[0].contains("OW0204"), "{schema}");
    }
}

/// Schemas come from plugins, which may mean harm: what could take long is no valid schema here.
#[test]
fn hostile_schemas_are_refused() {
    let bomb = |levels: usize| {
        let level = |next: usize| json!({ "anyOf": [{ "$ref": format!("#/$defs/d{next}") }, { "$ref": format!("#/$defs/d{next}") }] });
        let mut all: serde_json::Map<_, _> =
            (0..levels).map(|number| (format!("d{number}"), level(number + 1))).collect();
        all.insert(format!("d{levels}"), json!(false));
        json!({ "$ref": "#/$defs/d0", "$defs": all })
    };
    let refused = [
        (json!({ "$ref": "#" }), "it refers to itself (`#`)"),
        (
            json!({ "properties": { "x": { "anyOf": [{ "$ref": "#" }, { "$ref": "#" }] } } }),
            "it refers to itself (`#`)",
        ),
        (
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "items": { "$ref": "#/$defs/a" } } } }),
            "it refers to itself (`#/$defs/a`)",
        ),
        (bomb(40), "with every reference written out it has more than 20000 parts"),
        (json!({ "$ref": "#/$defs/lost" }), "`#/$defs/lost` refers to nothing"),
        (json!({ "$ref": "file:///etc/passwd" }), "`file:///etc/passwd` is no reference into the schema itself"),
        (json!({ "$dynamicRef": "#x" }), "`$dynamicRef` is not supported"),
        (json!({ "items": { "$id": "https://example.org" } }), "`$id` is not supported below the top"),
        (json!(3), "3 is not of types \"boolean\", \"object\""),
    ];
    let plan = |schema: &Value| {
        let mut hostile = crate::support::manifest("orch/hostile");
        hostile.tasks.values_mut().next().unwrap().input = schema.clone();
        let mut world = world();
        world.add("orch/hostile@^1", hostile);
        let text = "a".repeat(5_000) + "!";
        world.plan(&format!("tasks: {{ a: {{ uses: orch/hostile@^1, with: {{ x: \"{text}\" }} }} }}")).1
    };
    for (schema, reason) in refused {
        let expected = format!("3:21 OW0204 the input schema of `orch/hostile` is not valid: {reason}");
        assert_eq!(plan(&schema), [expected], "{schema}");
    }
    // A regular expression takes linear time, and a huge one is refused.
    assert_eq!(plan(&json!({ "properties": { "x": { "pattern": "^(a+)+$" } } })).len(), 1);
    assert!(
        plan(&json!({ "properties": { "x": { "pattern": "(((a{1,1000}){1,1000}){1,1000})" } } }))[0].contains("OW0204")
    );
    // Names of properties are names, and data is data.
    for fine in [
        bomb(5).get("$defs").map(|all| json!({ "$defs": all })).unwrap(),
        json!({ "properties": { "$ref": { "type": "string" }, "$id": true }, "default": { "$ref": "#/lost" } }),
        json!({ "$id": "https://example.org/x", "$ref": "#/$defs/a", "$defs": { "a": true } }),
        json!(true),
    ] {
        assert_eq!(plan(&fine), Vec::<String>::new(), "{fine}");
    }
}

#[test]
fn many_warnings_hide_no_error() {
    let mounts: Vec<_> = (0..150).map(|number| format!("{{ mount: m{number}, path: ., access: read }}")).collect();
    let useless = format!("tasks: {{ a: {{ uses: orch/any@^1, permissions: {{ fs: [{}] }} }}", mounts.join(", "));
    let (plan, found) = world().plan(&format!("{useless} }}"));
    assert_eq!((plan.is_some(), found.len()), (true, 101));
    assert_eq!(found[100], "OW0115 there are 50 more problems; repair these first");
    let (plan, found) =
        world().plan(&format!("{useless}, b: {{ uses: orch/lost@^1 }}, c: {{ uses: orch/scan@^1 }} }}"));
    assert_eq!((plan.is_some(), found.len()), (false, 101));
}
