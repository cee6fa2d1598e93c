//! Whether what stands in different places of a workflow fits together: needs, and every reference of every expression.

use crate::expr::{Place, Standing, Surroundings, Used, check as check_expression, yields_no_boolean};
use crate::graph::{Graph, Reach};
use crate::read::{Reader, known, list};
use crate::workflow::tasks::{Task, Work};
use crate::workflow::top::Workflow;
use orch_core::Code;
use std::collections::HashMap;

/// Circles that are shown, and tasks of one that are.
const MOST_CIRCLES: usize = 10;
const LONGEST_CIRCLE: usize = 10;

/// Checks needs and expressions, and fills in the order of the tasks.
pub(crate) fn check(reader: &mut Reader<'_>, workflow: &mut Workflow) {
    let index: HashMap<String, usize> =
        workflow.tasks.iter().enumerate().map(|(index, task)| (task.id.to_string(), index)).collect();
    let graph = Graph::new(needs(reader, workflow, &index));
    let order = graph.order();
    if order.is_none() {
        for circle in graph.circles(MOST_CIRCLES) {
            report_circle(reader, workflow, &circle);
        }
    }
    // With a circle nothing is certain about who needs whom; the circle is the problem to repair first.
    let Some(order) = order else { return };
    let links = Links { reach: graph.reach(&order), index };
    let names: Vec<String> = workflow.inputs.iter().map(|input| input.name.to_string()).collect();
    let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut deciders = Vec::new();
    for (number, task) in workflow.tasks.iter().enumerate() {
        if links.task(reader, workflow, &inputs, number, task) {
            deciders.push(number);
        }
    }
    for used in &workflow.outputs.used {
        links.expression(reader, workflow, &inputs, None, Place::WorkflowOutput, used);
    }
    for number in deciders {
        workflow.tasks[number].decides_itself = true;
    }
    workflow.order = order;
}

fn needs(reader: &mut Reader<'_>, workflow: &Workflow, index: &HashMap<String, usize>) -> Vec<Vec<usize>> {
    let mut all = Vec::with_capacity(workflow.tasks.len());
    for (number, task) in workflow.tasks.iter().enumerate() {
        let mut needs = Vec::with_capacity(task.needs.len());
        for (need, span) in &task.needs {
            match index.get(need.as_str()) {
                Some(other) if *other == number => {
                    reader.error(Code::Cycle, span, format!("the task `{need}` needs itself"));
                }
                Some(other) => needs.push(*other),
                None if reader.is_full() => reader.error(Code::UnknownTask, span, "unknown task"),
                None => {
                    let names: Vec<_> = workflow.tasks.iter().map(|task| task.id.as_str()).collect();
                    let message = format!("the task `{}` needs `{need}`, which is not in this workflow", task.id);
                    reader.error_help(Code::UnknownTask, span, message, known(need.as_str(), &names));
                }
            }
        }
        all.push(needs);
    }
    all
}

fn report_circle(reader: &mut Reader<'_>, workflow: &Workflow, circle: &[usize]) {
    let Some((first, next)) = circle.first().zip(circle.get(1).or(circle.first())) else { return };
    let first = &workflow.tasks[*first];
    let mut names: Vec<_> = circle.iter().take(LONGEST_CIRCLE).map(|task| workflow.tasks[*task].id.as_str()).collect();
    if circle.len() > LONGEST_CIRCLE {
        names.push("…");
    }
    names.push(first.id.as_str());
    let next = &workflow.tasks[*next].id;
    let span = first.needs.iter().find(|(need, _)| need == next).map_or(&first.span, |(_, span)| span);
    let message = format!("tasks need each other in a circle: {}", names.join(" -> "));
    reader.error_help(Code::Cycle, span, message, "remove one of these needs");
}

struct Links {
    index: HashMap<String, usize>,
    reach: Reach,
}

impl Links {
    /// Checks the expressions of a task; says whether its condition decides about failed needs itself.
    fn task(&self, reader: &mut Reader<'_>, workflow: &Workflow, inputs: &[&str], number: usize, task: &Task) -> bool {
        let mut all = |place: Place, used: &Used| self.expression(reader, workflow, inputs, Some(number), place, used);
        let mut decides = false;
        if let Some(condition) = &task.condition {
            decides = all(Place::Condition, condition);
        }
        match &task.work {
            Work::Uses(uses) => {
                uses.with.iter().flat_map(|with| &with.used).for_each(|used| {
                    all(Place::With, used);
                });
                uses.permissions.fs.iter().flat_map(|entry| &entry.used).for_each(|used| {
                    all(Place::Permission, used);
                });
                uses.outputs.iter().flat_map(|outputs| &outputs.used).for_each(|used| {
                    all(Place::TaskOutput, used);
                });
            }
            Work::Gate(gate) => gate.checks.iter().for_each(|check| {
                all(Place::Assert, &check.assert);
            }),
            Work::Unknown => {}
        }
        decides
    }

    fn expression(
        &self,
        reader: &mut Reader<'_>,
        workflow: &Workflow,
        inputs: &[&str],
        number: Option<usize>,
        place: Place,
        used: &Used,
    ) -> bool {
        if reader.is_full() {
            return false;
        }
        let standing = |name: &str| match (self.index.get(name), number) {
            (None, _) => Standing::Unknown,
            // The workflow's outputs are made when every task has ended.
            (Some(_), None) => Standing::Direct,
            (Some(other), Some(number)) if !self.reach.needs(number, *other) => Standing::NotNeeded,
            (Some(_), Some(number)) => {
                let direct = workflow.tasks[number].needs.iter().any(|(need, _)| need.as_str() == name);
                if direct { Standing::Direct } else { Standing::Through }
            }
        };
        let tasks = || workflow.tasks.iter().map(|task| task.id.to_string()).collect();
        let around = Surroundings { place, inputs, standing: &standing, tasks: &tasks };
        let (references, flaws) = check_expression(&used.expr, &around);
        let sound = flaws.is_empty();
        flaws.into_iter().for_each(|flaw| used.locator.report(reader, flaw));
        if sound
            && matches!(place, Place::Condition | Place::Assert)
            && let Some(word) = yields_no_boolean(&used.expr)
        {
            let span = used.locator.place(&(0..used.expr.text().len()));
            reader.error(Code::WrongType, &span, format!("a condition is a boolean, and this yields {word}"));
        }
        for reference in &references.tasks {
            let Some(other) = self.index.get(&reference.task).map(|index| &workflow.tasks[*index]) else { continue };
            let span = used.locator.place(&reference.at);
            match (&other.work, reference.path.first()) {
                (Work::Gate(_), _) => {
                    let message = format!("the gate `{}` has no outputs", other.id);
                    let help = format!("a gate decides; ask for `tasks['{}'].outcome`", other.id);
                    reader.error_help(Code::UnknownReference, &span, message, help);
                }
                (Work::Uses(uses), Some(name)) => {
                    if let Some(outputs) = &uses.outputs
                        && !outputs.templates.iter().any(|(other, _)| other == name)
                    {
                        let names: Vec<_> = outputs.templates.iter().map(|(name, _)| name.as_str()).collect();
                        let message = format!("the task `{}` has no output `{}`", other.id, crate::read::shown(name));
                        let help = if names.is_empty() { list(&names) } else { known(name, &names) };
                        reader.error_help(Code::UnknownReference, &span, message, help);
                    }
                }
                _ => {}
            }
        }
        references.status
    }
}
