//! Reads a rule file: gitleaks' TOML, with a few keys of our own. What is wrong with a type or an expression is an error that
//! names file, line, rule and reason; a key that nobody knows is only a warning, because people's files vary.

use crate::pattern::Pattern;
use crate::rule::{Allowlist, Condition, Required, Target};
use crate::section::{Expressions, Section};
use orch_sdk::Severity;
use std::fmt;
use toml::de::DeTable;

/// Why a rule file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as the user knows it.
    pub file: String,
    /// 1-based, where it is known.
    pub line: Option<u32>,
    /// Where in it: `rule `x``, `allowlist 2`, or empty.
    pub place: String,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConfigError { file, line, place, reason } = self;
        write!(f, "`{file}`")?;
        if let Some(line) = line {
            write!(f, " line {line}")?;
        }
        if place.is_empty() { write!(f, ": {reason}") } else { write!(f, ": {place}: {reason}") }
    }
}

impl std::error::Error for ConfigError {}

/// A rule as written: what is `None` was not said.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the keys of gitleaks' rule files; `rule::Rule` says what they mean")]
pub struct RawRule {
    pub id: String,
    /// Where it begins.
    pub line: Option<u32>,
    pub description: Option<String>,
    pub severity: Option<Severity>,
    pub remediation: Option<String>,
    pub reference: Option<String>,
    pub regex: Option<String>,
    pub secret_group: Option<usize>,
    pub entropy: Option<f64>,
    pub mixed: Option<bool>,
    pub keywords: Vec<String>,
    pub path: Option<String>,
    pub tags: Vec<String>,
    pub allowlists: Vec<Allowlist>,
    pub skip_report: bool,
    pub required: Vec<Required>,
}

/// A rule file as written.
#[derive(Debug, Default)]
pub struct RawConfig {
    /// `[[rules]]`.
    pub rules: Vec<RawRule>,
    /// `[allowlist]` and `[[allowlists]]`.
    pub allowlists: Vec<Allowlist>,
    /// `extend.useDefault`.
    pub use_default: bool,
    /// `extend.disabledRules`.
    pub disabled_rules: Vec<String>,
    /// What the user should know, though the file can be used.
    pub warnings: Vec<String>,
    /// The same, unless the history is scanned.
    pub commit_warnings: Vec<String>,
}

/// Reads the text of a rule file; `file` is its name for messages.
///
/// # Errors
/// When it is no TOML, a value has the wrong type, an expression is no expression, or it extends another file.
pub fn parse(file: &str, text: &str) -> Result<RawConfig, ConfigError> {
    read(file, text, Expressions::Check)
}

/// Reads built-in rules, whose expressions a test has checked: parsing them all here would be most of a small scan's time.
pub(crate) fn parse_trusted(file: &str, text: &str) -> Result<RawConfig, ConfigError> {
    read(file, text, Expressions::Trust)
}

fn read(file: &str, text: &str, expressions: Expressions) -> Result<RawConfig, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map(|span| crate::section::line_at(text, span.start));
        ConfigError { file: file.into(), line, place: String::new(), reason: error.message().to_owned() }
    })?;
    let mut config = RawConfig::default();
    let top = Section::top(file, text, table.get_ref(), expressions);
    top.warn_unknown(
        &["title", "description", "minVersion", "extend", "rules", "allowlist", "allowlists"],
        &mut config.warnings,
    );
    for extend in top.sections("extend")? {
        extend.warn_unknown(&["useDefault", "disabledRules", "path", "url"], &mut config.warnings);
        for refused in ["path", "url"] {
            if extend.has(refused) {
                return Err(extend.error_at(
                    refused,
                    format!("`extend.{refused}` is not supported: name several files in the input `config`, or use `extend.useDefault`"),
                ));
            }
        }
        config.use_default = extend.boolean("useDefault")?.unwrap_or(false);
        config.disabled_rules = extend.strings("disabledRules")?;
    }
    for (index, section) in top.sections("rules")?.into_iter().enumerate() {
        let rule = read_rule(index, section, &mut config)?;
        if let Some(other) = config.rules.iter().find(|other| other.id == rule.id) {
            let first = other.line.unwrap_or(0);
            let reason = format!("there is a rule of this id at line {first} already; rename one");
            let place = format!("rule `{}`", rule.id);
            return Err(ConfigError { file: file.to_owned(), line: rule.line, place, reason });
        }
        config.rules.push(rule);
    }
    config.allowlists = read_allowlists(&top, &mut config)?;
    Ok(config)
}

fn read_rule(index: usize, mut section: Section, config: &mut RawConfig) -> Result<RawRule, ConfigError> {
    section.place = format!("rule {}", index + 1);
    let id = section.string("id")?.filter(|id| !id.is_empty()).ok_or_else(|| section.error("has no `id`"))?;
    section.place = format!("rule `{id}`");
    section.warn_unknown(
        &[
            "id",
            "description",
            "regex",
            "secretGroup",
            "entropy",
            "keywords",
            "path",
            "tags",
            "severity",
            "remediation",
            "reference",
            "mixed",
            "skipReport",
            "allowlist",
            "allowlists",
            "required",
        ],
        &mut config.warnings,
    );
    let secret_group = match section.integer("secretGroup")? {
        None => None,
        Some(group) => Some(
            usize::try_from(group)
                .map_err(|_error| section.error_at("secretGroup", "`secretGroup` cannot be negative"))?,
        ),
    };
    let regex = section.string("regex")?;
    if let Some(regex) = regex.as_ref().filter(|_| section.expressions == Expressions::Check) {
        let hir =
            Pattern::new(regex).parse().map_err(|reason| section.error_at("regex", format!("`regex`: {reason}")))?;
        let groups = hir.properties().explicit_captures_len();
        if secret_group.is_some_and(|group| group > groups) {
            let reason = format!("`secretGroup` is above the number of groups in `regex`, {groups}");
            return Err(section.error_at("secretGroup", reason));
        }
    }
    let severity = match section.string("severity")? {
        None => None,
        Some(name) => Some(severity(&name).ok_or_else(|| {
            section
                .error_at("severity", format!("unknown severity `{name}` (known: info, low, medium, high, critical)"))
        })?),
    };
    let path = section.string("path")?;
    if let Some(path) = path.as_ref().filter(|_| section.expressions == Expressions::Check) {
        Pattern::new(path).parse().map_err(|reason| section.error_at("path", format!("`path`: {reason}")))?;
    }
    Ok(RawRule {
        description: section.string("description")?,
        severity,
        remediation: section.string("remediation")?,
        reference: section.string("reference")?,
        regex,
        secret_group,
        entropy: section.number("entropy")?,
        mixed: section.boolean("mixed")?,
        keywords: section.strings("keywords")?.iter().map(|word| word.to_ascii_lowercase()).collect(),
        path,
        tags: section.strings("tags")?,
        skip_report: section.boolean("skipReport")?.unwrap_or(false),
        allowlists: read_allowlists(&section, config)?,
        required: read_required(&section, config)?,
        line: section.line(),
        id,
    })
}

/// `[[rules.required]]`: other rules that have to find something near.
fn read_required(rule: &Section, config: &mut RawConfig) -> Result<Vec<Required>, ConfigError> {
    let mut all = Vec::new();
    for section in rule.sections("required")? {
        section.warn_unknown(&["id", "withinLines", "withinColumns"], &mut config.warnings);
        let id = section.string("id")?.filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| section.error("has no `id`: name the rule that has to find something too"))?;
        let distance = |key: &str| match section.integer(key)? {
            None => Ok(None),
            Some(distance) => u32::try_from(distance)
                .map(Some)
                .map_err(|_error| section.error_at(key, format!("`{key}` must be a number from 0 to {}", u32::MAX))),
        };
        let (within_lines, within_columns) = (distance("withinLines")?, distance("withinColumns")?);
        all.push(Required { id, within_lines, within_columns, line: section.line() });
    }
    Ok(all)
}

fn severity(name: &str) -> Option<Severity> {
    Some(match name.to_ascii_lowercase().as_str() {
        "info" => Severity::Info,
        "low" => Severity::Low,
        "medium" => Severity::Medium,
        "high" => Severity::High,
        "critical" => Severity::Critical,
        _ => return None,
    })
}

fn read_allowlists(parent: &Section, config: &mut RawConfig) -> Result<Vec<Allowlist>, ConfigError> {
    let mut sections = parent.sections("allowlist")?;
    sections.extend(parent.sections("allowlists")?);
    let mut lists = Vec::with_capacity(sections.len());
    for (index, mut section) in sections.into_iter().enumerate() {
        section.place = format!("{} allowlist {}", parent.place, index + 1).trim_start().to_owned();
        section.warn_unknown(
            &[
                "description",
                "paths",
                "regexes",
                "regexTarget",
                "stopwords",
                "condition",
                "targetRules",
                "commits",
                "id",
            ],
            &mut config.warnings,
        );
        lists.push(read_allowlist(&section, config)?);
    }
    Ok(lists)
}

fn read_allowlist(section: &Section, config: &mut RawConfig) -> Result<Allowlist, ConfigError> {
    let target = match section.string("regexTarget")?.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "secret") => Target::Secret,
        Some("match") => Target::Match,
        Some("line") => Target::Line,
        Some(other) => {
            let reason = format!("unknown `regexTarget` `{other}` (known: secret, match, line)");
            return Err(section.error_at("regexTarget", reason));
        }
    };
    let condition = match section.string("condition")?.as_deref().map(str::to_ascii_uppercase).as_deref() {
        None | Some("" | "OR" | "||") => Condition::Or,
        Some("AND" | "&&") => Condition::And,
        Some(other) => {
            return Err(section.error_at("condition", format!("unknown `condition` `{other}` (known: OR, AND)")));
        }
    };
    let commits: Vec<String> = section.strings("commits")?.iter().map(|commit| commit.to_ascii_lowercase()).collect();
    if !commits.is_empty() {
        let text = "`commits` has no effect without the input `history`: a tree of files has no commits";
        config.commit_warnings.push(section.message_at("commits", text));
    }
    for commit in &commits {
        if !matches!(commit.len(), 40 | 64) || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let text = format!("`commits`: `{commit}` fits no commit: write its 40 or 64 digits");
            config.warnings.push(section.message_at("commits", &text));
        }
    }
    Ok(Allowlist {
        paths: section.patterns("paths")?,
        regexes: section.patterns("regexes")?,
        target,
        stopwords: section.strings("stopwords")?.iter().map(|word| word.to_ascii_lowercase()).collect(),
        condition,
        target_rules: section.strings("targetRules")?,
        commits,
    })
}
