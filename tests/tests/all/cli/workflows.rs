//! Workflow files that are wrong or mean harm: refused with code and place, in time, with little memory, and before anything runs.

use super::program::{Place, REFUSAL, Ran, binary};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::sync::OnceLock;

const HEAD: &str = "schema: orch-wasm/v1\nname: hostile\ntasks:\n";
const TASK: &str = "  one: { uses: orch/echo@^1.0 }\n";

/// How much more address space than the smallest workflow a hostile one may take. What is resident cannot be more.
const MOST_MEMORY_KIB: u64 = 64 << 10;

/// `validate` with a bound on its address space, in KiB.
fn bounded(place: &Place, file: &str, kib: u64) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", &kib.to_string()]).arg(binary()).args(["validate", file]);
    place.surround(&mut command);
    Ran::unchecked(command)
}

/// The least address space, to the MiB, with which the smallest workflow can be checked.
fn baseline() -> u64 {
    static BASELINE: OnceLock<u64> = OnceLock::new();
    *BASELINE.get_or_init(|| {
        let place = Place::empty();
        place.write("tiny.yaml", format!("{HEAD}{TASK}"));
        let (mut fails, mut works) = (0, 4096);
        assert_eq!(bounded(&place, "tiny.yaml", works << 10).code, 0, "the smallest workflow does not fit in 4 GiB");
        while works - fails > 1 {
            let middle = fails.midpoint(works);
            match bounded(&place, "tiny.yaml", middle << 10).code {
                0 => works = middle,
                _ => fails = middle,
            }
        }
        works << 10
    })
}

/// The file is refused by `validate` and `run` with these errors: `line:column code text`, or `code text` without a place inside.
#[track_caller]
fn refused_in(place: &Place, file: &str, problems: &[&str]) {
    let ran = bounded(place, file, baseline() + MOST_MEMORY_KIB);
    assert_eq!(ran.code, 2, "with little memory: {ran}");
    for ran in [ran, place.run(["validate", file]), place.run(["run", file]), place.run(["graph", file])] {
        ran.exits(2).within(REFUSAL);
        assert_eq!(ran.stdout, "", "{ran}");
        for problem in problems {
            let (at, message) = match problem.split_once(' ') {
                Some((at, rest)) if at.contains(':') => (format!("{file}:{at}"), rest),
                _ => (file.to_owned(), *problem),
            };
            let (code, text) = message.split_once(' ').unwrap();
            let line =
                ran.stderr.lines().find(|line| line.starts_with(&format!("error[{code}]")) && line.contains(text));
            assert!(line.is_some(), "no `{code}` with `{text}`\n{ran}");
            ran.says(&format!("--> {at}"));
        }
    }
    assert_eq!(place.runs(), 0);
}

/// A workflow with this text is refused, and a good one beside it runs.
#[track_caller]
fn refused(text: impl AsRef<[u8]>, problems: &[&str]) {
    let place = Place::new();
    place.write("hostile.yaml", text);
    refused_in(&place, "hostile.yaml", problems);
    place.still_works();
}

fn tasks(text: &str) -> String {
    format!("{HEAD}{text}")
}

#[test]
fn what_is_no_workflow_is_refused() {
    refused("tasks: [", &["1:8 OW0101 unclosed bracket"]);
    refused("", &["1:1 OW0104 a workflow is a mapping, not nothing"]);
    refused("just words\n", &["1:1 OW0104 a workflow is a mapping"]);
    refused("{}", &["1:1 OW0105 schema", "1:1 OW0105 tasks"]);
    let mut bytes = tasks("  one: { uses: ").into_bytes();
    bytes.extend(b"\xff\xfe }\n");
    refused(bytes, &["OW0113 is not UTF-8: byte 57 begins no character"]);
    refused("s\0c\0h\0e\0m\0a\0", &["1:2 OW0101 `\\u{0}` is not allowed"]);
    refused("--- a\n".repeat(10_000), &["2:1 OW0101 more than one document"]);
}

#[test]
fn what_is_no_file_is_refused() {
    let place = Place::new();
    fs::create_dir(place.path("folder.yaml")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, place.path("pipe.yaml"), rustix::fs::Mode::RWXU).unwrap();
    std::os::unix::fs::symlink("/dev/zero", place.path("zero.yaml")).unwrap();
    std::os::unix::fs::symlink("loop.yaml", place.path("loop.yaml")).unwrap();
    refused_in(&place, "folder.yaml", &["OW0113 is not a file"]);
    refused_in(&place, "pipe.yaml", &["OW0113 is not a file"]);
    refused_in(&place, "zero.yaml", &["OW0113 is not a file"]);
    refused_in(&place, "loop.yaml", &["OW0113 cannot be read"]);
    refused_in(&place, "missing.yaml", &["OW0113 cannot be read"]);
    place.run(["run", "missing.yaml"]).says("orch-wasm init");
    place.still_works();
}

#[test]
fn a_huge_file_is_not_read() {
    let place = Place::new();
    fs::File::create(place.path("huge.yaml")).unwrap().set_len(100_000_000).unwrap();
    refused_in(&place, "huge.yaml", &["OW0102 has 100000000 bytes, at most 1048576 are read"]);
    // The same bound holds for every file that a person writes.
    let huge = place.path("huge.yaml");
    place.run(["plan", "--policy", huge.to_str().unwrap()]).refused("OW0102", &["huge.yaml"]).within(REFUSAL);
    place.still_works();
}

/// T4: what is small as text and huge as a value.
#[test]
fn bombs_are_refused() {
    let mut aliases = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..10 {
        writeln!(aliases, "a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(",")).unwrap();
    }
    refused(aliases + HEAD + TASK, &["5:34 OW0102 anchors and aliases copy too much"]);
    let anchors: String = (0..50_000).map(|one| format!("a{one}: &b{one} x\n")).collect();
    refused(anchors, &["1001:15 OW0102 anchors and aliases"]);
    refused("a: &a [*a]\n", &["1:8 OW0101 "]);
    refused("[".repeat(100_000), &["1:66 OW0102 nested more than 64 deep"]);
    refused("[".repeat(100_000) + &"]".repeat(100_000), &["1:66 OW0102 nested more than 64 deep"]);
    refused("{a: ".repeat(100_000), &["1:261 OW0102 nested more than 64 deep"]);
    refused("- ".repeat(100_000), &["1:129 OW0102 nested more than 64 deep"]);
    refused((0..1400).fold(String::new(), |all, level| all + &" ".repeat(level) + "a:\n"), &["65:65 OW0102 nested"]);
    refused(tasks("  one: { <<: { uses: orch/echo@^1.0 } }\n"), &["4:10 OW0101 merge keys"]);
    refused(tasks("  one: { uses: !!binary aGk= }\n"), &["4:25 OW0101 !!binary"]);
    refused(tasks("  one: { uses: !acme/thing x }\n"), &["OW0101 tag"]);
    refused(tasks(&format!("{TASK}{TASK}")), &["5:3 OW0103 the key `one` stands twice"]);
}

/// T5: one text, one value; what has none is refused.
#[test]
fn values_are_what_the_core_schema_says() {
    let place = Place::new();
    let cases: [(&str, Value); 23] = [
        ("no", json!("no")),
        ("NO", json!("NO")),
        ("on", json!("on")),
        ("yes", json!("yes")),
        ("true", json!(true)),
        ("~", json!(null)),
        ("null", json!(null)),
        ("12", json!(12)),
        ("-0", json!(0)),
        ("0o17", json!(15)),
        ("0x1F", json!(31)),
        ("017", json!(17)),
        ("1_000", json!("1_000")),
        ("12:30:45", json!("12:30:45")),
        ("2020-01-01", json!("2020-01-01")),
        ("9223372036854775807", json!(9_223_372_036_854_775_807_i64)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("1.5", json!(1.5)),
        ("1e3", json!(1000.0)),
        ("\"1\"", json!("1")),
        ("'no'", json!("no")),
        ("\"\\u00e4\"", json!("ä")),
        ("=", json!("=")),
    ];
    let list: Vec<_> = cases.iter().map(|(text, _)| *text).collect();
    place.write(
        "values.yaml",
        tasks(&format!("  one: {{ uses: orch/echo@^1.0, with: {{ all: [{}] }} }}\n", list.join(", "))),
    );
    let ran = place.run(["run", "values.yaml", "--format", "json"]);
    let events = ran.exits(0).lines();
    let end = events.iter().find(|line| line["event"]["type"] == "task-finished").unwrap();
    for ((text, expected), found) in cases.iter().zip(end["event"]["output"]["all"].as_array().unwrap()) {
        assert_eq!(found, expected, "{text}");
    }
    let cases = [
        ("9223372036854775808", "OW0104 out of range"),
        ("18446744073709551616", "OW0104 out of range"),
        ("1e400", "OW0104 "),
        (".nan", "OW0104 "),
        ("-.inf", "OW0104 "),
        ("\"a\\0b\"", "OW0101 NUL"),
        ("\"\\ud800\"", "OW0101 surrogate"),
    ];
    for (text, problem) in cases {
        place.write("hostile.yaml", tasks(&format!("  one: {{ uses: orch/echo@^1.0, with: {{ a: {text} }} }}\n")));
        let ran = place.run(["run", "hostile.yaml"]);
        let (code, message) = problem.split_once(' ').unwrap();
        ran.refused(code, &[message, "--> hostile.yaml:4:"]);
    }
    assert_eq!(place.runs(), 1);
}

/// T6: JSON is the same language with the same bounds.
#[test]
fn json_is_read_with_the_same_rules() {
    let good = r#"{"schema":"orch-wasm/v1","name":"hostile","tasks":{"one":{"uses":"orch/echo@^1.0","with":{"a":[1,"x",null]}}}}"#;
    let place = Place::new();
    place.write("good.json", good);
    place.run(["validate", "good.json"]).exits(0).says_out("1 task");
    let ran = place.run(["run", "good.json", "--format", "json"]);
    let lines = ran.exits(0).lines();
    assert!(lines.iter().any(|line| line["event"]["output"] == json!({ "a": [1, "x", null] })));
    refused("[".repeat(100_000), &["1:66 OW0102 nested"]);
    refused("{\"a\":".repeat(100_000), &["OW0102 nested"]);
    refused(good.replace("\"name\"", "\"name\":\"v\",\"name\""), &["1:37 OW0103 the key `name` stands twice"]);
    refused(good.replace("hostile", "\\ud800"), &["1:33 OW0101 surrogate"]);
    refused(good.replace("[1,", "[1e999,"), &["OW0104 "]);
    let keys: Vec<_> = (0..99_000).map(|key| format!("\"k{key}\":1")).collect();
    refused(format!("{{{}}}", keys[..60_000].join(",")), &["OW0102 "]);
    refused(format!("{{{}}}", keys.join(",")), &["OW0102 bytes"]);
}

/// T7: graphs that never end or are too large are refused with what is wrong, before any task.
#[test]
fn graphs_that_cannot_run_are_refused() {
    refused(tasks("  one: { uses: orch/echo@^1, needs: [one] }\n"), &["4:38 OW0108 the task `one` needs itself"]);
    refused(
        tasks(
            "  a: { uses: orch/echo@^1, needs: [c] }\n  b: { uses: orch/echo@^1, needs: [a] }\n  c: { uses: orch/echo@^1, needs: [b] }\n",
        ),
        &["4:36 OW0108 tasks need each other in a circle: a -> c -> b -> a"],
    );
    let ring = |length: usize| -> String {
        (0..length).map(|task| format!("  t{task}: {{uses: a/b@1, needs: [t{}]}}\n", (task + 1) % length)).collect()
    };
    refused(tasks(&ring(9_000)), &["OW0108 in a circle"]);
    refused(tasks(&ring(100_000)), &["OW0102 bytes"]);
    let many: String = (0..20_000).map(|task| format!("  t{task}: {{uses: a/b@1}}\n")).collect();
    refused(tasks(&many), &["OW0115 20000"]);
    let dense: String = (0..1_200)
        .map(|task: usize| {
            let needs: Vec<_> = (task.saturating_sub(100)..task).map(|need| format!("t{need}")).collect();
            format!("  t{task}: {{uses: a/b@1, needs: [{}]}}\n", needs.join(","))
        })
        .collect();
    refused(tasks(&dense), &["OW0102 more than 100000 values"]);
    refused(
        tasks(&format!(
            "  one:\n    uses: orch/echo@^1.0\n    strategy: {{ matrix: {{ a: [{0}], b: [{0}] }} }}\n",
            (0..1_000).map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
        )),
        &["OW0115 1000000"],
    );
    let items: Vec<String> = (0..150_000).map(|item| (item % 10).to_string()).collect();
    refused(tasks(&format!("  one:\n    uses: orch/echo@^1.0\n    for-each: [{}]\n", items.join(","))), &["OW0102 "]);
}

#[test]
fn a_chain_of_many_tasks_is_no_bomb() {
    let place = Place::new();
    let chain: String = (0..5_000)
        .map(|task: usize| match task {
            0 => "  t0: {uses: orch/echo@1}\n".to_owned(),
            _ => format!("  t{task}: {{uses: orch/echo@1, needs: [t{}]}}\n", task - 1),
        })
        .collect();
    place.write("chain.yaml", tasks(&chain));
    place.run(["validate", "chain.yaml"]).exits(0).says_out("5000 tasks");
    place.run(["graph", "chain.yaml"]).exits(0).says_out("t4999");
}

#[test]
fn all_problems_are_told_at_once_with_suggestions() {
    refused(
        "schema: orch-wasm/v1
name: [x]
timeout: soon
labells: {}
tasks:
  build: { usse: orch/echo@^1 }
  deploy: { uses: orch/echo, needs: [biuld], with: 3 }
",
        &[
            "2:7 OW0104 `name` is text, not a list",
            "3:10 OW0104 `soon` is not a duration",
            "4:1 OW0103 labells",
            "6:12 OW0103 a task has no key `usse`",
            "7:19 OW0201 orch/echo",
            "7:38 OW0107 the task `deploy` needs `biuld`",
            "7:52 OW0104 with",
        ],
    );
    let place = Place::new();
    place.write(
        "hostile.yaml",
        tasks("  build: { usse: orch/echo@^1 }\n  deploy: { uses: orch/echo@^1, needs: [biuld] }\n"),
    );
    let ran = place.run(["validate", "hostile.yaml"]);
    ran.exits(2).says("`uses`").says("`build`").says("explain CODE").says("3 problems");
    let json = place.run(["validate", "hostile.yaml", "--format", "json"]);
    assert_eq!(json.exits(2).lines().len(), 3, "{json}");
    // Several files: the good one does not hide the bad one.
    place.run(["validate", "workflow.yaml", "hostile.yaml"]).exits(2).says("hostile.yaml:4:12");
}

#[test]
fn what_is_not_supported_yet_is_refused_with_its_line() {
    let task = |key: &str| tasks(&format!("  one:\n    uses: orch/echo@^1.0\n    {key}\n"));
    for (text, at) in [
        (format!("{HEAD}{TASK}on: {{ schedule: [] }}\n"), "5:1 OW0106 `on`"),
        (task("priority: 60"), "6:5 OW0106 `priority`"),
        (tasks("  one:\n    rollout: { waves: [10] }\n"), "5:5 OW0106 `rollout`"),
        (task("permissions: { net: [{ host: example.org, headers: [a] }] }"), "6:47 OW0106 `headers`"),
    ] {
        refused(text, &[at]);
    }
}

#[test]
fn inputs_are_checked_before_anything_runs() {
    let place = Place::new();
    place.run(["run", "--input", "nobody=x"]).refused("OW0114", &["nobody", "name"]);
    place.run(["run", "--input", "name"]).refused("OW0601", &["name=value"]);
    place.run(["run", "--input", "name=a", "--input", "name=b"]).exits(2).says("error[OW0");
    assert_eq!(place.runs(), 0);
    // What is filled in is never read again as an expression or as YAML.
    let ran = place.run(["run", "--input", "name=${{ inputs.name }}: [*a, \"&b\n", "--format", "json"]);
    let message = "Hello, ${{ inputs.name }}: [*a, \"&b\n!";
    assert_eq!(ran.exits(0).lines().last().unwrap()["event"]["outputs"]["message"], message);
    // The gate decides over it.
    place.run(["run", "--input", "name="]).exits(3);
}
