//! The task: reads the profiles, answers their controls, takes the results of other tools, and tells of all of them.

use crate::checks;
use crate::input::{Input, Output, ProfileCounts};
use crate::outcome::{ControlResult, ProfileResults};
use crate::profile::{self, BUILT_IN, Profile};
use crate::root::Root;
use crate::verdict::{Answer, Verdict, shown};
use crate::{hdf, import, junit};
use orch_plugin_kit::digest::sha256;
use orch_plugin_kit::report;
use orch_plugin_kit::timestamp::is_rfc3339;
use orch_plugin_kit::tree;
use orch_sdk::{Host, Location, Outcome, Status, TaskError};
use std::collections::BTreeSet;

/// A profile's file; one of a thousand controls has some 500 KiB.
const MAX_PROFILE: u64 = 2 << 20;
/// Profiles, and files to import, of one task.
const MAX_FILES: usize = 50;
/// Patterns in `include` and `exclude`.
const MAX_PATTERNS: usize = 1_000;
/// Ids in the output, and in a message.
const MAX_FAILED: usize = 500;
const MAX_KNOWN: usize = 40;

/// Checks the system at the mount `root`.
///
/// # Errors
/// When the input or a profile is wrong, a mount is not granted, or the host wants the task to stop. A control that cannot be checked
/// is a finding with the status `error`.
pub fn check(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    let wrong = |reason: String| Err(TaskError::InvalidInput(reason));
    if let Some(time) = input.timestamp.as_ref().filter(|time| !is_rfc3339(time)) {
        return wrong(format!("`timestamp`: `{}` is no time such as 2026-01-31T12:00:00Z (RFC 3339)", shown(time, 80)));
    }
    if input.profiles.len() > MAX_FILES || input.import.len() > MAX_FILES {
        return wrong(format!("`profiles` and `import` take at most {MAX_FILES} entries each"));
    }
    if input.include.len() > MAX_PATTERNS || input.exclude.len() > MAX_PATTERNS {
        return wrong(format!("`include` and `exclude` take at most {MAX_PATTERNS} entries each"));
    }
    if input.profiles.is_empty() && input.import.is_empty() {
        return wrong("`profiles` and `import` are both empty, so there is nothing to check".to_owned());
    }
    let profiles = profiles(&input.profiles, host)?;
    let mut imported = import::all(&input.import, host)?;
    let ids: BTreeSet<&str> = profiles
        .iter()
        .flat_map(|(profile, _)| profile.controls.iter().map(|control| control.id.as_str()))
        .chain(imported.iter().flat_map(|results| results.controls.iter().map(|control| control.id.as_str())))
        .collect();
    known_patterns("include", &input.include, &ids)?;
    known_patterns("exclude", &input.exclude, &ids)?;
    let chosen = |id: &str| {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| orch_plugin_kit::glob::fits_name(pattern, id));
        (input.include.is_empty() || any(&input.include)) && !any(&input.exclude)
    };
    let mut results = Vec::new();
    if !profiles.is_empty() {
        let root = Root::new(report::granted_mount("root", host)?, host);
        for (profile, digest) in &profiles {
            results.push(results_of(profile, digest, &chosen, &root, host)?);
        }
    }
    for one in &mut imported {
        one.controls.retain(|control| chosen(&control.id));
    }
    results.extend(imported);
    let output = output(&results);
    let time = input.timestamp.as_deref().unwrap_or(hdf::NO_TIME);
    report::store("hdf.json", "application/json", &hdf::write(&results, time), host)?;
    report::store("junit.xml", "application/xml", &junit::write(&results), host)?;
    report::emit(results.iter().flat_map(ProfileResults::findings).collect(), host)?;
    host.info(&format!(
        "{} passed, {} failed, {} not applicable, {} errors",
        output.passed, output.failed, output.not_applicable, output.errors
    ));
    Ok(Outcome::Succeeded(output))
}

/// Reads the profiles; the digest is of their text.
fn profiles(names: &[String], host: &dyn Host) -> Result<Vec<(Profile, String)>, TaskError> {
    let mut all: Vec<(Profile, String)> = Vec::new();
    for name in names {
        let wrong = |reason: String| TaskError::InvalidInput(format!("`profiles`: `{}`: {reason}", shown(name, 200)));
        let own;
        let text = match BUILT_IN.iter().find(|(known, _)| known == name) {
            Some((_, text)) => *text,
            None if name.ends_with(".yaml") || name.ends_with(".yml") => {
                if name.split('/').any(|part| part == "..") {
                    return Err(wrong("leaves the mount `profiles`".to_owned()));
                }
                let folder = report::granted_mount("profiles", host)?;
                own = tree::text(&folder, name, MAX_PROFILE).map_err(|error| wrong(error.to_string()))?;
                &own
            }
            None => {
                let known: Vec<_> = BUILT_IN.iter().map(|(known, _)| *known).collect();
                let known = known.join("`, `");
                let reason = format!(
                    "there is no such profile (known: `{known}`); the path of a file ends in `.yaml` or `.yml`"
                );
                return Err(wrong(reason));
            }
        };
        let profile = profile::read(text).map_err(|error| wrong(error.to_string()))?;
        if all.iter().any(|(other, _)| other.name == profile.name) {
            return Err(wrong(format!("there are two profiles of the name `{}`", profile.name)));
        }
        all.push((profile, sha256(text.as_bytes())));
    }
    Ok(all)
}

/// A pattern that fits no control is a mistake: what it was to keep out would count.
fn known_patterns(field: &str, patterns: &[String], ids: &BTreeSet<&str>) -> Result<(), TaskError> {
    let Some(unknown) =
        patterns.iter().find(|pattern| !ids.iter().any(|id| orch_plugin_kit::glob::fits_name(pattern, id)))
    else {
        return Ok(());
    };
    // The ids that begin alike are the ones that were meant.
    let start: String = unknown.chars().take(3).collect();
    let mut near: Vec<&str> = ids.iter().copied().filter(|id| id.starts_with(&start)).collect();
    if near.is_empty() {
        near = ids.iter().copied().collect();
    }
    let rest = if near.len() > MAX_KNOWN { ", …" } else { "" };
    near.truncate(MAX_KNOWN);
    Err(TaskError::InvalidInput(format!(
        "`{field}`: `{}` fits no control (known: `{}`{rest})",
        shown(unknown, 200),
        near.join("`, `")
    )))
}

fn results_of(
    profile: &Profile,
    digest: &str,
    chosen: &dyn Fn(&str) -> bool,
    root: &Root,
    host: &dyn Host,
) -> Result<ProfileResults, TaskError> {
    let whole = profile.applies_when.as_ref().and_then(|check| reason_not_to(&checks::answer(check, root)));
    if let Some(answer) = &whole {
        host.warn(&format!("the profile `{}` is not checked: {}", profile.name, answer.reason));
    }
    let mut controls = Vec::new();
    let total = profile.controls.len() as u64;
    for (done, control) in profile.controls.iter().enumerate().filter(|(_, control)| chosen(&control.id)) {
        report::check_cancelled(host)?;
        host.progress(done as u64, Some(total), &control.id);
        let condition = || control.applies_when.as_ref().and_then(|check| reason_not_to(&checks::answer(check, root)));
        let answer = whole.clone().or_else(condition).unwrap_or_else(|| checks::answer(&control.check, root));
        report::check_cancelled(host)?;
        controls.push(ControlResult {
            id: control.id.clone(),
            title: control.title.clone(),
            description: control.description.clone(),
            severity: control.severity,
            status: match answer.verdict {
                Verdict::Passed => Status::Passed,
                Verdict::Failed => Status::Open,
                Verdict::NotApplicable => Status::NotApplicable,
                Verdict::Error => Status::Error,
            },
            reason: answer.reason,
            remediation: control.remediation.clone(),
            references: control.references.clone(),
            location: answer.place.map(|place| Location {
                path: place.path,
                line: place.line,
                column: None,
                end_line: None,
            }),
            identity: Vec::new(),
        });
    }
    Ok(ProfileResults {
        name: profile.name.clone(),
        title: profile.title.clone(),
        version: profile.version.clone(),
        sha256: digest.to_owned(),
        imported: None,
        controls,
    })
}

/// The answer instead of a check's own, if the condition does not hold.
fn reason_not_to(condition: &Answer) -> Option<Answer> {
    match condition.verdict {
        Verdict::Passed => None,
        Verdict::Error => Some(condition.clone()),
        Verdict::Failed | Verdict::NotApplicable => {
            Some(Answer::not_applicable(format!("does not apply: {}", condition.reason)))
        }
    }
}

fn output(results: &[ProfileResults]) -> Output {
    let mut output = Output::default();
    for profile in results {
        let counts = ProfileCounts {
            name: profile.name.clone(),
            version: profile.version.clone(),
            tool: profile.imported.as_ref().map(|(tool, _)| tool.clone()),
            passed: profile.count(Status::Passed),
            failed: profile.count(Status::Open),
            not_applicable: profile.count(Status::NotApplicable),
            errors: profile.count(Status::Error),
        };
        output.passed += counts.passed;
        output.failed += counts.failed;
        output.not_applicable += counts.not_applicable;
        output.errors += counts.errors;
        output.profiles.push(counts);
        let failed = profile.controls.iter().filter(|control| control.status == Status::Open);
        let room = MAX_FAILED.saturating_sub(output.failed_controls.len());
        output.failed_controls.extend(failed.take(room).map(|control| format!("{}/{}", profile.name, control.id)));
    }
    let decided = output.passed + output.failed;
    #[expect(clippy::cast_precision_loss, reason = "no task has so many controls")]
    let share = || (output.passed as f64 / decided as f64 * 1_000.0).round() / 1_000.0;
    output.score = (decided > 0).then(share);
    output
}
