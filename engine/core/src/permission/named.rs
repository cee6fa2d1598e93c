//! What is asked for and granted by name: variables, secrets, programs, places for values, artifacts.

use super::evaluate::{Item, Judge, No};
use super::{Ask, Capability, EffectiveBucket, EffectiveSecret, Grants, SecretAsk};
use crate::exec::is_interpreter;
use crate::{ExecGrant, HostPattern, NamePattern};

fn any(patterns: &[NamePattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

fn yes(judge: &Judge<'_>, kind: Capability) -> String {
    format!("yes by {}", judge.origin(kind))
}

pub(super) fn env(judge: &mut Judge<'_>, ask: &Ask, grants: &Grants) {
    for asked in &ask.env {
        let name = &asked.name;
        let item = Item {
            kind: Capability::Env,
            target: name.to_string(),
            reason: &asked.reason,
            optional: asked.optional,
            asked: "read".to_owned(),
        };
        let granted = grants.env.contains(name).then(|| "granted".to_owned());
        let holds = judge.item(&item, granted.ok_or_else(|| format!("{{ env: [{name}] }}")), |judge| {
            let line = format!("env: {{ allow: [{name}] }}");
            let rules = judge.rules(&line)?;
            let reason = format!("{} does not allow `{}` to read it", judge.policy.origin, judge.plugin);
            match any(&rules.env, name.as_str()) && !any(&rules.env_deny, name.as_str()) {
                true => Ok(yes(judge, Capability::Env)),
                false => Err(No { reason, fix: Some(judge.policy_fix(&line)) }),
            }
        });
        if holds {
            judge.out.effective.env.push(name.clone());
        }
    }
    for name in grants.env.iter().filter(|name| !ask.env.iter().any(|asked| asked.name == **name)) {
        let line = format!("{{ env: [{{ name: {name} }}] }}");
        judge.unasked(Capability::Env, name.to_string(), "granted".to_owned(), &line);
    }
}

pub(super) fn secrets(judge: &mut Judge<'_>, ask: &Ask, grants: &Grants) {
    for asked in &ask.secrets {
        let name = &asked.name;
        let audience: Vec<_> = asked.audience.iter().map(ToString::to_string).collect();
        let header = asked.header.as_ref().map_or_else(String::new, |header| format!(" in `{header}`"));
        let to = if audience.is_empty() { String::new() } else { format!("to {}{header}", audience.join(", ")) };
        let item = Item {
            kind: Capability::Secrets,
            target: name.to_string(),
            reason: &asked.reason,
            optional: asked.optional,
            asked: match (asked.reveal, to.is_empty()) {
                (true, true) => "revealed".to_owned(),
                (true, false) => format!("{to}, revealed"),
                (false, true) => "to sign with it".to_owned(),
                (false, false) => to,
            },
        };
        let grant = grants.secrets.iter().find(|grant| grant.name == *name);
        let reveal = if asked.reveal { ", reveal: true" } else { "" };
        let granted = match grant {
            None => Err(format!("{{ secrets: [{{ name: {name}, from: {name}{reveal} }}] }}")),
            // A plugin that has to see the value cannot work with a handle.
            Some(grant) if asked.reveal && !grant.reveal => {
                Err(format!("{{ secrets: [{{ name: {name}, from: {}{reveal} }}] }}", grant.from))
            }
            // Whom a secret of a plugin for all hosts is for, the author of the plugin cannot know.
            Some(grant) if grant.audience.is_empty() && is_open(asked) => Err(format!(
                "{{ secrets: [{{ name: {name}, from: {}, audience: [{{ host: … }}]{reveal} }}] }}",
                grant.from
            )),
            Some(grant) if grant.audience.is_empty() => Ok(format!("{} ({})", grant.from, grant.source)),
            Some(grant) => {
                let to: Vec<_> = grant.audience.iter().map(ToString::to_string).collect();
                Ok(format!("{} ({}) to {}", grant.from, grant.source, to.join(", ")))
            }
        };
        let holds = judge.item(&item, granted, |judge| {
            let source = grant.map_or("", |grant| grant.source.as_str());
            let line = match asked.reveal {
                true => format!("secrets: {{ allow: [\"{source}\"], reveal: true }}"),
                false => format!("secrets: {{ allow: [\"{source}\"] }}"),
            };
            let rules = judge.rules(&line)?;
            let (secrets, origin) = (&rules.secrets, &judge.policy.origin);
            let no = |reason: String| Err(No { reason, fix: Some(judge.policy_fix(&line)) });
            if !any(&secrets.allow, source) || any(&secrets.deny, source) {
                return no(format!("{origin} does not allow `{}` a secret from `{source}`", judge.plugin));
            }
            if asked.reveal && !secrets.reveal {
                return no(format!("{origin} shows no secret to `{}`, it may only travel with requests", judge.plugin));
            }
            Ok(yes(judge, Capability::Secrets))
        });
        if let Some(grant) = grant.filter(|_| holds) {
            judge.out.effective.secrets.push(EffectiveSecret {
                name: name.clone(),
                from: grant.from.clone(),
                source: grant.source.clone(),
                audience: asked.audience.clone(),
                within: grant.audience.clone(),
                header: asked.header.clone(),
                reveal: asked.reveal,
            });
        }
    }
    for grant in grants.secrets.iter().filter(|grant| !ask.secrets.iter().any(|asked| asked.name == grant.name)) {
        let line = format!("{{ secrets: [{{ name: {}, audience: […] }}] }}", grant.name);
        judge.unasked(Capability::Secrets, grant.name.to_string(), grant.from.to_string(), &line);
    }
}

/// Whether a plugin would take a secret to any host.
fn is_open(asked: &SecretAsk) -> bool {
    asked.audience.iter().any(|rule| rule.host == HostPattern::Any)
}

pub(super) fn exec(judge: &mut Judge<'_>, ask: &Ask, grants: &Grants) {
    for asked in &ask.exec {
        let alias = &asked.alias;
        let item = Item {
            kind: Capability::Exec,
            target: alias.to_string(),
            reason: &asked.reason,
            optional: asked.optional,
            asked: match asked.slots.is_empty() {
                true => "run".to_owned(),
                false => {
                    format!("run with {}", asked.slots.iter().map(|slot| slot.as_str()).collect::<Vec<_>>().join(", "))
                }
            },
        };
        let grant = grants.exec.iter().find(|grant| grant.alias == *alias);
        let args: Vec<_> = asked.slots.iter().map(|slot| format!("\"{{{slot}}}\"")).collect();
        let slots: Vec<_> = asked.slots.iter().map(|slot| format!("{slot}: text")).collect();
        let run = |grant: &ExecGrant| {
            let words = grant.args.iter().map(ToString::to_string);
            let unconfined = grant.unconfined.then(|| "(unconfined)".to_owned());
            std::iter::once(grant.program.to_string()).chain(words).chain(unconfined).collect::<Vec<_>>().join(" ")
        };
        let granted = grant.map(run).ok_or_else(|| {
            format!(
                "{{ exec: [{{ alias: {alias}, program: /usr/bin/{alias}, args: [{}], slots: {{ {} }} }}] }}",
                args.join(", "),
                slots.join(", ")
            )
        });
        let holds = judge.item(&item, granted, |judge| match grant {
            Some(grant) => allowed_program(judge, grant),
            None => Ok(yes(judge, Capability::Exec)),
        });
        if let Some(grant) = grant.filter(|_| holds) {
            judge.out.effective.exec.push(grant.clone());
        }
    }
    for grant in grants.exec.iter().filter(|grant| !ask.exec.iter().any(|asked| asked.alias == grant.alias)) {
        let line = format!("{{ exec: [{{ alias: {}, reason: \"…\" }}] }}", grant.alias);
        judge.unasked(Capability::Exec, grant.alias.to_string(), grant.program.to_string(), &line);
    }
}

fn allowed_program(judge: &Judge<'_>, grant: &ExecGrant) -> Result<String, No> {
    let program = &grant.program;
    let interpreter = if is_interpreter(program) { ", interpreter: true" } else { "" };
    let unconfined = if grant.unconfined { ", unconfined: true" } else { "" };
    let line = format!("exec: {{ allow: [{{ program: {program}{interpreter}{unconfined} }}] }}");
    let rules = judge.rules(&line)?;
    let origin = &judge.policy.origin;
    let no = |reason: String| Err(No { reason, fix: Some(judge.policy_fix(&line)) });
    let Some(rule) = rules.exec.iter().find(|rule| rule.program == *program) else {
        return no(format!("{origin} does not allow `{program}` to be run"));
    };
    if is_interpreter(program) && !(grant.interpreter && rule.interpreter) {
        return no(format!(
            "`{program}` runs other programs or text that it is given: both the grant and {origin} have to say `interpreter: true`"
        ));
    }
    if grant.unconfined && !rule.unconfined {
        return no(format!("{origin} lets `{program}` run without the rights of the engine's user only"));
    }
    match (&rule.digest, &grant.digest) {
        (Some(wanted), Some(granted)) if wanted != granted => {
            no(format!("{origin} allows `{program}` with the digest {wanted}, and the grant names another"))
        }
        (Some(wanted), None) => no(format!("{origin} allows `{program}` only with `digest: {wanted}`")),
        _ => Ok(format!("{program} by {}", judge.origin(Capability::Exec))),
    }
}

pub(super) fn kv(judge: &mut Judge<'_>, ask: &Ask, grants: &Grants) {
    for asked in &ask.kv {
        let bucket = &asked.bucket;
        let item = Item {
            kind: Capability::Kv,
            target: bucket.to_string(),
            reason: &asked.reason,
            optional: asked.optional,
            asked: asked.quota.to_string(),
        };
        let grant = grants.kv.iter().find(|grant| grant.bucket == *bucket);
        let mut quota = grant.and_then(|grant| grant.quota).map_or(asked.quota, |granted| granted.min(asked.quota));
        let granted = grant.map(|_| quota.to_string()).ok_or_else(|| format!("{{ kv: [{{ bucket: {bucket} }}] }}"));
        let most = judge.rules.and_then(|rules| rules.kv);
        let holds = judge.item(&item, granted, |judge| {
            let line = format!("kv: {{ quota: {} }}", asked.quota);
            let rules = judge.rules(&line)?;
            let reason = format!("{} lets `{}` keep no values", judge.policy.origin, judge.plugin);
            match rules.kv {
                Some(most) => Ok(format!("{most} by {}", judge.origin(Capability::Kv))),
                None => Err(No { reason, fix: Some(judge.policy_fix(&line)) }),
            }
        });
        if holds {
            quota = most.map_or(quota, |most| quota.min(most));
            judge.out.effective.kv.push(EffectiveBucket { bucket: bucket.clone(), quota });
        }
    }
    for grant in grants.kv.iter().filter(|grant| !ask.kv.iter().any(|asked| asked.bucket == grant.bucket)) {
        let line = format!("{{ kv: [{{ bucket: {}, quota: 1MiB, reason: \"…\" }}] }}", grant.bucket);
        judge.unasked(Capability::Kv, grant.bucket.to_string(), "granted".to_owned(), &line);
    }
}

pub(super) fn artifacts(judge: &mut Judge<'_>, ask: &Ask, grants: &Grants) {
    for asked in &ask.artifacts {
        let name = &asked.name;
        let item = Item {
            kind: Capability::Artifacts,
            target: name.to_string(),
            reason: &asked.reason,
            optional: asked.optional,
            asked: "store".to_owned(),
        };
        let granted = grants.artifacts.contains(name).then(|| "granted".to_owned());
        let holds = judge.item(&item, granted.ok_or_else(|| format!("{{ artifacts: [{name}] }}")), |judge| {
            let line = "artifacts: true";
            let rules = judge.rules(line)?;
            let reason = format!("{} does not allow `{}` to store artifacts", judge.policy.origin, judge.plugin);
            match rules.artifacts {
                true => Ok(yes(judge, Capability::Artifacts)),
                false => Err(No { reason, fix: Some(judge.policy_fix(line)) }),
            }
        });
        if holds {
            judge.out.effective.artifacts.push(name.clone());
        }
    }
    for name in grants.artifacts.iter().filter(|name| !ask.artifacts.iter().any(|asked| asked.name == **name)) {
        let line = format!("{{ artifacts: [{{ name: {name} }}] }}");
        judge.unasked(Capability::Artifacts, name.to_string(), "granted".to_owned(), &line);
    }
}

/// As with their artifacts, the tasks in `needs` are the grant, and what a run itself found is nothing that a policy keeps from it.
pub(super) fn findings(judge: &mut Judge<'_>, ask: &Ask) {
    let Some(asked) = &ask.findings else { return };
    let item = Item {
        kind: Capability::Findings,
        target: "of needs".to_owned(),
        reason: &asked.reason,
        optional: asked.optional,
        asked: "read".to_owned(),
    };
    let granted = Ok("the tasks in `needs`".to_owned());
    judge.out.effective.findings = judge.item(&item, granted, |_| Ok("nothing of the host is reached".to_owned()));
}
