//! What a task grants, with paths resolved, and what the evaluator says to it.

use super::file::{Call, Known, Readiness};
use crate::read::{Reader, known, shown};
use crate::workflow::{Task, Uses};
use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use orch_core::{
    Code, Diagnostic, Evaluation, FsGrant, Grants, Manifest, Policy, Refusal, RefusedBy, SecretGrant, Span, Verdict,
    evaluate, visible,
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
    let permissions = &uses.permissions;
    let mut secrets = Vec::with_capacity(permissions.secrets.len());
    for entry in &permissions.secrets {
        let declared = &call.workflow.secrets;
        match declared.iter().find(|(name, _)| *name == entry.from) {
            Some((_, source)) => secrets.push(SecretGrant {
                name: entry.name.clone(),
                from: entry.from.clone(),
                source: source.clone(),
                reveal: entry.reveal,
                audience: entry.audience.clone(),
            }),
            None if call.caller.is_some() => {
                let message = "a file that another one runs cannot grant secrets yet";
                reader.error(Code::NotSupportedYet, &entry.span, message);
                complete = false;
            }
            None => {
                let names: Vec<_> = declared.iter().map(|(name, _)| name.as_str()).collect();
                let message = format!("the workflow declares no secret `{}`", entry.from);
                let help = match names.is_empty() {
                    true => format!("add to the workflow: secrets: {{ {}: {{ from: env:NAME }} }}", entry.from),
                    false => known(entry.from.as_str(), &names),
                };
                reader.error_help(Code::UnknownReference, &entry.span, message, help);
                complete = false;
            }
        }
    }
    for (grant, span) in &permissions.exec {
        if let Some(cwd) = grant.cwd.as_ref().filter(|cwd| !permissions.fs.iter().any(|entry| entry.mount == **cwd)) {
            let message = format!("the program `{}` runs in the folder `{cwd}`, which is not granted", grant.alias);
            reader.error(Code::UnknownReference, span, message);
            complete = false;
        }
    }
    complete.then(|| Grants {
        fs,
        net: permissions.net.iter().map(|(rule, _)| rule.clone()).collect(),
        env: permissions.env.iter().map(|(name, _)| name.clone()).collect(),
        secrets,
        exec: permissions.exec.iter().map(|(grant, _)| grant.clone()).collect(),
        kv: permissions.kv.iter().map(|(grant, _)| grant.clone()).collect(),
        artifacts: permissions.artifacts.iter().map(|(name, _)| name.clone()).collect(),
        clock: permissions.clock,
        random: permissions.random,
    })
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
            Verdict::Allowed | Verdict::Counted(_) => {}
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

/// The grant that a rule is about, else the task's `permissions`, else its `uses`. A rule is `KIND NAME`, with more behind it.
fn place(uses: &Uses, rule: &str, refusal: &Refusal) -> Span {
    let name = rule.split(' ').nth(1).unwrap_or_default();
    let permissions = &uses.permissions;
    fn named<'p, T: AsRef<str>>(all: impl Iterator<Item = (T, &'p Span)>, name: &str) -> Option<&'p Span> {
        all.into_iter().find(|(other, _)| other.as_ref() == name).map(|(_, span)| span)
    }
    let grant = match refusal.capability.as_str() {
        "fs" => named(permissions.fs.iter().map(|entry| (entry.mount.as_str(), &entry.span)), name),
        "net" => {
            let whole = rule.strip_prefix("net ").unwrap_or_default();
            named(permissions.net.iter().map(|(rule, span)| (rule.to_string(), span)), whole)
                // What is asked and what is granted are seldom the same text.
                .or_else(|| permissions.net.first().map(|(_, span)| span))
        }
        "env" => named(permissions.env.iter().map(|(name, span)| (name.as_str(), span)), name),
        "secrets" => named(permissions.secrets.iter().map(|entry| (entry.name.as_str(), &entry.span)), name),
        "exec" => named(permissions.exec.iter().map(|(grant, span)| (grant.alias.as_str(), span)), name),
        "kv" => named(permissions.kv.iter().map(|(grant, span)| (grant.bucket.as_str(), span)), name),
        _ => named(permissions.artifacts.iter().map(|(name, span)| (name.as_str(), span)), name),
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
