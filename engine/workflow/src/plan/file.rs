//! The tasks of one file: the workflow itself, or one that a task of it runs.

use super::approval::PlannedApproval;
use super::gate::{PlannedCheck, PlannedGate};
use super::make::PlanRequest;
use super::references::{Chosen, References, choose};
use super::types::{PlannedKind, PlannedPlugin, PlannedTask, PluginTerms};
use super::{call, each, grants, with};
use crate::expr::{ExprError, Template, Used, references};
use crate::read::{Reader, shown};
use crate::scope::{EachView, RunView, Scope, TaskView};
use crate::workflow::{Approval, Gate, MOST_TASKS, Task, Uses, Work, Workflow, merged, merged_timeout, undo_of};
use camino::Utf8Path;
use orch_core::{
    Access, Code, Diagnostic, Digest, Effective, Entropy, Hook, Limits, PluginTask, Span, TaskId, TaskManifest,
    digest_of,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What of a file's inputs is known before the run.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// An object; without those that are not known.
    pub(super) values: Value,
    /// Those that only the run knows.
    pub(super) late: BTreeSet<String>,
    /// Those whose values are wrong or missing; an error says so.
    pub(super) wrong: BTreeSet<String>,
}

/// Whether an expression over inputs has a value before the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    /// Not before the run, because of this input.
    Late(String),
    /// Never; an error says so.
    Wrong,
}

impl Known {
    /// Whether expressions have values.
    pub(super) fn readiness<'u>(&self, used: impl IntoIterator<Item = &'u Used>) -> Readiness {
        let mut readiness = Readiness::Ready;
        for name in used.into_iter().flat_map(|used| references(&used.expr).inputs) {
            let among = |names: &BTreeSet<String>| match &name {
                Some(name) => names.get(name).cloned(),
                None => names.first().cloned(),
            };
            if among(&self.wrong).is_some() {
                return Readiness::Wrong;
            }
            if let Some(input) = among(&self.late) {
                readiness = Readiness::Late(input);
            }
        }
        readiness
    }

    /// The value of a template over inputs.
    pub(super) fn render(template: &Template, inputs: &Value) -> Result<Value, ExprError> {
        let nothing = BTreeMap::<TaskId, TaskView<'_>>::new();
        let run = RunView::default();
        let scope = Scope { inputs, tasks: &nothing, run, needs: &[], each: EachView::Once, findings: None };
        template.render(&scope, None)
    }
}

/// One file and who runs it.
pub(super) struct Call<'a> {
    pub(super) workflow: &'a Workflow,
    pub(super) folder: &'a Utf8Path,
    /// The task that runs it; absent for the workflow itself.
    pub(super) caller: Option<TaskId>,
    /// How many files it is inside of.
    pub(super) depth: usize,
    pub(super) known: Known,
}

impl Call<'_> {
    /// The id in the plan of a task of this file.
    fn id(&self, task: &TaskId) -> TaskId {
        self.caller.as_ref().map_or_else(|| task.clone(), |caller| caller.join(task.as_str()))
    }
}

/// What a file comes to.
#[derive(Default)]
pub(super) struct FilePlan {
    pub(super) tasks: Vec<PlannedTask>,
    pub(super) undos: Vec<PlannedTask>,
    pub(super) hooks: Vec<PlannedTask>,
    /// Inputs that are needed before the run and known only in it, and what for.
    pub(super) too_late: Vec<(String, String)>,
}

/// What all files of a plan share.
pub(super) struct Planner<'a> {
    pub(super) request: &'a PlanRequest<'a>,
    pub(super) validators: with::Validators,
    pub(super) budget: each::Budget,
    tasks: usize,
    full: bool,
    found: Vec<Diagnostic>,
    /// The same file may be run by many tasks; what is wrong with it is told once.
    told: HashSet<(String, Option<Span>, String)>,
    plugins: Vec<PluginTerms>,
    places: HashMap<Digest, usize>,
}

/// Problems after which nobody reads on.
const MOST_PROBLEMS: usize = 200;

impl<'a> Planner<'a> {
    pub(super) fn new(request: &'a PlanRequest<'a>) -> Planner<'a> {
        Planner {
            request,
            validators: with::Validators::default(),
            budget: each::Budget::default(),
            tasks: 0,
            full: false,
            found: Vec::new(),
            told: HashSet::new(),
            plugins: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// What its tasks run, and the problems of the files that the workflow runs.
    pub(super) fn finish(self) -> (Vec<PluginTerms>, Vec<Diagnostic>) {
        (self.plugins, self.found)
    }

    /// Keeps the problems of an inner file.
    pub(super) fn keep(&mut self, found: Vec<Diagnostic>) {
        for problem in found {
            let key = (problem.file.clone(), problem.span.clone(), problem.message.clone());
            if self.found.len() < MOST_PROBLEMS && self.told.insert(key) {
                self.found.push(problem);
            }
        }
        self.full |= self.found.len() >= MOST_PROBLEMS;
    }

    /// Counts the tasks of a file; whether there is still room for them.
    pub(super) fn admit(&mut self, reader: &mut Reader<'_>, workflow: &Workflow, place: &Span) -> bool {
        if self.full {
            return false;
        }
        self.tasks += workflow.every().count();
        if self.tasks > MOST_TASKS {
            let message = format!("with the files that it runs the workflow has more than {MOST_TASKS} tasks");
            reader.error(Code::TooMany, place, message);
            self.full = true;
        }
        !self.full
    }

    /// Plans the tasks of one file.
    pub(super) fn file(&mut self, reader: &mut Reader<'_>, call: &Call<'a>) -> FilePlan {
        let mut made = FilePlan::default();
        if call.depth == 0 && !self.admit(reader, call.workflow, &(0..0)) {
            return made;
        }
        let chosen = choose(reader, self.request, call);
        let seen = References::new(&chosen, call, self.request.nested);
        for index in &call.workflow.order {
            let task = &call.workflow.tasks[*index];
            seen.check(reader, task, None);
            let undo = task.undo.as_deref().and_then(|undo| {
                seen.check(reader, undo, Some(&task.id));
                self.undo(reader, call, &chosen, task, undo, &mut made.too_late)
            });
            if let Work::Workflow(nested) = &task.work {
                self.nested(reader, call, task, nested, &mut made);
                continue;
            }
            let Some(kind) = self.kind(reader, call, &chosen, task, &mut made.too_late) else { continue };
            let strategy = match &task.strategy {
                None => None,
                Some(strategy) => match self.strategy(reader, call, task, strategy, &mut made.too_late) {
                    Some(strategy) => Some(strategy),
                    None => continue,
                },
            };
            let mut planned = planned_task(call, task, kind);
            planned.strategy = strategy;
            planned.cache = self.cached(reader, call, task, &planned.kind);
            planned.undo = undo.as_ref().map(|undo| undo.id.clone());
            made.tasks.push(planned);
            made.undos.extend(undo);
        }
        let hooks = [(Hook::OnFailure, &call.workflow.on_failure), (Hook::Finally, &call.workflow.finally)];
        for (hook, task) in hooks.into_iter().flat_map(|(hook, tasks)| tasks.iter().map(move |task| (hook, task))) {
            seen.check(reader, task, None);
            if let Some(kind) = self.kind(reader, call, &chosen, task, &mut made.too_late) {
                let continue_on_error = task.continue_on_error.unwrap_or(false);
                let planned = planned_task(call, task, kind);
                made.hooks.push(PlannedTask { hook: Some(hook), continue_on_error, ..planned });
            }
        }
        for used in &call.workflow.outputs.used {
            seen.fields(reader, used, None);
        }
        made
    }

    fn undo(
        &mut self,
        reader: &mut Reader<'_>,
        call: &Call<'a>,
        chosen: &Chosen<'a>,
        task: &Task,
        undo: &Task,
        too_late: &mut Vec<(String, String)>,
    ) -> Option<PlannedTask> {
        let kind = self.kind(reader, call, chosen, undo, too_late)?;
        let undone = call.id(&task.id);
        let mut needs: Vec<_> = task.needs.iter().map(|(need, _)| call.id(need)).collect();
        needs.push(undone.clone());
        let Some(id) = undo_of(&undone) else {
            reader.error(Code::TooMany, &undo.span, format!("the task `{undone}` stands too deep to be undone"));
            return None;
        };
        let planned = planned_task(call, undo, kind);
        Some(PlannedTask { id, hook: Some(Hook::Undo), needs, continue_on_error: false, ..planned })
    }

    fn kind(
        &mut self,
        reader: &mut Reader<'_>,
        call: &Call<'a>,
        chosen: &Chosen<'a>,
        task: &Task,
        too_late: &mut Vec<(String, String)>,
    ) -> Option<PlannedKind> {
        match &task.work {
            Work::Uses(uses) => self.plugin(reader, call, chosen, task, uses, too_late),
            Work::Gate(gate) => self.gate(reader, call, task, gate),
            Work::Approval(approval) => Some(approval_of(approval)),
            Work::Workflow(_) | Work::Unknown => None,
        }
    }

    fn plugin(
        &mut self,
        reader: &mut Reader<'_>,
        call: &Call<'a>,
        chosen: &Chosen<'a>,
        task: &Task,
        uses: &Uses,
        too_late: &mut Vec<(String, String)>,
    ) -> Option<PlannedKind> {
        let picked = chosen.get(&task.id)?;
        let (resolved, name, taken): (_, _, &TaskManifest) = (picked.resolved, picked.name, picked.task);
        let manifest = &resolved.manifest;
        let shown =
            if manifest.tasks.len() == 1 { manifest.name.to_string() } else { format!("{}/{name}", manifest.name) };
        if !reader.is_full() {
            with::check(reader, &mut self.validators, resolved.digest, &shown, &taken.input, uses);
        }
        let grants = grants::grants(reader, task, uses, call, too_late)?;
        let policy = self.request.policy;
        let evaluation = grants::decide(reader, task, uses, manifest, &grants, policy);
        let own = uses.limits.or(&call.workflow.defaults.limits);
        let limits = Limits::resolve(&manifest.limits, &own, &policy.ceilings(&manifest.name));
        let terms = PluginTerms {
            plugin: Arc::new(PluginTask {
                name: manifest.name.clone(),
                version: manifest.version.clone(),
                digest: resolved.digest,
                task: name.clone(),
            }),
            signer: resolved.signer.clone(),
            uses: uses.text.clone(),
            grants: Arc::new(evaluation.effective),
            limits: Arc::new(limits),
            decisions: evaluation.decisions,
            idempotent: taken.idempotent,
        };
        let with = match &uses.with {
            None => Template::Literal(Value::Object(Map::new())),
            Some(with) => with.template.clone(),
        };
        Some(PlannedKind::Plugin(Box::new(PlannedPlugin { terms: self.shared(terms), with })))
    }

    /// The place of these terms in the plan: that of the same ones, if a task had them before.
    fn shared(&mut self, terms: PluginTerms) -> usize {
        let place = self.places.entry(digest_of(&terms)).or_insert(self.plugins.len());
        if *place == self.plugins.len() {
            self.plugins.push(terms);
        }
        *place
    }

    fn gate(&self, reader: &mut Reader<'_>, call: &Call<'a>, task: &Task, gate: &Gate) -> Option<PlannedKind> {
        let waivers = match &gate.waivers {
            None => Vec::new(),
            Some((path, span)) => match self.request.waivers.get(&(call.folder.to_owned(), path.clone())) {
                Some(file) => file.waivers.clone(),
                None => {
                    let message = format!("the waivers file `{}` was not read", shown(path));
                    reader.error(Code::Unreadable, span, message);
                    return None;
                }
            },
        };
        let checks = gate.checks.iter().map(|check| PlannedCheck {
            id: check.id.clone(),
            assert: check.expr().clone(),
            on_fail: check.on_fail,
        });
        Some(PlannedKind::Gate(Box::new(PlannedGate {
            needs: task.needs.iter().map(|(need, _)| call.id(need)).collect(),
            baseline: gate.baseline.clone(),
            waivers,
            checks: checks.collect(),
        })))
    }

    fn nested(
        &mut self,
        reader: &mut Reader<'_>,
        call: &Call<'a>,
        task: &Task,
        nested: &crate::workflow::Nested,
        made: &mut FilePlan,
    ) {
        let id = call.id(&task.id);
        let Some((planned, inner)) = call::nested(self, reader, call, nested, id) else { return };
        let mut caller = planned_task(call, task, PlannedKind::Workflow(Box::new(planned.workflow)));
        let (_, own) = merged_timeout(task.timeout.as_ref(), None, &mut |_, _, _| {});
        caller.task_timeout = match (own, planned.timeout) {
            (Some(own), Some(inner)) => Some(own.min(inner)),
            (own, inner) => own.or(inner),
        };
        made.tasks.push(caller);
        made.tasks.extend(inner.tasks);
        made.undos.extend(inner.undos);
    }

    /// Whether earlier results may stand for runs of a task; an error when the task says so and that cannot be.
    fn cached(&self, reader: &mut Reader<'_>, call: &Call<'_>, task: &Task, kind: &PlannedKind) -> bool {
        let PlannedKind::Plugin(plugin) = kind else { return false };
        let plugin = &self.plugins[plugin.terms];
        let wanted = match &task.cache {
            None => call.workflow.defaults.cache,
            Some((wanted, _)) => *wanted,
        };
        if !wanted {
            return false;
        }
        let fixed = |grants: &Effective| grants.clock == Entropy::Fixed && grants.random == Entropy::Fixed;
        // What these answer is not part of what a result is known to depend on.
        let beyond = |grants: &Effective| {
            let kinds = [
                ("net", grants.net.is_nothing()),
                ("secrets", grants.secrets.is_empty()),
                ("exec", grants.exec.is_empty()),
                ("kv", grants.kv.is_empty()),
            ];
            kinds.into_iter().find(|(_, nothing)| !nothing).map(|(kind, _)| kind)
        };
        let written = |grants: &Effective| grants.fs.iter().find(|grant| grant.access == Access::Write).cloned();
        let reason = match written(&plugin.grants) {
            _ if !plugin.idempotent && !fixed(&plugin.grants) => format!(
                "`{}` does not say that it is `idempotent`, and its `clock` and `random` are not both `fixed`",
                plugin.plugin.name
            ),
            None if beyond(&plugin.grants).is_some() => {
                format!("it may use `{}`, whose answers may change", beyond(&plugin.grants).unwrap_or_default())
            }
            Some(grant) => format!("it may write to the mount `{}`, and an earlier result writes nothing", grant.mount),
            None => return true,
        };
        if let Some((_, span)) = &task.cache {
            let message = format!("the result of the task `{}` cannot be used again: {reason}", task.id);
            reader.error_help(Code::Contradiction, span, message, "remove `cache`");
        }
        false
    }
}

fn approval_of(approval: &Approval) -> PlannedKind {
    PlannedKind::Approval(Box::new(PlannedApproval {
        prompt: approval.prompt.clone(),
        users: approval.users.clone(),
        groups: approval.groups.clone(),
        required: approval.required,
        exclude_requester: approval.exclude_requester,
        expires: approval.expires,
    }))
}

fn planned_task(call: &Call<'_>, task: &Task, kind: PlannedKind) -> PlannedTask {
    let outputs = match &task.work {
        Work::Uses(uses) => uses.outputs.as_ref().map(|outputs| outputs.templates.clone()),
        Work::Gate(_) | Work::Approval(_) | Work::Workflow(_) | Work::Unknown => None,
    };
    let defaults = &call.workflow.defaults;
    let is_plugin = matches!(kind, PlannedKind::Plugin(_));
    // What gates and people say, here or in another file, is never to be ignored by a default that was meant for plugins.
    let tolerated = defaults.continue_on_error && is_plugin;
    // Whether all of it fits together was checked with the workflow.
    let mut checked = |_: Code, _: &Span, _: String| {};
    let (timeout, task_timeout) = merged_timeout(task.timeout.as_ref(), defaults.timeout.as_ref(), &mut checked);
    PlannedTask {
        id: call.id(&task.id),
        parent: call.caller.clone(),
        hook: None,
        needs: task.needs.iter().map(|(need, _)| call.id(need)).collect(),
        condition: task.condition.as_ref().map(|condition| condition.expr.clone()),
        ignores_failed_needs: task.decides_itself,
        continue_on_error: task.continue_on_error.unwrap_or(tolerated),
        timeout,
        task_timeout: task_timeout.filter(|_| is_plugin),
        retry: match is_plugin {
            true => merged(task.retry.as_ref(), defaults.retry.as_ref(), &mut checked),
            false => super::Retry::default(),
        },
        strategy: None,
        cache: false,
        undo: None,
        kind,
        outputs,
    }
}
