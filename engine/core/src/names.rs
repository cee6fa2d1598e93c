//! Names as types: each can only be made from text that follows its rule, and the error names the character and its place.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Text that is no valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid {kind}: {reason}", crate::shorten(&crate::visible(text), 80))]
pub struct InvalidName {
    /// What the name would have been of, for example `task id`.
    pub kind: &'static str,
    /// The offending text.
    pub text: String,
    /// What is wrong, with character and byte where there is one.
    pub reason: String,
}

/// How the characters of a name are restricted.
struct Rule {
    kind: &'static str,
    longest: usize,
    first: fn(char) -> bool,
    rest: fn(char) -> bool,
    allowed: &'static str,
    reserved: &'static [&'static str],
    place: Place,
}

/// What becomes of a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is compared and shown.
    Text,
    /// It becomes a part of a path, and so it has to be one everywhere.
    File,
}

/// Names that are devices on Windows, in whatever folder and with whatever form behind a dot. Those with a superscript digit or a `$`
/// have characters that no name may have.
const DEVICES: [&str; 24] = [
    "con", "prn", "aux", "nul", "com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt0",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

fn check(text: &str, rule: &Rule) -> Result<(), InvalidName> {
    let fail = |reason| Err(InvalidName { kind: rule.kind, text: text.to_owned(), reason });
    if text.is_empty() {
        return fail("it is empty".to_owned());
    }
    if text.len() > rule.longest {
        return fail(format!("it has {} bytes, at most {} are allowed", text.len(), rule.longest));
    }
    if rule.reserved.contains(&text) {
        return fail("the name is taken by orch-wasm itself".to_owned());
    }
    for (byte, character) in text.char_indices() {
        let fits = if byte == 0 { (rule.first)(character) } else { (rule.rest)(character) };
        if !fits {
            let what = crate::visible(&character.to_string()).into_owned();
            return fail(format!("`{what}` at byte {byte} is not allowed ({})", rule.allowed));
        }
    }
    if rule.place == Place::File {
        // Windows cuts the form off before it looks; what is a name on one system would be none, or a device, on another.
        let stem = text.split('.').next().unwrap_or_default();
        if DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) {
            return fail(format!("`{stem}` is a device on Windows"));
        }
        if text.ends_with('.') {
            return fail("it ends with `.`, which Windows leaves out".to_owned());
        }
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $longest:literal, $first:expr, $rest:expr, $allowed:literal
     $(, reserved $reserved:expr)? $(, in $place:expr)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(std::sync::Arc<str>);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $type {
            type Error = InvalidName;
            fn try_from(text: &str) -> Result<Self, InvalidName> {
                let reserved: &[&str] = [$($reserved as &[&str],)? &[]][0];
                let place = [$($place,)? Place::Text][0];
                check(text, &Rule { kind: $kind, longest: $longest, first: $first, rest: $rest, allowed: $allowed, reserved, place })?;
                Ok($type(text.into()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                $type::try_from(text.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                $type::try_from(text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0.to_string()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

fn letter(c: char) -> bool {
    c.is_ascii_alphabetic()
}
fn lower(c: char) -> bool {
    c.is_ascii_lowercase()
}
fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}
fn lower_word(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}
fn variable_first(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}
fn variable(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
fn file_first(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
fn file(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}
fn hex(c: char) -> bool {
    c.is_ascii_digit() || ('a'..='f').contains(&c)
}

name!(
    /// The key of a task in a workflow file.
    TaskName, "task id", 64, letter, word, "a letter, then letters, digits, `_` and `-`"
);
name!(
    /// The key of a workflow input.
    InputName, "input name", 64, letter, word, "a letter, then letters, digits, `_` and `-`"
);
name!(
    /// The name under which a guest sees a granted folder: `source` is found at `/source`.
    MountName, "mount name", 64, lower, lower_word, "a lower-case letter, then lower-case letters, digits and `-`",
    // Artifacts of upstream tasks are found there.
    reserved &["artifacts"], in Place::File
);
name!(
    /// The name of a task inside a plugin.
    PluginTaskName, "plugin task name", 64, lower, lower_word, "a lower-case letter, then lower-case letters, digits and `-`"
);
name!(
    /// The name of an environment variable.
    EnvName, "environment variable name", 128, variable_first, variable, "a letter or `_`, then letters, digits and `_`"
);
name!(
    /// The name of a secret that a workflow declares.
    SecretName, "secret name", 64, letter, word, "a letter, then letters, digits, `_` and `-`"
);
name!(
    /// What a plugin calls a program of the host.
    ExecName, "name of a program", 64, lower, lower_word, "a lower-case letter, then lower-case letters, digits and `-`"
);
name!(
    /// A place in a program's arguments that a plugin fills in.
    SlotName, "slot name", 64, lower, lower_word, "a lower-case letter, then lower-case letters, digits and `-`"
);
name!(
    /// What a plugin calls the place where it keeps values.
    BucketName, "bucket name", 64, lower, lower_word, "a lower-case letter, then lower-case letters, digits and `-`"
);
name!(
    /// The name of an artifact: one path part that is harmless on every file system.
    ArtifactName, "artifact name", 128, file_first, file, "a letter, digit or `_`, then letters, digits, `_`, `-` and `.`",
    in Place::File
);
name!(
    /// The first 16 hexadecimal digits of the SHA-256 of a publisher's public key.
    SignerId, "signer id", 16, hex, hex, "hexadecimal digits in lower case"
);

/// Names a task in its run: its key in the workflow (`scan`); below the task that runs another file (`build/scan`); or its place
/// among those that a workflow runs besides its tasks (`undo/deploy`, `on-failure/1`, `finally/1`). A key holds no `/`, so these
/// never meet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(std::sync::Arc<str>);

/// Parts of a task id. Workflows inside of workflows nest less deep than this.
const MOST_PARTS: usize = 16;

impl TaskId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its last part: how tasks beside it call it.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The id of something below this task.
    #[must_use]
    pub fn join(&self, name: &str) -> TaskId {
        TaskId(format!("{}/{name}", self.0).into())
    }
}

impl TryFrom<&str> for TaskId {
    type Error = InvalidName;
    fn try_from(text: &str) -> Result<Self, InvalidName> {
        let fail = |error: InvalidName| InvalidName { text: text.to_owned(), ..error };
        for (number, part) in text.split('/').enumerate() {
            let is_ordinal =
                number > 0 && !part.is_empty() && part.len() < 6 && part.bytes().all(|b| b.is_ascii_digit());
            if !is_ordinal {
                TaskName::try_from(part).map_err(fail)?;
            }
            if number >= MOST_PARTS {
                let reason = format!("it has more than {MOST_PARTS} parts");
                return Err(InvalidName { kind: "task id", text: text.to_owned(), reason });
            }
        }
        Ok(TaskId(text.into()))
    }
}

impl From<TaskName> for TaskId {
    fn from(name: TaskName) -> TaskId {
        TaskId(name.0)
    }
}

impl TryFrom<String> for TaskId {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        TaskId::try_from(text.as_str())
    }
}

impl std::str::FromStr for TaskId {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        TaskId::try_from(text)
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> String {
        id.0.to_string()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for TaskId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// One unit of work: a task, or one item of a task that runs once for each of several. As text `scan` or `scan[3]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepId {
    /// The task.
    pub task: TaskId,
    /// Which item, from 0.
    pub item: Option<u32>,
}

impl StepId {
    /// An item of a task.
    pub fn item(task: TaskId, item: u32) -> StepId {
        StepId { task, item: Some(item) }
    }
}

impl From<TaskId> for StepId {
    fn from(task: TaskId) -> StepId {
        StepId { task, item: None }
    }
}

impl TryFrom<&str> for StepId {
    type Error = InvalidName;
    fn try_from(text: &str) -> Result<Self, InvalidName> {
        let Some((task, item)) = text.strip_suffix(']').and_then(|text| text.split_once('[')) else {
            return TaskId::try_from(text).map(StepId::from);
        };
        let plain = item == "0" || !item.starts_with(['0', '+']);
        match item.parse().ok().filter(|_| plain) {
            Some(item) => Ok(StepId::item(TaskId::try_from(task)?, item)),
            None => {
                let reason = "the item between `[` and `]` is a number from 0".to_owned();
                Err(InvalidName { kind: "step id", text: text.to_owned(), reason })
            }
        }
    }
}

impl TryFrom<String> for StepId {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        StepId::try_from(text.as_str())
    }
}

impl std::str::FromStr for StepId {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        StepId::try_from(text)
    }
}

impl From<StepId> for String {
    fn from(id: StepId) -> String {
        id.to_string()
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            None => f.write_str(self.task.as_str()),
            Some(item) => write!(f, "{}[{item}]", self.task),
        }
    }
}

/// The name of a plugin: `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginName {
    whole: std::sync::Arc<str>,
    slash: usize,
}

impl PluginName {
    /// The part before the slash.
    pub fn namespace(&self) -> &str {
        &self.whole[..self.slash]
    }

    /// The part after the slash.
    pub fn name(&self) -> &str {
        &self.whole[self.slash + 1..]
    }

    /// Both parts.
    pub fn as_str(&self) -> &str {
        &self.whole
    }
}

impl TryFrom<&str> for PluginName {
    type Error = InvalidName;
    fn try_from(text: &str) -> Result<Self, InvalidName> {
        const PART: Rule = Rule {
            kind: "plugin name",
            longest: 64,
            first: lower,
            rest: lower_word,
            allowed: "each part is a lower-case letter, then lower-case letters, digits and `-`",
            reserved: &[],
            place: Place::File,
        };
        let whole = |error: InvalidName| InvalidName { text: text.to_owned(), ..error };
        let Some((namespace, name)) = text.split_once('/') else {
            let reason = "it has the form `namespace/name`".to_owned();
            return Err(InvalidName { kind: PART.kind, text: text.to_owned(), reason });
        };
        check(namespace, &PART).map_err(whole)?;
        check(name, &PART).map_err(whole)?;
        Ok(PluginName { whole: text.into(), slash: namespace.len() })
    }
}

impl std::str::FromStr for PluginName {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        PluginName::try_from(text)
    }
}

impl TryFrom<String> for PluginName {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        PluginName::try_from(text.as_str())
    }
}

impl From<PluginName> for String {
    fn from(name: PluginName) -> String {
        name.whole.to_string()
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused<T: for<'a> TryFrom<&'a str, Error = InvalidName> + fmt::Debug>(text: &str, reason: &str) {
        let error = T::try_from(text).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn a_reason_names_the_character_and_its_byte() {
        refused::<TaskId>("a b", "`a b` is not a valid task id: ` ` at byte 1 is not allowed");
        refused::<TaskId>("", "it is empty");
        refused::<TaskId>(&"a".repeat(65), "it has 65 bytes, at most 64 are allowed");
        refused::<MountName>("..", "`.` at byte 0");
        refused::<MountName>("artifacts", "taken by orch-wasm itself");
        refused::<ArtifactName>("a/b", "`/` at byte 1");
        refused::<ArtifactName>(".hidden", "`.` at byte 0");
        refused::<ArtifactName>("Nul.json", "`Nul` is a device on Windows");
        refused::<ArtifactName>("a.", "it ends with `.`");
        refused::<PluginName>("orch/com1", "`orch/com1` is not a valid plugin name: `com1` is a device");
        refused::<EnvName>("A=B", "`=` at byte 1");
        refused::<PluginName>("orch", "`namespace/name`");
        refused::<PluginName>("orch/a/b", "`/` at byte 1");
        refused::<PluginName>("orсh/a", "at byte 2"); // a Cyrillic letter
        refused::<TaskId>("a\u{1b}[2J", "at byte 1");
    }

    #[test]
    fn a_step_is_a_task_or_an_item_of_one() {
        for text in ["scan", "scan[0]", "build/scan[17]", "undo/build/deploy", "finally/1"] {
            assert_eq!(StepId::try_from(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "scan[",
            "scan[]",
            "scan[-1]",
            "scan[+1]",
            "scan[01]",
            "scan[4294967296]",
            "/a",
            "a/",
            "a//b",
            "1",
            "a[1][2]",
        ] {
            assert!(StepId::try_from(text).is_err(), "{text}");
        }
        assert_eq!(TaskId::try_from("build/scan").unwrap().name(), "scan");
        refused::<TaskName>("a/b", "`/` at byte 1");
        refused::<TaskId>(&"a/".repeat(20), "is not a valid task id");
    }

    #[test]
    fn a_plugin_name_has_two_parts() {
        let name = PluginName::try_from("orch/secret-scan").unwrap();
        assert_eq!((name.namespace(), name.name()), ("orch", "secret-scan"));
    }
}
