//! The evaluator: what the plugin asks ∩ what the workflow grants ∩ what the policy allows. Data in, data out; `plan`, `run` and
//! `explain` all call it.

use crate::{ArtifactName, EnvName, MountName, PluginName, Policy};
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a folder may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Look and read.
    Read,
    /// Read, and change anything inside.
    Write,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Read => "read",
            Access::Write => "write",
        })
    }
}

/// Everything a plugin asks for: a ceiling.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fs: Vec<FsAsk>,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvAsk>,
    /// Files that outlive the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<ArtifactAsk>,
}

/// A plugin asks for a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FsAsk {
    /// Where the guest will see it.
    pub mount: MountName,
    /// The most it does with it.
    pub access: Access,
    /// Why, for the person who grants it.
    #[serde(default)]
    pub reason: String,
    /// Whether the plugin works without it.
    #[serde(default)]
    pub optional: bool,
}

/// A plugin asks for an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvAsk {
    /// Its name.
    pub name: EnvName,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Whether the plugin works without it.
    #[serde(default)]
    pub optional: bool,
}

/// A plugin asks to store a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactAsk {
    /// Its name.
    pub name: ArtifactName,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Whether the plugin works without it.
    #[serde(default)]
    pub optional: bool,
}

impl Ask {
    /// The same with every reason empty: what the capability hash is taken over.
    pub fn without_reasons(&self) -> Ask {
        let mut ask = self.clone();
        ask.fs.iter_mut().for_each(|item| item.reason.clear());
        ask.env.iter_mut().for_each(|item| item.reason.clear());
        ask.artifacts.iter_mut().for_each(|item| item.reason.clear());
        ask.fs.sort_by(|a, b| a.mount.cmp(&b.mount));
        ask.env.sort_by(|a, b| a.name.cmp(&b.name));
        ask.artifacts.sort_by(|a, b| a.name.cmp(&b.name));
        ask
    }

    /// One line for each item, for people and for differences: `fs source read`.
    pub fn lines(&self) -> Vec<String> {
        let optional = |optional: bool| if optional { " (optional)" } else { "" };
        let ask = self.without_reasons();
        let fs = ask.fs.iter().map(|i| format!("fs {} {}{}", i.mount, i.access, optional(i.optional)));
        let env = ask.env.iter().map(|i| format!("env {}{}", i.name, optional(i.optional)));
        let artifacts = ask.artifacts.iter().map(|i| format!("artifacts {}{}", i.name, optional(i.optional)));
        fs.chain(env).chain(artifacts).collect()
    }

    /// What `self` asks for that `before` did not: the lines that a person has to accept.
    pub fn more_than(&self, before: &Ask) -> Vec<String> {
        let fs = self
            .fs
            .iter()
            .filter(|new| !before.fs.iter().any(|old| old.mount == new.mount && old.access >= new.access));
        let env = self.env.iter().filter(|new| !before.env.iter().any(|old| old.name == new.name));
        let artifacts = self.artifacts.iter().filter(|new| !before.artifacts.iter().any(|old| old.name == new.name));
        Ask { fs: fs.cloned().collect(), env: env.cloned().collect(), artifacts: artifacts.cloned().collect() }.lines()
    }
}

/// What a task of a workflow grants. Paths are already absolute and normalised, without looking at the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// Folders.
    pub fs: Vec<FsGrant>,
    /// Environment variables.
    pub env: Vec<EnvName>,
    /// Files that outlive the task.
    pub artifacts: Vec<ArtifactName>,
}

/// A granted folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FsGrant {
    /// Where the guest sees it.
    pub mount: MountName,
    /// Which folder of the host.
    pub path: Utf8PathBuf,
    /// How it may be used.
    pub access: Access,
}

/// What is left after all three were asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effective {
    /// Folders.
    pub fs: Vec<EffectiveMount>,
    /// Environment variables.
    pub env: Vec<EnvName>,
    /// Artifacts that may be stored.
    pub artifacts: Vec<ArtifactName>,
    /// Artifacts that the plugin asked for and did not get: they are linked, and refuse.
    pub artifacts_asked: bool,
}

/// A folder that a task reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectiveMount {
    /// Where the guest sees it.
    pub mount: MountName,
    /// The allowed folder of the policy; opened first, and nothing is followed out of it.
    pub root: Utf8PathBuf,
    /// The mount below `root`; empty for `root` itself.
    pub below: Utf8PathBuf,
    /// How it may be used.
    pub access: Access,
}

impl EffectiveMount {
    /// The mount's path on the host, for people.
    pub fn path(&self) -> Utf8PathBuf {
        if self.below.as_str().is_empty() { self.root.clone() } else { self.root.join(&self.below) }
    }
}

/// Which of the three said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefusedBy {
    /// The plugin's manifest does not ask for it.
    Plugin,
    /// The workflow does not grant it.
    Workflow,
    /// The host's policy does not allow it.
    Policy,
    /// The engine allows it to nobody.
    Engine,
}

impl fmt::Display for RefusedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RefusedBy::Plugin => "the plugin's manifest",
            RefusedBy::Workflow => "the workflow",
            RefusedBy::Policy => "the policy",
            RefusedBy::Engine => "the engine",
        })
    }
}

/// A no, with its reason and the line that would turn it into a yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// `fs`, `env`, `artifacts`, `net`, …
    pub capability: String,
    /// What was wanted.
    pub target: String,
    /// Who said no.
    pub by: RefusedBy,
    /// Why.
    pub reason: String,
    /// The YAML that would grant it and where to put it; absent where nothing can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} refused `{} {}`: {}", self.by, self.capability, self.target, self.reason)
    }
}

/// Whether one rule holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All three said yes.
    Allowed,
    /// Somebody said no, and the plugin works without it.
    LeftOut(Refusal),
    /// Somebody said no, and the plugin needs it, or somebody granted what cannot be.
    Refused(Refusal),
}

/// The answer for one rule, with what each party said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// For example `fs source read`.
    pub rule: String,
    /// The plugin's reason for asking.
    pub reason: String,
    /// What the manifest says.
    pub asked: String,
    /// What the workflow says.
    pub granted: String,
    /// What the policy says.
    pub allowed: String,
    /// The answer.
    pub verdict: Verdict,
}

/// The evaluator's answer for one task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// What the task may do.
    pub effective: Effective,
    /// How that came about, a decision for each rule that anybody named.
    pub decisions: Vec<Decision>,
}

impl Evaluation {
    /// The refusals that make the plan impossible.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.decisions.iter().filter_map(|decision| match &decision.verdict {
            Verdict::Refused(refusal) => Some(refusal),
            Verdict::Allowed | Verdict::LeftOut(_) => None,
        })
    }
}

const NOT_ASKED: &str = "not asked";
const NOT_GRANTED: &str = "not granted";

/// Intersects the three.
pub fn evaluate(plugin: &PluginName, ask: &Ask, grants: &Grants, policy: &Policy) -> Evaluation {
    let mut out = Evaluation::default();
    out.effective.artifacts_asked = !ask.artifacts.is_empty();
    evaluate_fs(plugin, ask, grants, policy, &mut out);
    evaluate_env(plugin, ask, grants, policy, &mut out);
    evaluate_artifacts(plugin, ask, grants, policy, &mut out);
    out
}

fn settle(optional: bool, refusal: Refusal) -> Verdict {
    if optional { Verdict::LeftOut(refusal) } else { Verdict::Refused(refusal) }
}

fn not_asked(capability: &str, target: String, manifest_line: String) -> Refusal {
    Refusal {
        capability: capability.to_owned(),
        target,
        by: RefusedBy::Plugin,
        reason: "the workflow grants it, but the plugin never asks for it".to_owned(),
        fix: Some(format!("remove the grant from the workflow, or add to plugin.yaml: permissions: {manifest_line}")),
    }
}

fn evaluate_fs(plugin: &PluginName, ask: &Ask, grants: &Grants, policy: &Policy, out: &mut Evaluation) {
    for item in &ask.fs {
        let grant = grants.fs.iter().find(|grant| grant.mount == item.mount);
        let mut decision = Decision {
            rule: format!("fs {} {}", item.mount, item.access),
            reason: item.reason.clone(),
            asked: item.access.to_string(),
            granted: grant.map_or(NOT_GRANTED.to_owned(), |grant| format!("{} {}", grant.path, grant.access)),
            allowed: String::from("-"),
            verdict: Verdict::Allowed,
        };
        match grant {
            None => {
                let fix = format!(
                    "add to the task: permissions: {{ fs: [{{ mount: {}, path: ./{}, access: {} }}] }}",
                    item.mount, item.mount, item.access
                );
                decision.verdict = settle(
                    item.optional,
                    Refusal {
                        capability: "fs".to_owned(),
                        target: format!("{} {}", item.mount, item.access),
                        by: RefusedBy::Workflow,
                        reason: format!(
                            "the plugin asks for the mount `{}` and the task does not grant it",
                            item.mount
                        ),
                        fix: Some(fix),
                    },
                );
            }
            Some(grant) => {
                // The intersection of `read` and `write` is `read`: writing without reading is nobody's wish.
                let wanted = item.access.min(grant.access);
                match allowed_folder(plugin, &grant.path, wanted, policy) {
                    Ok((root, access, rule)) => {
                        let below = grant.path.strip_prefix(&root).unwrap_or(Utf8Path::new("")).to_owned();
                        decision.allowed = rule;
                        decision.rule = format!("fs {} {access}", item.mount);
                        out.effective.fs.push(EffectiveMount { mount: item.mount.clone(), root, below, access });
                    }
                    Err(refusal) => {
                        decision.allowed = "no".to_owned();
                        decision.verdict = Verdict::Refused(refusal);
                    }
                }
            }
        }
        out.decisions.push(decision);
    }
    for grant in grants.fs.iter().filter(|grant| !ask.fs.iter().any(|item| item.mount == grant.mount)) {
        let line = format!("{{ fs: [{{ mount: {}, access: {}, reason: \"…\" }}] }}", grant.mount, grant.access);
        out.decisions.push(Decision {
            rule: format!("fs {} {}", grant.mount, grant.access),
            reason: String::new(),
            asked: NOT_ASKED.to_owned(),
            granted: format!("{} {}", grant.path, grant.access),
            allowed: String::from("-"),
            verdict: Verdict::LeftOut(not_asked("fs", format!("{} {}", grant.mount, grant.access), line)),
        });
    }
}

/// The deepest allowed folder that holds `path`, and the access that is left.
fn allowed_folder(
    plugin: &PluginName,
    path: &Utf8Path,
    wanted: Access,
    policy: &Policy,
) -> Result<(Utf8PathBuf, Access, String), Refusal> {
    let refuse = |reason: String, fix: Option<String>| Refusal {
        capability: "fs".to_owned(),
        target: format!("{path} {wanted}"),
        by: RefusedBy::Policy,
        reason,
        fix,
    };
    let origin = &policy.origin;
    let fix = || {
        let block =
            format!("plugins: [{{ plugins: {plugin}, fs: {{ allow: [{{ path: {path}, access: {wanted} }}] }} }}]");
        Some(match policy.is_built_in() {
            true => format!(
                "write a policy.yaml beside the workflow, which takes the place of the built-in policy: {{ schema: orch-policy/v1, {block} }}"
            ),
            false => format!("add to {origin}: {block}"),
        })
    };
    let Some(rules) = policy.rules_for(plugin) else {
        return Err(refuse(format!("no block of {origin} names `{plugin}`"), fix()));
    };
    if let Some(denied) = rules.fs.deny.iter().find(|denied| path.starts_with(denied) || denied.starts_with(path)) {
        return Err(refuse(format!("{origin} denies `{denied}`"), None));
    }
    let mut holding: Vec<_> = rules.fs.allow.iter().filter(|rule| path.starts_with(&rule.path)).collect();
    holding.sort_by_key(|rule| std::cmp::Reverse((rule.access.min(wanted), rule.path.components().count())));
    let Some(rule) = holding.first() else {
        let known: Vec<_> = rules.fs.allow.iter().map(|rule| format!("`{}` ({})", rule.path, rule.access)).collect();
        let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
        return Err(refuse(format!("it is outside of what {origin} allows: {known}"), fix()));
    };
    Ok((rule.path.clone(), wanted.min(rule.access), format!("{} {} by {origin}", rule.path, rule.access)))
}

fn evaluate_env(plugin: &PluginName, ask: &Ask, grants: &Grants, policy: &Policy, out: &mut Evaluation) {
    let rules = policy.rules_for(plugin);
    for item in &ask.env {
        let granted = grants.env.contains(&item.name);
        let allowed = rules.is_some_and(|rules| rules.allows_env(&item.name));
        let refusal = |by, reason: String, fix: String| Refusal {
            capability: "env".to_owned(),
            target: item.name.to_string(),
            by,
            reason,
            fix: Some(fix),
        };
        let verdict = match (granted, allowed) {
            (false, _) => settle(
                item.optional,
                refusal(
                    RefusedBy::Workflow,
                    format!("the plugin asks for the variable `{}` and the task does not grant it", item.name),
                    format!("add to the task: permissions: {{ env: [{}] }}", item.name),
                ),
            ),
            (true, false) => Verdict::Refused(refusal(
                RefusedBy::Policy,
                format!("{} does not allow `{}` to read it", policy.origin, plugin),
                format!(
                    "add to {}: plugins: [{{ plugins: {plugin}, env: {{ allow: [{}] }} }}]",
                    policy.origin, item.name
                ),
            )),
            (true, true) => {
                out.effective.env.push(item.name.clone());
                Verdict::Allowed
            }
        };
        out.decisions.push(Decision {
            rule: format!("env {}", item.name),
            reason: item.reason.clone(),
            asked: "read".to_owned(),
            granted: if granted { "granted" } else { NOT_GRANTED }.to_owned(),
            allowed: if allowed { "yes" } else { "no" }.to_owned(),
            verdict,
        });
    }
    for name in grants.env.iter().filter(|name| !ask.env.iter().any(|item| item.name == **name)) {
        out.decisions.push(Decision {
            rule: format!("env {name}"),
            reason: String::new(),
            asked: NOT_ASKED.to_owned(),
            granted: "granted".to_owned(),
            allowed: String::from("-"),
            verdict: Verdict::LeftOut(not_asked("env", name.to_string(), format!("{{ env: [{{ name: {name} }}] }}"))),
        });
    }
}

fn evaluate_artifacts(plugin: &PluginName, ask: &Ask, grants: &Grants, policy: &Policy, out: &mut Evaluation) {
    let allowed = policy.rules_for(plugin).is_some_and(|rules| rules.artifacts);
    for item in &ask.artifacts {
        let granted = grants.artifacts.contains(&item.name);
        let refusal = |by, reason: String, fix: String| Refusal {
            capability: "artifacts".to_owned(),
            target: item.name.to_string(),
            by,
            reason,
            fix: Some(fix),
        };
        let verdict = match (granted, allowed) {
            (false, _) => settle(
                item.optional,
                refusal(
                    RefusedBy::Workflow,
                    format!("the plugin asks to store `{}` and the task does not grant it", item.name),
                    format!("add to the task: permissions: {{ artifacts: [{}] }}", item.name),
                ),
            ),
            (true, false) => Verdict::Refused(refusal(
                RefusedBy::Policy,
                format!("{} does not allow `{plugin}` to store artifacts", policy.origin),
                format!("add to {}: plugins: [{{ plugins: {plugin}, artifacts: true }}]", policy.origin),
            )),
            (true, true) => {
                out.effective.artifacts.push(item.name.clone());
                Verdict::Allowed
            }
        };
        out.decisions.push(Decision {
            rule: format!("artifacts {}", item.name),
            reason: item.reason.clone(),
            asked: "store".to_owned(),
            granted: if granted { "granted" } else { NOT_GRANTED }.to_owned(),
            allowed: if allowed { "yes" } else { "no" }.to_owned(),
            verdict,
        });
    }
    for name in grants.artifacts.iter().filter(|name| !ask.artifacts.iter().any(|item| item.name == **name)) {
        let line = format!("{{ artifacts: [{{ name: {name} }}] }}");
        out.decisions.push(Decision {
            rule: format!("artifacts {name}"),
            reason: String::new(),
            asked: NOT_ASKED.to_owned(),
            granted: "granted".to_owned(),
            allowed: String::from("-"),
            verdict: Verdict::LeftOut(not_asked("artifacts", name.to_string(), line)),
        });
    }
}
