//! The lock file `orch-wasm.lock` beside a workflow: which version of each plugin was accepted, with its digest and with what
//! it asked for. TOML, sorted, one plugin a table, so that a change is readable in a review.

use crate::error::shown;
use crate::{Error, IndexPosition};
use orch_core::{Ask, Digest, FoundPlugin, PluginName, SignerId, digest_of};
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use toml::{Spanned, Value};

/// Bytes of a lock file.
const MOST_BYTES: u64 = 1 << 20;
/// The version of the format. Version 2 brought `index`: a file of version 1 is read as one that never saw an index, and written as
/// version 2. A reader of version 1 refuses a file of version 2 and says so, and so never writes one that has forgotten it.
const FORMAT: i64 = 2;

/// Where a plugin comes from: `registry:<folder or address>` or `file:<path>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LockSource {
    /// A registry, as the configuration names it.
    Registry(String),
    /// A file, as the workflow names it.
    File(String),
}

/// One plugin of a lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockedPlugin {
    /// `namespace/name`
    pub name: PluginName,
    /// What the workflow asks for; `*` for a file.
    pub requirement: VersionReq,
    /// The accepted version.
    pub version: Version,
    /// The component.
    pub digest: Digest,
    /// See `Manifest::capability_hash`.
    pub capability_hash: Digest,
    /// Who signed it; absent for a file.
    pub signer: Option<SignerId>,
    /// Where it comes from.
    pub source: LockSource,
    /// What it asked for, without the reasons.
    pub ask: Ask,
    /// How far the index of the registry was; absent for a file, and where a version of orch-wasm locked it that did not look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<IndexPosition>,
}

/// A lock file's content, sorted and without repetition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockFile {
    plugins: Vec<LockedPlugin>,
}

/// How a plugin that was found compares with the lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    /// It is what is locked.
    Same,
    /// Nothing is locked for it.
    New,
    /// It differs, and asks for nothing new.
    Changed {
        /// What is locked.
        before: Box<LockedPlugin>,
        /// What differs, a line each.
        differences: Vec<String>,
    },
    /// It asks for more than was accepted: a person has to agree.
    AsksForMore {
        /// What is locked.
        before: Box<LockedPlugin>,
        /// What it asks for in addition, a line each.
        lines: Vec<String>,
    },
}

impl LockedPlugin {
    /// What to lock for a plugin that was found and verified.
    pub fn new(found: &FoundPlugin, requirement: VersionReq, source: LockSource) -> LockedPlugin {
        LockedPlugin {
            name: found.manifest.name.clone(),
            requirement,
            version: found.manifest.version.clone(),
            digest: found.digest,
            capability_hash: found.manifest.capability_hash(),
            signer: found.signer.clone(),
            source,
            ask: found.manifest.permissions.without_reasons(),
            index: None,
        }
    }

    /// The same with how far the index was.
    #[must_use]
    pub fn seen(self, index: Option<IndexPosition>) -> LockedPlugin {
        LockedPlugin { index, ..self }
    }

    /// Two entries with the same key are about the same reference of a workflow.
    fn key(&self) -> (String, &str, String) {
        let file = match &self.source {
            LockSource::Registry(_) => "",
            LockSource::File(path) => path,
        };
        (self.name.to_string(), file, self.requirement.to_string())
    }

    fn is_file(&self) -> bool {
        matches!(self.source, LockSource::File(_))
    }
}

impl LockFile {
    /// The plugins, sorted by name, path and requirement.
    pub fn plugins(&self) -> &[LockedPlugin] {
        &self.plugins
    }

    /// What is locked for a plugin of a registry: under this requirement, else the highest version under another one.
    pub fn locked(&self, name: &PluginName, requirement: &VersionReq) -> Option<&LockedPlugin> {
        let of_name = || self.plugins.iter().filter(|plugin| plugin.name == *name && !plugin.is_file());
        of_name()
            .find(|plugin| plugin.requirement == *requirement)
            .or_else(|| of_name().max_by_key(|plugin| plugin.version.clone()))
    }

    /// How far the index of a plugin was, whatever requirement it was looked at for.
    pub fn seen(&self, name: &PluginName) -> Option<&IndexPosition> {
        let of_name = self.plugins.iter().filter(|plugin| plugin.name == *name && !plugin.is_file());
        of_name.filter_map(|plugin| plugin.index.as_ref()).max_by_key(|index| index.lines)
    }

    /// What is locked for a file, by its path in the workflow.
    pub fn locked_file(&self, path: &str) -> Option<&LockedPlugin> {
        self.plugins.iter().find(|plugin| matches!(&plugin.source, LockSource::File(locked) if locked == path))
    }

    /// Compares what was found with what is locked.
    pub fn compare(&self, found: &LockedPlugin) -> LockState {
        let before = match &found.source {
            LockSource::Registry(_) => self.locked(&found.name, &found.requirement),
            LockSource::File(path) => self.locked_file(path),
        };
        let Some(before) = before else { return LockState::New };
        // An index that went on is no change of the plugin.
        if *before == (LockedPlugin { index: before.index, ..found.clone() }) {
            return LockState::Same;
        }
        let lines = found.ask.more_than(&before.ask);
        if !lines.is_empty() {
            return LockState::AsksForMore { before: Box::new(before.clone()), lines };
        }
        LockState::Changed { before: Box::new(before.clone()), differences: differences(before, found) }
    }

    /// Locks a plugin, in place of what was locked for the same reference.
    pub fn accept(&mut self, plugin: LockedPlugin) {
        self.plugins.retain(|locked| match (&locked.source, &plugin.source) {
            (LockSource::File(a), LockSource::File(b)) => a != b,
            _ => locked.key() != plugin.key(),
        });
        // There is one index of a plugin, whatever is taken from it: an older view that stayed would contradict this one.
        for locked in self.plugins.iter_mut().filter(|locked| locked.name == plugin.name && !locked.is_file()) {
            if plugin.index.is_some() && !plugin.is_file() {
                locked.index = plugin.index;
            }
        }
        self.plugins.push(plugin);
        self.plugins.sort_by(|a, b| a.key().cmp(&b.key()));
    }

    /// Drops what no workflow refers to any more.
    pub fn retain(&mut self, keep: impl FnMut(&LockedPlugin) -> bool) {
        self.plugins.retain(keep);
    }

    /// Reads a lock file; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn read(path: impl AsRef<Path>) -> Result<Option<LockFile>, Error> {
        let place = path.as_ref().display().to_string();
        // Without O_NONBLOCK a named pipe would block here for ever.
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = match OpenOptions::new().read(true).custom_flags(nonblocking).open(path.as_ref()) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::Io { action: "read", place, source: error }),
        };
        let invalid = |reason: String| Error::InvalidLock { path: place.clone(), line: None, reason };
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(invalid("it is no file".to_owned()));
        }
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(Error::io("read", place.as_str()))?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(invalid(format!("it has more than {MOST_BYTES} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8".to_owned()))?;
        LockFile::parse(&place, &text).map(Some)
    }

    /// Reads the text of a lock file; `path` is for messages.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn parse(path: &str, text: &str) -> Result<LockFile, Error> {
        let line_of = |byte: usize| text.as_bytes().iter().take(byte).filter(|byte| **byte == b'\n').count() + 1;
        let invalid = |byte: Option<usize>, reason: String| Error::InvalidLock {
            path: path.to_owned(),
            line: byte.map(line_of),
            reason,
        };
        let unreadable =
            |error: toml::de::Error| invalid(error.span().map(|span| span.start), shown(error.message().trim_end()));
        if text.len() as u64 > MOST_BYTES {
            return Err(invalid(None, format!("it has more than {MOST_BYTES} bytes")));
        }
        let format: AnyFormat = toml::from_str(text).map_err(unreadable)?;
        if !(1..=FORMAT).contains(format.version.get_ref()) {
            let reason = format!(
                "its format is {}, and this version of orch-wasm reads format {FORMAT}",
                format.version.get_ref()
            );
            return Err(invalid(Some(format.version.span().start), reason));
        }
        let wire: Wire = toml::from_str(text).map_err(unreadable)?;
        let mut lock = LockFile::default();
        for entry in wire.plugin {
            let start = entry.span().start;
            let plugin = entry.into_inner().plugin().map_err(|reason| invalid(Some(start), reason))?;
            if lock.plugins.iter().any(|before| before.key() == plugin.key()) {
                return Err(invalid(
                    Some(start),
                    format!("`{}` with `{}` stands twice", plugin.name, plugin.requirement),
                ));
            }
            lock.plugins.push(plugin);
        }
        lock.plugins.sort_by(|a, b| a.key().cmp(&b.key()));
        Ok(lock)
    }

    /// The text of the file: the same for the same content.
    pub fn text(&self) -> String {
        let mut text = format!(
            "# Made by orch-wasm: the plugins that were accepted, and what each asked for. Keep it under version control.\n\
             version = {FORMAT}\n"
        );
        for plugin in &self.plugins {
            let mut line = |key: &str, value: Value| text.push_str(&format!("{key} = {value}\n"));
            let string = |text: &dyn fmt::Display| Value::String(text.to_string());
            line("\n[[plugin]]\nname", string(&plugin.name));
            line("requirement", string(&plugin.requirement));
            line("version", string(&plugin.version));
            line("digest", string(&plugin.digest));
            line("capability-hash", string(&plugin.capability_hash));
            if let Some(signer) = &plugin.signer {
                line("signer", string(signer));
            }
            line("source", string(&plugin.source));
            line("asks", Value::Array(plugin.ask.lines().into_iter().map(Value::String).collect()));
            line("ask", ask_value(&plugin.ask));
            if let Some(IndexPosition { lines, head }) = &plugin.index {
                let mut index = toml::Table::new();
                index.insert("lines".to_owned(), Value::Integer(i64::try_from(*lines).unwrap_or(i64::MAX)));
                index.insert("head".to_owned(), string(head));
                line("index", Value::Table(index));
            }
        }
        text
    }

    /// Writes the file whole or not at all: aside, fsynced, renamed.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let place = path.display().to_string();
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mut random = [0; 8];
        let aside = getrandom::fill(&mut random)
            .map(|()| folder.join(format!(".orch-wasm.lock-{:016x}", u64::from_le_bytes(random))))
            .map_err(|error| Error::Io {
                action: "write",
                place: place.clone(),
                source: std::io::Error::other(error.to_string()),
            })?;
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&aside)?;
            file.write_all(self.text().as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&aside, path)?;
            File::open(folder)?.sync_all()
        })();
        written.map_err(|source| {
            let _ = std::fs::remove_file(&aside);
            Error::Io { action: "write", place, source }
        })
    }
}

fn differences(before: &LockedPlugin, found: &LockedPlugin) -> Vec<String> {
    let signer = |plugin: &LockedPlugin| plugin.signer.as_ref().map_or("nobody".to_owned(), SignerId::to_string);
    let mut lines: Vec<_> = [
        ("name", before.name.to_string(), found.name.to_string()),
        ("requirement", before.requirement.to_string(), found.requirement.to_string()),
        ("version", before.version.to_string(), found.version.to_string()),
        ("digest", before.digest.to_string(), found.digest.to_string()),
        ("signer", signer(before), signer(found)),
        ("source", before.source.to_string(), found.source.to_string()),
    ]
    .into_iter()
    .filter(|(_, before, found)| before != found)
    .map(|(key, before, found)| format!("{key}: {before} -> {found}"))
    .collect();
    lines.extend(before.ask.more_than(&found.ask).into_iter().map(|line| format!("no longer asks for: {line}")));
    lines
}

/// Inline, without what is empty or the default.
fn ask_value(ask: &Ask) -> Value {
    let mut value = Value::try_from(ask.without_reasons()).unwrap_or_else(|_| Value::Table(toml::Table::new()));
    if let Some(kinds) = value.as_table_mut() {
        for item in
            kinds.iter_mut().filter_map(|(_, items)| items.as_array_mut()).flatten().filter_map(Value::as_table_mut)
        {
            item.retain(|key, value| key != "reason" && !(key == "optional" && value.as_bool() == Some(false)));
        }
    }
    value
}

/// Any lock file, to see of which format it is.
#[derive(Deserialize)]
struct AnyFormat {
    version: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "version")]
    _version: i64,
    #[serde(default)]
    plugin: Vec<Spanned<WirePlugin>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WirePlugin {
    name: PluginName,
    requirement: VersionReq,
    version: Version,
    digest: Digest,
    capability_hash: Digest,
    signer: Option<SignerId>,
    source: LockSource,
    asks: Vec<String>,
    ask: Ask,
    index: Option<IndexPosition>,
}

impl WirePlugin {
    fn plugin(self) -> Result<LockedPlugin, String> {
        let WirePlugin { name, requirement, version, digest, capability_hash, signer, source, asks, ask, index } = self;
        let ask = ask.without_reasons();
        // What a reviewer reads, what is compared and what is hashed have to be one thing.
        if asks != ask.lines() {
            return Err(format!("`asks` and `ask` of `{name}` do not say the same"));
        }
        if digest_of(&ask) != capability_hash {
            return Err(format!("`capability-hash` of `{name}` is not that of its `ask`"));
        }
        Ok(LockedPlugin { name, requirement, version, digest, capability_hash, signer, source, ask, index })
    }
}

impl fmt::Display for LockSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockSource::Registry(place) => write!(f, "registry:{place}"),
            LockSource::File(path) => write!(f, "file:{path}"),
        }
    }
}

impl TryFrom<String> for LockSource {
    type Error = &'static str;
    fn try_from(text: String) -> Result<LockSource, &'static str> {
        match text.split_once(':') {
            Some(("registry", place)) => Ok(LockSource::Registry(place.to_owned())),
            Some(("file", path)) => Ok(LockSource::File(path.to_owned())),
            _ => Err("a source begins with `registry:` or `file:`"),
        }
    }
}

impl From<LockSource> for String {
    fn from(source: LockSource) -> String {
        source.to_string()
    }
}
