//! Every way in which a package, a registry, a key or a lock file is refused, with its code and what to do about it.

use crate::Problem;
use orch_core::{Code, Digest, Period, PluginName, SignerId, plural, shorten, visible};
use semver::Version;
use std::io;

/// Why a package, a registry, a key or a lock file is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system says no.
    #[error("cannot {action} `{}`", shown(place))]
    Io {
        /// A verb: `read`, `write`, …
        action: &'static str,
        /// A file or folder.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// A folder that is no registry.
    #[error("`{}` is no registry: {reason}", shown(place))]
    NoRegistry {
        /// The folder.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key file that cannot be used.
    #[error("the key file `{}` cannot be used: {reason}", shown(path))]
    KeyUnusable {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        help: String,
    },
    /// Text that is no public key.
    #[error("`{}` is no public key: {reason}", shown(text))]
    InvalidPublicKey {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Bytes that are no component.
    #[error("this is no component that can be a plugin: {0}")]
    InvalidComponent(String),
    /// A manifest that is missing or wrong.
    #[error("the component has no usable manifest: {0}")]
    InvalidManifest(String),
    /// A package that breaks the rules.
    #[error("`{}` cannot be accepted: {}", shown(what), listed(problems))]
    Invalid {
        /// The package.
        what: String,
        /// At least one.
        problems: Vec<Problem>,
    },
    /// No such plugin.
    #[error("there is no plugin `{name}` in `{}`", shown(registry))]
    UnknownPlugin {
        /// What was asked for.
        name: PluginName,
        /// Where it was looked for.
        registry: String,
        /// Names that are there.
        known: Vec<String>,
        /// The name that was perhaps meant.
        meant: Option<String>,
    },
    /// No version that fits.
    #[error("no version of `{name}` fits `{requirement}`")]
    UnknownVersion {
        /// The plugin.
        name: PluginName,
        /// What was asked for.
        requirement: String,
        /// Versions that are there, the highest first.
        known: Vec<Version>,
    },
    /// No signature.
    #[error("`{}` is not signed", shown(what))]
    Unsigned {
        /// The package.
        what: String,
        /// What to do.
        help: String,
    },
    /// A signature that proves nothing, or a signer whom nobody trusts.
    #[error("`{what}` is not to be trusted: {reason}")]
    Untrusted {
        /// The package.
        what: String,
        /// Why.
        reason: String,
        /// What to do.
        help: Option<String>,
    },
    /// The bytes are not those that were published.
    #[error("the bytes of `{what}` are not those that were published: {found} instead of {expected}")]
    DigestMismatch {
        /// The package.
        what: String,
        /// What the index says.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A version that was withdrawn.
    #[error("`{name}@{version}` was withdrawn: {}", shown(reason))]
    Yanked {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: Version,
        /// The publisher's reason.
        reason: String,
        /// Versions that are still there and fit, the highest first.
        others: Vec<Version>,
    },
    /// The lock file pins something else.
    #[error("`{name}` is not what the lock file pins: {reason}")]
    LockMismatch {
        /// The plugin.
        name: PluginName,
        /// What differs.
        reason: String,
    },
    /// More permissions than were accepted.
    #[error("`{name}@{version}` asks for more than was accepted for {accepted}: {}", quoted(lines))]
    AsksForMore {
        /// The plugin.
        name: PluginName,
        /// The accepted version.
        accepted: Box<Version>,
        /// The version that asks for more.
        version: Version,
        /// What it asks for in addition, a line each.
        lines: Vec<String>,
    },
    /// The version is taken.
    #[error("`{name}@{version}` is already published {how}")]
    AlreadyPublished {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: Version,
        /// With what difference.
        how: String,
    },
    /// A registry file that was cut, changed or replaced.
    #[error("the registry is damaged: `{}`{}: {reason}", shown(place), line.map(|line| format!(", line {line}")).unwrap_or_default())]
    RegistryDamaged {
        /// The file inside the registry.
        place: String,
        /// The first bad line, from 1.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// The manifest does not say what the component does, or the index does not say what the manifest does.
    #[error("the manifest of `{what}` is not true: {reason}")]
    ManifestLies {
        /// The package.
        what: String,
        /// Where they differ.
        reason: String,
    },
    /// A patch release that asks for more.
    #[error("`{name}@{version}` is a patch release of {before} and asks for more: {}", quoted(lines))]
    PatchAsksForMore {
        /// The plugin.
        name: PluginName,
        /// The version to publish.
        version: Version,
        /// The one it would replace.
        before: Box<Version>,
        /// What it asks for in addition, a line each.
        lines: Vec<String>,
    },
    /// A lock file that cannot be understood.
    #[error("the lock file `{}`{} cannot be understood: {reason}", shown(path), line.map(|line| format!(", line {line},")).unwrap_or_default())]
    InvalidLock {
        /// The file.
        path: String,
        /// From 1.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// A name that looks like another publisher's.
    #[error("the name `{name}` is too much like `{other}`, which `{signer}` publishes")]
    ConfusingName {
        /// The new name.
        name: PluginName,
        /// The name that is there.
        other: PluginName,
        /// Who signed that.
        signer: SignerId,
    },
    /// The policy bans the component.
    #[error("`{what}` is banned by {}: {digest}", shown(origin))]
    Banned {
        /// The package.
        what: String,
        /// Its digest.
        digest: Digest,
        /// Which policy.
        origin: String,
    },
    /// An index with fewer lines than the lock file saw.
    #[error("the registry shows an older index of `{name}`: it has {}, and it had {seen} when it was locked", plural(*lines as usize, "line"))]
    IndexRolledBack {
        /// The plugin.
        name: PluginName,
        /// How many lines there were.
        seen: u64,
        /// How many there are.
        lines: u64,
    },
    /// An index whose lines are not those that the lock file saw.
    #[error("the registry shows another index of `{name}`: its first {} are not those that were there when it was locked", plural(*seen as usize, "line"))]
    IndexRewritten {
        /// The plugin.
        name: PluginName,
        /// How many lines were compared.
        seen: u64,
    },
    /// An index that nobody confirmed for too long.
    #[error("the index of `{name}` may be an old one: {} wants it confirmed within {within}, and {}", shown(origin), confirmed(*age))]
    IndexStale {
        /// The plugin.
        name: PluginName,
        /// How old the last confirmation may be.
        within: Period,
        /// How long ago it was last confirmed.
        age: Option<Period>,
        /// Which policy.
        origin: String,
    },
}

/// When somebody confirmed an index last.
fn confirmed(age: Option<Period>) -> String {
    const DAY: u64 = 86_400_000;
    match age.map(Period::millis) {
        None => "nobody whom it trusts did".to_owned(),
        Some(age) if age < DAY => "that was done less than a day ago".to_owned(),
        Some(age) => format!("that was done {} ago", plural((age / DAY) as usize, "day")),
    }
}

/// Untrusted text, harmless and short.
pub(crate) fn shown(text: &str) -> String {
    shorten(&visible(text), 300).into_owned()
}

/// At most this many names or versions stand in a message.
const MOST_LISTED: usize = 10;

fn quoted<T: AsRef<str>>(items: &[T]) -> String {
    let mut text =
        items.iter().take(MOST_LISTED).map(|item| format!("`{}`", shown(item.as_ref()))).collect::<Vec<_>>().join(", ");
    if items.len() > MOST_LISTED {
        text.push_str(&format!(" and {} more", items.len() - MOST_LISTED));
    }
    text
}

fn listed(problems: &[Problem]) -> String {
    let first =
        problems.iter().take(MOST_LISTED).map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; ");
    match problems.len().checked_sub(MOST_LISTED) {
        Some(rest) if rest > 0 => format!("{first}; and {}", plural(rest, "further problem")),
        _ => first,
    }
}

fn versions(known: &[Version]) -> String {
    quoted(&known.iter().map(Version::to_string).collect::<Vec<_>>())
}

impl Error {
    pub(crate) fn io(action: &'static str, place: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let place = place.into();
        move |source| Error::Io { action, place, source }
    }

    pub(crate) fn damaged(place: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::RegistryDamaged { place: place.into(), line: None, reason: reason.into() }
    }

    /// The code, which has a page in `docs/errors/`.
    pub fn code(&self) -> Code {
        match self {
            Error::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::DiskFull,
                _ => Code::RegistryUnusable,
            },
            Error::NoRegistry { .. } => Code::RegistryUnusable,
            Error::KeyUnusable { .. } | Error::InvalidPublicKey { .. } => Code::KeyUnusable,
            Error::InvalidComponent(_) => Code::InvalidComponent,
            Error::InvalidManifest(_) => Code::InvalidManifest,
            Error::Invalid { problems, .. } => problems.first().map_or(Code::InvalidManifest, |problem| problem.code),
            Error::UnknownPlugin { .. } | Error::UnknownVersion { .. } => Code::UnknownPlugin,
            Error::Unsigned { .. } => Code::Unsigned,
            Error::Untrusted { .. } => Code::Untrusted,
            Error::DigestMismatch { .. } => Code::DigestMismatch,
            Error::Yanked { .. } => Code::Yanked,
            Error::LockMismatch { .. } => Code::LockMismatch,
            Error::AsksForMore { .. } => Code::AsksForMore,
            Error::AlreadyPublished { .. } => Code::AlreadyPublished,
            Error::RegistryDamaged { .. } => Code::RegistryDamaged,
            Error::ManifestLies { .. } => Code::ManifestLies,
            Error::PatchAsksForMore { .. } => Code::PatchAsksForMore,
            Error::InvalidLock { .. } => Code::InvalidLock,
            Error::ConfusingName { .. } => Code::ConfusingName,
            Error::Banned { .. } => Code::Banned,
            Error::IndexRolledBack { .. } | Error::IndexRewritten { .. } | Error::IndexStale { .. } => {
                Code::IndexNotCurrent
            }
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        let text = |text: &str| Some(text.to_owned());
        match self {
            Error::Io { .. } => match self.code() {
                Code::DiskFull => text("free some space and run the same command again: nothing half-written counts"),
                _ => text("check that the path exists and who may read and write it"),
            },
            Error::NoRegistry { .. } => {
                text("name the folder of a registry, or make one: `orch-wasm plugin publish` does")
            }
            Error::KeyUnusable { help, .. } | Error::Unsigned { help, .. } => Some(help.clone()),
            Error::InvalidPublicKey { .. } => text("a public key has the form `ed25519:` and 44 characters of Base64"),
            Error::InvalidComponent(_) => {
                text("build it with `orch-wasm plugin build`, which makes a component for `wasm32-wasip2`")
            }
            Error::InvalidManifest(_) => {
                text("build it with `orch-wasm plugin build`, which embeds the manifest from plugin.yaml")
            }
            Error::Invalid { problems, .. } => problems.iter().find_map(|problem| problem.help.clone()),
            Error::UnknownPlugin { known, meant, .. } => Some(match (meant, known.is_empty()) {
                (Some(meant), _) => format!("did you mean `{meant}`?"),
                (None, true) => "the registry is empty".to_owned(),
                (None, false) => format!("known: {}", quoted(known)),
            }),
            Error::UnknownVersion { known, .. } => Some(match known.is_empty() {
                true => "no version of it is left: all were withdrawn".to_owned(),
                false => format!("known: {}", versions(known)),
            }),
            Error::Untrusted { help, .. } => help.clone(),
            Error::DigestMismatch { .. } => {
                text("do not run it; fetch the registry again, or publish the version anew from its source")
            }
            Error::Yanked { others, .. } => Some(match others.is_empty() {
                true => "no other version fits; ask the publisher for one".to_owned(),
                false => {
                    format!("lock another version with `orch-wasm lock --update`; there are: {}", versions(others))
                }
            }),
            Error::LockMismatch { .. } => {
                text("find out why it differs; if the change is wanted, accept it with `orch-wasm lock --accept`")
            }
            Error::AsksForMore { .. } => {
                text("read what it asks for; if you agree, accept it with `orch-wasm lock --accept`")
            }
            Error::AlreadyPublished { .. } => {
                text("a published version never changes: raise the version in plugin.yaml")
            }
            Error::RegistryDamaged { .. } => {
                text("restore the file from a copy; nothing of this plugin is used until then")
            }
            Error::ManifestLies { .. } => {
                text("correct plugin.yaml and build again; if it is not your plugin, do not run it")
            }
            Error::PatchAsksForMore { .. } => text("publish it as a minor release, so that nobody gets it unasked"),
            Error::InvalidLock { .. } => text("restore it from version control, or delete it and lock again"),
            Error::ConfusingName { .. } => text("choose a name that differs in more than look-alike characters"),
            Error::IndexRolledBack { .. } | Error::IndexRewritten { .. } => text(
                "restore the registry's newest state; if it was made anew on purpose, accept it with `orch-wasm lock --accept`",
            ),
            Error::IndexStale { name, .. } => Some(format!(
                "get the registry's newest state; if this is it, have a signer run `orch-wasm plugin confirm {name}`"
            )),
            Error::Banned { .. } => text("use another version; only the owner of the policy can lift the ban"),
        }
    }
}
