//! Text that is meant to hurt. Every case is refused by a budget that is counted before memory is spent.

use crate::support::{HEAD, World, check, check_whole};
use orch_core::{Code, Source};
use orch_workflow::{parse, parse_manifest, parse_policy, parse_waivers};

/// The first code that a text is refused with.
fn code(text: String) -> Code {
    let source = Source::new("workflow.yaml", text);
    let (workflow, found) = parse(&source);
    assert!(workflow.is_none());
    assert!(found.len() <= 101, "{}", found.len());
    found.first().expect("a file without a workflow has a problem").code
}

#[test]
fn budgets() {
    let mut wrong = Vec::new();
    let mut refused = |name: &str, text: String, expected: Code| {
        let found = code(text);
        if found != expected {
            wrong.push(format!("{name}: {found}"));
        }
    };
    let bomb = {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        text
    };
    refused("alias bomb", bomb, Code::TooLarge);
    let long = "x".repeat(100_000);
    refused("alias of long text", format!("a: &a {long}\nb: [{}]\n", vec!["*a"; 100].join(", ")), Code::TooLarge);
    refused("flow nesting", "[".repeat(100_000), Code::TooLarge);
    refused("map nesting", "{a: ".repeat(100_000), Code::TooLarge);
    refused("closed nesting", format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000)), Code::TooLarge);
    let stairs: String = (0..700).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    refused("block nesting", stairs, Code::TooLarge);
    refused("compact sequences", "- ".repeat(100_000), Code::TooLarge);
    refused("question marks", "? ".repeat(100_000), Code::Syntax);
    let anchors: String = (0..60_000).map(|number| format!("- &a{number} x\n")).collect();
    refused("anchors", anchors, Code::TooLarge);
    refused("documents", "---\na: b\n".repeat(10_000), Code::Syntax);
    refused("values", "- x\n".repeat(200_000), Code::TooLarge);
    refused("empty items", "-\n".repeat(300_000), Code::TooLarge);
    refused("too large", "#".repeat((1 << 20) + 1), Code::TooLarge);
    let tasks: String = (0..30_000).map(|number| format!("  t{number}: {{}}\n")).collect();
    refused("tasks", format!("{HEAD}tasks:\n{tasks}"), Code::TooMany);
    let tasks: String = (0..60_000).map(|number| format!("  t{number}: {{}}\n")).collect();
    refused("more tasks", format!("{HEAD}tasks:\n{tasks}"), Code::TooLarge);
    let tasks: String =
        (0..9_000).map(|number| format!("  t{number}: {{ uses: a/b@1, needs: [x{number}] }}\n")).collect();
    refused("unknown needs", format!("{HEAD}tasks:\n{tasks}"), Code::UnknownTask);
    let tasks: String =
        (0..9_000).map(|number| format!("  t{number}: {{ uses: a/b@1, if: tasks.x{number}.outputs.a }}\n")).collect();
    refused("unknown references", format!("{HEAD}tasks:\n{tasks}"), Code::UnknownReference);
    let inputs: String = (0..1_000).map(|number| format!("  i{number}: {{ type: string }}\n")).collect();
    let tasks: String =
        (0..9_000).map(|number| format!("  t{number}: {{ uses: a/b@1, if: inputs.x{number} }}\n")).collect();
    refused("unknown inputs", format!("{HEAD}inputs:\n{inputs}tasks:\n{tasks}"), Code::UnknownReference);
    let sums: String = (0..4_000).map(|_| format!("  - ${{{{ {}1 }}}}\n", "1+".repeat(120))).collect();
    refused("expressions", format!("{HEAD}outputs:\n  x:\n{sums}tasks: {{}}"), Code::TooLarge);
    let options: Vec<_> = (0..30_000).map(|number| format!("o{number}")).collect();
    let many = format!("{HEAD}inputs: {{ a: {{ type: choice, options: [{}] }} }}\ntasks: {{}}", options.join(", "));
    refused("options", many, Code::TooMany);
    let mounts: Vec<_> = (0..12_000).map(|number| format!("{{ mount: m{number}, path: ., access: read }}")).collect();
    let many = format!("{HEAD}tasks: {{ a: {{ uses: a/b@1, permissions: {{ fs: [{}] }} }} }}", mounts.join(", "));
    refused("mounts", many, Code::TooMany);
    let names: Vec<_> = (0..90_000).map(|number| format!("N{number}")).collect();
    let many = format!("{HEAD}tasks: {{ a: {{ uses: a/b@1, permissions: {{ env: [{}] }} }} }}", names.join(", "));
    refused("variables", many, Code::TooMany);
    let keys: String = (0..40_000).map(|number| format!("k{number}: 1\n")).collect();
    refused("unknown keys", keys, Code::UnknownKey);
    refused("duplicate keys", "k: 1\n".repeat(40_000), Code::UnknownKey);
    refused("one long key", format!("{}: 1", "k".repeat(1_000)), Code::UnknownKey);
    refused("a long plain text", "a ".repeat(500_000), Code::WrongType);
    refused("a long quote", format!("\"{}", "a".repeat(1_000_000)), Code::Syntax);
    refused("commas", format!("[{}", ",".repeat(1_000_000)), Code::Syntax);
    refused("brackets and colons", "[a: ".repeat(200_000), Code::TooLarge);
    refused("comments", "# x\n".repeat(250_000), Code::WrongType);
    refused("line ends", "\n".repeat(1_000_000), Code::WrongType);
    refused("carriage returns", "\r".repeat(1_000_000), Code::WrongType);
    refused("percent", "%".repeat(1_000_000), Code::Syntax);
    refused("ampersands", "&".repeat(1_000_000), Code::WrongType);
    refused("stars", "*".repeat(1_000_000), Code::Syntax);
    refused("bangs", "!".repeat(1_000_000), Code::Syntax);
    refused("bars", "|\n".repeat(500_000), Code::WrongType);
    refused("spaces", " ".repeat(1_000_000), Code::WrongType);
    refused("colons", ": ".repeat(500_000), Code::TooLarge);
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn many_tasks_and_long_chains_are_fine() {
    let mut text = format!("{HEAD}tasks:\n  t0: {{ uses: a/b@1 }}\n");
    for number in 1..10_000 {
        text.push_str(&format!("  t{number}: {{ uses: a/b@1, needs: [t{}] }}\n", number - 1));
    }
    let source = Source::new("workflow.yaml", text);
    let (workflow, found) = parse(&source);
    assert_eq!(found, []);
    assert_eq!(workflow.unwrap().graph().len(), 10_000);
}

#[test]
fn the_other_files_have_the_same_budgets() {
    let asked: Vec<_> = (0..12_000).map(|number| format!("{{ mount: m{number}, access: read, reason: r }}")).collect();
    let text = format!("schema: orch-plugin/v1\npermissions: {{ fs: [{}] }}", asked.join(", "));
    let found = parse_manifest(&Source::new("plugin.yaml", text)).1;
    assert!(found.iter().any(|problem| problem.code == Code::TooMany), "{found:?}");
    let waivers = vec!["{ rule: R, owner: o, reason: r, expires: 2026-01-01 }"; 10_500].join(", ");
    let found = parse_waivers(&Source::new("w", format!("schema: orch-waivers/v1\nwaivers: [{waivers}]"))).1;
    assert_eq!(found[0].code, Code::TooMany);
    for text in ["[".repeat(100_000), "a: &a [*a]".to_owned(), "x: 1\n".repeat(50_000)] {
        let source = Source::new("f", text);
        assert!(parse_policy(&source, "/".into()).0.is_none());
        assert!(parse_waivers(&source).0.is_none());
        assert!(parse_manifest(&source).0.is_none());
    }
}

/// A plan of very many tasks: every step of it has to be linear.
#[test]
fn a_plan_of_many_tasks() {
    let mut text = String::from("tasks:\n  t0: { uses: orch/any@^1 }\n");
    for number in 1..5_000 {
        let before = number - 1;
        let with = format!("with: {{ x: \"${{{{ tasks.t{before}.outputs.y }}}}\" }}");
        text.push_str(&format!("  t{number}: {{ uses: orch/any@^1, needs: [t{before}], {with} }}\n"));
    }
    let plan = World::new().planned(&text);
    assert_eq!(plan.tasks().len(), 5_000);
    let stored = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<orch_workflow::Plan>(&stored).unwrap().hash(), plan.hash());
}

#[test]
fn a_ring_of_many_tasks_is_shown_in_short() {
    let mut text = String::from("tasks:\n");
    for number in 0..5_000 {
        text.push_str(&format!("  t{number}: {{ uses: a/b@1, needs: [t{}] }}\n", (number + 1) % 5_000));
    }
    check(
        &text,
        &[
            "4:30 OW0108 tasks need each other in a circle: t0 -> t1 -> t2 -> t3 -> t4 -> t5 -> t6 -> t7 -> t8 -> t9 -> … -> t0 \
         (remove one of these needs)",
        ],
    );
}

#[test]
fn what_yaml_has_and_we_refuse() {
    check_whole("a: &x [*x]", &["1:8 OW0101 the alias stands inside the value that it refers to"]);
    check_whole("a: *x", &["1:4 OW0101 while parsing node, found unknown anchor"]);
    check_whole("a: !!binary aGk=", &["1:13 OW0101 the tag `!!binary` is not supported"]);
    check_whole("a: !secret x", &["1:12 OW0101 the tag `!secret` is not supported"]);
    check_whole("a: !!int '3'", &["1:10 OW0101 the tag `!!int` is not supported"]);
    check_whole("base: &b { a: 1 }\nuse:\n  <<: *b", &["3:3 OW0101 merge keys (`<<`) are not part of YAML 1.2"]);
    check_whole("? [a, b]\n: c", &["1:3 OW0101 a key has to be text, not a list or a mapping"]);
    check_whole("%YAML 1.1\n---\na: b", &["1:1 OW0101 YAML directives are not supported"]);
    check_whole(
        "a: b\n---\nc: d",
        &["2:1 OW0101 the file holds more than one document (remove the second `---` and what follows)"],
    );
    check_whole("a: \0", &["1:4 OW0101 the character `\\u{0}` is not allowed in YAML"]);
    check_whole("a: \"\\0\"", &["1:4 OW0101 the text holds a NUL character"]);
    check_whole("a: \u{1b}[31m", &["1:4 OW0101 the character `\\u{1b}` is not allowed in YAML"]);
    check_whole("a:\n\tb: c", &["2:2 OW0101 a tab is used for indentation (indent with spaces)"]);
    check_whole(
        "",
        &[
            "1:1 OW0104 a workflow is a mapping, not nothing (known: `schema`, `name`, `description`, `labels`, `priority`, `timeout`, `inputs`, `secrets`, `concurrency`, `defaults`, `tasks`, `on-failure`, `finally`, `outputs`)",
        ],
    );
}

#[test]
fn numbers_that_do_not_fit() {
    for number in ["9223372036854775808", "-9223372036854775809", "1e400", "-1e400", "0xffffffffffffffff"] {
        let expected = format!(
            "3:10 OW0104 the number `{number}` is out of range (integers have 64 bits; put it in quotes if text is meant)"
        );
        check(&format!("timeout: {number}\ntasks: {{ a: {{ uses: a/b@1 }} }}"), &[&expected]);
    }
    for number in [".nan", ".inf", "-.inf", ".NaN"] {
        let expected =
            format!("3:10 OW0104 `{number}` is not a number that JSON has (put it in quotes if text is meant)");
        check(&format!("timeout: {number}\ntasks: {{ a: {{ uses: a/b@1 }} }}"), &[&expected]);
    }
}
