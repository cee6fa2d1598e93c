//! Expressions: what is found before a run, and what they yield in one.

use crate::support::{World, check};
use orch_core::{TaskId, TaskOutcome};
use orch_workflow::{RunView, Scope, TaskView};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Checks one expression in the place `with` of a task that needs `near`, which needs `far`.
#[track_caller]
fn found(expression: &str, expected: &[&str]) {
    let quoted = expression.replace('\'', "''");
    check(
        &format!(
            "inputs: {{ text: {{ type: string, default: a }}, max-size: {{ type: integer, default: 3 }} }}\n\
             tasks:\n  far: {{ uses: o/a@1 }}\n  near: {{ uses: o/a@1, needs: [far] }}\n  \
             other-one: {{ uses: o/a@1, outputs: {{ size: 1 }} }}\n  gate: {{ gate: {{ checks: [{{ id: a, assert: true }}] }} }}\n  \
             it:\n    needs: [near, gate]\n    uses: o/a@1\n    with:\n      x: '${{{{ {quoted} }}}}'"
        ),
        expected,
    );
}

#[test]
fn references() {
    for right in [
        "inputs.text",
        "inputs['max-size'] + 1",
        "tasks.near.outputs.anything.at[0].all",
        "tasks.far.outcome == 'succeeded'",
        "run.id + run.workflow",
        "has(tasks.near.outputs.a)",
        "has(inputs.lost)",
        "tasks.near.outputs.list.map(x, x.name)",
        "inputs",
        "run",
        "tasks.near",
    ] {
        found(right, &[]);
    }
    found(
        "nputs.text",
        &["13:15 OW0111 `nputs` is not known here (did you mean `inputs`? known: `inputs`, `tasks`, `run`)"],
    );
    found("secrets.token", &["13:15 OW0111 `secrets` is not known here (known: `inputs`, `tasks`, `run`)"]);
    found("1 + inputs.txt", &["13:19 OW0111 there is no input `txt` (did you mean `text`? known: `text`, `max-size`)"]);
    found(
        "inputs.max-size",
        &[
            "13:15 OW0111 there is no input `max` (a name with `-` is written `inputs['max-size']`)",
            "13:26 OW0111 `size` is not known here (known: `inputs`, `tasks`, `run`)",
        ],
    );
    found(
        "tasks['other-one'].outputs",
        &["13:15 OW0111 the task `other-one` is not in `needs` (add `other-one` to `needs`)"],
    );
    found("tasks.it.outputs", &["13:15 OW0111 the task `it` is not in `needs` (add `it` to `needs`)"]);
    found(
        "tasks.neer.outputs",
        &[
            "13:15 OW0111 there is no task `neer` (did you mean `near`? known: `far`, `near`, `other-one`, `gate`, `it`)",
        ],
    );
    found(
        "tasks.near.output",
        &["13:15 OW0111 a task has no `output` (did you mean `outputs`? known: `outputs`, `outcome`)"],
    );
    found(
        "tasks",
        &[
            "13:15 OW0110 `tasks` is followed by the name of a task (write `tasks.name.outputs` or `tasks['name'].outputs`)",
        ],
    );
    found(
        "tasks[inputs.text].outputs",
        &[
            "13:15 OW0110 `tasks` is followed by the name of a task (write `tasks.name.outputs` or `tasks['name'].outputs`)",
        ],
    );
    found(
        "tasks.gate.outputs.open",
        &["13:15 OW0111 the gate `gate` has no outputs (a gate decides; ask for `tasks['gate'].outcome`)"],
    );
    found("run.url", &["13:15 OW0111 `run` has no `url` (known: `id`, `workflow`)"]);
    found("findings.all().open", &["13:24 OW0111 `findings` is known in a gate's `assert` only"]);
    found("output.x", &["13:15 OW0111 `output` is not known in `with` (known: `inputs`, `tasks`, `run`)"]);
    found("success()", &["13:15 OW0110 `success()` is known in `if` only"]);
}

#[test]
fn syntax_and_functions() {
    found("1 +", &["13:18 OW0110 the expression is not valid: mismatched input the end"]);
    found("'Grüße' + 'ß' + lost", &["13:35 OW0111 `lost` is not known here (known: `inputs`, `tasks`, `run`)"]);
    found(
        "inputs.text.matches('a+')",
        &[
            "13:27 OW0110 there is no function `matches` (regular expressions are not supported; use `contains`, `startsWith` or \
         `endsWith`)",
        ],
    );
    found(
        "inputs.text.startWith('a')",
        &[
            "13:27 OW0110 there is no function `startWith` (did you mean `startsWith`? known: `size`, `contains`, `startsWith`, \
         `endsWith`, `lowerAscii`, `upperAscii`, `trim`, `split`, `join`, `string`, `int`, `double`, `has`, `map`, `filter`, \
         `all`, `exists`, `exists_one`)",
        ],
    );
    found("contains('a')", &["13:15 OW0110 `contains` is not called like this (write `value.contains(…)`)"]);
    found(
        "duration('1s')",
        &[
            "13:15 OW0110 there is no function `duration` (known: `size`, `contains`, `startsWith`, `endsWith`, `lowerAscii`, \
         `upperAscii`, `trim`, `split`, `join`, `string`, `int`, `double`, `has`, `map`, `filter`, `all`, `exists`, `exists_one`)",
        ],
    );
    found(
        "[1].map(x, [2].map(y, x))",
        &["13:30 OW0110 loops (`map`, `filter`, `all`, `exists`, `exists_one`) cannot be nested"],
    );
    found("[1].map(x, x).filter(y, y > 0)", &[]);
    found("1u", &["13:15 OW0110 unsigned numbers (`1u`) are not supported: every integer has 64 bits and a sign"]);
    found("b'a'", &["13:15 OW0110 bytes (`b'…'`) are not supported"]);
    found("Type{a: 1}", &["13:19 OW0110 message types are not supported"]);
    found("1e999", &["13:15 OW0110 the expression is not valid: invalid double literal"]);
    found("", &["13:16 OW0110 the expression is empty"]);
    let deep = format!("{}1{}", "(".repeat(40), ")".repeat(40));
    found(&deep, &["13:47 OW0102 brackets are nested more than 32 deep"]);
    found(
        &vec!["1"; 300].join("+"),
        &["13:528 OW0102 the expression has more than 256 operators, dots, commas and brackets"],
    );
    found(
        &format!("'{}'", "a".repeat(5_000)),
        &["13:15 OW0102 the expression has 5002 bytes, at most 4096 are allowed"],
    );
}

#[test]
fn conditions() {
    let case = |condition: &str, expected: &[&str]| {
        check(
            &format!("tasks:\n  a: {{ uses: o/a@1 }}\n  b:\n    needs: a\n    uses: o/a@1\n    if: {condition}"),
            expected,
        );
    };
    for right in [
        "always()",
        "${{ failure() }}",
        "true",
        "\"${{ tasks.a.outcome == 'failed' }}\"",
        "tasks.a.outputs.ok",
        "'!failure()'",
    ] {
        case(right, &[]);
    }
    case("1 + 1", &["8:9 OW0104 a condition is a boolean, and this yields a number"]);
    case("\"'yes'\"", &["8:10 OW0104 a condition is a boolean, and this yields text"]);
    case("tasks.a.outcome", &["8:9 OW0104 a condition is a boolean, and this yields text"]);
    case(
        "'x ${{ true }}'",
        &[
            "8:12 OW0110 the expression is not valid: token recognition error at: `$`",
            "8:14 OW0110 the expression is not valid: mismatched input `{`",
        ],
    );
    case("'${{ true }} x'", &["8:9 OW0110 a condition is one expression, with nothing before or after its `${{ }}`"]);
    case("[a]", &["8:9 OW0104 `if` is an expression, not a list"]);
    case("always(1)", &["8:9 OW0110 `always()` takes no arguments"]);
    case("findings.all().open == 0", &["8:18 OW0111 `findings` is known in a gate's `assert` only"]);
}

#[test]
fn where_an_expression_stands() {
    check(
        "tasks: { a: { uses: o/a@1, with: { '${{ run.id }}': 1 } } }",
        &["3:36 OW0110 expressions stand in values, not in keys"],
    );
    check(
        "tasks: { a: { uses: o/a@1, with: { x: 'a ${{ run.id' } } }",
        &["3:42 OW0110 `${{` has no closing `}}` (close it, or write `$${{` for the characters themselves)"],
    );
    check(
        "tasks: { a: { uses: o/a@1, permissions: { fs: [{ mount: a, path: '${{ run.id }}', access: read }] } } }",
        &["3:71 OW0111 `run` is not known in `permissions` (known: `inputs`)"],
    );
    check(
        "tasks: { a: { uses: o/a@1, outputs: { x: '${{ output.y }}', 'a b': 1 } } }\noutputs: { x: '${{ tasks.a.outputs.y }}' }",
        &[
            "3:61 OW0109 `a b` is not a valid input name: ` ` at byte 1 is not allowed (a letter, then letters, digits, `_` and `-`)",
            "4:20 OW0111 the task `a` has no output `y` (known: `x`)",
        ],
    );
    check(
        "tasks:\n  a:\n    uses: o/a@1\n    with:\n      text: |\n        first ${{ run.id }}\n        then ${{ run.lost }} ü\n",
        &["9:18 OW0111 `run` has no `lost` (known: `id`, `workflow`)"],
    );
    check(
        "tasks: { a: { uses: o/a@1, with: { x: \"\\u00fc ${{ run.lost }}\" } } }",
        &["3:51 OW0111 `run` has no `lost` (known: `id`, `workflow`)"],
    );
    let deep = format!("{}'${{{{ run.id }}}}'{}", "[".repeat(40), "]".repeat(40));
    check(
        &format!("tasks: {{ a: {{ uses: o/a@1, with: {{ x: {deep} }} }} }}"),
        &["3:70 OW0102 an expression stands more than 32 lists and mappings deep"],
    );
}

#[test]
fn gates_and_their_findings() {
    let case = |assert: &str, expected: &[&str]| {
        check(
            &format!(
                "tasks:\n  far: {{ uses: o/a@1 }}\n  scan: {{ uses: o/a@1, needs: far }}\n  g:\n    needs: scan\n    gate:\n      \
                 checks:\n        - id: a\n          assert: {assert}"
            ),
            expected,
        );
    };
    for right in [
        "findings.of('scan').open == 0",
        "findings.all().new_at_least('high') == 0 && findings.all().critical < 3",
        "findings.of('scan').at_least(tasks.scan.outputs.level) == 0",
    ] {
        case(right, &[]);
    }
    case(
        "findings.of('far').open == 0",
        &["11:31 OW0111 the task `far` is not in the gate's own `needs` (add `far` to `needs`)"],
    );
    case("findings.of('lost').open == 0", &["11:31 OW0111 there is no task `lost` (known: `far`, `scan`, `g`)"]);
    case(
        "findings.of('scan').opn == 0",
        &[
            "11:38 OW0111 findings have no counter `opn` (did you mean `open`? known: `open`, `passed`, `errors`, `not_applicable`, \
         `total`, `new`, `waived`, `info`, `low`, `medium`, `high`, `critical`)",
        ],
    );
    case(
        "findings.all().at_least('worst') == 0",
        &["11:43 OW0110 `worst` is not a severity (known: `info`, `low`, `medium`, `high`, `critical`)"],
    );
    case(
        "findings.open == 0",
        &["11:19 OW0110 `findings` is asked for a task or for all (write `findings.of('task')` or `findings.all()`)"],
    );
    case("findings.of(run.id).open == 0", &["11:34 OW0110 `findings.of` takes the name of a task in quotes"]);
    case(
        "findings.some()",
        &["11:28 OW0110 `findings` has no `some` with 0 arguments (known: `findings.of('task')`, `findings.all()`)"],
    );
    case("findings.of('scan').open", &["11:19 OW0104 a condition is a boolean, and this yields a number"]);
    case("success()", &["11:19 OW0110 `success()` is known in `if` only"]);
}

/// The value of an expression where the task `near` gave `outputs`.
fn value(expression: &str, outputs: &Value) -> Result<Value, String> {
    let quoted = expression.replace('\'', "''");
    let plan = World::new().planned(&format!(
        "inputs: {{ text: {{ type: string, default: abc }}, n: {{ type: integer, default: 3 }} }}\n\
         tasks:\n  near: {{ uses: orch/any@^1 }}\n  it: {{ uses: orch/any@^1, needs: near, with: {{ x: '{quoted}' }} }}"
    ));
    let near = TaskId::try_from("near").unwrap();
    let tasks =
        BTreeMap::from([(near.clone(), TaskView { outcome: TaskOutcome::Succeeded, tolerated: false, outputs })]);
    let scope = Scope {
        inputs: plan.inputs(),
        tasks: &tasks,
        run: RunView { id: "r1", workflow: plan.workflow(), outcome: None },
        needs: std::slice::from_ref(&near),
        each: orch_workflow::EachView::Once,
        findings: None,
    };
    plan.tasks()[1].input(&scope).map(|input| input["x"].clone()).map_err(|error| error.message)
}

#[test]
fn values() {
    let outputs = json!({
        "list": [{ "n": 1, "name": "a" }, { "n": 2, "name": "b" }], "big": 9_007_199_254_740_993_i64, "ratio": 0.5,
        "none": null, "code": 200, "map": { "k": "v" }, "expression": "${{ run.id }}"
    });
    let cases = [
        // Alone the type stays, inside text it becomes text.
        ("${{ inputs.n }}", json!(3)),
        ("n=${{ inputs.n }}", json!("n=3")),
        ("${{ inputs.n }}${{ inputs.text }}", json!("3abc")),
        ("${{ tasks.near.outputs.map }}", json!({ "k": "v" })),
        ("m: ${{ tasks.near.outputs.map }}", json!("m: {\"k\":\"v\"}")),
        ("${{ tasks.near.outputs.none }}!", json!("null!")),
        ("$${{ inputs.n }} ${{ inputs.n }}", json!("${{ inputs.n }} 3")),
        // The result is never read again.
        ("${{ tasks.near.outputs.expression }}", json!("${{ run.id }}")),
        ("${{ '${' + '{ run.id }}' }}", json!("${{ run.id }}")),
        ("${{ {'a': {'b': 1}} }}", json!({ "a": { "b": 1 } })),
        // Integers are integers, whatever JSON's parser made of them.
        ("${{ inputs.n + 1 }}", json!(4)),
        ("${{ tasks.near.outputs.code == 200 }}", json!(true)),
        ("${{ tasks.near.outputs.code - 201 }}", json!(-1)),
        ("${{ tasks.near.outputs.big + 0 }}", json!(9_007_199_254_740_993_i64)),
        ("${{ 7 / 2 }}", json!(3)),
        ("${{ -7 % 3 }}", json!(-1)),
        ("${{ 1 == 1.0 }}", json!(true)),
        ("${{ tasks.near.outputs.ratio * 2 }}", json!(1.0)),
        ("${{ int('12') + int(3.9) }}", json!(15)),
        ("${{ double(1) / 2 }}", json!(0.5)),
        ("${{ string(1.5) + string(true) }}", json!("1.5true")),
        ("${{ 'a' in ['a', 'b'] && 'k' in tasks.near.outputs.map }}", json!(true)),
        ("${{ [1] + [2] }}", json!([1, 2])),
        ("${{ size('äöü') + size([1]) + {'a': 1}.size() }}", json!(5)),
        ("${{ inputs.n > 2 ? 'many' : 'few' }}", json!("many")),
        ("${{ 'A,b'.split(',').map(x, x.lowerAscii()).join('-').upperAscii() }}", json!("A-B")),
        ("${{ ' a '.trim().startsWith('a') && 'abc'.contains('b') && 'abc'.endsWith('c') }}", json!(true)),
        ("${{ tasks.near.outputs.list.filter(x, x.n > 1).map(x, x.name) }}", json!(["b"])),
        (
            "${{ tasks.near.outputs.list.all(x, x.n > 0) && tasks.near.outputs.list.exists_one(x, x.n == 2) }}",
            json!(true),
        ),
        ("${{ tasks.near.outputs.list.exists(x, x.lost == 2 || x.n == 2) }}", json!(true)),
        ("${{ tasks.near.outputs.list[1].name }}", json!("b")),
        ("${{ has(tasks.near.outputs.map.k) && !has(tasks.near.outputs.map.lost) }}", json!(true)),
        ("${{ tasks.near.outcome + ' ' + run.id + ' ' + run.workflow }}", json!("succeeded r1 test")),
        ("${{ run }}", json!({ "id": "r1", "workflow": "test" })),
        ("${{ {'b': 1}.map(k, k) }}", json!(["b"])),
        // CEL: an error on one side does not count when the other decides.
        ("${{ tasks.near.outputs.lost || true }}", json!(true)),
        ("${{ false && 1 / 0 == 1 }}", json!(false)),
    ];
    for (expression, expected) in cases {
        assert_eq!(value(expression, &outputs), Ok(expected), "{expression}");
    }
}

#[test]
fn errors_at_run_time() {
    let long: Vec<_> = (0..10_001).collect();
    let big = "x".repeat(600_000);
    let outputs = json!({ "long": long, "big": big, "items": vec!["y"; 10_000], "huge": 1.0e308, "u": u64::MAX });
    let cases = [
        ("tasks.near.outputs.lost", "there is no `lost`"),
        ("[1][1]", "the list has no item 1: it has 1"),
        ("[1][-1]", "the list has no item -1: it has 1"),
        ("1 / 0", "division by zero"),
        ("1 % 0", "division by zero"),
        ("1.0 / 0.0", "division by zero"),
        ("9223372036854775807 + 1", "the integer is out of range"),
        ("-(-9223372036854775807 - 1)", "the integer is out of range"),
        ("tasks.near.outputs.huge * 10.0", "the number is out of range"),
        ("1 + 'a'", "`+` does not take an integer and text"),
        ("1 < 'a'", "an integer cannot be compared with text"),
        ("!1", "a condition is a boolean, not an integer"),
        ("1 ? 2 : 3", "a condition is a boolean, not an integer"),
        ("int('x')", "`\"x\"` cannot become an integer"),
        ("int(1e300)", "`1e+300` cannot become an integer"),
        ("inputs.n.x", "an integer has no fields, so no `x`"),
        ("{'a': 1, 'a': 2}", "the key `a` stands twice"),
        ("{1: 2}", "a key is text, not an integer"),
        ("size(1)", "`size` takes text, a list or a mapping, not an integer"),
        ("tasks.near.outputs.long.map(x, x)", "the list has 10001 items, at most 10000 are allowed"),
        ("tasks.near.outputs.items.map(x, tasks.near.outputs.big + x)", "the expression builds more than 16 MiB"),
        ("tasks.near.outputs.items.map(x, tasks.near.outputs.big)", "the expression builds more than 16 MiB"),
        ("tasks.near.outputs.items.filter(x, x in tasks.near.outputs.long)", "the expression takes too many steps"),
        ("tasks.near.outputs.big + tasks.near.outputs.big", "the value has more than 1048576 bytes"),
        ("tasks.near.outputs.items + tasks.near.outputs.items", "the list has 20000 items, at most 10000 are allowed"),
    ];
    for (expression, expected) in cases {
        let error = value(&format!("${{{{ {expression} }}}}"), &outputs).unwrap_err();
        assert_eq!(error, format!("`{expression}`: {expected}"));
    }
    // What does not fit 64 signed bits is a number, as everywhere in JSON.
    assert_eq!(value("${{ tasks.near.outputs.u > 1 }}", &outputs), Ok(json!(true)));
}

/// At their limits expressions are slow for nobody and fit the stack of a small thread.
#[test]
fn at_the_limits() {
    let nest = |open: &str, close: &str, times: usize| format!("{}1{}", open.repeat(times), close.repeat(times));
    let texts = [
        nest("(", ")", 32),
        nest("[", "]", 32),
        nest("{'a': ", "}", 32),
        nest("size([", "])", 16),
        nest("{'a': [(", ")]}", 10),
        "true ? 1 : ".repeat(45) + "1",
        "true ? 1 : ".repeat(120) + "1",
        "!".repeat(255) + "true",
        "-".repeat(255) + "1",
        "1 + ".repeat(255) + "1",
        "1 == ".repeat(120) + "1",
        "true && ".repeat(127) + "true",
        "true || false && ".repeat(60) + "true",
        "inputs".to_owned() + &".a".repeat(254),
        "inputs".to_owned() + &"['a']".repeat(250),
        "1 in ".repeat(250) + "[1]",
        "'a'.trim()".to_owned() + &".trim()".repeat(120),
        format!("[{}]", "1,".repeat(250) + "1"),
        "(".repeat(4_000),
        ")".repeat(4_000),
        "(((((((((((((((((((((((((((((((( ? : ".to_owned(),
        "a[".repeat(32),
        "{".repeat(32),
        "{a:".repeat(32),
        "f(".repeat(32),
        "x.f(".repeat(32),
        "'".repeat(4_001),
        "a ".repeat(2_000),
        "1 ".repeat(2_000),
        "ü".repeat(2_000),
        "// comment".repeat(100),
        "\"\\u0041\"".repeat(300),
    ];
    for text in texts {
        // Whether it is right does not matter here: it comes back.
        let json = serde_json::to_string(&text).unwrap();
        if serde_json::from_str::<orch_workflow::Expr>(&json).is_ok() && !text.contains("inputs") {
            let _ = value(&format!("${{{{ {text} }}}}"), &json!({}));
        }
    }
}
