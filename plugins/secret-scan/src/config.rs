//! Reads a rule file: gitleaks' TOML, with a few keys of our own. What is wrong with a type or an expression is an error that
//! names file, rule and reason; a key that nobody knows is only a warning, because people's files vary.

use crate::pattern::Pattern;
use crate::rule::{Allowlist, Condition, Target};
use orch_sdk::Severity;
use std::fmt;
use toml::{Table, Value};

/// Why a rule file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as the user knows it.
    pub file: String,
    /// Where in it: `rule `x``, `allowlist 2`, or empty.
    pub place: String,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConfigError { file, place, reason } = self;
        if place.is_empty() { write!(f, "`{file}`: {reason}") } else { write!(f, "`{file}`: {place}: {reason}") }
    }
}

impl std::error::Error for ConfigError {}

/// A rule as written: what is `None` was not said.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the keys of gitleaks' rule files; `rule::Rule` says what they mean")]
pub struct RawRule {
    pub id: String,
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

#[derive(Clone, Copy, PartialEq)]
enum Expressions {
    Check,
    Trust,
}

fn read(file: &str, text: &str, expressions: Expressions) -> Result<RawConfig, ConfigError> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let place = line.map_or_else(String::new, |line| format!("line {line}"));
        ConfigError { file: file.into(), place, reason: error.message().to_owned() }
    })?;
    let mut config = RawConfig::default();
    let top = Section { file, place: String::new(), table: &table, expressions };
    top.warn_unknown(
        &["title", "description", "minVersion", "extend", "rules", "allowlist", "allowlists"],
        &mut config.warnings,
    );
    for extend in top.sections("extend")? {
        extend.warn_unknown(&["useDefault", "disabledRules", "path", "url"], &mut config.warnings);
        for refused in ["path", "url"] {
            if extend.table.contains_key(refused) {
                return Err(extend.error(format!(
                    "`extend.{refused}` is not supported: put the rules into this file, or use `extend.useDefault`"
                )));
            }
        }
        config.use_default = extend.boolean("useDefault")?.unwrap_or(false);
        config.disabled_rules = extend.strings("disabledRules")?;
    }
    for (index, section) in top.sections("rules")?.into_iter().enumerate() {
        let rule = read_rule(index, section, &mut config.warnings)?;
        if config.rules.iter().any(|other| other.id == rule.id) {
            return Err(top.error(format!("there are two rules `{}`", rule.id)));
        }
        config.rules.push(rule);
    }
    config.allowlists = read_allowlists(&top, &mut config.warnings)?;
    Ok(config)
}

fn read_rule(index: usize, mut section: Section, warnings: &mut Vec<String>) -> Result<RawRule, ConfigError> {
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
        ],
        warnings,
    );
    let secret_group = match section.integer("secretGroup")? {
        None => None,
        Some(group) => {
            Some(usize::try_from(group).map_err(|_error| section.error("`secretGroup` cannot be negative"))?)
        }
    };
    let regex = section.string("regex")?;
    if let Some(regex) = regex.as_ref().filter(|_| section.expressions == Expressions::Check) {
        let hir = Pattern::new(regex).parse().map_err(|reason| section.error(format!("`regex`: {reason}")))?;
        let groups = hir.properties().explicit_captures_len();
        if secret_group.is_some_and(|group| group > groups) {
            return Err(section.error(format!("`secretGroup` is above the number of groups in `regex`, {groups}")));
        }
    }
    let severity = match section.string("severity")? {
        None => None,
        Some(name) => Some(severity(&name).ok_or_else(|| {
            section.error(format!("unknown severity `{name}` (known: info, low, medium, high, critical)"))
        })?),
    };
    let path = section.string("path")?;
    if let Some(path) = path.as_ref().filter(|_| section.expressions == Expressions::Check) {
        Pattern::new(path).parse().map_err(|reason| section.error(format!("`path`: {reason}")))?;
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
        allowlists: read_allowlists(&section, warnings)?,
        id,
    })
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

fn read_allowlists(parent: &Section, warnings: &mut Vec<String>) -> Result<Vec<Allowlist>, ConfigError> {
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
            warnings,
        );
        lists.push(read_allowlist(&section, warnings)?);
    }
    Ok(lists)
}

fn read_allowlist(section: &Section, warnings: &mut Vec<String>) -> Result<Allowlist, ConfigError> {
    let target = match section.string("regexTarget")?.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "secret") => Target::Secret,
        Some("match") => Target::Match,
        Some("line") => Target::Line,
        Some(other) => {
            return Err(section.error(format!("unknown `regexTarget` `{other}` (known: secret, match, line)")));
        }
    };
    let condition = match section.string("condition")?.as_deref().map(str::to_ascii_uppercase).as_deref() {
        None | Some("" | "OR" | "||") => Condition::Or,
        Some("AND" | "&&") => Condition::And,
        Some(other) => return Err(section.error(format!("unknown `condition` `{other}` (known: OR, AND)"))),
    };
    let commits = !section.strings("commits")?.is_empty();
    if commits {
        warnings.push(section.message("`commits` has no effect: a tree of files is scanned, not its history"));
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

/// A table of the file, and where it is for messages.
struct Section<'a> {
    file: &'a str,
    place: String,
    table: &'a Table,
    expressions: Expressions,
}

impl<'a> Section<'a> {
    fn error(&self, reason: impl Into<String>) -> ConfigError {
        ConfigError { file: self.file.to_owned(), place: self.place.clone(), reason: reason.into() }
    }

    fn message(&self, text: &str) -> String {
        self.error(text).to_string()
    }

    fn warn_unknown(&self, known: &[&str], warnings: &mut Vec<String>) {
        let unknown = self.table.keys().filter(|key| !known.contains(&key.as_str()));
        warnings.extend(unknown.map(|key| self.message(&format!("unknown key `{key}`, which has no effect"))));
    }

    fn wrong_type(&self, key: &str, wanted: &str, found: &Value) -> ConfigError {
        self.error(format!("`{key}` must be {wanted}, not {}", found.type_str()))
    }

    fn string(&self, key: &str) -> Result<Option<String>, ConfigError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong_type(key, "a string", other)),
        }
    }

    fn strings(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        match self.table.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| {
                    let text = item.as_str().map(str::to_owned);
                    text.ok_or_else(|| self.wrong_type(key, "an array of strings", item))
                })
                .collect(),
            Some(other) => Err(self.wrong_type(key, "an array of strings", other)),
        }
    }

    fn patterns(&self, key: &str) -> Result<Vec<Pattern>, ConfigError> {
        let compile = |text: String| {
            let pattern = Pattern::new(text);
            if self.expressions == Expressions::Trust {
                return Ok(pattern);
            }
            match pattern.parse() {
                Ok(_) => Ok(pattern),
                Err(reason) => Err(self.error(format!("`{key}`: `{}`: {reason}", pattern.source()))),
            }
        };
        self.strings(key)?.into_iter().map(compile).collect()
    }

    fn boolean(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::Boolean(value)) => Ok(Some(*value)),
            Some(other) => Err(self.wrong_type(key, "true or false", other)),
        }
    }

    fn integer(&self, key: &str) -> Result<Option<i64>, ConfigError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::Integer(value)) => Ok(Some(*value)),
            Some(other) => Err(self.wrong_type(key, "an integer", other)),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>, ConfigError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::Float(value)) => Ok(Some(*value)),
            #[expect(clippy::cast_precision_loss, reason = "an entropy is a small number")]
            Some(Value::Integer(value)) => Ok(Some(*value as f64)),
            Some(other) => Err(self.wrong_type(key, "a number", other)),
        }
    }

    /// The tables under `key`, which may be one table or an array of them.
    fn sections(&self, key: &str) -> Result<Vec<Section<'a>>, ConfigError> {
        let place = if self.place.is_empty() { format!("`{key}`") } else { format!("{}: `{key}`", self.place) };
        let section = |table| Section { file: self.file, place: place.clone(), table, expressions: self.expressions };
        match self.table.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Table(table)) => Ok(vec![section(table)]),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| {
                    item.as_table().map(section).ok_or_else(|| self.wrong_type(key, "an array of tables", item))
                })
                .collect(),
            Some(other) => Err(self.wrong_type(key, "a table", other)),
        }
    }
}
