//! What is seen while a run goes on: on a terminal a tree of tasks that redraws itself, elsewhere a line for each thing that
//! happens.

use crate::style::{Style, elapsed, sign};
use crate::view::{RunView, TaskRow, TaskState};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use orch_core::{Event, LogLevel, Record, TaskId, TaskKind, shorten, visible};
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
            Event::TaskRefused { task, refusal } => {
                let style = self.options.style;
                let text = format!("  {} {task}: {}", style.yellow("refused"), visible(&refusal.to_string()));
                self.say(&text);
            }
            Event::TaskProgress { task, .. } | Event::TaskFindings { task, .. } => self.redraw(task),
            Event::TaskFinished { task, .. } => self.ended(task),
            Event::CancelRequested { .. } => {
                self.say(&self.options.style.yellow("stopping (once more ends it at once)"))
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
        for task in &self.view.tasks {
            let depth = task.needs.iter().filter_map(|need| self.depths.get(need)).max().map_or(0, |depth| depth + 1);
            self.depths.insert(task.id.clone(), depth);
            let bar = self.bar();
            self.bars.insert(task.id.clone(), bar);
        }
        let ids: Vec<_> = self.view.tasks.iter().map(|task| task.id.clone()).collect();
        ids.iter().for_each(|id| self.redraw(id));
    }

    fn started(&mut self, task: &TaskId) {
        if !self.options.terminal {
            self.say(&format!("  ▶ {task}{}", self.view.task(task).map(what).unwrap_or_default()));
            return;
        }
        if self.total.is_some() {
            let bar = self.bar();
            self.bars.insert(task.clone(), bar);
        }
        if let Some(bar) = self.bars.get(task) {
            if let Ok(style) = ProgressStyle::with_template("{msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.reset_elapsed();
            bar.enable_steady_tick(TICK);
        }
        self.redraw(task);
    }

    fn ended(&mut self, task: &TaskId) {
        let Some(row) = self.view.task(task) else { return };
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
        self.redraw(task);
        if let Some(bar) = self.bars.get(task) {
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar.disable_steady_tick();
            bar.tick();
        }
    }

    fn redraw(&self, task: &TaskId) {
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
    }
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
            format!("{indent}▶ {}{}{found}", style.bold(task.id.as_str()), style.dim(&progress))
        }
        TaskState::Done { outcome } => {
            let reason = task.failure.as_ref().map(|failure| failure.message.as_str()).or(task.reason.as_deref());
            let reason = reason.map_or_else(String::new, |reason| {
                format!(": {}", shorten(&visible(reason), options.width.max(60) - 20))
            });
            let time =
                if task.usage.wall_ms > 0 { format!(" in {}", elapsed(task.usage.wall_ms)) } else { String::new() };
            let tolerated = if task.tolerated { " (goes on)" } else { "" };
            format!(
                "{indent}{} {} {}{time}{tolerated}{found}{reason}",
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
    task: &TaskId,
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
    format!("  {} {word}: {}{}", style.dim(task.as_str()), visible(message), style.dim(&fields))
}
