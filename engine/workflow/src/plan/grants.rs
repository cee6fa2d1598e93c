//! What a task grants, with paths resolved, and what the evaluator says to it.

use super::file::{Call, Known, Readiness};
use crate::read::{Reader, shown};
use crate::workflow::{Task, Uses};
use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use orch_core::{
    Code, Diagnostic, Evaluation, FsGrant, Grants, Manifest, Policy, Refusal, RefusedBy, Span, Verdict, evaluate,
    visible,
};
use serde_json::Value;

/// Resolves `.` and `..` without looking at the disk. Above the root there is nothing.
pub(crate) fn normalised(path: &Utf8Path) -> Utf8PathBuf {
    let mut out = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => {
                out.pop();
            }
            other => out.push(other.as_str()),
        }
    }
    out
}

/// The grants of a task; `None` when one of them has no value.
pub(super) fn grants(
    reader: &mut Reader<'_>,
    task: &Task,
    uses: &Uses,
    call: &Call<'_>,
    too_late: &mut Vec<(String, String)>,
) -> Option<Grants> {
    let mut fs = Vec::with_capacity(uses.permissions.fs.len());
    let mut complete = true;
    for entry in &uses.permissions.fs {
        match call.known.readiness(&entry.used) {
            Readiness::Ready => {}
            not_ready => {
                if let Readiness::Late(input) = not_ready {
                    too_late
                        .push((input, format!("the path of the mount `{}` of its task `{}`", entry.mount, task.id)));
                }
                complete = false;
                continue;
            }
        }
        let path = match Known::render(&entry.path, &call.known.values) {
            Ok(Value::String(path)) if !path.is_empty() && !path.chars().any(char::is_control) => path,
            Ok(Value::String(path)) => {
                let message = format!("`{}` is no path of a folder", shown(&path));
                reader.error(Code::InvalidMount, &entry.path_span, message);
                complete = false;
                continue;
            }
            Ok(other) => {
                let message = format!(
                    "the path of the mount `{}` is text, and this is `{}`",
                    entry.mount,
                    shown(&other.to_string())
                );
                reader.error(Code::InvalidMount, &entry.path_span, message);
                complete = false;
                continue;
            }
            Err(error) => {
                reader.error(Code::InvalidExpression, &entry.path_span, visible(&error.message).into_owned());
                complete = false;
                continue;
            }
        };
        fs.push(FsGrant {
            mount: entry.mount.clone(),
            path: normalised(&call.folder.join(path)),
            access: entry.access,
        });
    }
    let env = uses.permissions.env.iter().map(|(name, _)| name.clone()).collect();
    let artifacts = uses.permissions.artifacts.iter().map(|(name, _)| name.clone()).collect();
    complete.then_some(Grants { fs, env, artifacts })
}

/// Asks the evaluator and reports its refusals and the grants that nobody asked for.
pub(super) fn decide(
    reader: &mut Reader<'_>,
    task: &Task,
    uses: &Uses,
    manifest: &Manifest,
    grants: &Grants,
    policy: &Policy,
) -> Evaluation {
    let evaluation = evaluate(&manifest.name, &manifest.permissions, grants, policy);
    for decision in &evaluation.decisions {
        match &decision.verdict {
            Verdict::Allowed => {}
            Verdict::Refused(refusal) => {
                let span = place(uses, &decision.rule, refusal);
                let message = format!("the task `{}` cannot run: {}", task.id, visible(&refusal.to_string()));
                let mut problem = Diagnostic::error(Code::Refused, &reader.source.name, span, message);
                problem.help = refusal.fix.as_deref().map(|fix| visible(fix).into_owned());
                if !decision.reason.is_empty() {
                    problem = problem.note(format!("the plugin asks for it: {}", visible(&decision.reason)));
                }
                reader.push(problem);
            }
            Verdict::LeftOut(refusal) if refusal.by == RefusedBy::Plugin => {
                let span = place(uses, &decision.rule, refusal);
                let message = format!(
                    "the task `{}` grants `{}`, which `{}` never asks for",
                    task.id, decision.rule, manifest.name
                );
                let problem = Diagnostic::warning(Code::UselessGrant, &reader.source.name, span, message);
                reader.push(problem.help("remove it: what is not granted cannot be misused"));
            }
            Verdict::LeftOut(_) => {}
        }
    }
    evaluation
}

/// The grant that a rule is about, else the task's `permissions`, else its `uses`. A rule is `fs MOUNT ACCESS` or `KIND NAME`.
fn place(uses: &Uses, rule: &str, refusal: &Refusal) -> Span {
    let name = rule.split(' ').nth(1).unwrap_or_default();
    let permissions = &uses.permissions;
    let grant = match refusal.capability.as_str() {
        "fs" => permissions.fs.iter().find(|entry| entry.mount.as_str() == name).map(|entry| &entry.span),
        "env" => permissions.env.iter().find(|(other, _)| other.as_str() == name).map(|(_, span)| span),
        _ => permissions.artifacts.iter().find(|(other, _)| other.as_str() == name).map(|(_, span)| span),
    };
    grant.or(permissions.span.as_ref()).unwrap_or(&uses.span).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_without_the_disk() {
        let cases = [
            ("/a/b/../c", "/a/c"),
            ("/a/./b/", "/a/b"),
            ("/../../etc", "/etc"),
            ("/a//b", "/a/b"),
            ("/a/b/../../..", "/"),
        ];
        for (path, expected) in cases {
            assert_eq!(normalised(Utf8Path::new(path)), expected);
        }
    }
}
