//! What holds for any text at all: no panic, no text that reaches a terminal unseen, the same answer twice.

use crate::support::{HEAD, World};
use orch_core::Source;
use orch_workflow::{Expr, Plan, PlannedKind, RunView, Scope, parse, parse_manifest, parse_policy, parse_waivers};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Pieces of which files are made, so that random text is often nearly right.
fn yaml() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "schema: orch-wasm/v1\n",
        "schema: orch-policy/v1\n",
        "name: x\n",
        "tasks:",
        " a: ",
        "{ uses: o/a@1 }",
        "{",
        "}",
        "[",
        "]",
        ",",
        ": ",
        "\n",
        "  ",
        "needs: [a]",
        "if: ",
        "${{ ",
        " }}",
        "inputs.a",
        "tasks.a.outputs.b",
        "gate: ",
        "checks: ",
        "&x ",
        "*x",
        "!!str ",
        "- ",
        "? ",
        "|\n",
        ">-\n  ",
        "'",
        "\"",
        "#",
        "%",
        "\t",
        "\u{feff}",
        "ü",
        "漢",
        "🎉",
        "\u{1b}",
        "\r\n",
        "---",
        "...",
        "1e9",
        "0x1",
        ".5",
        "null",
        "true",
        "with: ",
        "permissions: ",
        "fs: ",
        "<<: ",
        "inputs: ",
        "type: choice",
        "plugins: ",
        "waivers: ",
        "signers: ",
        "limits: ",
        "strategy: ",
        "matrix: ",
        "include: ",
        "exclude: ",
        "for-each: ",
        "max-parallel: 1",
        "approval: ",
        "prompt: ",
        "approvers: ",
        "users: ",
        "retry: ",
        "attempts: 2",
        "timeout: ",
        "undo: ",
        "on-failure: ",
        "finally: ",
        "concurrency: ",
        "group: ",
        "secrets: ",
        "from: 'env:A'",
        "workflow: ./x.yaml",
        "defaults: ",
        "\\",
        "@",
        "`",
    ]);
    prop_oneof![prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat()), any::<String>()]
}

fn expression() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "inputs",
        "inputs.n",
        "tasks",
        "tasks.a",
        "run.id",
        "run.outcome",
        "findings",
        "output",
        "matrix",
        "matrix.x",
        "item",
        "index",
        ".outputs",
        ".",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ":",
        "?",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "!",
        " in ",
        "1",
        "9223372036854775807",
        "0.5",
        "1e308",
        "'a'",
        "\"ü\"",
        "true",
        "null",
        "x",
        ".map(x, ",
        ".filter(x, x",
        ".all(",
        ".exists(",
        "size(",
        "int(",
        "string(",
        "has(",
        ".contains(",
        ".split(",
        ".join(",
        "success()",
        "always()",
        "r'",
        "'''",
        "\\",
        "b'",
        "1u",
        "`",
        "//",
        "\n",
        "#",
        "🎉",
        "0x",
        "..",
    ]);
    prop_oneof![prop::collection::vec(piece, 1..25).prop_map(|pieces| pieces.concat()), any::<String>()]
}

/// Every span lies in the text, on the borders of characters, and nothing invisible is in a message.
fn sound(source: &Source, found: &[orch_core::Diagnostic]) {
    for problem in found {
        if let Some(span) = &problem.span {
            assert!(source.text.get(span.clone()).is_some(), "{span:?} {problem:?}");
        }
        assert_eq!(orch_core::visible(&problem.message), problem.message);
        problem.brief(source);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in yaml()) {
        for text in [text.clone(), format!("{HEAD}{text}")] {
            let source = Source::new("f", text);
            let (workflow, found) = parse(&source);
            sound(&source, &found);
            prop_assert_eq!(workflow.is_none(), found.iter().any(|problem| !problem.warning));
            let (policy, found) = parse_policy(&source, "/".into());
            sound(&source, &found);
            prop_assert_eq!(policy.is_none(), found.iter().any(|problem| !problem.warning));
            sound(&source, &parse_waivers(&source).1);
            sound(&source, &parse_manifest(&source).1);
        }
    }

    #[test]
    fn any_expression_has_a_value_or_an_error(text in expression()) {
        let json = serde_json::to_string(&text).unwrap();
        // Through the stored form, so that also what the checks would refuse is evaluated.
        let Ok(expr) = serde_json::from_str::<Expr>(&json) else { return Ok(()) };
        prop_assert_eq!(serde_json::to_string(&expr).unwrap(), json);
        let mut value = serde_json::to_value(World::new().planned("tasks: { a: { uses: orch/any@^1 } }")).unwrap();
        value["tasks"][0]["condition"] = text.clone().into();
        value["tasks"][0]["kind"]["plugin"]["with"] = serde_json::json!({ "expression": text });
        let plan: Plan = serde_json::from_value(value).unwrap();
        let task = &plan.tasks()[0];
        prop_assert!(matches!(task.kind, PlannedKind::Plugin(_)));
        let inputs = serde_json::json!({ "n": 3, "list": [1, "a", { "x": null }] });
        let tasks = BTreeMap::new();
        let scope = Scope { inputs: &inputs, tasks: &tasks, run: RunView { id: "r", workflow: "w", outcome: None }, needs: &[], each: orch_workflow::EachView::Once, findings: None };
        prop_assert_eq!(task.input(&scope), task.input(&scope));
        let _ = task.condition_holds(&scope);
        let quoted = serde_json::to_string(&format!("${{{{ {text} }}}}")).unwrap();
        let strategy = "strategy: { matrix: { x: [1] } }";
        for text in [
            format!("tasks: {{ a: {{ uses: o/a@1, with: {{ x: {quoted} }} }} }}"),
            format!("tasks: {{ a: {{ uses: o/a@1, for-each: {quoted}, undo: {{ uses: o/a@1, with: {{ x: {quoted} }} }} }} }}"),
            format!("tasks: {{ a: {{ uses: o/a@1, {strategy}, with: {{ x: {quoted} }}, outputs: {{ x: {quoted} }} }} }}"),
            format!("tasks: {{ a: {{ approval: {{ prompt: {quoted} }} }} }}\nfinally: [{{ uses: o/a@1, if: {quoted} }}]"),
            format!("tasks: {{ a: {{ workflow: ./a.yaml, with: {{ x: {quoted} }} }} }}\nconcurrency: {{ group: {quoted} }}"),
        ] {
            let source = Source::new("f", format!("{HEAD}{text}"));
            sound(&source, &parse(&source).1);
        }
    }

    #[test]
    fn a_random_graph_is_ordered_or_has_a_circle(edges in prop::collection::vec((0..12_usize, 0..12_usize), 0..20)) {
        let mut text = format!("{HEAD}tasks:\n");
        for task in 0..12 {
            let mut needs: Vec<_> = edges.iter().filter(|(from, to)| *from == task && to != from).map(|(_, to)| format!("t{to}")).collect();
            needs.sort();
            needs.dedup();
            text.push_str(&format!("  t{task}: {{ uses: o/a@1, needs: [{}] }}\n", needs.join(", ")));
        }
        let source = Source::new("f", text);
        let (workflow, found) = parse(&source);
        match workflow {
            Some(workflow) => {
                let mut done = std::collections::BTreeSet::new();
                for (id, needs) in workflow.graph() {
                    prop_assert!(needs.iter().all(|need| done.contains(need.as_str())));
                    done.insert(id.as_str().to_owned());
                }
                prop_assert_eq!(done.len(), 12);
            }
            None => prop_assert!(found.iter().all(|problem| problem.code == orch_core::Code::Cycle)),
        }
    }

    #[test]
    fn a_plan_of_any_values_survives(text in any::<String>(), number in any::<f64>(), whole in any::<i64>(), flag in any::<bool>()) {
        prop_assume!(number.is_finite());
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        let text = serde_json::to_string(&text.replace("${{", "")).unwrap();
        let number = if number == 0.0 { 1.5 } else { number };
        let plan = World::new().planned(&format!(
            "tasks: {{ a: {{ uses: orch/any@^1, with: {{ t: {text}, n: {number:e}, i: {whole}, f: {flag}, e: \"${{{{ run.id }}}}\" }} }} }}"
        ));
        let stored = serde_json::to_string(&plan).unwrap();
        let back: Plan = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(back.hash(), plan.hash());
        prop_assert_eq!(back, plan);
    }
}
