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
    /// What the user should know about the rule files.
    pub warnings: Vec<String>,
    /// The same, unless the history is scanned.
    pub commit_warnings: Vec<String>,
}

impl RuleSet {
    fn empty() -> RuleSet {
        RuleSet { rules: Vec::new(), allowlists: Vec::new(), warnings: Vec::new(), commit_warnings: Vec::new() }
    }

    /// The built-in rules.
    ///
    /// # Errors
    /// None that a user can meet: a test reads them all.
    pub fn built_in() -> Result<RuleSet, ConfigError> {
        let mut all = RuleSet::empty();
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
        RuleSet::from_texts(&[(file, text)])
    }

    /// The rules of several files, by name and text. Each extends those before it, as one file extends the built-in rules; these
    /// come first if any file says so.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn from_texts(files: &[(&str, &str)]) -> Result<RuleSet, ConfigError> {
        let parsed: Result<Vec<_>, _> =
            files.iter().map(|(file, text)| Ok((*file, config::parse(file, text)?))).collect();
        let parsed = parsed?;
        let use_default = parsed.iter().any(|(_, config)| config.use_default);
        let mut all = if use_default { RuleSet::built_in()? } else { RuleSet::empty() };
        let mut targets = Vec::new();
        for (file, config) in parsed {
            targets.extend(config.allowlists.iter().flat_map(|list| &list.target_rules).map(|id| (file, id.clone())));
            all.extend(file, config)?;
        }
        // A later file may bring what an earlier one names.
        for (file, id) in targets {
            if !all.rules.iter().any(|rule| rule.id == id) {
                all.warnings.push(format!("`{file}`: `targetRules` names `{id}`, which is no rule here"));
            }
        }
        Ok(all)
    }

    fn extend(&mut self, file: &str, config: RawConfig) -> Result<(), ConfigError> {
        let RawConfig { rules, allowlists, disabled_rules, warnings, commit_warnings, .. } = config;
        self.warnings.extend(warnings);
        self.commit_warnings.extend(commit_warnings);
        for id in &disabled_rules {
            let before = self.rules.len();
            self.rules.retain(|rule| rule.id != *id);
            if self.rules.len() == before {
                self.warnings.push(format!("`{file}`: `disabledRules` names `{id}`, which is no rule before it"));
            }
        }
        let mut required = Vec::new();
        for raw in rules {
            required.extend(raw.required.iter().map(|required| (raw.id.clone(), required.clone())));
            match self.rules.iter_mut().find(|rule| rule.id == raw.id) {
                Some(rule) => amend(rule, raw),
                None if raw.regex.is_none() && raw.path.is_none() => {
                    let reason = "needs `regex` or `path`; only a rule of an earlier file can go without".to_owned();
                    let place = format!("rule `{}`", raw.id);
                    return Err(ConfigError { file: file.into(), line: raw.line, place, reason });
                }
                None => self.rules.push(finish(raw)),
            }
        }
        for (id, required) in required {
            let other = self.rules.iter().find(|rule| rule.id == required.id);
            let reason = match other {
                Some(other) if other.id == id => "a rule cannot require itself".to_owned(),
                Some(other) if other.regex.is_none() => {
                    format!("`{}` has no `regex`, so it finds nothing in a file that could be near", required.id)
                }
                Some(_) => continue,
                None => format!("`{}` is no rule of this file or one before it", required.id),
            };
            let place = format!("rule `{id}`: `required`");
            return Err(ConfigError { file: file.into(), line: required.line, place, reason });
        }
        self.allowlists.extend(allowlists);
        Ok(())
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
    rule.required.extend(raw.required);
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
        required: raw.required,
        reach: OnceCell::new(),
        id: raw.id,
    }
}
