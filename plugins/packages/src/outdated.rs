//! The task `outdated`: which installed packages have a later version, by the manager's own indexes or by what its program says.

use crate::age;
use crate::apt::candidates::{self, Preferences};
use crate::apt::{indexes, pins};
use crate::database::Database;
use crate::model::{Installed, Manager, Update};
use crate::programs::{self, What};
use crate::system::{Fact, System, ended, said};
use crate::text::shown;
use crate::{apk, unpack};
use orch_plugin_kit::glob::Glob;
use orch_plugin_kit::report::{check_cancelled, emit};
use orch_plugin_kit::timestamp::minute;
use orch_sdk::{Finding, Host, Outcome, Severity, Status, TaskError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

/// Updates in the output; with some 300 bytes each they stay below the limit of an output, 4 MiB.
const MOST_LISTED: usize = 8_000;
/// Where apk keeps its indexes.
const APK_CACHES: [&str; 2] = ["var/cache/apk", "etc/apk/cache"];

/// What `outdated` takes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Input {
    /// Whose packages; without it the first database that is there: dpkg's, apk's, rpm's.
    pub manager: Option<Manager>,
    /// Who says what is to be had.
    pub from: From,
    /// Only packages whose name fits one of these patterns.
    pub only: Vec<String>,
    /// No packages whose name fits one of these patterns.
    pub exclude: Vec<String>,
    /// Indexes that are older are a finding, in hours.
    pub max_index_age: u32,
    /// The time it is, as RFC 3339; without it the clock's.
    pub now: Option<String>,
}

impl Default for Input {
    fn default() -> Input {
        Input {
            manager: None,
            from: From::Database,
            only: vec!["*".to_owned()],
            exclude: Vec::new(),
            max_index_age: 7 * 24,
            now: None,
        }
    }
}

/// Who says what is to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// The indexes on disk; no program runs.
    Database,
    /// The granted program `upgradable`.
    Program,
}

/// What `outdated` returns.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Output {
    /// What keeps the packages.
    pub manager: Manager,
    /// Who said what is to be had.
    pub from: From,
    /// How many packages are installed.
    pub installed: usize,
    /// What could be updated, by name, without what is held.
    pub packages: Vec<Update>,
    /// What could be updated and is to stay where it is.
    pub held: Vec<Update>,
    /// How many of `packages` are about security.
    pub security: usize,
    /// Bytes to download for `packages`, as far as they are known.
    pub download: u64,
    /// The indexes that were read.
    pub indexes: Vec<IndexRead>,
    /// When the indexes were last updated, in UTC, if that can be known.
    pub updated: Option<String>,
    /// Whether that was longer ago than `max-index-age`.
    pub stale: bool,
    /// Whether something could not be read, so that updates may be missing.
    pub incomplete: bool,
}

/// One index that was read.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct IndexRead {
    /// The file, below the root.
    pub path: String,
    /// The archive, as `origin/suite`, where it says.
    pub archive: Option<String>,
    /// Packages in it.
    pub packages: u64,
}

#[derive(Default)]
struct Found {
    updates: Vec<Update>,
    indexes: Vec<IndexRead>,
    findings: Vec<Finding>,
    incomplete: bool,
}

/// Compares the installed packages with what is to be had.
///
/// # Errors
/// When the input is wrong, the root is not granted, there is no database, no index of it can be read, or the program fails.
pub fn outdated(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    let (only, exclude) = (patterns(&input.only)?, patterns(&input.exclude)?);
    let now = match &input.now {
        Some(text) => age::time(text)
            .ok_or_else(|| TaskError::InvalidInput(format!("`now`: `{}` is no time of RFC 3339", shown(text, 60))))?,
        #[expect(
            clippy::disallowed_methods,
            reason = "a guest's clock is the host's, fixed where the workflow says so"
        )]
        None => SystemTime::now(),
    };
    let system = System::new(host)?;
    let database = Database::read(&system.root, input.manager)?;
    let mut found = match (input.from, database.manager) {
        (From::Program, _) => by_program(&system, &database)?,
        (From::Database, Manager::Apt) => by_apt(&system, &database)?,
        (From::Database, Manager::Apk) => by_apk(&system, &database)?,
        (From::Database, Manager::Dnf) => {
            return Err(TaskError::Failed(
                "dnf keeps its indexes as compressed XML and SQLite, which are not read: say `from: program` and grant `upgradable`".to_owned(),
            ));
        }
    };
    check_cancelled(host)?;
    found.updates.retain(|update| {
        only.iter().any(|glob| glob.fits(&update.name)) && !exclude.iter().any(|glob| glob.fits(&update.name))
    });
    found.updates.sort_by(|left, right| (&left.name, &left.architecture).cmp(&(&right.name, &right.architecture)));
    if found.updates.len() > MOST_LISTED {
        host.warn(&format!("{} updates; only the first {MOST_LISTED} are returned", found.updates.len()));
        found.updates.truncate(MOST_LISTED);
        found.incomplete = true;
    }
    let is_held = |update: &Update| database.packages.iter().any(|one| update.is_of(one) && one.held);
    let (held, packages): (Vec<_>, Vec<_>) = found.updates.into_iter().partition(is_held);
    let mut findings = found.findings;
    findings.extend(packages.iter().map(|update| of_update(update, &database, false)));
    findings.extend(held.iter().map(|update| of_update(update, &database, true)));
    let updated = age::updated(database.manager, &system.root);
    let old = updated.and_then(|updated| old_index(updated, now, &input, database.manager));
    let stale = old.is_some();
    findings.extend(old);
    emit(findings, host)?;
    Ok(Outcome::Succeeded(Output {
        manager: database.manager,
        from: input.from,
        installed: database.packages.len(),
        security: packages.iter().filter(|update| update.security == Some(true)).count(),
        download: packages.iter().filter_map(|update| update.size).fold(0, u64::saturating_add),
        packages,
        held,
        indexes: found.indexes,
        updated: updated.map(minute),
        stale,
        incomplete: found.incomplete,
    }))
}

fn patterns(all: &[String]) -> Result<Vec<Glob>, TaskError> {
    let trimmed = all.iter().map(|pattern| pattern.trim());
    trimmed.map(|pattern| Glob::new(pattern).map_err(TaskError::InvalidInput)).collect()
}

fn by_apt(system: &System<'_>, database: &Database) -> Result<Found, TaskError> {
    let wanted: HashSet<&str> = database.packages.iter().map(|one| one.name.as_str()).collect();
    let indexes = indexes::read(&system.root, &wanted)
        .map_err(|error| TaskError::Failed(format!("`{}`: {error}", indexes::LISTS)))?;
    if indexes.all.is_empty() {
        return Err(no_index(indexes::LISTS, &indexes.unreadable, Manager::Apt));
    }
    let mut found = Found::default();
    for (path, reason) in &indexes.unreadable {
        found.unreadable(path, reason);
    }
    let (default_release, doubt) = candidates::default_release(&system.root);
    let pins = pins::read(&system.root);
    for entry in pins.not_evaluated.iter().chain(&doubt).take(100) {
        found.findings.push(not_evaluated(entry));
        found.incomplete = true;
    }
    let native = database.find("dpkg", None).next().and_then(|dpkg| dpkg.architecture.clone());
    let preferences = Preferences { pins, default_release, native };
    let well = database.packages.iter();
    found.updates = well.filter_map(|one| candidates::candidate(one, &indexes, &preferences)).collect();
    found.indexes = indexes
        .all
        .iter()
        .map(|index| IndexRead {
            path: format!("{}/{}", indexes::LISTS, index.file),
            archive: Some(index.title()).filter(|title| *title != index.file),
            packages: index.packages,
        })
        .collect();
    Ok(found)
}

fn by_apk(system: &System<'_>, database: &Database) -> Result<Found, TaskError> {
    let installed: HashMap<&str, &Installed> = database.packages.iter().map(|one| (one.name.as_str(), one)).collect();
    let mut best: HashMap<&str, Update> = HashMap::new();
    let (mut found, mut unreadable) = (Found::default(), Vec::new());
    let mut paths: Vec<String> = Vec::new();
    for folder in APK_CACHES {
        let names = system.root.names(folder).unwrap_or_default();
        let names = names.into_iter().filter(|name| name.starts_with("APKINDEX.") && name.ends_with(".tar.gz"));
        paths.extend(names.map(|name| format!("{folder}/{name}")));
    }
    // One folder may be a link to the other.
    let mut seen = HashSet::new();
    paths.retain(|path| system.root.resolve(path).is_ok_and(|(place, _)| seen.insert(place)));
    for path in paths {
        check_cancelled(system.host)?;
        let mut packages = 0;
        let opened = system.root.open(&path).map_err(|error| error.to_string());
        let stream = opened.and_then(|file| unpack::open(file, unpack::Packing::Gzip));
        let read = stream.and_then(|stream| unpack::in_tar(stream, "APKINDEX")).and_then(|index| {
            apk::read(std::io::BufReader::new(index), &mut |entry| {
                packages += 1;
                let Some((name, one)) = installed.get_key_value(entry.name.as_str()) else { return Ok(()) };
                let known = best.get(name).map_or(one.version.as_str(), |best| best.to.as_str());
                if Manager::Apk.compare(&entry.version, known) == Ordering::Greater {
                    let update = Update {
                        name: entry.name,
                        architecture: one.architecture.clone(),
                        from: one.version.clone(),
                        to: entry.version,
                        security: None,
                        size: entry.size,
                        source: Some(path.clone()),
                    };
                    best.insert(name, update);
                }
                Ok(())
            })
        });
        match read {
            Ok(()) => found.indexes.push(IndexRead { path, archive: None, packages }),
            Err(reason) => unreadable.push((path, reason)),
        }
    }
    if found.indexes.is_empty() {
        return Err(no_index(APK_CACHES[0], &unreadable, Manager::Apk));
    }
    for (path, reason) in &unreadable {
        found.unreadable(path, reason);
    }
    found.updates = best.into_values().collect();
    Ok(found)
}

/// The program is asked; what it says of packages that are not installed, such as new dependencies, is no update.
fn by_program(system: &System<'_>, database: &Database) -> Result<Found, TaskError> {
    let printed = system.run("upgradable", None)?;
    // dnf says with 100 that there is something to update.
    let ended_well = printed.exit.is_success() || (database.manager == Manager::Dnf && printed.exit.code == Some(100));
    if !ended_well || printed.exit.truncated {
        let why = if printed.exit.truncated { "it printed more than was granted".to_owned() } else { ended(&printed) };
        let message = format!("{why}: {}", said(&printed));
        return Err(TaskError::Dependency { target: "upgradable".to_owned(), message, retryable: false });
    }
    let mut found = Found::default();
    for planned in programs::planned(database.manager, &String::from_utf8_lossy(&printed.stdout)) {
        let What::Version(to) = planned.what else { continue };
        let exact = database.find(&planned.name, planned.architecture.as_deref()).next();
        let Some(one) = exact.or_else(|| database.find(&planned.name, None).next()) else { continue };
        if database.manager.compare(&to, &one.version) != Ordering::Greater {
            continue;
        }
        let security = match (database.manager, &planned.source) {
            (Manager::Apt, Some(source)) => Some(source.to_ascii_lowercase().contains("-security")),
            _ => None,
        };
        found.updates.push(Update {
            name: planned.name,
            architecture: one.architecture.clone(),
            from: one.version.clone(),
            to: shown(&to, 200),
            security,
            size: None,
            source: planned.source.map(|source| shown(&source, 200)),
        });
    }
    Ok(found)
}

fn no_index(folder: &str, unreadable: &[(String, String)], manager: Manager) -> TaskError {
    let update = match manager {
        Manager::Apt => "`apt-get update`",
        Manager::Apk => "`apk update`",
        Manager::Dnf => "`dnf makecache`",
    };
    let why = match unreadable.first() {
        None => format!("`{folder}` has no index of packages: run {update}"),
        Some((path, reason)) => {
            format!("no index in `{folder}` can be read; `{}`: {}; {REPAIR}", shown(path, 200), shown(reason, 300))
        }
    };
    TaskError::Failed(format!("{why}, or say `from: program` and grant `upgradable`"))
}

const REPAIR: &str = "apt keeps indexes plain, as gz or as lz4 if `Acquire::GzipIndexes` and `Acquire::CompressionTypes::Order` say so; \
     update the indexes afterwards";

impl Found {
    fn unreadable(&mut self, path: &str, reason: &str) {
        self.incomplete = true;
        self.findings.push(
            Fact {
                rule: "package-index-unreadable",
                severity: Severity::Medium,
                status: Status::Error,
                title: format!("an index of packages cannot be read: {reason}"),
                detail: None,
                path,
                line: None,
                identity: &[path],
                remediation: "Update the indexes, and let apt keep them plain, as gz or as lz4 (`Acquire::GzipIndexes`, \
                              `Acquire::CompressionTypes::Order`); or ask the program with `from: program`.",
            }
            .finding(),
        );
    }
}

fn not_evaluated(entry: &str) -> Finding {
    let path = entry.split(':').next().unwrap_or("etc/apt/preferences");
    Fact {
        rule: "pin-not-evaluated",
        severity: Severity::Low,
        status: Status::Error,
        title: format!("a preference of apt is not evaluated: {entry}"),
        detail: None,
        path,
        line: None,
        identity: &[entry],
        remediation: "Ask apt itself with `from: program`, or write the preference with names, `release` fields or a version.",
    }
    .finding()
}

fn of_update(update: &Update, database: &Database, held: bool) -> Finding {
    let line = database.packages.iter().find(|one| update.is_of(one)).and_then(|one| one.line);
    let title = update.title();
    let severity = match (held, update.security) {
        (false, Some(true)) => Severity::High,
        (true, Some(true)) => Severity::Medium,
        (false, _) => Severity::Low,
        (true, _) => Severity::Info,
    };
    let about = if update.security == Some(true) { ", for security" } else { "" };
    let kept = if held { ", and is held" } else { "" };
    Fact {
        rule: if held { "held-package" } else { "outdated-package" },
        severity,
        status: Status::Open,
        title: format!("{title} {} could be {}{about}{kept}", update.from, update.to),
        detail: update.source.as_ref().map(|source| format!("from {source}")),
        path: database.path,
        line,
        identity: &[&title, &update.to],
        remediation: if held {
            "Look whether the reason for holding it still stands."
        } else {
            "Update it, for example with the task `update`."
        },
    }
    .finding()
}

fn old_index(updated: SystemTime, now: SystemTime, input: &Input, manager: Manager) -> Option<Finding> {
    let age = now.duration_since(updated).ok()?;
    let most = Duration::from_secs(u64::from(input.max_index_age) * 3_600);
    (age > most).then(|| {
        let (path, remediation) = match manager {
            Manager::Apt => (indexes::LISTS, "Run `apt-get update` before looking for updates."),
            Manager::Apk => (APK_CACHES[0], "Run `apk update` before looking for updates."),
            Manager::Dnf => ("var/cache/dnf", "Run `dnf makecache` before looking for updates."),
        };
        Fact {
            rule: "old-package-index",
            severity: Severity::Medium,
            status: Status::Open,
            title: format!(
                "the indexes of packages were last updated {}, more than {} hours ago",
                minute(updated),
                input.max_index_age
            ),
            detail: Some("updates that came since then are not known".to_owned()),
            path,
            line: None,
            identity: &[],
            remediation,
        }
        .finding()
    })
}
