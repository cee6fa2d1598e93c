//! What a profile is, and reading one. What its checks mean is left to [`crate::checks`].

use orch_plugin_kit::parse::ParseError;
use orch_plugin_kit::yaml::{self, node};
use orch_sdk::Severity;
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use std::collections::BTreeSet;

/// The version of the format.
pub const SCHEMA: &str = "orch-compliance/v1";
/// The profiles that come with the plugin.
pub const BUILT_IN: [(&str, &str); 2] =
    [("debian-12", include_str!("../profiles/debian-12.yaml")), ("ssh", include_str!("../profiles/ssh.yaml"))];
/// Controls of one profile: the largest benchmarks have some five hundred.
const MAX_CONTROLS: usize = 2_000;
/// Bytes of a pattern, and of what it is compiled to. Both keep a hostile profile from filling the memory.
const MAX_PATTERN: usize = 500;
const MAX_COMPILED: usize = 256 << 10;

/// A set of controls.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// [`SCHEMA`].
    pub schema: String,
    /// What findings and the output call it.
    pub name: String,
    /// One line for a person.
    pub title: String,
    /// Its own version.
    pub version: String,
    /// If this check does not hold, no control applies.
    pub applies_when: Option<Check>,
    /// The controls, each with an id of its own.
    pub controls: Vec<Control>,
}

/// One requirement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Control {
    /// Unique in its profile.
    pub id: String,
    /// What has to be so, in one line.
    pub title: String,
    /// How bad it is otherwise.
    pub severity: Severity,
    /// Why it matters.
    #[serde(default)]
    pub description: String,
    /// What to do.
    #[serde(default)]
    pub remediation: String,
    /// Where others ask for it.
    #[serde(default)]
    pub references: Vec<String>,
    /// If this check does not hold, the control does not apply.
    pub applies_when: Option<Check>,
    /// What is looked at.
    pub check: Check,
}

/// A question about a system.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// All of them hold.
    AllOf(Vec<Check>),
    /// One of them holds.
    AnyOf(Vec<Check>),
    /// It does not hold.
    Not(Box<Check>),
    /// A file or folder.
    File(FileCheck),
    /// A key of a configuration.
    Setting(Box<SettingCheck>),
    /// A file system of its own and its options.
    Mount(MountCheck),
    /// A package.
    Package(PackageCheck),
    /// Accounts and groups.
    User(UserCheck),
    /// A unit of systemd.
    Service(ServiceCheck),
    /// A module that must not be loaded.
    KernelModule(KernelModuleCheck),
}

/// About files.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileCheck {
    /// Paths below the root; `*` and `?` stand for parts of a name.
    pub path: Many,
    /// Whether there has to be one. `false`: there must be none.
    #[serde(default = "yes")]
    pub exists: bool,
    /// What it is if there is none, instead of a failure.
    #[serde(default)]
    pub missing: Missing,
    /// What it has to be.
    pub kind: Option<FileKind>,
    /// The bits that it may have.
    pub mode: Option<Mode>,
    /// Who may own it: names or numbers.
    #[serde(default)]
    pub owner: Many,
    /// Which group may own it.
    #[serde(default)]
    pub group: Many,
    /// For each pattern a line of one of the files fits.
    #[serde(default)]
    pub contains: Vec<Pattern>,
    /// No line of any of the files fits.
    #[serde(default)]
    pub contains_not: Vec<Pattern>,
}

fn yes() -> bool {
    true
}

/// What a missing file means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The check fails.
    #[default]
    Failed,
    /// The check holds.
    Passed,
    /// There is nothing to check.
    NotApplicable,
}

/// What a path leads to, links not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A plain file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
}

/// Permission bits, written in octal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub u32);

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Mode, D::Error> {
        let text = String::deserialize(from)?;
        match u32::from_str_radix(&text, 8) {
            Ok(bits) if bits <= 0o7777 && text.len() >= 3 => Ok(Mode(bits)),
            _ => Err(de::Error::custom(format!("`{text}` is no mode in octal, such as \"0640\""))),
        }
    }
}

/// About one key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SettingCheck {
    /// How the files are written.
    pub format: Format,
    /// Files below the root, later ones over earlier ones (`sshd`: the first counts). Some formats have their own.
    #[serde(default)]
    pub files: Many,
    /// Of `ini`: the section.
    pub section: Option<String>,
    /// The key.
    pub key: String,
    /// What holds if the key is not set.
    pub default: Option<String>,
    /// Of `sshd`: what `Match` blocks set has to comply too.
    #[serde(default)]
    pub match_blocks: bool,
    /// Of `sysctl`: the running kernel's value has to comply too, where the root shows it.
    #[serde(default)]
    pub live: bool,
    /// Whether a file sets the key.
    pub is_set: Option<bool>,
    /// The value, in whatever case.
    pub equals: Option<String>,
    /// None of these values.
    #[serde(default)]
    pub not: Many,
    /// One of these values.
    #[serde(default)]
    pub one_of: Many,
    /// A number up to this. `sshd`: seconds, `1m` too.
    pub at_most: Option<i64>,
    /// A number from this on.
    pub at_least: Option<i64>,
    /// The value fits.
    pub matches: Option<Pattern>,
    /// The parts of the value, between commas or blanks, are all among these.
    #[serde(default)]
    pub only: Many,
    /// No part of the value, between commas or blanks, is among these; `*` stands for any text.
    #[serde(default)]
    pub without: Many,
}

/// How a configuration is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `sshd_config(5)`.
    Sshd,
    /// `sysctl.d(5)`.
    Sysctl,
    /// `[section]`, then `key = value`.
    Ini,
    /// `key value`.
    LoginDefs,
    /// `key=value`, or a key alone.
    KeyValue,
}

/// About a mount point.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MountCheck {
    /// Where it is mounted, such as `/tmp`.
    pub point: String,
    /// Options that it has to have.
    #[serde(default)]
    pub options: Many,
}

/// About packages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PackageCheck {
    /// Names as dpkg knows them.
    pub name: Many,
    /// Whether all are installed, or none.
    pub installed: bool,
}

/// About accounts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UserCheck {
    /// What has to hold.
    pub rule: UserRule,
    /// Accounts that are not looked at.
    #[serde(default)]
    pub except: Many,
    /// Of the rules with days.
    pub at_most: Option<i64>,
    /// Of the rules with days.
    pub at_least: Option<i64>,
}

/// What can be asked of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserRule {
    /// No account but root has the user id 0.
    #[serde(rename = "only-root-has-uid-0")]
    OnlyRootHasUid0,
    /// No account but root has the group id 0.
    #[serde(rename = "only-root-has-gid-0")]
    OnlyRootHasGid0,
    /// No account has an empty password.
    NoEmptyPasswords,
    /// No line begins with `+`.
    NoLegacyEntries,
    /// Each user id stands once.
    UniqueUserIds,
    /// Each user name stands once.
    UniqueUserNames,
    /// Each group id stands once.
    UniqueGroupIds,
    /// Each group name stands once.
    UniqueGroupNames,
    /// No password stands in `etc/passwd`.
    PasswordsInShadow,
    /// Each account's group is known.
    KnownGroups,
    /// Accounts with ids below 1000 have no shell to log in with.
    SystemAccountsHaveNoShell,
    /// No password is hashed with DES, MD5 or SHA-1.
    StrongHashes,
    /// The days after which a password has to be changed.
    MaximumDays,
    /// The days before which it cannot.
    MinimumDays,
    /// The days of warning.
    WarningDays,
    /// The days after which an account with an expired password is locked.
    InactiveDays,
}

/// About a unit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServiceCheck {
    /// Units with their suffix.
    pub unit: Many,
    /// The states that are right.
    pub state: Vec<ServiceState>,
}

/// What a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// Another unit wants it.
    Enabled,
    /// It is there, and nothing wants it.
    Disabled,
    /// It cannot be started.
    Masked,
    /// There is no such unit.
    Absent,
}

/// About a kernel module.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KernelModuleCheck {
    /// Its name.
    pub name: String,
}

/// A regular expression that compiles; it is compiled again where it is used, so that a large profile takes no memory.
#[derive(Debug, Clone)]
pub struct Pattern(String);

impl Pattern {
    /// The compiled expression.
    ///
    /// # Errors
    /// A reason.
    pub fn compile(text: &str) -> Result<Regex, String> {
        if text.len() > MAX_PATTERN {
            return Err(format!("a regular expression of more than {MAX_PATTERN} bytes"));
        }
        let built =
            RegexBuilder::new(text).unicode(false).size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED).build();
        built.map_err(|error| {
            let reason = error.to_string();
            // The library draws the pattern on several lines; the last says what is wrong.
            format!("`{text}` is no regular expression: {}", reason.lines().last().unwrap_or_default())
        })
    }

    /// The compiled expression.
    ///
    /// # Errors
    /// Never, for it did compile; but no plugin may panic.
    pub fn regex(&self) -> Result<Regex, String> {
        Pattern::compile(&self.0)
    }

    /// What is written.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Pattern, D::Error> {
        let text = String::deserialize(from)?;
        Pattern::compile(&text).map_err(de::Error::custom)?;
        Ok(Pattern(text))
    }
}

/// One text or a list of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Many(pub Vec<String>);

impl<'de> Deserialize<'de> for Many {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Many, D::Error> {
        struct TextOrList;
        impl<'de> Visitor<'de> for TextOrList {
            type Value = Many;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a text or a list of texts")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Many, E> {
                Ok(Many(vec![text.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Many, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(Many(all))
            }
        }
        from.deserialize_any(TextOrList)
    }
}

/// Reads a profile.
///
/// # Errors
/// With the line and, where there are some, the known choices.
pub fn read(text: &str) -> Result<Profile, ParseError> {
    let root = yaml::read(text)?;
    let profile: Profile = node::read(&root)
        .map_err(|error| ParseError { line: (error.line > 0).then_some(error.line), reason: error.reason })?;
    let wrong = |reason: String| Err(ParseError::whole(reason));
    if profile.schema != SCHEMA {
        return wrong(format!("`schema` is `{}` (known: `{SCHEMA}`)", profile.schema));
    }
    if !is_name(&profile.name) {
        return wrong(format!("the name `{}` is not made of letters, digits, `-`, `_` and `.`", profile.name));
    }
    if profile.controls.len() > MAX_CONTROLS {
        return wrong(format!("more than {MAX_CONTROLS} controls"));
    }
    let mut ids = BTreeSet::new();
    for control in &profile.controls {
        let id = &control.id;
        if !is_name(id) {
            return wrong(format!("the id `{id}` is not made of letters, digits, `-`, `_` and `.`"));
        }
        if !ids.insert(id) {
            return wrong(format!("the id `{id}` stands twice"));
        }
        let checks = [Some(&control.check), control.applies_when.as_ref()];
        if let Some(reason) = checks.into_iter().flatten().find_map(asks_nothing) {
            return wrong(format!("the control `{id}`: {reason}"));
        }
    }
    if let Some(reason) = profile.applies_when.as_ref().and_then(asks_nothing) {
        return wrong(format!("`applies-when`: {reason}"));
    }
    Ok(profile)
}

fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Why a check would hold whatever the system is like: a mistake of its author that must not look like a pass.
fn asks_nothing(check: &Check) -> Option<String> {
    let nothing = |what: &str| Some(what.to_owned());
    match check {
        Check::AllOf(parts) | Check::AnyOf(parts) if parts.is_empty() => nothing("an empty list of checks"),
        Check::AllOf(parts) | Check::AnyOf(parts) => parts.iter().find_map(asks_nothing),
        Check::Not(part) => asks_nothing(part),
        Check::File(file) if file.path.0.is_empty() => nothing("`file` without a path"),
        Check::Setting(setting) => {
            let asks = setting.is_set.is_some()
                || setting.equals.is_some()
                || setting.at_most.is_some()
                || setting.at_least.is_some()
                || setting.matches.is_some()
                || [&setting.not, &setting.one_of, &setting.only, &setting.without]
                    .iter()
                    .any(|many| !many.0.is_empty());
            if !asks {
                return nothing(
                    "`setting` compares with nothing (known: `is-set`, `equals`, `not`, `one-of`, `at-most`, `at-least`, `matches`, \
                     `only`, `without`)",
                );
            }
            let own_files = matches!(setting.format, Format::Sshd | Format::Sysctl | Format::LoginDefs);
            if setting.files.0.is_empty() && !own_files {
                return nothing("`setting` of this format needs `files`");
            }
            None
        }
        Check::Package(package) if package.name.0.is_empty() => nothing("`package` without a name"),
        Check::Service(service) if service.unit.0.is_empty() || service.state.is_empty() => {
            nothing("`service` without a unit or a state")
        }
        Check::User(user) => {
            let days = matches!(
                user.rule,
                UserRule::MaximumDays | UserRule::MinimumDays | UserRule::WarningDays | UserRule::InactiveDays
            );
            if days == (user.at_most.is_some() || user.at_least.is_some()) {
                return None;
            }
            nothing("`at-most` or `at-least` belongs to the rules with days, and to these only")
        }
        Check::File(_) | Check::Mount(_) | Check::Package(_) | Check::Service(_) | Check::KernelModule(_) => None,
    }
}
