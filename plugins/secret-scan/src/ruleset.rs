//! The rules in force: built-in ones, a user's own, or both.

use crate::config::{self, ConfigError, RawConfig, RawRule};
use crate::pattern::Pattern;
use crate::rule::{Allowlist, Rule};
use orch_sdk::Severity;
use std::cell::OnceCell;

/// The built-in rules by area.
const BUILT_IN: &[(&str, &str)] = &[
    ("rules/ai.toml", include_str!("../rules/ai.toml")),
    ("rules/chat.toml", include_str!("../rules/chat.toml")),
    ("rules/ci.toml", include_str!("../rules/ci.toml")),
    ("rules/cloud.toml", include_str!("../rules/cloud.toml")),
    ("rules/data.toml", include_str!("../rules/data.toml")),
    ("rules/keys.toml", include_str!("../rules/keys.toml")),
    ("rules/mail.toml", include_str!("../rules/mail.toml")),
    ("rules/observability.toml", include_str!("../rules/observability.toml")),
    ("rules/payment.toml", include_str!("../rules/payment.toml")),
    ("rules/saas.toml", include_str!("../rules/saas.toml")),
    ("rules/vcs.toml", include_str!("../rules/vcs.toml")),
    // Last: of equals, the rule that comes first stays.
    ("rules/generic.toml", include_str!("../rules/generic.toml")),
    ("rules/allowlist.toml", include_str!("../rules/allowlist.toml")),
];

const DEFAULT_REMEDIATION: &str = "Revoke the credential where it was issued, and keep the new one in a secret store.";

/// Rules, and what all of them let pass.
#[derive(Debug)]
pub struct RuleSet {
    /// In the order in which they were read.
    pub rules: Vec<Rule>,
    /// For all rules, or those that they name.
    pub allowlists: Vec<Allowlist>,
    /// What the user should know about the rule file.
    pub warnings: Vec<String>,
}

impl RuleSet {
    /// The built-in rules.
    ///
    /// # Errors
    /// None that a user can meet: a test reads them all.
    pub fn built_in() -> Result<RuleSet, ConfigError> {
        let mut all = RuleSet { rules: Vec::new(), allowlists: Vec::new(), warnings: Vec::new() };
        for (file, text) in BUILT_IN {
            let part = config::parse_trusted(file, text)?;
            all.warnings.extend(part.warnings);
            all.rules.extend(part.rules.into_iter().map(finish));
            all.allowlists.extend(part.allowlists);
        }
        Ok(all)
    }

    /// The rules of a user's file, on top of the built-in ones if it says so.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from_text(file: &str, text: &str) -> Result<RuleSet, ConfigError> {
        let RawConfig { rules, allowlists, use_default, disabled_rules, warnings } = config::parse(file, text)?;
        let empty = RuleSet { rules: Vec::new(), allowlists: Vec::new(), warnings: Vec::new() };
        let mut all = if use_default { RuleSet::built_in()? } else { empty };
        all.warnings.extend(warnings);
        for id in &disabled_rules {
            let before = all.rules.len();
            all.rules.retain(|rule| rule.id != *id);
            if all.rules.len() == before {
                all.warnings.push(format!("`{file}`: `disabledRules` names `{id}`, which is no built-in rule"));
            }
        }
        for raw in rules {
            match all.rules.iter_mut().find(|rule| rule.id == raw.id) {
                Some(rule) => amend(rule, raw),
                None if raw.regex.is_none() && raw.path.is_none() => {
                    let reason = "needs `regex` or `path`".to_owned();
                    return Err(ConfigError { file: file.into(), place: format!("rule `{}`", raw.id), reason });
                }
                None => all.rules.push(finish(raw)),
            }
        }
        for target in allowlists.iter().flat_map(|list| &list.target_rules) {
            if !all.rules.iter().any(|rule| rule.id == *target) {
                all.warnings.push(format!("`{file}`: `targetRules` names `{target}`, which is no rule here"));
            }
        }
        all.allowlists.extend(allowlists);
        Ok(all)
    }
}

/// Changes a built-in rule as gitleaks does: what is said replaces, lists grow.
fn amend(rule: &mut Rule, raw: RawRule) {
    if let Some(description) = raw.description {
        rule.description = description;
    }
    if let Some(regex) = raw.regex {
        rule.regex = Some(Pattern::new(regex));
        // A new expression has its own groups.
        rule.secret_group = raw.secret_group.unwrap_or(0);
    } else if let Some(group) = raw.secret_group {
        rule.secret_group = group;
    }
    if let Some(path) = raw.path {
        rule.path = Some(Pattern::new(path));
    }
    rule.severity = raw.severity.unwrap_or(rule.severity);
    rule.remediation = raw.remediation.unwrap_or_else(|| std::mem::take(&mut rule.remediation));
    rule.reference = raw.reference.or_else(|| rule.reference.take());
    rule.entropy = raw.entropy.unwrap_or(rule.entropy);
    rule.mixed = raw.mixed.unwrap_or(rule.mixed);
    rule.keywords.extend(raw.keywords);
    rule.tags.extend(raw.tags);
    rule.allowlists.extend(raw.allowlists);
    rule.skip_report = raw.skip_report;
    rule.reach = OnceCell::new();
}

fn finish(raw: RawRule) -> Rule {
    Rule {
        description: raw.description.unwrap_or_else(|| raw.id.clone()),
        severity: raw.severity.unwrap_or(Severity::High),
        remediation: raw.remediation.unwrap_or_else(|| DEFAULT_REMEDIATION.to_owned()),
        reference: raw.reference,
        regex: raw.regex.map(Pattern::new),
        secret_group: raw.secret_group.unwrap_or(0),
        entropy: raw.entropy.unwrap_or(0.0),
        mixed: raw.mixed.unwrap_or(false),
        keywords: raw.keywords.into_iter().filter(|word| !word.is_empty()).collect(),
        path: raw.path.map(Pattern::new),
        tags: raw.tags,
        allowlists: raw.allowlists,
        skip_report: raw.skip_report,
        reach: OnceCell::new(),
        id: raw.id,
    }
}
