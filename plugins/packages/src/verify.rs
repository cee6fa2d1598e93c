//! The task `verify`: whether the database has what was wanted, and whether all packages are well.

use crate::changes;
use crate::database::Database;
use crate::model::{Manager, Update, title};
use crate::needs;
use crate::system::{Fact, System, broken, ended, reboot_finding, said};
use crate::text::shown;
use orch_plugin_kit::report::emit;
use orch_sdk::{Finding, Host, Outcome, Severity, Status, TaskError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Problems of one kind in the output.
const MOST_LISTED: usize = 1_000;
/// Where dpkg keeps changes of its database that it has not written into it yet.
const JOURNAL: &str = "var/lib/dpkg/updates";

/// What `verify` takes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// What was to be updated, as `outdated` returned it.
    #[serde(default)]
    pub packages: Vec<Update>,
    /// Whose packages; without it the first database that is there: dpkg's, apk's, rpm's.
    #[serde(default)]
    pub manager: Option<Manager>,
}

/// What `verify` returns.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Output {
    /// What keeps the packages.
    pub manager: Manager,
    /// Whether this was a dry run, in which nothing was updated and so nothing is missing.
    pub dry_run: bool,
    /// How many of the wanted packages have the wanted version, or a later one.
    pub reached: usize,
    /// Wanted packages that have not, at most 1,000.
    pub missing: Vec<Missing>,
    /// Packages that are not wholly installed, as `name version (state)`, at most 1,000.
    pub not_well: Vec<String>,
    /// Needs of packages that nothing installed fulfils, as `package: need`, at most 1,000.
    pub broken: Vec<String>,
    /// Whether the granted program `audit` found nothing; null if it is not granted.
    pub audit: Option<bool>,
    /// Whether the system asks for a reboot.
    pub reboot_required: bool,
    /// The packages that asked for it, where they say.
    pub reboot_packages: Vec<String>,
}

/// A wanted package that has not the wanted version.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Missing {
    /// The package.
    pub name: String,
    /// What it is built for.
    pub architecture: Option<String>,
    /// The version that was wanted.
    pub wanted: String,
    /// The version that it has; null if it is not installed.
    pub now: Option<String>,
}

/// Compares the database with what was wanted. [`Outcome::Rejected`] when something is missing or not well.
///
/// # Errors
/// When the root is not granted, there is no database that can be read, or a granted `audit` cannot be run.
pub fn verify(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    let system = System::new(host)?;
    let database = Database::read(&system.root, input.manager)?;
    let (mut findings, mut missing, mut reached) = (Vec::new(), Vec::new(), 0);
    let dry_run = host.is_dry_run();
    for update in &input.packages {
        let now = changes::latest(&database, update);
        if now.is_some_and(|now| database.manager.compare(&now.version, &update.to) != Ordering::Less) {
            reached += 1;
        } else if !dry_run {
            let now = now.map(|now| now.version.clone());
            findings.push(not_updated(update, now.as_deref(), &database));
            missing.push(Missing {
                name: update.name.clone(),
                architecture: update.architecture.clone(),
                wanted: update.to.clone(),
                now,
            });
        }
    }
    let mut not_well = Vec::new();
    for one in database.packages.iter().filter(|one| !one.is_well()) {
        let title = title(&one.name, one.architecture.as_deref());
        not_well.push(shown(&format!("{title} {}", changes::version(one)), 300));
        findings.push(
            Fact {
                rule: "package-not-well",
                severity: Severity::High,
                status: Status::Open,
                title: format!("{title} {} is {}", one.version, one.state),
                detail: None,
                path: database.path,
                line: one.line,
                identity: &[&title, &one.state],
                remediation: "Look why, repair it, and let dpkg finish: `dpkg --configure --pending`.",
            }
            .finding(),
        );
    }
    let needs = if database.manager == Manager::Apt { needs::broken(&database) } else { Vec::new() };
    for one in &needs {
        findings.push(
            Fact {
                rule: "broken-dependency",
                severity: Severity::Medium,
                status: Status::Open,
                title: format!("{} needs {}, which is not installed", one.package, one.need),
                detail: None,
                path: database.path,
                line: one.line,
                identity: &[&one.package, &one.need],
                remediation: "Install what is missing, or remove the package: `apt-get --fix-broken install`.",
            }
            .finding(),
        );
    }
    findings.extend(journal(&system, &database));
    let interrupted = findings.iter().any(|finding| finding.rule == "dpkg-interrupted");
    let audit = audit(&system, &database, &mut findings)?;
    let (reboot_required, reboot_packages) = system.reboot();
    if reboot_required {
        findings.push(reboot_finding(&reboot_packages));
    }
    emit(findings, host)?;
    let is_well = missing.is_empty() && not_well.is_empty() && needs.is_empty() && !interrupted && audit != Some(false);
    missing.truncate(MOST_LISTED);
    not_well.truncate(MOST_LISTED);
    let broken =
        needs.iter().take(MOST_LISTED).map(|one| shown(&format!("{}: {}", one.package, one.need), 300)).collect();
    let output = Output {
        manager: database.manager,
        dry_run,
        reached,
        missing,
        not_well,
        broken,
        audit,
        reboot_required,
        reboot_packages,
    };
    Ok(if is_well { Outcome::Succeeded(output) } else { Outcome::Rejected(output) })
}

fn not_updated(update: &Update, now: Option<&str>, database: &Database) -> Finding {
    let title = update.title();
    let is = now.map_or_else(|| "is not installed".to_owned(), |now| format!("has the version {now}"));
    Fact {
        rule: "not-updated",
        severity: Severity::High,
        status: Status::Open,
        title: format!("{title} {is}, and {} was wanted", update.to),
        detail: None,
        path: database.path,
        line: changes::latest(database, update).and_then(|one| one.line),
        identity: &[&title, &update.to],
        remediation: "Look at what the update said, and run it again.",
    }
    .finding()
}

/// dpkg was stopped in the middle if its journal has something.
fn journal(system: &System<'_>, database: &Database) -> Option<Finding> {
    if database.manager != Manager::Apt {
        return None;
    }
    let finding = |status, title: String| {
        Fact {
            rule: "dpkg-interrupted",
            severity: Severity::High,
            status,
            title,
            detail: None,
            path: JOURNAL,
            line: None,
            identity: &[],
            remediation: "Let dpkg finish: `dpkg --configure --pending`.",
        }
        .finding()
    };
    match system.root.names(JOURNAL) {
        Ok(names) if names.iter().any(|name| name.bytes().all(|byte| byte.is_ascii_digit())) => Some(finding(
            Status::Open,
            "dpkg was interrupted: its journal has changes that its database lacks".to_owned(),
        )),
        Ok(_) => None,
        Err(error) => {
            broken(&error).map(|reason| finding(Status::Error, format!("the journal of dpkg cannot be read: {reason}")))
        }
    }
}

/// `dpkg --audit`, `apk audit` or `rpm -Va`: what it prints, or an exit code other than 0, is a problem.
fn audit(system: &System<'_>, database: &Database, findings: &mut Vec<Finding>) -> Result<Option<bool>, TaskError> {
    if !system.has("audit") {
        return Ok(None);
    }
    let printed = system.run("audit", None)?;
    let is_silent = printed.stdout.trim_ascii().is_empty();
    let is_well = printed.exit.is_success() && is_silent;
    if !is_well {
        let (status, title) = match is_silent {
            true => (Status::Error, format!("the packages could not be audited: {}", ended(&printed))),
            false => (Status::Open, "the audit of the packages found something".to_owned()),
        };
        findings.push(
            Fact {
                rule: "audit",
                severity: Severity::Medium,
                status,
                title,
                detail: Some(said(&printed)),
                path: database.path,
                line: None,
                identity: &[],
                remediation: "Read what it said.",
            }
            .finding(),
        );
    }
    Ok(Some(is_well))
}
