//! Random workflows with every feature, as text and as what their author expects of them.

use orch_tests::Expected;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// How a task behaves when it runs. Its attempts are told apart by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Fine,
    Fails,
    Traps,
    Rejects,
    Skips,
    /// Breaks on the first attempts, then is fine.
    Flaky(u32),
    /// The first attempt never comes back in time and then returns a result that nobody wants any more.
    Stuck,
}

#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Once,
    Matrix { items: usize, parallel: usize, fail_fast: bool },
    ForEach { items: usize, parallel: usize },
    Approval,
}

#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) behaviour: Behaviour,
    needs: Vec<prop::sample::Index>,
    condition: usize,
    tolerated: bool,
    /// 0: nothing is said; 1: `never`; else attempts in all.
    retry: u32,
    pub(crate) shape: Shape,
    undo: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) tasks: Vec<Task>,
    pub(crate) jobs: usize,
    on_failure: bool,
    finally: bool,
}

const CONDITIONS: [&str; 6] = ["", "", "if: 'always()'", "if: 'failure()'", "if: 'success()'", "if: 'false'"];

fn behaviours() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        8 => Just(Behaviour::Fine),
        1 => Just(Behaviour::Fails),
        1 => Just(Behaviour::Traps),
        1 => Just(Behaviour::Rejects),
        1 => Just(Behaviour::Skips),
        2 => (1_u32..4).prop_map(Behaviour::Flaky),
        1 => Just(Behaviour::Stuck),
    ]
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        8 => Just(Shape::Once),
        1 => (1_usize..5, 1_usize..4, any::<bool>())
            .prop_map(|(items, parallel, fail_fast)| Shape::Matrix { items, parallel, fail_fast }),
        1 => (0_usize..5, 1_usize..4).prop_map(|(items, parallel)| Shape::ForEach { items, parallel }),
        1 => Just(Shape::Approval),
    ]
}

fn tasks() -> impl Strategy<Value = Task> {
    (
        behaviours(),
        prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        0..CONDITIONS.len(),
        any::<bool>(),
        0_u32..4,
        shapes(),
        any::<bool>(),
    )
        .prop_map(|(behaviour, needs, condition, tolerated, retry, shape, undo)| Task {
            behaviour,
            needs,
            condition,
            tolerated: tolerated && condition == 0,
            retry,
            shape,
            undo,
        })
}

/// Graphs of 1 to 60 tasks.
pub(crate) fn graphs() -> impl Strategy<Value = Graph> {
    let sizes = prop_oneof![3 => 1_usize..8, 2 => 8_usize..20, 1 => 20_usize..=60];
    let tasks = sizes.prop_flat_map(|size| prop::collection::vec(tasks(), size));
    (tasks, 1_usize..5, any::<bool>(), any::<bool>()).prop_map(|(tasks, jobs, on_failure, finally)| Graph {
        tasks,
        jobs,
        on_failure,
        finally,
    })
}

impl Graph {
    /// The workflow, and what its author expects.
    pub(crate) fn text(&self) -> (String, Expected) {
        let mut text = String::from("schema: orch-wasm/v1\nname: w\ntasks:\n");
        let mut expected = Expected { jobs: self.jobs, over: true, ..Expected::default() };
        for (index, task) in self.tasks.iter().enumerate() {
            let name = format!("t{index}");
            let mut needs: Vec<String> =
                task.needs.iter().filter(|_| index > 0).map(|need| format!("t{}", need.index(index))).collect();
            needs.sort();
            needs.dedup();
            text.push_str(&format!("  {name}:\n    needs: [{}]\n", needs.join(", ")));
            let condition = CONDITIONS[task.condition];
            if !condition.is_empty() {
                text.push_str(&format!("    {condition}\n"));
            }
            self.body(task, &name, &needs, &mut text, &mut expected);
            expected.needs.insert(name, needs);
        }
        for (wanted, hook) in [(self.on_failure, "on-failure"), (self.finally, "finally")] {
            if wanted {
                let with = "with: { seen: { outcome: \"${{ run.outcome }}\" } }";
                text.push_str(&format!("{hook}:\n  - {{ uses: test/any@1, {with} }}\n  - {{ uses: test/any@1 }}\n"));
            }
        }
        (text, expected)
    }

    fn body(&self, task: &Task, name: &str, needs: &[String], text: &mut String, expected: &mut Expected) {
        if matches!(task.shape, Shape::Approval) {
            text.push_str("    approval: { prompt: \"go on?\" }\n");
            return;
        }
        // Downstream sees what upstream gave: a plain task's whole output.
        let plain = |need: &&String| {
            let index: usize = need[1..].parse().unwrap();
            matches!(self.tasks[index].shape, Shape::Once)
        };
        let seen: BTreeMap<&String, String> =
            needs.iter().filter(plain).map(|need| (need, format!("\"${{{{ tasks.{need}.outputs }}}}\""))).collect();
        let seen: Vec<String> = seen.iter().map(|(need, expression)| format!("{need}: {expression}")).collect();
        text.push_str("    uses: test/any@1\n    timeout: 1m\n");
        text.push_str(&format!("    continue-on-error: {}\n", task.tolerated));
        text.push_str(&format!("    with: {{ seen: {{ {} }} }}\n", seen.join(", ")));
        match &task.shape {
            Shape::Once | Shape::Approval => {}
            Shape::Matrix { items, parallel, fail_fast } => {
                let axis: Vec<String> = (0..*items).map(|item| item.to_string()).collect();
                text.push_str(&format!(
                    "    strategy: {{ matrix: {{ n: [{}] }}, max-parallel: {parallel}, fail-fast: {fail_fast} }}\n",
                    axis.join(", ")
                ));
                expected.max_parallel.insert(name.to_owned(), *parallel);
            }
            Shape::ForEach { items, parallel } => {
                let list: Vec<String> = (0..*items).map(|item| item.to_string()).collect();
                text.push_str(&format!("    for-each: [{}]\n    max-parallel: {parallel}\n", list.join(", ")));
                expected.max_parallel.insert(name.to_owned(), *parallel);
            }
        }
        match task.retry {
            0 => {}
            1 => {
                text.push_str("    retry: never\n");
                expected.never.insert(name.to_owned());
            }
            attempts => {
                text.push_str(&format!("    retry: {{ attempts: {attempts}, initial: 1s, max: 10s }}\n"));
                expected.attempts.insert(name.to_owned(), attempts);
            }
        }
        if task.undo {
            text.push_str("    undo: { uses: test/any@1 }\n");
        }
    }

    /// How a task of the run behaves.
    pub(crate) fn behaviour(&self, task: &str) -> Behaviour {
        let index = task.strip_prefix('t').and_then(|number| number.parse::<usize>().ok());
        index.map_or(Behaviour::Fine, |index| self.tasks[index].behaviour)
    }
}
