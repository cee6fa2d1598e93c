//! Tasks that run once for each of several: a matrix, a list, and what expressions see of them.

use crate::support::{World, check};
use orch_workflow::{Each, Strategy};
use serde_json::{Value, json};

#[track_caller]
fn planned(world: &World, text: &str) -> Strategy {
    world.planned(text).tasks()[0].strategy.clone().unwrap()
}

fn matrix(matrix: &str) -> String {
    format!("tasks: {{ a: {{ uses: orch/any@^1, strategy: {{ matrix: {matrix} }} }} }}")
}

#[track_caller]
fn combinations(text: &str, expected: Value) {
    match planned(&World::new(), text).each {
        Each::Matrix(all) => assert_eq!(Value::Array(all), expected),
        Each::Items(_) => panic!(),
    }
}

#[test]
fn what_a_matrix_comes_to() {
    combinations(&matrix("{ x: [1, 2] }"), json!([{ "x": 1 }, { "x": 2 }]));
    combinations(
        &matrix("{ x: [1, a], y: [{ z: 1 }, null] }"),
        json!([
            { "x": 1, "y": { "z": 1 } }, { "x": 1, "y": null }, { "x": "a", "y": { "z": 1 } }, { "x": "a", "y": null },
        ]),
    );
    combinations(&matrix("{ include: [{ x: 1 }, { y: 2 }] }"), json!([{ "x": 1 }, { "y": 2 }]));
    combinations(
        &matrix("{ os: [l, m], v: [1, 2], exclude: [{ os: m }], include: [{ v: 2, fast: true }, { os: w, v: 3 }] }"),
        json!([{ "os": "l", "v": 1 }, { "os": "l", "v": 2, "fast": true }, { "os": "w", "v": 3 }]),
    );
    let listed = format!(
        "inputs: {{ l: {{ type: string, default: 'a,b' }} }}\n{}",
        matrix("{ x: \"${{ inputs.l.split(',') }}\" }")
    );
    combinations(&listed, json!([{ "x": "a" }, { "x": "b" }]));
    let bounded = planned(
        &World::new(),
        "tasks: { a: { uses: orch/any@^1, strategy: { matrix: { x: [1] }, max-parallel: 2, fail-fast: false } } }",
    );
    assert_eq!((bounded.max_parallel, bounded.fail_fast), (Some(2), false));
    let plain = planned(&World::new(), &matrix("{ x: [1] }"));
    assert_eq!((plain.max_parallel, plain.fail_fast), (None, true));
}

#[test]
fn forms_of_a_matrix() {
    let case = |text: &str, expected: &[&str]| check(&matrix(text), expected);
    case("{}", &["3:54 OW0105 a matrix needs an axis, or an entry in `include`"]);
    case("[a]", &["3:54 OW0104 `matrix` is a mapping, not a list"]);
    case("{ x: [] }", &["3:59 OW0104 the axis `x` has no values"]);
    case("{ x: a }", &["3:59 OW0104 the axis `x` is a list, or one `${{ }}` that yields one"]);
    case("{ x: 3 }", &["3:59 OW0104 the axis `x` is a list, or one `${{ }}` that yields one, not an integer"]);
    case("{ x: 'a${{ inputs.a }}' }", &["3:59 OW0104 the axis `x` is a list, or one `${{ }}` that yields one"]);
    case("{ x: ['${{ run.id }}'] }", &["3:60 OW0110 a value of an axis holds no expressions"]);
    case("{ x: '${{ 1 + 1 }}' }", &["3:64 OW0104 an axis takes a list, and this yields a number"]);
    case("{ x: '${{ tasks.b.outputs.x }}' }", &["3:64 OW0111 `tasks` is not known in `matrix` (known: `inputs`)"]);
    case(
        "{ 'a b': [1] }",
        &[
            "3:56 OW0109 `a b` is not a valid matrix axis: ` ` at byte 1 is not allowed (a letter, then letters, digits, `_` and `-`)",
        ],
    );
    case("{ x: [1], include: {} }", &["3:73 OW0104 `include` is a list, not a mapping"]);
    case("{ x: [1], include: [{}] }", &["3:74 OW0104 an entry of `include` is empty"]);
    case(
        "{ lang: [1], exclude: [{ lnag: 1 }] }",
        &["3:79 OW0111 the matrix has no axis `lnag` (did you mean `lang`? known: `lang`)"],
    );
    case("{ x: [1], include: [{ y: '${{ run.id }}' }] }", &["3:79 OW0110 `include` holds no expressions"]);
    check("tasks: { a: { uses: o/a@1, strategy: {} } }", &["3:38 OW0105 `strategy` needs the key `matrix`"]);
    check(
        "tasks: { a: { uses: o/a@1, strategy: { matrix: { x: [1] }, max-parallel: 0, fail-fast: 1 } } }",
        &[
            "3:74 OW0104 `max-parallel` is a whole number from 1 to 10000, not `0`",
            "3:88 OW0104 `fail-fast` is a boolean, not an integer (known: `true`, `false`)",
        ],
    );
    check(
        "tasks: { a: { uses: o/a@1, strategy: { matrix: { x: [1] } }, max-parallel: 1, for-each: [1] } }",
        &["3:79 OW0112 a task has `strategy` or `for-each`, not both"],
    );
    check(
        "tasks: { a: { uses: o/a@1, strategy: { matrix: { x: [1] } }, max-parallel: 1 } }",
        &["3:62 OW0112 with a matrix `max-parallel` stands inside `strategy`"],
    );
    check(
        "tasks: { a: { uses: o/a@1, fail-fast: true } }",
        &["3:28 OW0112 `fail-fast` is for tasks with `for-each`, and this one runs once"],
    );
}

#[test]
fn what_only_the_plan_knows_of_a_matrix() {
    let text = |axis: &str| {
        format!(
            "inputs: {{ l: {{ type: string, default: '' }} }}\n{}",
            matrix(&format!("{{ x: \"${{{{ {axis} }}}}\" }}"))
        )
    };
    World::new().check(&text("inputs.l"), &["4:59 OW0104 the axis `x` is a list, and this is `\"\"`"]);
    World::new().check(&text("[inputs.l].filter(x, x != '')"), &["4:54 OW0104 the axis `x` has no values"]);
    World::new().check(&text("[inputs.l][1]"), &["4:59 OW0110 `[inputs.l][1]`: the list has no item 1: it has 1"]);
    World::new().check(
        &matrix("{ x: [1, 2], exclude: [{ x: 1 }, { x: 3 }] }"),
        &["3:87 OW0112 this `exclude` of the task `a` takes nothing away"],
    );
    World::new()
        .check(&matrix("{ x: [1], exclude: [{ x: 1 }] }"), &["3:54 OW0112 `exclude` leaves nothing of the matrix"]);
}

#[test]
fn lists() {
    let case = |list: &str, expected: &[&str]| {
        check(&format!("tasks: {{ a: {{ uses: o/a@1, for-each: {list} }} }}"), expected)
    };
    case("[]", &[]);
    case("[1, '${{ run.id }}', { a: [b] }]", &[]);
    case("'${{ [1, 2] }}'", &[]);
    case("x", &["3:38 OW0104 `for-each` is a list, or one `${{ }}` that yields one"]);
    case("'a ${{ inputs.a }}'", &["3:38 OW0104 `for-each` is a list, or one `${{ }}` that yields one"]);
    case("{ a: 1 }", &["3:38 OW0104 `for-each` is a list, or one `${{ }}` that yields one, not a mapping"]);
    case("'${{ \"a\" }}'", &["3:43 OW0104 `for-each` takes a list, and this yields text"]);
    case("'${{ [item] }}'", &["3:44 OW0111 `item` is not known in `for-each` (known: `inputs`, `tasks`, `run`)"]);
    case("'${{ tasks.b.outputs.x }}'", &["3:43 OW0111 there is no task `b` (known: `a`)"]);
    case("'${{ 1 + }}'", &["3:46 OW0110 the expression is not valid: mismatched input the end"]);
    let text = "tasks: { a: { uses: orch/any@^1, for-each: [1, 2], max-parallel: 3, fail-fast: false } }";
    let plan = planned(&World::new(), text);
    assert_eq!((plan.max_parallel, plan.fail_fast), (Some(3), false));
    let Each::Items(list) = plan.each else { panic!() };
    assert_eq!(list.as_literal(), Some(&json!([1, 2])));
}

#[test]
fn what_expressions_see_of_an_item() {
    let matrix = |keys: &str| {
        format!(
            "tasks: {{ a: {{ uses: o/a@1, strategy: {{ matrix: {{ os: [1], my-axis: [2], include: [{{ extra: 1 }}] }} }}, {keys} }} }}"
        )
    };
    let seen = "x: '${{ matrix.os }}', y: \"${{ matrix['my-axis'] }}\", z: '${{ matrix }}', e: '${{ has(matrix.lost) || matrix.extra == 1 }}'";
    check(
        &matrix(&format!("with: {{ {seen} }}, outputs: {{ {seen} }}, undo: {{ uses: o/a@1, with: {{ {seen} }} }}")),
        &[],
    );
    check(
        &matrix("with: { x: '${{ matrix.osx }}' }"),
        &["3:118 OW0111 the matrix has no axis `osx` (did you mean `os`? known: `os`, `my-axis`, `extra`)"],
    );
    check(
        &matrix("with: { x: '${{ matrix.my-axis }}' }"),
        &[
            "3:118 OW0111 the matrix has no axis `my` (a name with `-` is written `matrix['my-axis']`)",
            "3:128 OW0111 `axis` is not known here (known: `inputs`, `tasks`, `run`, `matrix`)",
        ],
    );
    check(
        &matrix("with: { x: '${{ item }}' }"),
        &["3:118 OW0111 `item` is known in a task with `for-each` only (known: `inputs`, `tasks`, `run`, `matrix`)"],
    );
    check(
        &matrix("if: matrix.os == 1"),
        &["3:106 OW0111 `matrix` is not known in `if` (known: `inputs`, `tasks`, `run`)"],
    );
    check(
        &matrix("permissions: { fs: [{ mount: a, path: '${{ matrix.os }}', access: read }] }"),
        &["3:145 OW0111 `matrix` is not known in `permissions` (known: `inputs`)"],
    );
    let each = |keys: &str| format!("tasks: {{ a: {{ uses: o/a@1, for-each: [1], {keys} }} }}");
    let seen = "x: '${{ item.a.b }}', y: '${{ index + 1 }}', z: '${{ [1].map(item, item) }}'";
    check(
        &each(&format!("with: {{ {seen} }}, outputs: {{ {seen} }}, undo: {{ uses: o/a@1, with: {{ {seen} }} }}")),
        &[],
    );
    check(&each("if: item == 1"), &["3:47 OW0111 `item` is not known in `if` (known: `inputs`, `tasks`, `run`)"]);
    check(
        &each("with: { x: '${{ matrix.a }}' }"),
        &[
            "3:59 OW0111 `matrix` is known in a task with `strategy` only (known: `inputs`, `tasks`, `run`, `item`, `index`)",
        ],
    );
    check(
        "tasks: { a: { uses: o/a@1, with: { x: '${{ index }}' } } }",
        &["3:44 OW0111 `index` is known in a task with `for-each` only (known: `inputs`, `tasks`, `run`)"],
    );
}

#[test]
fn outputs_of_items_are_a_list() {
    let case = |more: &str, expression: &str, expected: &[&str]| {
        let scan = "uses: orch/scan@^1, permissions: { fs: [{ mount: source, path: ., access: read }] }";
        World::new().check(
            &format!(
                "tasks:\n  s: {{ {scan}, for-each: [1]{more} }}\n  b:\n    uses: orch/any@^1\n    needs: s\n    \
                 with: {{ x: \"${{{{ {expression} }}}}\" }}"
            ),
            expected,
        );
    };
    for right in [
        "tasks.s.outputs",
        "size(tasks.s.outputs)",
        "tasks.s.outputs[0].report.ratio",
        "tasks.s.outputs[inputs.n].items[0].anything",
        "tasks['s'].outputs.map(each, each.report)",
        "tasks.s.outputs.exists(o, o.whatever)",
        "tasks.s.outputs[0]['report']",
        "has(tasks.s.outputs[0].lost)",
    ] {
        let expected: &[&str] =
            if right.contains("inputs.n") { &["8:36 OW0111 there is no input `n` (known: none)"] } else { &[] };
        if expected.is_empty() {
            case("", right, expected);
        }
    }
    case(
        "",
        "tasks.s.outputs[0].reprt",
        &["8:21 OW0111 the task `s` has no output `reprt` (did you mean `report`? known: `items`, `open`, `report`)"],
    );
    case("", "tasks.s.outputs[1].report.rate", &["8:21 OW0111 the task `s` has no output `rate` (known: `ratio`)"]);
    let text = |expression: &str| {
        format!(
            "tasks: {{ s: {{ uses: o/a@1, for-each: [1], outputs: {{ a-b: 1 }} }}, b: {{ uses: o/a@1, needs: s, if: {expression} }} }}"
        )
    };
    let message = "the task `s` runs once for each of several, so its outputs are a list";
    check(
        &text("tasks.s.outputs.ok"),
        &[&format!("3:98 OW0111 {message} (write `tasks.s.outputs[0].ok` or `tasks.s.outputs.map(each, each.ok)`)")],
    );
    check(&text("\"has(tasks['s'].outputs['a-b'])\""), &["3:99 OW0110 `has` takes a field, as in `has(inputs.name)`"]);
    check(
        &text("\"tasks['s'].outputs['a-b'] == 1\""),
        &[&format!(
            "3:99 OW0111 {message} (write `tasks.s.outputs[0]['a-b']` or `tasks.s.outputs.map(each, each['a-b'])`)"
        )],
    );
    check(
        &text("has(tasks.s.outputs.ok)"),
        &[&format!("3:102 OW0111 {message} (write `tasks.s.outputs[0].ok` or `tasks.s.outputs.map(each, each.ok)`)")],
    );
    check(&text("\"tasks.s.outputs[0]['a-b'] == 1\""), &[]);
    check(&text("\"tasks.s.outputs[0].b == 1\""), &["3:99 OW0111 the task `s` has no output `b` (known: `a-b`)"]);
    check(
        &text("\"tasks[0].outputs\""),
        &[
            "3:99 OW0110 `tasks` is followed by the name of a task (write `tasks.name.outputs` or `tasks['name'].outputs`)",
        ],
    );
    check(&text("\"tasks.s[0] == 1\""), &["3:99 OW0111 a task is no list (known: `outputs`, `outcome`)"]);
}
