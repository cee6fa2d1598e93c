//! The hostile texts of the catalogue, one test for each case. What a case needs beyond these stands elsewhere:
//!
//! | case | also in |
//! |---|---|
//! | T1 values that look like expressions, YAML or shell | `expressions::values`, `plan::inputs_from_the_command_line` |
//! | T2 expressions that want to be expensive | `expressions::syntax_and_functions`, `expressions::errors_at_run_time`, `expressions::at_the_limits`, `hostile::budgets` |
//! | T3 names that reach out of the language | `expressions::references` |
//! | T4 YAML that grows | `hostile::budgets`, `hostile::what_yaml_has_and_we_refuse`, `hostile::the_other_files_have_the_same_budgets` |
//! | T5 values that are not what they seem | `parse::scalars`, `hostile::numbers_that_do_not_fit` |
//! | T6 JSON | `parse::forms_of_a_file`, `properties::a_plan_of_any_values_survives` |
//! | T7 graphs without end | `parse::needs`, `hostile::a_ring_of_many_tasks_is_shown_in_short`, `hostile::many_tasks_and_long_chains_are_fine`, `strategy::*`, `nested::t7_*` |

use crate::support::{HEAD, World, check, check_whole};
use orch_core::{Code, Source, TaskId};
use orch_workflow::{Each, EachView, RunView, Scope, TaskView, parse};
use serde_json::json;
use std::collections::BTreeMap;

const A: &str = "tasks: { a: { uses: orch/any@^1 } }";

/// The code of the first error of a text.
fn code(text: String) -> Option<Code> {
    parse(&Source::new("w", text)).1.into_iter().find(|problem| !problem.warning).map(|problem| problem.code)
}

#[test]
fn t1_values_are_never_read_again() {
    let hostile = "${{ run.id }}\n- x: !!binary $(reboot) ' \" {{7*7}}";
    let text = "inputs: { s: { type: string } }\nconcurrency: { group: 'g-${{ size(inputs.s) }}' }\n\
         tasks: { a: { uses: orch/any@^1, strategy: { matrix: { x: '${{ [inputs.s] }}' } }, with: { v: '${{ matrix.x }}' } } }";
    let plan = World::new().input("s", hostile).planned(text);
    match &plan.tasks()[0].strategy.as_ref().unwrap().each {
        Each::Matrix(all) => assert_eq!(*all, [json!({ "x": hostile })]),
        Each::Items(_) => panic!(),
    }
    // A group made of it is refused and not cleaned.
    let group = format!("inputs: {{ s: {{ type: string }} }}\nconcurrency: {{ group: '${{{{ inputs.s }}}}' }}\n{A}");
    World::new().input("s", "a\u{1b}[31m").check(
        &group,
        &["4:23 OW0109 `a\\u{1b}[31m` is no name of a concurrency group: it holds characters that cannot be seen"],
    );
}

#[test]
fn t2_a_million_brackets() {
    for open in ["(", "[", "!", "-", "f(", "a?b:", "{'a':", "has(", "a.b["] {
        let many = open.repeat(1_000_000 / open.len());
        assert_eq!(
            code(format!("{HEAD}tasks: {{ a: {{ uses: o/a@1, if: \"{many}\" }} }}")),
            Some(Code::TooLarge),
            "{open}"
        );
        let few = open.repeat(4_000 / open.len());
        assert!(code(format!("{HEAD}tasks: {{ a: {{ uses: o/a@1, if: \"{few}\" }} }}")).is_some(), "{open}");
    }
}

#[test]
fn t2_a_huge_comprehension() {
    check(
        "tasks: { a: { uses: o/a@1, if: \"[1].all(a, [1].all(b, [1].all(c, true)))\" } }",
        &[
            "3:48 OW0110 loops (`map`, `filter`, `all`, `exists`, `exists_one`) cannot be nested",
            "3:59 OW0110 loops (`map`, `filter`, `all`, `exists`, `exists_one`) cannot be nested",
        ],
    );
    let text = |expression: &str| {
        format!("inputs: {{ s: {{ type: string }} }}\nconcurrency: {{ group: \"${{{{ {expression} }}}}\" }}\n{A}")
    };
    let many = vec!["x"; 10_001].join(",");
    World::new().input("s", &many).check(
        &text("inputs.s.split(',').map(x, x).join('')"),
        &["4:23 OW0110 `inputs.s.split(',').map(x, x).join('')`: the list has 10001 items, at most 10000 are allowed"],
    );
    let many = vec!["x"; 10_000].join(",");
    World::new().input("s", &many).check(
        &text("inputs.s.split(',').filter(x, x in inputs.s.split(',')).join('')"),
        &["4:23 OW0110 `inputs.s.split(',').filter(x, x in inputs.s.split(',')).join('')`: the expression builds more than 16 MiB"],
    );
}

#[test]
fn t2_strings_that_double() {
    let text = |expression: &str| {
        format!("inputs: {{ s: {{ type: string }} }}\nconcurrency: {{ group: \"${{{{ {expression} }}}}\" }}\n{A}")
    };
    let big = World::new().input("s", &"x".repeat(1 << 20));
    let sum = vec!["inputs.s"; 100].join("+");
    let (plan, found) = big.plan(&text(&sum));
    assert!(plan.is_none());
    assert!(found[0].ends_with("the expression builds more than 16 MiB"), "{found:?}");
    let (_, found) = big.plan(&text("[1,2,3,4,5,6,7,8,9].map(x, inputs.s + inputs.s).join('')"));
    assert!(found[0].ends_with("the expression builds more than 16 MiB"), "{found:?}");
    let (_, found) = big.plan(&text("inputs.s + 'x'"));
    assert!(found[0].ends_with("the value has more than 1048576 bytes"), "{found:?}");
}

#[test]
fn t3_nothing_but_what_is_listed() {
    let case = |expression: &str, expected: &str| {
        check(
            &format!(
                "inputs: {{ i: {{ type: string, default: a }} }}\ntasks: {{ a: {{ uses: o/a@1, with: {{ x: \"${{{{ {expression} }}}}\" }} }} }}"
            ),
            &[expected],
        );
    };
    for name in
        ["__proto__", "constructor", "env", "process", "globalThis", "self", "this", "secrets", "context", "github"]
    {
        case(name, &format!("4:44 OW0111 `{name}` is not known here (known: `inputs`, `tasks`, `run`)"));
        case(
            &format!("{name}.HOME"),
            &format!("4:44 OW0111 `{name}` is not known here (known: `inputs`, `tasks`, `run`)"),
        );
    }
    for name in ["__proto__", "constructor", "prototype", "toString"] {
        case(&format!("inputs.{name}"), &format!("4:44 OW0111 there is no input `{name}` (known: `i`)"));
        case(&format!("run['{name}']"), &format!("4:44 OW0111 `run` has no `{name}` (known: `id`, `workflow`)"));
    }
    let functions = "known: `size`, `contains`, `startsWith`, `endsWith`, `lowerAscii`, `upperAscii`, `trim`, `split`, `join`, \
                     `string`, `int`, `double`, `has`, `map`, `filter`, `all`, `exists`, `exists_one`";
    for name in ["env", "getenv", "file", "readFile", "exec", "eval", "now", "random", "http_get", "constructor", "dyn"]
    {
        case(&format!("{name}('HOME')"), &format!("4:44 OW0110 there is no function `{name}` ({functions})"));
    }
    // As a key it is a key like any other.
    let plan =
        World::new().planned("tasks: { a: { uses: orch/any@^1, with: { __proto__: { x: 1 }, constructor: 2 } } }");
    let orch_workflow::PlannedKind::Plugin(plugin) = &plan.tasks()[0].kind else { panic!() };
    assert_eq!(plugin.with.as_literal(), Some(&json!({ "__proto__": { "x": 1 }, "constructor": 2 })));
    check(
        "tasks: { a: { uses: o/a@1, strategy: { matrix: { __proto__: [1] } } } }",
        &[
            "3:50 OW0109 `__proto__` is not a valid matrix axis: `_` at byte 0 is not allowed (a letter, then letters, digits, `_` and `-`)",
        ],
    );
}

#[test]
fn t4_yaml_that_grows() {
    let mut bomb = String::from("x0: &x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..10 {
        let items = vec![format!("*x{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("x{level}: &x{level} [{items}]\n"));
    }
    let anchors: String = (0..1_000_000).map(|number| format!("- &a{number} x\n")).collect();
    let cases = [
        ("alias bomb", bomb, Code::TooLarge),
        ("a million anchors", anchors, Code::TooLarge),
        ("anchors below the size of a file", "- &a x\n".repeat(140_000), Code::TooLarge),
        ("depth in flow", format!("{HEAD}tasks: {}", "[".repeat(100_000)), Code::TooLarge),
        ("depth in blocks", (0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(), Code::TooLarge),
        (
            "depth in for-each",
            format!("{HEAD}tasks: {{ a: {{ uses: o/a@1, for-each: {} }} }}", "[".repeat(100_000)),
            Code::TooLarge,
        ),
        ("merge keys", format!("{HEAD}x: &x {{ a: 1 }}\ntasks: {{ a: {{ <<: *x }} }}"), Code::Syntax),
        ("tags", format!("{HEAD}tasks: !!omap [a: b]"), Code::Syntax),
        ("binary", format!("{HEAD}description: !!binary aGk=\n{A}"), Code::Syntax),
        ("python", format!("{HEAD}description: !!python/object/apply:os.system [id]\n{A}"), Code::Syntax),
        ("documents", format!("{HEAD}{A}\n---\n{HEAD}{A}"), Code::Syntax),
    ];
    for (name, text, expected) in cases {
        let found = parse(&Source::new("w", text)).1;
        assert!(found.iter().any(|problem| problem.code == expected), "{name}: {:?}", found.first());
    }
    check(
        "priority: 1\npriority: 2\nfinally: []\ntasks: { a: { uses: o/a@1, retry: { attempts: 1, attempts: 9 } } }",
        &["4:1 OW0103 the key `priority` stands twice", "6:50 OW0103 the key `attempts` stands twice"],
    );
}

#[test]
fn t5_values_are_what_the_core_schema_says() {
    let text = "tasks: { a: { uses: orch/any@^1, strategy: { matrix: { x: [no, NO, on, off, y, 012, 0o14, 0x0C, 2026-01-02, \
                2026-01-02T03:04:05Z, 1_000, 1e3, 12:30:45, ~, null, 'null', .5, +1, -0] } } } }";
    let plan = World::new().planned(text);
    let Each::Matrix(all) = &plan.tasks()[0].strategy.as_ref().unwrap().each else { panic!() };
    let values: Vec<_> = all.iter().map(|combination| combination["x"].clone()).collect();
    let expected = json!([
        "no",
        "NO",
        "on",
        "off",
        "y",
        12,
        12,
        12,
        "2026-01-02",
        "2026-01-02T03:04:05Z",
        "1_000",
        1000.0,
        "12:30:45",
        null,
        null,
        "null",
        0.5,
        1,
        0
    ]);
    assert_eq!(serde_json::Value::Array(values), expected);
    let case = |keys: &str, expected: &str| check(&format!("{keys}\n{A}"), &[expected]);
    case("priority: 1e1", "3:11 OW0104 `priority` is a whole number from 0 to 100, not a number");
    case("priority: '5'", "3:11 OW0104 `priority` is a whole number from 0 to 100, not text");
    case("priority: yes", "3:11 OW0104 `priority` is a whole number from 0 to 100, not text");
    case("priority: 2026-01-02", "3:11 OW0104 `priority` is a whole number from 0 to 100, not text");
    let range = "is out of range (integers have 64 bits; put it in quotes if text is meant)";
    case("priority: 9223372036854775808", &format!("3:11 OW0104 the number `9223372036854775808` {range}"));
    case("defaults: { cache: no }", "3:20 OW0104 `cache` is a boolean, not text (known: `true`, `false`)");
    let case = |list: &str, expected: &str| {
        check(&format!("tasks: {{ a: {{ uses: o/a@1, for-each: [{list}] }} }}"), &[expected])
    };
    case("1e400", &format!("3:39 OW0104 the number `1e400` {range}"));
    case(".nan", "3:39 OW0104 `.nan` is not a number that JSON has (put it in quotes if text is meant)");
    case("\"a\\0b\"", "3:39 OW0101 the text holds a NUL character");
    check_whole("a: \u{0}", &["1:4 OW0101 the character `\\u{0}` is not allowed in YAML"]);
}

#[test]
fn t6_json() {
    let head = r#"{"schema":"orch-wasm/v1","name":"x","tasks":{"a":{"uses":"o/a@1","#;
    let case = |rest: &str| code(format!("{head}{rest}"));
    assert_eq!(case(r#""for-each":[1,{"a":"\u00e9\ud83c\udf89"}]}}}"#), None);
    assert_eq!(case(&format!("\"with\":{}", "{\"a\":".repeat(100_000))), Some(Code::TooLarge));
    assert_eq!(
        case(&format!("\"with\":{{\"a\":{}{}}}}}}}}}", "[".repeat(100_000), "]".repeat(100_000))),
        Some(Code::TooLarge)
    );
    let keys: Vec<_> = (0..1_000_000).map(|number| format!("\"k{number}\":1")).collect();
    assert_eq!(case(&format!("\"with\":{{{}}}}}}}}}", keys.join(","))), Some(Code::TooLarge));
    let keys: Vec<_> = (0..100_000).map(|number| format!("\"{number}\":1")).collect();
    assert_eq!(case(&format!("\"with\":{{{}}}}}}}}}", keys[..80_000].join(","))), Some(Code::TooLarge));
    assert_eq!(case(r#""with":{"a":1,"a":2}}}}"#), Some(Code::UnknownKey));
    assert_eq!(case(r#""with":{"a":1,"\u0061":2}}}}"#), Some(Code::UnknownKey), "the same key in other characters");
    assert_eq!(case(r#""with":{"a":123456789012345678901234567890}}}}"#), Some(Code::WrongType));
    assert_eq!(case(r#""with":{"a":1e999}}}}"#), Some(Code::WrongType));
    for surrogate in [r"\ud800", r"\udc00", r"\ud800\ud800", r"a\udfff"] {
        assert_eq!(case(&format!("\"with\":{{\"a\":\"{surrogate}\"}}}}}}}}")), Some(Code::Syntax), "{surrogate}");
    }
    assert_eq!(case(r#""with":{"a":"\u0000"}}}}"#), Some(Code::Syntax));
}

#[test]
fn t7_circles() {
    check("tasks: { a: { uses: o/a@1, needs: a, undo: { uses: o/a@1 } } }", &["3:35 OW0108 the task `a` needs itself"]);
    check(
        "tasks: { a: { workflow: ./a.yaml, needs: b }, b: { approval: { prompt: x }, needs: c }, c: { uses: o/a@1, for-each: [1], needs: a } }",
        &["3:42 OW0108 tasks need each other in a circle: a -> b -> c -> a (remove one of these needs)"],
    );
}

#[test]
fn t7_a_hundred_thousand_tasks() {
    let tasks: String = (0..100_000).map(|number| format!(" t{number}: {{}}\n")).collect();
    assert_eq!(code(format!("{HEAD}tasks:\n{tasks}")), Some(Code::TooLarge));
    let tasks: String = (0..20_000).map(|number| format!(" t{number}: {{}}\n")).collect();
    assert_eq!(code(format!("{HEAD}tasks:\n{tasks}")), Some(Code::TooMany));
    // Hooks count too.
    let tasks: String = (0..6_000)
        .map(|number| format!(" t{number}: {{ uses: orch/any@^1, undo: {{ uses: orch/any@^1 }} }}\n"))
        .collect();
    World::new().check(
        &format!("tasks:\n{tasks}"),
        &["1:1 OW0115 with the files that it runs the workflow has more than 10000 tasks"],
    );
}

#[test]
fn t7_a_matrix_of_a_million() {
    let thousand = |from: usize| (from..from + 1_000).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    check(
        &format!(
            "tasks: {{ a: {{ uses: o/a@1, strategy: {{ matrix: {{ x: [{}], y: [{}] }} }} }} }}",
            thousand(0),
            thousand(0)
        ),
        &["3:48 OW0115 the matrix has 1000000 combinations, at most 10000 are allowed"],
    );
    // Even when `exclude` would leave less.
    check(
        &format!(
            "tasks: {{ a: {{ uses: o/a@1, strategy: {{ matrix: {{ x: [{}], y: [{}], exclude: [{{ y: 1 }}] }} }} }} }}",
            thousand(0),
            thousand(0)
        ),
        &["3:48 OW0115 the matrix has 1000000 combinations, at most 10000 are allowed"],
    );
    let axes: Vec<_> = (0..90).map(|number| format!("a{number}: [0,1,2,3,4,5,6,7,8,9]")).collect();
    let found =
        code(format!("{HEAD}tasks: {{ a: {{ uses: o/a@1, strategy: {{ matrix: {{ {} }} }} }} }}", axes.join(", ")));
    assert_eq!(found, Some(Code::TooMany));
    // From inputs: counted when their values are known.
    World::new().input("l", &thousand(0)).check(
        "inputs: { l: { type: string } }\n\
         tasks: { a: { uses: orch/any@^1, strategy: { matrix: { x: \"${{ inputs.l.split(',') }}\", y: \"${{ inputs.l.split(',') }}\" } } } }",
        &["4:54 OW0115 the matrix has 1000000 combinations, at most 10000 are allowed"],
    );
}

/// Many small matrices, or one of large values, are a large one.
#[test]
fn t7_matrices_together() {
    let digits = "[0,1,2,3,4,5,6,7,8,9]";
    let tasks: String = (0..200)
        .map(|number| {
            format!(" t{number}: {{ uses: orch/any@^1, strategy: {{ matrix: {{ a: {digits}, b: {digits}, c: {digits}, d: {digits} }} }} }}\n")
        })
        .collect();
    let (plan, found) = World::new().plan(&format!("tasks:\n{tasks}"));
    assert!(plan.is_none());
    assert!(found[0].ends_with("OW0102 the combinations of the matrix take too much room"), "{found:?}");
    // What `exclude` takes away has been made before, so it counts.
    let tasks: String = (0..200)
        .map(|number| {
            let axes = format!(
                "a: {digits}, b: {digits}, c: {digits}, d: {digits}, exclude: [{{ a: 0 }}, {{ b: 0 }}, {{ c: 0 }}]"
            );
            format!(" t{number}: {{ uses: orch/any@^1, strategy: {{ matrix: {{ {axes} }} }} }}\n")
        })
        .collect();
    let (plan, found) = World::new().plan(&format!("tasks:\n{tasks}"));
    assert!(plan.is_none());
    assert!(found[0].ends_with("OW0102 the combinations of the matrix take too much room"), "{found:?}");
    let rules: Vec<_> = (0..101).map(|number| format!("{{ a: 0, b: {number} }}")).collect();
    World::new().check(
        &format!(
            "tasks: {{ a: {{ uses: orch/any@^1, strategy: {{ matrix: {{ a: {digits}, b: {digits}, c: {digits}, d: {digits}, exclude: [{}] }} }} }} }}",
            rules.join(", ")
        ),
        &["3:54 OW0102 10000 combinations are too many for 101 entries of `include` and `exclude`"],
    );
    let long = "x".repeat(100_000);
    World::new().check(
        &format!("tasks: {{ a: {{ uses: orch/any@^1, strategy: {{ matrix: {{ x: [{long}], y: {digits}, z: {digits} }} }} }} }}"),
        &["3:54 OW0102 the combinations of the matrix take too much room"],
    );
}

#[test]
fn t7_a_list_of_a_million() {
    let list = vec!["1"; 1_000_000].join(",");
    assert_eq!(code(format!("{HEAD}tasks: {{ a: {{ uses: o/a@1, for-each: [{list}] }} }}")), Some(Code::TooLarge));
    let list = vec!["1"; 10_001].join(",");
    check(
        &format!("tasks: {{ a: {{ uses: o/a@1, for-each: [{list}] }} }}"),
        &["3:38 OW0115 the list has 10001 items, at most 10000 are allowed"],
    );
    let list = vec!["1"; 10_000].join(",");
    check(&format!("tasks: {{ a: {{ uses: o/a@1, for-each: [{list}] }} }}"), &[]);
}

/// 100,000 renderings on eight threads that share one plan, each with inputs of its own: none sees another's.
#[test]
fn t8_many_render_at_once() {
    let text = "inputs: { s: { type: string } }\ntasks: { a: { uses: orch/any@^1, with: { one: '${{ inputs.s }}', \
         two: 'x ${{ inputs.s }} y ${{ inputs.s.size() }}', three: ['${{ [inputs.s].map(i, i + i) }}'] } } }";
    let plan = World::new().input("s", "nobody").planned(text);
    let nothing = BTreeMap::<TaskId, TaskView<'_>>::new();
    let render = |tenant: &str| {
        let inputs = json!({ "s": tenant });
        let run = RunView { id: tenant, ..RunView::default() };
        let scope = Scope { inputs: &inputs, tasks: &nothing, run, needs: &[], each: EachView::Once, findings: None };
        plan.tasks()[0].input(&scope).unwrap()
    };
    let expected = |tenant: &str| {
        let text = format!("x {tenant} y {}", tenant.chars().count());
        json!({ "one": tenant, "two": text, "three": [[format!("{tenant}{tenant}")]] })
    };
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for number in 0..12_500 {
                    let tenant = format!("{thread}-{number}");
                    assert_eq!(render(&tenant), expected(&tenant));
                }
            });
        }
    });
}
