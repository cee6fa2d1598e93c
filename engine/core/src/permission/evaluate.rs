//! Asks the three parties, the same way for every kind of permission.

use super::{Ask, Capability, Decision, Entropy, Evaluation, Grants, Refusal, RefusedBy, Verdict, fs, named, net};
use crate::{PluginName, PluginRules, Policy};

const NOT_ASKED: &str = "not asked";
const NOT_GRANTED: &str = "not granted";

/// Intersects the three.
pub fn evaluate(plugin: &PluginName, ask: &Ask, grants: &Grants, policy: &Policy) -> Evaluation {
    let mut judge = Judge { plugin, policy, rules: policy.rules_for(plugin), out: Evaluation::default() };
    fs::evaluate(&mut judge, ask, grants);
    net::evaluate(&mut judge, ask, grants);
    named::env(&mut judge, ask, grants);
    named::secrets(&mut judge, ask, grants);
    named::exec(&mut judge, ask, grants);
    named::kv(&mut judge, ask, grants);
    named::artifacts(&mut judge, ask, grants);
    named::findings(&mut judge, ask);
    // The smaller of what each says; without a word it is real.
    let least = |granted: Entropy, allowed: Option<Entropy>| granted.min(allowed.unwrap_or_default());
    judge.out.effective.clock = least(grants.clock, judge.rules.and_then(|rules| rules.clock));
    judge.out.effective.random = least(grants.random, judge.rules.and_then(|rules| rules.random));
    judge.out
}

/// The evaluation of one task under way.
pub(super) struct Judge<'a> {
    pub(super) plugin: &'a PluginName,
    pub(super) policy: &'a Policy,
    /// The block of the policy that applies; without one nothing may be granted.
    pub(super) rules: Option<&'a PluginRules>,
    pub(super) out: Evaluation,
}

/// One thing that a plugin asks for.
pub(super) struct Item<'a> {
    pub(super) kind: Capability,
    /// What it is, as in `source read`.
    pub(super) target: String,
    pub(super) reason: &'a str,
    pub(super) optional: bool,
    /// What the manifest says, for people.
    pub(super) asked: String,
}

/// A no of the policy.
pub(super) struct No {
    pub(super) reason: String,
    pub(super) fix: Option<String>,
}

impl Judge<'_> {
    /// Whether the policy only counts what it refuses.
    pub(super) fn counts(&self) -> bool {
        self.rules.and_then(|rules| rules.mode).unwrap_or(self.policy.mode).is_count()
    }

    /// The policy, with the line where it speaks of this kind of permission.
    pub(super) fn origin(&self, kind: Capability) -> String {
        let origin = &self.policy.origin;
        match self.rules.and_then(|rules| rules.lines.get(&kind)) {
            Some(line) => format!("{origin}:{line}"),
            None => origin.clone(),
        }
    }

    /// Where something is to be written so that the policy allows it.
    pub(super) fn policy_fix(&self, rule: &str) -> String {
        let block = format!("plugins: [{{ plugins: {}, {rule} }}]", self.plugin);
        match self.policy.is_built_in() {
            true => format!(
                "write a policy.yaml beside the workflow, which takes the place of the built-in policy: {{ schema: orch-policy/v1, {block} }}"
            ),
            false => format!("add to {}: {block}", self.policy.origin),
        }
    }

    /// Why the policy allows nothing at all, if no block of it is about the plugin.
    pub(super) fn rules(&self, rule: &str) -> Result<&PluginRules, No> {
        self.rules.ok_or_else(|| No {
            reason: format!("no block of {} names `{}`", self.policy.origin, self.plugin),
            fix: Some(self.policy_fix(rule)),
        })
    }

    /// Decides over one thing that was asked for: what the workflow grants, in words, or the line that would grant it; and what the
    /// policy says, in words. True when the task gets it.
    pub(super) fn item(
        &mut self,
        item: &Item<'_>,
        granted: Result<String, String>,
        allowed: impl FnOnce(&Self) -> Result<String, No>,
    ) -> bool {
        let word = item.kind.word();
        let refusal = |by, reason, fix, counted| Refusal {
            capability: word.to_owned(),
            target: item.target.clone(),
            by,
            reason,
            fix,
            counted,
        };
        let (granted, allowed, verdict) = match granted {
            Err(line) => {
                let reason = "the plugin asks for it and the task does not grant it".to_owned();
                let fix = format!("add to the task: permissions: {line}");
                let refusal = refusal(RefusedBy::Workflow, reason, Some(fix), false);
                let verdict = if item.optional { Verdict::LeftOut(refusal) } else { Verdict::Refused(refusal) };
                (NOT_GRANTED.to_owned(), "-".to_owned(), verdict)
            }
            Ok(granted) => match allowed(self) {
                Ok(allowed) => (granted, allowed, Verdict::Allowed),
                Err(No { reason, fix }) if self.counts() => {
                    let refusal = refusal(RefusedBy::Policy, reason, fix, true);
                    (granted, "no, and only counts".to_owned(), Verdict::Counted(refusal))
                }
                Err(No { reason, fix }) => {
                    let refusal = refusal(RefusedBy::Policy, reason, fix, false);
                    (granted, "no".to_owned(), Verdict::Refused(refusal))
                }
            },
        };
        let holds = verdict.holds();
        self.out.decisions.push(Decision {
            rule: format!("{word} {}", item.target),
            reason: item.reason.to_owned(),
            asked: item.asked.clone(),
            granted,
            allowed,
            verdict,
        });
        holds
    }

    /// Records a grant that the plugin never asked for. It reaches nothing, and is no reason to stop.
    pub(super) fn unasked(&mut self, kind: Capability, target: String, granted: String, manifest_line: &str) {
        let refusal = Refusal {
            capability: kind.word().to_owned(),
            target: target.clone(),
            by: RefusedBy::Plugin,
            reason: "the workflow grants it, but the plugin never asks for it".to_owned(),
            fix: Some(format!(
                "remove the grant from the workflow, or add to plugin.yaml: permissions: {manifest_line}"
            )),
            counted: false,
        };
        self.out.decisions.push(Decision {
            rule: format!("{} {target}", kind.word()),
            reason: String::new(),
            asked: NOT_ASKED.to_owned(),
            granted,
            allowed: "-".to_owned(),
            verdict: Verdict::LeftOut(refusal),
        });
    }
}
