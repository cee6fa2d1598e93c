//! A run, folded from its log for people: where each task stands, what was found, what was refused, what was never used.

use orch_core::{
    Answer, CancelReason, Decision, Digest, Event, Failure, Finding, FindingStatus, GateDecision, Hook, Record,
    Refusal, RunId, RunOutcome, Severity, StoredArtifact, TaskId, TaskKind, TaskOutcome, Timestamp, Usage,
};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// Where a task stands.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskState {
    /// Not begun.
    Waiting,
    /// Under way.
    Running {
        /// When it began.
        since: Timestamp,
    },
    /// An attempt failed, and another one follows.
    Retrying {
        /// When the last one ended.
        since: Timestamp,
    },
    /// Waits for people.
    Asking {
        /// What they are asked.
        prompt: String,
        /// How many have to agree.
        required: u32,
    },
    /// The process that ran it is gone, and a person has to say what comes of it.
    Unknown,
    /// Over.
    Done {
        /// How it ended.
        outcome: TaskOutcome,
    },
}

/// How far the items of a task are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ItemCounts {
    /// All of them.
    pub total: usize,
    /// Those that ended well.
    pub well: usize,
    /// Those that ended otherwise.
    pub broken: usize,
}

/// What a person said about a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who.
    pub by: String,
    /// What.
    pub answer: Answer,
    /// Why.
    pub comment: Option<String>,
}

/// A task as reports show it.
#[derive(Debug, Clone)]
pub struct TaskRow {
    /// Its key in the workflow.
    pub id: TaskId,
    /// What it needs.
    pub needs: Vec<TaskId>,
    /// What it is.
    pub what: TaskKind,
    /// Its permissions and how they came about.
    pub decisions: Vec<Decision>,
    /// Where it stands.
    pub state: TaskState,
    /// The last progress: done, total, note.
    pub progress: Option<(u64, Option<u64>, Option<String>)>,
    /// What it found.
    pub findings: Vec<Finding>,
    /// What it was refused.
    pub refusals: Vec<Refusal>,
    /// What it stored.
    pub artifacts: Vec<StoredArtifact>,
    /// What it decided, if it is a gate.
    pub decision: Option<GateDecision>,
    /// Its output.
    pub output: Option<Value>,
    /// Why it did not run.
    pub reason: Option<String>,
    /// What broke.
    pub failure: Option<Failure>,
    /// What it used.
    pub usage: Usage,
    /// Whether its outcome does not count.
    pub tolerated: bool,
    /// How many lines it logged.
    pub log_lines: u64,
    /// How far its items are, if it runs for each of several.
    pub items: Option<ItemCounts>,
    /// Attempts that failed or were lost and were followed by another one.
    pub retries: u32,
    /// The run whose result stands for it.
    pub reused: Option<RunId>,
    /// What people said.
    pub said: Vec<Said>,
    /// Why it runs, if it is none of the workflow's `tasks`.
    pub hook: Option<Hook>,
}

/// A grant that was never used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedGrant {
    /// Which task.
    pub task: TaskId,
    /// For example `fs source write`.
    pub rule: String,
}

/// A run as reports show it.
#[derive(Debug, Clone, Default)]
pub struct RunView {
    /// The workflow's name.
    pub workflow: String,
    /// The workflow file, as it was given.
    pub file: String,
    /// What ran.
    pub plan_hash: Option<Digest>,
    /// Its tasks, every one after what it needs.
    pub tasks: Vec<TaskRow>,
    /// The workflow's outputs.
    pub outputs: Value,
    /// How it ended.
    pub outcome: Option<RunOutcome>,
    /// Why it was asked to stop.
    pub cancel: Option<CancelReason>,
    /// Who stopped it, if it was a person or another run.
    pub cancelled_by: Option<String>,
    /// Who started it.
    pub requester: Option<String>,
    /// The run of which it repeats a part.
    pub rerun_of: Option<RunId>,
    /// Whether no process drives it, in good order.
    pub suspended: bool,
    /// When it was created.
    pub created: Timestamp,
    /// When its last event was appended.
    pub updated: Timestamp,
    index: HashMap<TaskId, usize>,
}

impl RunView {
    /// A run from its records.
    pub fn of(records: &[Record]) -> RunView {
        let mut view = RunView::default();
        records.iter().for_each(|record| view.take(record));
        view
    }

    /// Takes the next record.
    pub fn take(&mut self, record: &Record) {
        self.updated = record.at;
        if let Event::RunCreated { workflow, file, plan_hash, tasks, requester, rerun_of, .. } = &record.event {
            self.requester = requester.as_ref().map(|person| person.name.clone());
            self.rerun_of.clone_from(rerun_of);
            (self.workflow, self.file, self.plan_hash) = (workflow.clone(), file.clone(), Some(*plan_hash));
            self.created = record.at;
            self.tasks = tasks.iter().map(row).collect();
            self.index = tasks.iter().enumerate().map(|(index, task)| (task.id.clone(), index)).collect();
            return;
        }
        if let Some(task) = record.event.task() {
            // A log that names an unknown task is damaged; a report of the rest is still worth something.
            if let Some(row) = self.index.get(&task.task).and_then(|index| self.tasks.get_mut(*index)) {
                row.take(record, task.item);
            }
            return;
        }
        match &record.event {
            Event::CancelRequested { reason, by, .. } => {
                self.cancel = self.cancel.max(Some(*reason));
                self.cancelled_by = by.as_ref().map(|person| person.name.clone()).or(self.cancelled_by.take());
            }
            Event::RunSuspended { .. } => self.suspended = true,
            Event::RunResumed { .. } => self.suspended = false,
            Event::RunFinished { outcome, outputs } => (self.outcome, self.outputs) = (Some(*outcome), outputs.clone()),
            _ => {}
        }
    }

    /// The row of a task.
    pub fn task(&self, id: &TaskId) -> Option<&TaskRow> {
        self.index.get(id).and_then(|index| self.tasks.get(*index))
    }

    /// The rows that a table of the run shows. In a run that is over, what never had a reason to begin is none: a hook that was not
    /// wanted, and what is inside of a task that did not run.
    pub fn rows(&self) -> impl Iterator<Item = &TaskRow> {
        let over = self.outcome.is_some();
        self.tasks.iter().filter(move |task| !over || task.state != TaskState::Waiting)
    }

    /// Fingerprints that a gate's waivers covered.
    pub fn waived(&self) -> BTreeSet<&str> {
        self.tasks
            .iter()
            .filter_map(|task| task.decision.as_ref())
            .flat_map(|d| d.waived.iter().map(String::as_str))
            .collect()
    }

    /// Open findings with their tasks, the worst first.
    pub fn open_findings(&self) -> Vec<(&TaskRow, &Finding)> {
        let mut found: Vec<_> = self
            .tasks
            .iter()
            .flat_map(|task| task.findings.iter().map(move |finding| (task, finding)))
            .filter(|(_, finding)| finding.status == FindingStatus::Open)
            .collect();
        fn key(finding: &Finding) -> impl Ord + '_ {
            let place = finding.location.as_ref().map(|at| (at.path.as_str(), at.line));
            (std::cmp::Reverse(finding.severity), place)
        }
        found.sort_by(|a, b| key(a.1).cmp(&key(b.1)));
        found
    }

    /// Grants that no finished task of this run used.
    pub fn unused_grants(&self) -> Vec<UnusedGrant> {
        let finished = self.tasks.iter().filter(|task| {
            matches!(task.state, TaskState::Done { outcome: TaskOutcome::Succeeded | TaskOutcome::Failed })
        });
        finished
            .flat_map(|task| {
                let granted = task.decisions.iter().filter(|decision| decision.verdict.holds());
                granted
                    .filter(|decision| !task.usage.used.contains(&decision.rule))
                    // These are a file beside the artifacts: whether it was read is not seen, and nothing of the host is reached.
                    .filter(|decision| !decision.rule.starts_with("findings "))
                    .map(|decision| UnusedGrant { task: task.id.clone(), rule: decision.rule.clone() })
            })
            .collect()
    }

    /// Counts of open findings, from `info` to `critical`.
    pub fn severities(&self) -> [usize; 5] {
        self.tasks.iter().fold([0; 5], |mut sum, task| {
            task.severities().iter().enumerate().for_each(|(at, count)| sum[at] += count);
            sum
        })
    }

    /// From its creation to its last event.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.updated.0 - self.created.0).unwrap_or(0)
    }
}

fn row(task: &orch_core::TaskSummary) -> TaskRow {
    TaskRow {
        id: task.id.clone(),
        needs: task.needs.clone(),
        what: task.what.clone(),
        decisions: task.decisions.clone(),
        state: TaskState::Waiting,
        progress: None,
        findings: Vec::new(),
        refusals: Vec::new(),
        artifacts: Vec::new(),
        decision: None,
        output: None,
        reason: None,
        failure: None,
        usage: Usage::default(),
        tolerated: false,
        log_lines: 0,
        items: None,
        retries: 0,
        reused: None,
        said: Vec::new(),
        hook: task.hook,
    }
}

impl TaskRow {
    fn take(&mut self, record: &Record, item: Option<u32>) {
        match &record.event {
            Event::TaskExpanded { items, .. } => {
                self.items = Some(ItemCounts { total: items.len(), ..ItemCounts::default() });
                self.state = TaskState::Running { since: record.at };
            }
            Event::TaskStarted { .. } => self.state = TaskState::Running { since: record.at },
            Event::AttemptEnded { failure, usage, .. } => {
                self.retries += 1;
                self.usage.add(usage);
                self.reason = Some(failure.message.clone());
                if item.is_none() {
                    self.state = TaskState::Retrying { since: record.at };
                }
            }
            Event::AttemptLost { unknown, .. } => {
                self.retries += u32::from(!unknown);
                self.state = if *unknown { TaskState::Unknown } else { TaskState::Waiting };
            }
            Event::ApprovalRequested { prompt, required, .. } => {
                self.state = TaskState::Asking { prompt: prompt.clone(), required: *required };
            }
            Event::TaskAnswered { answer, by, comment, .. } => {
                self.said.push(Said { by: by.name.clone(), answer: *answer, comment: comment.clone() });
            }
            Event::TaskReused { from, .. } => self.reused = Some(from.clone()),
            Event::TaskLog { .. } => self.log_lines += 1,
            Event::TaskProgress { done, total, note, .. } => self.progress = Some((*done, *total, note.clone())),
            Event::TaskFindings { findings, .. } => self.findings.extend_from_slice(findings),
            Event::TaskRefused { refusal, .. } => self.refusals.push(refusal.clone()),
            Event::ArtifactStored { artifact, .. } => self.artifacts.push(artifact.clone()),
            Event::GateDecided { decision, .. } => self.decision = Some(decision.clone()),
            Event::TaskFinished { outcome, failure, usage, .. } if item.is_some() => {
                if let Some(items) = &mut self.items {
                    items.well += usize::from(outcome.satisfies_needs());
                    items.broken += usize::from(!outcome.satisfies_needs());
                }
                // The first one that broke stands for all: there may be very many.
                if let (None, Some(failure), Some(item)) = (&self.failure, failure, item) {
                    let message = format!("{}[{item}]: {}", self.id, failure.message);
                    self.failure = Some(Failure { message, ..failure.clone() });
                }
                self.usage.add(usage);
                // Hooks that take back what items did have no end of their own as a whole.
                if self.hook.is_some() {
                    self.state = TaskState::Done { outcome: *outcome };
                }
            }
            Event::TaskFinished { outcome, output, reason, failure, usage, tolerated, .. } => {
                self.state = TaskState::Done { outcome: *outcome };
                (self.output, self.reason) = (output.clone(), reason.clone());
                self.tolerated = *tolerated;
                if self.items.is_none() {
                    self.failure = failure.clone();
                    self.usage.add(usage);
                } else if outcome.satisfies_needs() {
                    self.failure = None;
                }
            }
            Event::RunCreated { .. }
            | Event::RunQueued { .. }
            | Event::RunAdmitted { .. }
            | Event::RunSuspended { .. }
            | Event::RunResumed { .. }
            | Event::WorkflowEntered { .. }
            | Event::AnswerRefused { .. }
            | Event::CancelRequested { .. }
            | Event::RunFinished { .. } => {}
        }
    }

    /// Counts of open findings, from `info` to `critical`.
    pub fn severities(&self) -> [usize; 5] {
        let mut counts = [0; 5];
        for finding in self.findings.iter().filter(|finding| finding.status == FindingStatus::Open) {
            counts[finding.severity as usize] += 1;
        }
        counts
    }

    /// Who has agreed so far, of how many: `1 of 2 agree (ann)`; `None` for one who decides alone.
    pub fn agreed(&self) -> Option<String> {
        let TaskState::Asking { required, .. } = self.state else { return None };
        let yes: Vec<&str> =
            self.said.iter().filter(|said| said.answer == Answer::Approve).map(|said| said.by.as_str()).collect();
        let who = if yes.is_empty() { String::new() } else { format!(" ({})", yes.join(", ")) };
        (required > 1).then(|| format!("{} of {required} agree{who}", yes.len()))
    }

    /// `1 retry`, `3 retries`; `None` for none.
    pub(crate) fn retry_words(&self) -> Option<String> {
        match self.retries {
            0 => None,
            1 => Some("1 retry".to_owned()),
            retries => Some(format!("{retries} retries")),
        }
    }

    /// `2 critical, 1 low`; empty when nothing is open.
    pub fn severity_words(&self) -> String {
        severity_words(self.severities())
    }
}

pub(crate) fn severity_words(counts: [usize; 5]) -> String {
    let worst_first = Severity::ALL.iter().rev().map(|severity| (counts[*severity as usize], severity));
    let words: Vec<_> = worst_first.filter(|(count, _)| *count > 0).map(|(count, s)| format!("{count} {s}")).collect();
    words.join(", ")
}
