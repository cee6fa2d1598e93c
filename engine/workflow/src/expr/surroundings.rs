//! What there is around an expression: where it stands decides what it may look at. The checks are in `check`.

use std::ops::Range;

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    With,
    Condition,
    /// The condition of what runs after the tasks.
    HookCondition,
    Permission,
    TaskOutput,
    WorkflowOutput,
    Assert,
    Axis,
    ForEach,
    Prompt,
    Group,
}

impl Place {
    fn roots(self) -> &'static [&'static str] {
        match self {
            Place::With
            | Place::Condition
            | Place::HookCondition
            | Place::WorkflowOutput
            | Place::ForEach
            | Place::Prompt => &["inputs", "tasks", "run"],
            Place::Permission | Place::Axis | Place::Group => &["inputs"],
            Place::TaskOutput => &["inputs", "tasks", "run", "output"],
            Place::Assert => &["inputs", "tasks", "run", "findings"],
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Place::With => "`with`",
            Place::Condition | Place::HookCondition => "`if`",
            Place::Permission => "`permissions`",
            Place::TaskOutput | Place::WorkflowOutput => "`outputs`",
            Place::Assert => "`assert`",
            Place::Axis => "`matrix`",
            Place::ForEach => "`for-each`",
            Place::Prompt => "`prompt`",
            Place::Group => "`group`",
        }
    }

    /// Whether a task that runs for each of several sees here which one it runs for.
    pub(crate) fn sees_each(self) -> bool {
        matches!(self, Place::With | Place::TaskOutput)
    }
}

/// How a task stands to the one whose expression is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Unknown,
    NotNeeded,
    /// Needed by a needed task.
    Through,
    Direct,
}

/// What is known of the values that a task runs for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EachKnown<'a> {
    /// It runs once.
    Once,
    /// For each combination of a matrix; its axes.
    Matrix(&'a [String]),
    /// For each item of a list.
    Items,
    /// Nothing, because it could not be read.
    Unknown,
}

/// What there is around an expression.
pub(crate) struct Surroundings<'a> {
    pub(crate) place: Place,
    pub(crate) inputs: &'a [&'a str],
    pub(crate) standing: &'a dyn Fn(&str) -> Standing,
    /// Names of tasks for messages; called only when there is one to write.
    pub(crate) tasks: &'a dyn Fn() -> Vec<String>,
    /// What the task runs for.
    pub(crate) each: EachKnown<'a>,
    /// Whether the tasks have ended, so that the run's outcome is known.
    pub(crate) ends_run: bool,
}

impl Surroundings<'_> {
    pub(crate) fn roots(&self) -> Vec<&'static str> {
        let mut roots = self.place.roots().to_vec();
        if self.place.sees_each() {
            match self.each {
                EachKnown::Once => {}
                EachKnown::Matrix(_) => roots.push("matrix"),
                EachKnown::Items => roots.extend(["item", "index"]),
                EachKnown::Unknown => roots.extend(["matrix", "item", "index"]),
            }
        }
        roots
    }
}

/// What an expression refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct References {
    pub(crate) tasks: Vec<TaskReference>,
    /// Names of inputs; `None` for all of them.
    pub(crate) inputs: Vec<Option<String>>,
    /// Whether it looks at anything but inputs.
    pub(crate) beyond_inputs: bool,
    /// Whether it calls `success()`, `failure()` or `always()`.
    pub(crate) status: bool,
}

/// `tasks.a.outputs.b[0]`: the task `a` and what follows `outputs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskReference {
    pub(crate) task: String,
    pub(crate) path: Vec<Part>,
    /// Whether it is only asked if the last part is there.
    pub(crate) optional: bool,
    pub(crate) at: Range<usize>,
}

/// A part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// `.a` or `['a']`
    Name(String),
    /// `[0]`
    Item,
    /// `[x]`: a name or a number.
    Dynamic,
}

impl TaskReference {
    /// The parts that have to be there.
    pub(crate) fn certain(&self) -> &[Part] {
        match self.path.split_last() {
            Some((_, before)) if self.optional => before,
            _ => &self.path,
        }
    }
}
