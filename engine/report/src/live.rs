//! What is seen while a run goes on: on a terminal a tree of tasks that redraws itself, elsewhere a line for each thing that
//! happens.

use crate::style::{Style, elapsed, sign};
use crate::view::{RunView, TaskRow, TaskState};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use orch_core::{
    Answer, CancelReason, Event, LogLevel, Record, StepId, TaskId, TaskKind, TaskOutcome, shorten, visible,
};
use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

/// Tasks that are drawn as a tree; with more, only those that run have a line.
const MOST_TREE: usize = 30;

/// How often the elapsed time moves.
const TICK: Duration = Duration::from_millis(120);

/// How a run is shown.
#[derive(Debug, Clone, Copy)]
pub struct LiveOptions {
    /// Whether standard error is a terminal that can be redrawn.
    pub terminal: bool,
    /// Colours.
    pub style: Style,
    /// Columns.
    pub width: usize,
    /// The least level of log lines that are shown.
    pub level: LogLevel,
}

/// Shows a run on standard error.
pub struct Live {
    options: LiveOptions,
    view: RunView,
    drawing: MultiProgress,
    bars: HashMap<TaskId, ProgressBar>,
    depths: HashMap<TaskId, usize>,
    total: Option<ProgressBar>,
}

impl Live {
    /// Shows nothing yet.
    pub fn new(options: LiveOptions) -> Live {
        let target =
            if options.terminal { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        Live {
            options,
            view: RunView::default(),
            drawing: MultiProgress::with_draw_target(target),
            bars: HashMap::new(),
            depths: HashMap::new(),
            total: None,
        }
    }

    /// Takes what happened before without saying it again.
    pub fn catch_up(&mut self, records: &[Record]) {
        records.iter().for_each(|record| self.view.take(record));
        self.say(&self.options.style.bold(&visible(&self.view.workflow)));
        if self.options.terminal {
            self.draw_tree();
        }
    }

    /// Shows a record.
    pub fn take(&mut self, record: &Record) {
        self.view.take(record);
        match &record.event {
            Event::RunCreated { workflow, tasks, .. } => {
                let name = self.options.style.bold(&visible(workflow));
                self.say(&format!("{name}: {}", orch_core::plural(tasks.len(), "task")));
                if self.options.terminal {
                    self.draw_tree();
                }
            }
            Event::TaskStarted { task, .. } => self.started(task),
            Event::TaskLog { task, level, message, fields } if *level >= self.options.level => {
                self.say(&log_line(self.options.style, task, *level, message, fields));
            }
            Event::RunQueued { group, ahead } => {
                let before = match ahead {
                    0 => "next in line".to_owned(),
                    ahead => format!("{} before this one", orch_core::plural(*ahead as usize, "run")),
                };
                self.say(&format!("  waiting for a place in `{}`: {before}", visible(group)));
            }
            Event::RunResumed { by } => {
                self.say(&format!("  {} by {}", self.options.style.bold("resumed"), visible(&by.name)));
            }
            Event::TaskExpanded { task, items } => {
                self.say(&format!("  ▶ {task}  {}", orch_core::plural(items.len(), "item")));
                self.redraw(task);
            }
            Event::AttemptEnded { task, failure, delay_ms, .. } => {
                let wait = elapsed(*delay_ms);
                let message = visible(&failure.message);
                let word = self.options.style.yellow("trying again");
                self.say(&format!("  {task}: {word} in {wait}: {}", shorten(&message, self.options.width.max(60))));
                self.redraw(task);
            }
            Event::AttemptLost { task, unknown, .. } => {
                let what = if *unknown {
                    "its end is unknown: a person has to settle it"
                } else {
                    "was lost, and begins again"
                };
                self.say(&format!("  {task}: {}", self.options.style.yellow(what)));
                self.redraw(task);
            }
            Event::TaskReused { task, from, .. } => {
                self.say(&format!("  {task}: the result of run {} still holds", from.short()));
            }
            Event::ApprovalRequested { task, prompt, .. } => {
                let word = self.options.style.yellow("waits for people");
                self.say(&format!("  {task}: {word}: {}", visible(prompt)));
                self.redraw(task);
            }
            Event::TaskAnswered { task, answer, by, .. } => {
                self.say(&format!("  {task}: {} by {}", answered(*answer), visible(&by.name)));
                self.redraw(task);
            }
            Event::AnswerRefused { task, by, reason } => {
                let word = self.options.style.yellow("does not count");
                self.say(&format!("  {task}: the answer of {} {word}: {}", visible(&by.name), visible(reason)));
            }
            Event::RunAdmitted { .. } | Event::RunSuspended { .. } | Event::WorkflowEntered { .. } => {}
            Event::TaskRefused { task, refusal } => {
                let style = self.options.style;
                let text = format!("  {} {task}: {}", style.yellow("refused"), visible(&refusal.to_string()));
                self.say(&text);
            }
            Event::TaskProgress { task, .. } | Event::TaskFindings { task, .. } => self.redraw(task),
            Event::TaskFinished { task, outcome, failure, .. } => {
                self.ended(task, *outcome, failure.as_ref().map(|failure| failure.message.as_str()));
            }
            Event::CancelRequested { reason, by, .. } => {
                let who = by.as_ref().map(|by| visible(&by.name).into_owned());
                let text = match (reason, who) {
                    (CancelReason::Conflict, Some(why)) => format!("not run: {why}"),
                    (CancelReason::RunTimeout, _) => "stopping: the run's time is up".to_owned(),
                    (_, Some(who)) => format!("stopping: asked by {who}"),
                    (_, None) => "stopping (once more ends it at once)".to_owned(),
                };
                self.say(&self.options.style.yellow(&text));
            }
            Event::RunFinished { .. } => self.clear(),
            Event::TaskLog { .. } | Event::ArtifactStored { .. } | Event::GateDecided { .. } => {}
        }
    }

    /// The run as it is now.
    pub fn view(&self) -> &RunView {
        &self.view
    }

    /// Takes the drawing away; what was said stays.
    pub fn clear(&mut self) {
        for bar in self.bars.values().chain(&self.total) {
            bar.finish_and_clear();
        }
        let _ = self.drawing.clear();
    }

    fn say(&self, line: &str) {
        if self.options.terminal {
            let _ = self.drawing.println(line);
        } else {
            // A closed standard error is no reason to stop a run.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    fn bar(&self) -> ProgressBar {
        let bar = self.drawing.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        bar
    }

    fn draw_tree(&mut self) {
        if self.view.tasks.len() > MOST_TREE {
            let bar = self.bar();
            bar.enable_steady_tick(TICK);
            self.total = Some(bar);
            return;
        }
        // What runs at the end only when there is reason to gets its line then.
        for task in self.view.tasks.iter().filter(|task| task.hook.is_none()) {
            let depth = task.needs.iter().filter_map(|need| self.depths.get(need)).max().map_or(0, |depth| depth + 1);
            self.depths.insert(task.id.clone(), depth);
            let bar = self.bar();
            self.bars.insert(task.id.clone(), bar);
        }
        let ids: Vec<_> = self.bars.keys().cloned().collect();
        ids.into_iter().for_each(|id| self.redraw(&id.into()));
    }

    fn started(&mut self, step: &StepId) {
        let task = &step.task;
        if !self.options.terminal {
            self.say(&format!("  ▶ {step}{}", self.view.task(task).map(what).unwrap_or_default()));
            return;
        }
        if !self.bars.contains_key(task) {
            let bar = self.bar();
            self.bars.insert(task.clone(), bar);
        }
        if let Some(bar) = self.bars.get(task) {
            if let Ok(style) = ProgressStyle::with_template("{msg} {elapsed}") {
                bar.set_style(style);
            }
            if step.item.is_none_or(|item| item == 0) {
                bar.reset_elapsed();
            }
            bar.enable_steady_tick(TICK);
        }
        self.redraw(step);
    }

    fn ended(&mut self, step: &StepId, outcome: TaskOutcome, failure: Option<&str>) {
        let task = &step.task;
        let Some(row) = self.view.task(task) else { return };
        if step.item.is_some() {
            // On a terminal the task's own line counts; which one broke is said in both.
            if !self.options.terminal || failure.is_some() {
                let items = row.items.unwrap_or_default();
                let count = format!("({} of {})", items.well + items.broken, items.total);
                let why = failure.map_or_else(String::new, |why| format!(": {}", visible(why)));
                let word = self.options.style.task_outcome(outcome);
                let line = format!("  {} {step} {word} {count}{why}", sign(outcome));
                self.say(&shorten(&line, self.options.width.max(60) * 2));
            }
            self.redraw(step);
            return;
        }
        if !self.options.terminal {
            self.say(&line(self.options, row, 0));
            return;
        }
        let broke = row.failure.is_some();
        if self.total.is_some() {
            if let Some(bar) = self.bars.remove(task) {
                bar.finish_and_clear();
            }
            if broke {
                self.say(&line(self.options, row, 0));
            }
            let done = self.view.tasks.iter().filter(|task| matches!(task.state, TaskState::Done { .. })).count();
            if let Some(total) = &self.total {
                total.set_message(format!("{done} of {} tasks", self.view.tasks.len()));
            }
            return;
        }
        self.redraw(step);
        if let Some(bar) = self.bars.get(task) {
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar.disable_steady_tick();
            bar.tick();
        }
    }

    fn redraw(&self, step: &StepId) {
        let task = &step.task;
        if let (Some(bar), Some(row)) = (self.bars.get(task), self.view.task(task)) {
            bar.set_message(line(self.options, row, self.depths.get(task).copied().unwrap_or(0)));
        }
    }
}

/// ` orch/secret-scan 0.1.0`
fn what(task: &TaskRow) -> String {
    match &task.what {
        TaskKind::Plugin { plugin, version, .. } => format!("  {plugin} {version}"),
        TaskKind::Gate => "  gate".to_owned(),
        TaskKind::Approval => "  approval".to_owned(),
        TaskKind::Workflow { file } => format!("  {}", visible(file)),
    }
}

/// What a person said, as a participle.
pub(crate) fn answered(answer: Answer) -> &'static str {
    match answer {
        Answer::Approve => "approved",
        Answer::Reject => "rejected",
        Answer::Again => "to be run again",
        Answer::Succeeded => "settled as succeeded",
        Answer::Failed => "settled as failed",
    }
}

/// ` 3 of 10 items`, ` attempt 2`
fn extent(task: &TaskRow) -> String {
    let items = task
        .items
        .map_or_else(String::new, |items| format!("  {} of {} items", items.well + items.broken, items.total));
    items + &task.retry_words().map_or_else(String::new, |retries| format!("  {retries}"))
}

/// A task in one line.
fn line(options: LiveOptions, task: &TaskRow, depth: usize) -> String {
    let style = options.style;
    let indent = "  ".repeat(depth.min(8) + 1);
    let found = match task.severity_words() {
        words if words.is_empty() => String::new(),
        words => format!("  {}", style.yellow(&words)),
    };
    match &task.state {
        TaskState::Waiting => style.dim(&format!("{indent}· {}", task.id)),
        TaskState::Running { .. } => {
            let progress = match &task.progress {
                Some((done, Some(total), note)) if *total > 0 => {
                    let percent = u128::from(*done) * 100 / u128::from(*total);
                    format!("  {} %{}", percent.min(100), note_text(note.as_deref(), options.width))
                }
                Some((done, _, note)) => format!("  {done}{}", note_text(note.as_deref(), options.width)),
                None => String::new(),
            };
            let extent = extent(task);
            format!("{indent}▶ {}{}{}{found}", style.bold(task.id.as_str()), style.dim(&extent), style.dim(&progress))
        }
        TaskState::Retrying { .. } => format!("{indent}↻ {}{}", task.id, style.dim(&extent(task))),
        TaskState::Asking { prompt, .. } => {
            let prompt = visible(prompt);
            format!(
                "{indent}? {} {}: {}",
                task.id,
                style.yellow("waits for people"),
                shorten(&prompt, options.width.max(60) / 2)
            )
        }
        TaskState::Unknown => format!("{indent}? {} {}", task.id, style.yellow("unknown")),
        TaskState::Done { outcome } => {
            let reason = task.failure.as_ref().map(|failure| failure.message.as_str()).or(task.reason.as_deref());
            let reason = reason.map_or_else(String::new, |reason| {
                format!(": {}", shorten(&visible(reason), options.width.max(60) - 20))
            });
            let time =
                if task.usage.wall_ms > 0 { format!(" in {}", elapsed(task.usage.wall_ms)) } else { String::new() };
            let tolerated = if task.tolerated { " (goes on)" } else { "" };
            let reused = if task.reused.is_some() { " (reused)" } else { "" };
            format!(
                "{indent}{} {} {}{reused}{time}{tolerated}{found}{reason}",
                sign(*outcome),
                task.id,
                style.task_outcome(*outcome)
            )
        }
    }
}

fn note_text(note: Option<&str>, width: usize) -> String {
    note.map_or_else(String::new, |note| format!("  {}", shorten(&visible(note), width.max(60) / 2)))
}

/// A guest's log line, harmless.
pub(crate) fn log_line(
    style: Style,
    task: &StepId,
    level: LogLevel,
    message: &str,
    fields: &[(String, String)],
) -> String {
    let word = match level {
        LogLevel::Trace => style.dim("trace"),
        LogLevel::Debug => style.dim("debug"),
        LogLevel::Info => "info".to_owned(),
        LogLevel::Warn => style.yellow("warn"),
        LogLevel::Error => style.red("error"),
    };
    let fields: String = fields.iter().map(|(name, value)| format!(" {}={}", visible(name), visible(value))).collect();
    format!("  {} {word}: {}{}", style.dim(&task.to_string()), visible(message), style.dim(&fields))
}
