//! Random graphs with random ends: the log of every run keeps the invariants, and folding it again gives the same state.

use crate::fakes::{Scripted, plan, run};
use orch_core::{Event, Record, StepId};
use orch_scheduler::RunState;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// For each task: how it ends, what it needs (indices of earlier ones), its condition, whether its failure is tolerated.
type Graph = Vec<(usize, Vec<prop::sample::Index>, usize, bool)>;

const ENDS: [&str; 6] = ["fine", "fails", "traps", "rejects", "skips", "late"];
const CONDITIONS: [&str; 5] = ["", "if: 'always()'", "if: 'failure()'", "if: 'success()'", "if: 'false'"];

fn graphs() -> impl Strategy<Value = Graph> {
    let task =
        (0..ENDS.len(), prop::collection::vec(any::<prop::sample::Index>(), 0..4), 0..CONDITIONS.len(), any::<bool>());
    prop::collection::vec(task, 1..40)
}

fn text(graph: &Graph) -> (String, BTreeMap<String, Vec<String>>) {
    let id = |index: usize| format!("{}-{index}", ENDS[graph[index].0]);
    let (mut text, mut all) = (String::new(), BTreeMap::new());
    for (index, (_, needs, condition, tolerated)) in graph.iter().enumerate() {
        let needs: BTreeSet<String> = needs.iter().filter(|_| index > 0).map(|need| id(need.index(index))).collect();
        let needs: Vec<String> = needs.into_iter().collect();
        let condition = CONDITIONS[*condition];
        let comma = if condition.is_empty() { "" } else { ", " };
        text.push_str(&format!(
            "  {}: {{ uses: test/any@1, needs: [{}], continue-on-error: {tolerated}{comma}{condition} }}\n",
            id(index),
            needs.join(", ")
        ));
        all.insert(id(index), needs);
    }
    (text, all)
}

/// Reads a log as an outsider: knows the words of events and nothing of the scheduler.
fn check_log(records: &[Record], needs: &BTreeMap<String, Vec<String>>, jobs: usize) {
    let (mut started, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record.seq, index as u64 + 1);
        match &record.event {
            Event::TaskStarted { task, .. } => {
                assert!(started.insert(task.to_string()), "{task} started twice");
                assert!(!ended.contains(&task.to_string()), "{task} started after its end");
                for need in &needs[task.task.as_str()] {
                    assert!(ended.contains(need), "{task} started before {need} ended");
                }
                assert!(started.difference(&ended).count() <= jobs, "more than {jobs} at once");
            }
            Event::TaskFinished { task, .. } => assert!(ended.insert(task.to_string()), "{task} ended twice"),
            Event::RunFinished { .. } => assert_eq!(index + 1, records.len(), "something follows the end of the run"),
            Event::RunCreated { .. } => assert_eq!(index, 0),
            _ => {}
        }
    }
    assert_eq!(ended.len(), needs.len(), "every task ended");
    assert!(matches!(records.last().map(|record| &record.event), Some(Event::RunFinished { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_log_keeps_the_invariants(graph in graphs(), jobs in 1_usize..5) {
        let (text, needs) = text(&graph);
        let ran = run(plan(&text), Scripted::by_name(), jobs);
        check_log(&ran.records, &needs, jobs);
        // The same log gives the same state, cut off anywhere; and it takes no event twice.
        let plan = Arc::new(plan(&text));
        let mut state = RunState::new(crate::fakes::run_id(1), Arc::clone(&plan));
        for record in &ran.records {
            state.apply(record.at, &record.event).unwrap();
            let once_only = matches!(record.event, Event::RunCreated { .. } | Event::TaskStarted { .. } | Event::TaskFinished { .. } | Event::RunFinished { .. });
            if once_only {
                prop_assert!(state.apply(record.at, &record.event).is_err(), "taken twice: {:?}", record.event);
            }
        }
        prop_assert_eq!(state.finished(), ran.outcome.ok());
        prop_assert_eq!(state.command(ran.records[0].at, jobs), None);
    }
}

#[test]
fn an_event_of_an_unknown_task_is_refused() {
    let plan = Arc::new(plan("  a: { uses: test/any@1 }\n"));
    let mut state = RunState::new(crate::fakes::run_id(1), plan);
    let task: StepId = "b".parse().unwrap();
    assert!(state.apply(orch_core::Timestamp(0), &Event::TaskStarted { task, attempt: 1 }).is_err());
}
