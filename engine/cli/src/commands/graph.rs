//! `graph`: the tasks of a workflow and what needs what.

use crate::args::Drawing;
use crate::places::WorkflowPlace;
use crate::prepare::load_workflow;
use crate::terminal;
use orch_core::{Exit, TaskId};
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) fn run(file: &Path, kind: Drawing) -> anyhow::Result<Exit> {
    let loaded = load_workflow(&WorkflowPlace::of(file)?)?;
    let graph = loaded.workflow.graph();
    terminal::print(&match kind {
        Drawing::Text => text(&graph),
        Drawing::Mermaid => mermaid(&graph),
        Drawing::Dot => dot(&graph),
    })?;
    Ok(Exit::Succeeded)
}

/// Every task once, below the deepest task that it needs; further needs stand behind it.
fn text(graph: &[(&TaskId, Vec<&TaskId>)]) -> String {
    let mut depths: BTreeMap<&TaskId, usize> = BTreeMap::new();
    let mut parents: BTreeMap<&TaskId, Option<&TaskId>> = BTreeMap::new();
    for (task, needs) in graph {
        let parent = needs.iter().max_by_key(|need| depths.get(**need).copied().unwrap_or(0)).copied();
        depths.insert(task, parent.map_or(0, |parent| depths.get(parent).copied().unwrap_or(0) + 1));
        parents.insert(task, parent);
    }
    let mut children: BTreeMap<Option<&TaskId>, Vec<usize>> = BTreeMap::new();
    for (index, (task, _)) in graph.iter().enumerate() {
        children.entry(parents[task]).or_default().push(index);
    }
    let mut out = String::new();
    // A stack and not recursion: a chain of ten thousand tasks is a valid workflow.
    let mut stack: Vec<(usize, String, bool)> = Vec::new();
    let push = |stack: &mut Vec<(usize, String, bool)>, parent: Option<&TaskId>, indent: &str| {
        let below = children.get(&parent).map(Vec::as_slice).unwrap_or_default();
        for (place, index) in below.iter().enumerate().rev() {
            stack.push((*index, indent.to_owned(), place + 1 == below.len()));
        }
    };
    push(&mut stack, None, "");
    while let Some((index, indent, last)) = stack.pop() {
        let (task, needs) = &graph[index];
        let root = parents[task].is_none();
        let branch = if root {
            ""
        } else if last {
            "└─ "
        } else {
            "├─ "
        };
        let others: Vec<_> =
            needs.iter().filter(|need| Some(**need) != parents[task]).map(|need| need.as_str()).collect();
        let others = if others.is_empty() { String::new() } else { format!("  (also needs {})", others.join(", ")) };
        out.push_str(&format!("{indent}{branch}{task}{others}\n"));
        let below = if root {
            indent
        } else if last {
            indent + "   "
        } else {
            indent + "│  "
        };
        push(&mut stack, Some(task), &below);
    }
    out
}

fn mermaid(graph: &[(&TaskId, Vec<&TaskId>)]) -> String {
    let number: BTreeMap<&TaskId, usize> = graph.iter().enumerate().map(|(index, (task, _))| (*task, index)).collect();
    let mut out = String::from("flowchart TD\n");
    for (index, (task, needs)) in graph.iter().enumerate() {
        // Ids by number: a task may be called `end`, which Mermaid keeps for itself.
        out.push_str(&format!("    t{index}[\"{task}\"]\n"));
        for need in needs {
            out.push_str(&format!("    t{} --> t{index}\n", number[need]));
        }
    }
    out
}

fn dot(graph: &[(&TaskId, Vec<&TaskId>)]) -> String {
    let mut out = String::from("digraph workflow {\n    node [shape=box];\n");
    for (task, needs) in graph {
        out.push_str(&format!("    \"{task}\";\n"));
        for need in needs {
            out.push_str(&format!("    \"{need}\" -> \"{task}\";\n"));
        }
    }
    out + "}\n"
}
