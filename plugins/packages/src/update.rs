//! The task `update`: changes exactly the packages that it is given, one after the other, through the granted program `update`, and tells
//! by the database what came of it.

use crate::changes::{self, Change};
use crate::database::Database;
use crate::model::{Manager, Update};
use crate::programs::{self, Planned, What};
use crate::system::{Fact, System, ended, reboot_finding, said};
use crate::text::shown;
use orch_plugin_kit::report::{check_cancelled, emit};
use orch_sdk::{Finding, Host, Outcome, Severity, Status, TaskError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Packages of one call; as many as `outdated` returns.
const MOST_PACKAGES: usize = 8_000;
/// Other changes that a simulation told of, in one message.
const MOST_NAMED: usize = 10;

/// What `update` takes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// What to change, as `outdated` returned it. Nothing else is changed.
    pub packages: Vec<Update>,
    /// Whose packages; without it the first database that is there: dpkg's, apk's, rpm's.
    #[serde(default)]
    pub manager: Option<Manager>,
}

/// What `update` returns.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Output {
    /// What keeps the packages.
    pub manager: Manager,
    /// Whether this was a dry run, in which nothing is changed.
    pub dry_run: bool,
    /// Whether the granted program `simulate` was asked before.
    pub simulated: bool,
    /// In a dry run: what would be changed.
    pub would_change: Vec<Change>,
    /// What has the wanted version now and had another before.
    pub changed: Vec<Change>,
    /// What had the wanted version, or a later one, before.
    pub unchanged: Vec<Change>,
    /// What has not the wanted version now, and why.
    pub failed: Vec<Failure>,
    /// What changed although nobody asked for it.
    pub unexpected: Vec<Change>,
    /// Whether the system asks for a reboot.
    pub reboot_required: bool,
    /// The packages that asked for it, where they say.
    pub reboot_packages: Vec<String>,
}

/// A package that was not updated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// The package.
    pub name: String,
    /// What it was built for.
    pub architecture: Option<String>,
    /// The version that it was to have.
    pub to: String,
    /// The version that it has now, with its state where it is not wholly installed.
    pub now: Option<String>,
    /// Why.
    pub reason: String,
    /// The end of what the program printed.
    pub output: Option<String>,
}

/// Why one package is not updated, with the end of what a program printed.
struct No {
    reason: String,
    output: Option<String>,
}

impl No {
    fn new(reason: impl Into<String>) -> No {
        No { reason: reason.into(), output: None }
    }
}

/// Updates packages. [`Outcome::Rejected`] when one failed or something else changed.
///
/// # Errors
/// When the input is wrong, the root or the program is not granted, or the database cannot be read.
pub fn update(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    let system = System::new(host)?;
    let before = Database::read(&system.root, input.manager)?;
    check_input(&input, before.manager)?;
    if input.packages.is_empty() {
        return Ok(Outcome::Skipped("no package is to be updated".to_owned()));
    }
    let (dry_run, manager) = (host.is_dry_run(), before.manager);
    // dnf has no simulation whose output could be compared.
    let simulated = system.has("simulate") && manager != Manager::Dnf;
    if !dry_run && !system.has("update") {
        return Err(TaskError::Denied { capability: "exec".to_owned(), target: "update".to_owned() });
    }
    let run = Run { system: &system, approved: &input.packages, before: &before, simulated };
    let mut reasons: BTreeMap<usize, No> = BTreeMap::new();
    let total = input.packages.len() as u64;
    for (at, update) in input.packages.iter().enumerate() {
        if host.is_cancelled() {
            host.warn(&format!("stopped after {at} of {total} packages"));
            return Err(TaskError::Cancelled);
        }
        host.progress(at as u64, Some(total), &update.title());
        if let Err(no) = run.one(update, dry_run)? {
            host.warn(&format!("{}: {}", update.title(), no.reason));
            reasons.insert(at, no);
        }
    }
    host.progress(total, Some(total), "");
    let after = Database::read(&system.root, Some(manager))?;
    let output = run.output(&after, reasons, dry_run);
    emit(output.findings(&after), host)?;
    let is_well = output.failed.is_empty() && output.unexpected.is_empty();
    Ok(if is_well { Outcome::Succeeded(output) } else { Outcome::Rejected(output) })
}

fn check_input(input: &Input, manager: Manager) -> Result<(), TaskError> {
    let wrong = |reason: String| Err(TaskError::InvalidInput(format!("`packages`: {reason}")));
    if input.packages.len() > MOST_PACKAGES {
        return wrong(format!("more than {MOST_PACKAGES} packages"));
    }
    let mut seen = BTreeSet::new();
    for update in &input.packages {
        if let Err(reason) = manager.check(&update.name, update.architecture.as_deref(), &update.to) {
            return wrong(format!("`{}` {}: {reason}", shown(&update.name, 100), shown(&update.to, 100)));
        }
        if !seen.insert((&update.name, &update.architecture)) {
            return wrong(format!("`{}` stands twice", update.title()));
        }
    }
    Ok(())
}

struct Run<'a> {
    system: &'a System<'a>,
    approved: &'a [Update],
    before: &'a Database,
    simulated: bool,
}

impl Run<'_> {
    /// Updates one package, or in a dry run says whether it could be.
    fn one(&self, update: &Update, dry_run: bool) -> Result<Result<(), No>, TaskError> {
        let manager = self.before.manager;
        // What was updated before may have brought this one along.
        let read = if dry_run { None } else { Some(Database::read(&self.system.root, Some(manager))?) };
        let Some(installed) = changes::latest(read.as_ref().unwrap_or(self.before), update) else {
            return Ok(Err(No::new("it is not installed, and nothing new is installed")));
        };
        let is_there = manager.compare(&installed.version, &update.to) != Ordering::Less;
        if is_there && installed.is_well() {
            return Ok(Ok(()));
        }
        if installed.held {
            return Ok(Err(No::new("it is held")));
        }
        if !is_there && installed.version != update.from {
            let reason = format!("it has the version {}, and not {} any more", installed.version, update.from);
            return Ok(Err(No::new(shown(&reason, 300))));
        }
        let name = self.argument(update);
        let slots = System::slots(manager, &name, &update.to);
        if self.simulated {
            let printed = self.system.run("simulate", Some(slots))?;
            let output = Some(said(&printed)).filter(|output| !output.is_empty());
            if !printed.exit.is_success() {
                return Ok(Err(No { reason: format!("the simulation says no: {}", ended(&printed)), output }));
            }
            let planned = programs::planned(manager, &String::from_utf8_lossy(&printed.stdout));
            if let Err(reason) = self.all_approved(&planned) {
                return Ok(Err(No { reason, output }));
            }
        }
        if dry_run {
            return Ok(Ok(()));
        }
        check_cancelled(self.system.host)?;
        let printed = self.system.run("update", Some(slots))?;
        if printed.exit.is_success() {
            return Ok(Ok(()));
        }
        let output = Some(said(&printed)).filter(|output| !output.is_empty());
        Ok(Err(No { reason: format!("the program failed: {}", ended(&printed)), output }))
    }

    /// The name as the program takes it: apt wants to know which of several architectures is meant.
    fn argument(&self, update: &Update) -> String {
        let native = self.before.find("dpkg", None).next().and_then(|dpkg| dpkg.architecture.as_deref());
        match update.architecture.as_deref() {
            Some(foreign)
                if self.before.manager == Manager::Apt
                    && foreign != "all"
                    && native.is_some_and(|native| native != foreign) =>
            {
                format!("{}:{foreign}", update.name)
            }
            _ => update.name.clone(),
        }
    }

    /// Whether all that a simulation would change is what was asked for.
    fn all_approved(&self, planned: &[Planned]) -> Result<(), String> {
        let is_approved = |one: &&Planned| {
            self.approved.iter().any(|update| {
                let same = update.architecture.is_none()
                    || one.architecture.is_none()
                    || update.architecture == one.architecture
                    // apt says what an architecture-independent package is for, dpkg what it is built for.
                    || update.architecture.as_deref() == Some("all");
                update.name == one.name && same && one.what == What::Version(update.to.clone())
            })
        };
        let others: Vec<String> = planned
            .iter()
            .filter(|one| !is_approved(one))
            .take(MOST_NAMED)
            .map(|one| match &one.what {
                What::Version(version) => format!("{} {}", shown(&one.name, 100), shown(version, 100)),
                What::Removed => format!("{} (removed)", shown(&one.name, 100)),
            })
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        Err(format!("it would also change what nobody asked for: {}", others.join(", ")))
    }

    fn output(&self, after: &Database, mut reasons: BTreeMap<usize, No>, dry_run: bool) -> Output {
        let (reboot_required, reboot_packages) = self.system.reboot();
        let mut output = Output {
            manager: after.manager,
            dry_run,
            simulated: self.simulated,
            would_change: Vec::new(),
            changed: Vec::new(),
            unchanged: Vec::new(),
            failed: Vec::new(),
            unexpected: changes::unexpected(self.before, after, self.approved),
            reboot_required,
            reboot_packages,
        };
        for (at, update) in self.approved.iter().enumerate() {
            let (old, new) = (changes::latest(self.before, update), changes::latest(after, update));
            let reaches = |version: &str| after.manager.compare(version, &update.to) != Ordering::Less;
            let change = Change::of(update, old.map(changes::version), new.map(changes::version));
            let was_there = old.is_some_and(|old| reaches(&old.version) && old.is_well());
            // The database says what is; a program that complains of another package has done its work all the same.
            let is_there = new.is_some_and(|new| reaches(&new.version) && new.is_well());
            let no = reasons.remove(&at);
            if was_there && is_there {
                output.unchanged.push(change);
            } else if is_there {
                output.changed.push(change);
            } else if dry_run && no.is_none() {
                output.would_change.push(Change::of(update, old.map(changes::version), Some(update.to.clone())));
            } else {
                let no = no.unwrap_or_else(|| No::new("the program ended well, and the database has another version"));
                output.failed.push(Failure {
                    name: update.name.clone(),
                    architecture: update.architecture.clone(),
                    to: update.to.clone(),
                    now: change.to,
                    reason: no.reason,
                    output: no.output,
                });
            }
        }
        output
    }
}

impl Output {
    fn findings(&self, after: &Database) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .failed
            .iter()
            .map(|failure| {
                let title = crate::model::title(&failure.name, failure.architecture.as_deref());
                Fact {
                    rule: "update-failed",
                    severity: Severity::High,
                    status: Status::Open,
                    title: format!("{title} was not updated to {}: {}", failure.to, failure.reason),
                    detail: failure.output.clone(),
                    path: after.path,
                    line: None,
                    identity: &[&title, &failure.to],
                    remediation: "Read what the program said, repair it, and run the update again.",
                }
                .finding()
            })
            .collect();
        findings.extend(self.unexpected.iter().map(|change| {
            let title = crate::model::title(&change.name, change.architecture.as_deref());
            Fact {
                rule: "unexpected-change",
                severity: Severity::High,
                status: Status::Open,
                title: format!("{title} changed although nobody asked for it: {}", change.shown()),
                detail: None,
                path: after.path,
                line: None,
                identity: &[&title, change.to.as_deref().unwrap_or("")],
                remediation: "Grant the program `simulate`, which is asked before anything is changed, and approve what belongs together.",
            }
            .finding()
        }));
        if self.reboot_required {
            findings.push(reboot_finding(&self.reboot_packages));
        }
        findings
    }
}
