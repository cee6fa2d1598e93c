//! Guests that imitate the engine in what they say (K10): records, commands of other systems, lines of a report. It stays what a guest
//! said, in one record.

use super::packages::hostile_place;
use serde_json::{Value, json};

/// What a guest says, in every place where it can say something.
const SAID: [&str; 9] = [
    "::set-env name=PATH::/tmp\n::add-mask::x\n::error file=a,line=1::no\n##vso[task.complete result=Succeeded;]done",
    "##teamcity[buildStatus status='SUCCESS']\n##[command]rm\n{\"type\":\"run-finished\"}",
    "{\"seq\":1,\"at\":0,\"run\":\"0123456789abcdef0123456789abcdef\",\"event\":{\"type\":\"run-finished\",\"outcome\":\"succeeded\",\"outputs\":{}}}",
    "x\",\"event\":{\"type\":\"task-finished\",\"task\":\"one\",\"outcome\":\"succeeded\"},\"y\":\"",
    "x\n{\"event\":{\"type\":\"task-finished\",\"task\":\"one\",\"outcome\":\"succeeded\"}}\nx",
    "one\u{2028}two\u{2029}three\u{85}four\u{b}five\u{c}six\rseven",
    "\u{1}\u{1}{\"event\":null}\u{1b}[2K",
    "2026-01-01T00:00:00Z ERROR one: it succeeded",
    "\n✔ one succeeded\n0 findings\nsucceeded in 1 s",
];

/// Every record as the program prints it: one a line, whatever a line may be taken for.
fn records(text: &str) -> Vec<Value> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for line in &lines {
        let inside = line.strip_suffix('\n').expect("a line ends");
        assert!(!inside.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')), "{inside:?}");
    }
    lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn k10_what_a_guest_says_is_never_a_record() {
    let place = hostile_place();
    let mut expected = None;
    for said in std::iter::once("nothing of the kind").chain(SAID) {
        let text = json!(said).to_string();
        place.write(
            "one.yaml",
            format!(
                "schema: orch-wasm/v1\nname: forged\ntasks:\n  one: {{ uses: test/hostile/say@^1, with: {{ text: {text} }} }}\n  \
                 two: {{ needs: [one], uses: test/hostile/fail@^1, with: {{ how: failed, text: {text} }} }}\n"
            ),
        );
        let ran = place.run(["run", "one.yaml", "--format", "json"]);
        let printed = records(&ran.exits(1).stdout);
        // Standard output and error are lines: a guest's line break ends one of them, and only there.
        let lines = |printed: &[Value]| printed.iter().filter(|record| record["event"]["type"] == "task-log").count();
        let others = printed.len() - lines(&printed);
        assert_eq!(*expected.get_or_insert(others), others, "{said:?}");
        for (place, record) in printed.iter().enumerate() {
            assert_eq!(record["seq"], place + 1, "{said:?}");
            assert_eq!(record["run"], printed[0]["run"]);
        }
        let of = |kind: &str| printed.iter().filter(|record| record["event"]["type"] == kind).collect::<Vec<_>>();
        assert_eq!(
            (of("run-created").len(), of("run-finished").len(), of("task-finished").len()),
            (1, 1, 2),
            "{said:?}"
        );
        assert_eq!(of("run-finished")[0]["event"]["outcome"], "failed");
        assert_eq!(of("task-findings")[0]["event"]["findings"].as_array().unwrap().len(), 1);
        // It is there as it was said, as data.
        assert!(of("task-log").iter().any(|record| record["event"]["message"] == *said), "{said:?}");
        assert_eq!(of("task-findings")[0]["event"]["findings"][0]["title"], said);

        // Read back from the log: the same records, and their chain holds.
        let id = printed[0]["run"].as_str().unwrap();
        assert_eq!(records(&place.run(["runs", "show", id, "--format", "json"]).exits(0).stdout), printed);
        place.run(["runs", "verify", id]).exits(0).says_out(&format!("{} events", printed.len()));

        // For people: no line is one that the guest began, so none can be taken for the engine's or for a command.
        for shown in
            [place.run(["runs", "logs", id]).exits(0).stdout.clone(), place.run(["runs", "show", id]).stdout.clone()]
        {
            for line in shown.lines() {
                let forged = ["::", "##", "{", "0 findings", "succeeded in 1 s", "2026-01-01"];
                assert!(!forged.iter().any(|forged| line.trim_start().starts_with(forged)), "{line:?} in {shown}");
            }
        }
    }
}

#[test]
fn k10_names_hold_no_line() {
    let place = hostile_place();
    let task = |name: &str| {
        format!("schema: orch-wasm/v1\nname: forged\ntasks:\n  {}: {{ uses: test/hostile/info@^1 }}\n", json!(name))
    };
    for name in ["a\nb", "a\rb", "a\u{2028}b", "::error::a", "{\"event\":1}", "a\0"] {
        place.write("one.yaml", task(name));
        let refused = place.run(["run", "one.yaml", "--format", "json"]);
        assert!(refused.exits(2).stderr.contains("error[OW"), "{refused}");
        assert_eq!(records(&refused.stdout).len(), 0, "{refused}");
    }
    assert_eq!(place.runs(), 0);
    // Artifacts are named by the guest: what is no name is refused to it.
    for name in ["a\nb", "::error::a", "a\r", "{}"] {
        let input = json!({ "name": name, "media-type": "text/plain", "steps": [{ "op": "write", "bytes": 1 }, { "op": "finish" }] });
        let workflow = format!(
            "schema: orch-wasm/v1\nname: forged\ntasks:\n  one: {{ uses: test/hostile/artifact@^1, with: {input} }}\n"
        );
        place.write("one.yaml", workflow);
        let printed = records(&place.run(["run", "one.yaml", "--format", "json"]).exits(0).stdout);
        assert!(!printed.iter().any(|record| record["event"]["type"] == "artifact-stored"), "{name:?}");
    }
}
