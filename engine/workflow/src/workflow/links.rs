//! Whether what stands in different places of a workflow fits together: needs, and every reference of every expression.

use crate::expr::{
    EachKnown, Part, Place, Standing, Surroundings, TaskReference, Used, check as check_expression, yields_no_boolean,
};
use crate::graph::{Graph, Reach};
use crate::read::{Reader, known, list, shown};
use crate::workflow::tasks::{Task, Work};
use crate::workflow::top::Workflow;
use orch_core::{Code, Span};
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
    let view = |viewer, each| View { workflow, inputs: &inputs, viewer, each };
    let mut deciders = Vec::new();
    for (number, task) in workflow.tasks.iter().enumerate() {
        if links.task(reader, &view(Viewer::Task(number), task.each()), task) {
            deciders.push(number);
        }
        if let Some(undo) = &task.undo {
            links.task(reader, &view(Viewer::Undo(number), task.each()), undo);
        }
    }
    for hook in workflow.on_failure.iter().chain(&workflow.finally) {
        links.task(reader, &view(Viewer::Hook, EachKnown::Once), hook);
    }
    for used in &workflow.outputs.used {
        links.expression(reader, &view(Viewer::Outputs, EachKnown::Once), Place::WorkflowOutput, used);
    }
    for used in workflow.concurrency.iter().flat_map(|concurrency| &concurrency.used) {
        links.expression(reader, &view(Viewer::Outputs, EachKnown::Once), Place::Group, used);
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

/// Whose expressions are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Viewer {
    /// A task sees what it needs, directly or through others.
    Task(usize),
    /// What takes back a task sees what that one sees, and the task itself.
    Undo(usize),
    /// What runs at the end sees every task, and how the run came out.
    Hook,
    /// The workflow's outputs are made when every task has ended.
    Outputs,
}

struct View<'w> {
    workflow: &'w Workflow,
    inputs: &'w [&'w str],
    viewer: Viewer,
    each: EachKnown<'w>,
}

impl Links {
    /// Checks the expressions of a task; says whether its condition decides about failed needs itself.
    fn task(&self, reader: &mut Reader<'_>, view: &View<'_>, task: &Task) -> bool {
        let mut all = |place: Place, used: &Used| self.expression(reader, view, place, used);
        let mut decides = false;
        if let Some(condition) = &task.condition {
            let place = if view.viewer == Viewer::Hook { Place::HookCondition } else { Place::Condition };
            decides = all(place, condition);
        }
        task.expressions(&mut |place, used| {
            all(place, used);
        });
        decides
    }

    fn standing(&self, view: &View<'_>, name: &str) -> Standing {
        let Some(other) = self.index.get(name) else { return Standing::Unknown };
        let number = match view.viewer {
            Viewer::Hook | Viewer::Outputs => return Standing::Direct,
            Viewer::Undo(number) if number == *other => return Standing::Direct,
            Viewer::Task(number) | Viewer::Undo(number) => number,
        };
        if !self.reach.needs(number, *other) {
            return Standing::NotNeeded;
        }
        let direct = view.workflow.tasks[number].needs.iter().any(|(need, _)| need.as_str() == name);
        if direct { Standing::Direct } else { Standing::Through }
    }

    fn expression(&self, reader: &mut Reader<'_>, view: &View<'_>, place: Place, used: &Used) -> bool {
        if reader.is_full() {
            return false;
        }
        let standing = |name: &str| self.standing(view, name);
        let tasks = || view.workflow.tasks.iter().map(|task| task.id.to_string()).collect();
        let around = Surroundings {
            place,
            inputs: view.inputs,
            standing: &standing,
            tasks: &tasks,
            each: view.each,
            ends_run: view.viewer == Viewer::Hook,
        };
        let (references, flaws) = check_expression(&used.expr, &around);
        let sound = flaws.is_empty();
        flaws.into_iter().for_each(|flaw| used.locator.report(reader, flaw));
        let wrong = match place {
            Place::Condition | Place::HookCondition | Place::Assert => {
                yields_no_boolean(&used.expr).map(|word| format!("a condition is a boolean, and this yields {word}"))
            }
            _ => None,
        };
        if let Some(message) = wrong.filter(|_| sound) {
            reader.error(Code::WrongType, &used.locator.place(&(0..used.expr.text().len())), message);
        }
        for reference in &references.tasks {
            let Some(number) = self.index.get(&reference.task) else { continue };
            let span = used.locator.place(&reference.at);
            let alone = view.viewer == Viewer::Undo(*number);
            outputs_of(reader, &view.workflow.tasks[*number], alone, reference, &span);
        }
        references.status
    }
}

/// Whether a task has the outputs that an expression refers to. `alone`: one item of the task is meant, not all of them.
fn outputs_of(reader: &mut Reader<'_>, task: &Task, alone: bool, reference: &TaskReference, span: &Span) {
    let id = &task.id;
    let help = format!("ask for `tasks['{id}'].outcome`");
    let dotted = |name: &str| match name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        true => format!("['{name}']"),
        false => format!(".{name}"),
    };
    let uses = match &task.work {
        Work::Gate(_) => {
            let message = format!("the gate `{id}` has no outputs");
            return reader.error_help(Code::UnknownReference, span, message, format!("a gate decides; {help}"));
        }
        Work::Approval(_) => {
            let message = format!("the approval `{id}` has no outputs");
            return reader.error_help(Code::UnknownReference, span, message, format!("people decide; {help}"));
        }
        Work::Uses(uses) => uses,
        Work::Workflow(_) | Work::Unknown => return,
    };
    let is_list = task.strategy.is_some() && !alone;
    if is_list && let Some(Part::Name(name)) = reference.path.first() {
        let (name, task) = (dotted(&shown(name)), dotted(id.as_str()));
        let message = format!("the task `{id}` runs once for each of several, so its outputs are a list");
        let help = format!("write `tasks{task}.outputs[0]{name}` or `tasks{task}.outputs.map(each, each{name})`");
        return reader.error_help(Code::UnknownReference, span, message, help);
    }
    let Some(Part::Name(name)) = reference.certain().get(usize::from(is_list)) else { return };
    if let Some(outputs) = &uses.outputs
        && !outputs.templates.iter().any(|(other, _)| other == name)
    {
        let names: Vec<_> = outputs.templates.iter().map(|(name, _)| name.as_str()).collect();
        let message = format!("the task `{id}` has no output `{}`", shown(name));
        let help = if names.is_empty() { list(&names) } else { known(name, &names) };
        reader.error_help(Code::UnknownReference, span, message, help);
    }
}
