//! The codes of user-visible errors. Each has a page in `docs/errors/`, which `orch-wasm explain CODE` prints.

use serde::{Serialize, Serializer};
use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal),+ $(,)?) => {
        /// The code of a user-visible error.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Code { $($(#[$doc])* $variant = $number),+ }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$variant),+];
        }
    };
}

codes! {
    // 01xx: workflow, policy and other files that people write
    /// The file is no YAML.
    Syntax = 101,
    /// The file is too large, too deep or has too many nodes.
    TooLarge = 102,
    /// A key that the language does not have, or that stands twice.
    UnknownKey = 103,
    /// A value of the wrong type or form.
    WrongType = 104,
    /// A key that must be there is missing.
    MissingKey = 105,
    /// A key of the language that this version does not do yet.
    NotSupportedYet = 106,
    /// `needs` names a task that is not in the workflow.
    UnknownTask = 107,
    /// Tasks need each other in a circle.
    Cycle = 108,
    /// A name that breaks the rules for names.
    InvalidName = 109,
    /// An expression that is wrong in itself.
    InvalidExpression = 110,
    /// An expression that refers to something that is not there.
    UnknownReference = 111,
    /// Keys that exclude or need each other.
    Contradiction = 112,
    /// The file cannot be read or is not UTF-8.
    Unreadable = 113,
    /// An input of the workflow is missing, unknown or of the wrong type.
    InvalidInput = 114,
    /// More tasks, checks or needs than the language allows.
    TooMany = 115,
    /// A waiver without owner, reason or expiry.
    InvalidWaiver = 116,
    /// `with` does not fit what the plugin's task takes.
    InvalidWith = 117,

    // 02xx: plugins, registry, trust
    /// A plugin reference that cannot be understood.
    InvalidReference = 201,
    /// No such plugin, version or task in the registry.
    UnknownPlugin = 202,
    /// The bytes are no component that this version can run.
    InvalidComponent = 203,
    /// The component has no manifest, or one that is wrong.
    InvalidManifest = 204,
    /// The plugin is not signed.
    Unsigned = 205,
    /// The signature is wrong, or by a key that is not trusted for this plugin.
    Untrusted = 206,
    /// The bytes are not those that were published.
    DigestMismatch = 207,
    /// The version was withdrawn.
    Yanked = 208,
    /// The lock file pins something else.
    LockMismatch = 209,
    /// The plugin asks for more than when it was locked.
    AsksForMore = 210,
    /// The same version is already there with other content.
    AlreadyPublished = 211,
    /// The registry folder is damaged.
    RegistryDamaged = 212,
    /// The manifest does not say what the component does.
    ManifestLies = 213,
    /// A patch release that asks for more than the one before.
    PatchAsksForMore = 214,
    /// A key file is missing, unreadable or open to others.
    KeyUnusable = 215,
    /// The lock file cannot be understood.
    InvalidLock = 216,
    /// The name is too much like another publisher's.
    ConfusingName = 217,
    /// The policy bans the component.
    Banned = 218,
    /// The registry folder cannot be read or written.
    RegistryUnusable = 219,
    /// The index of a plugin is older than it should be, or has another history.
    IndexNotCurrent = 220,

    // 03xx: permissions
    /// One of the three parties says no.
    Refused = 301,
    /// A mount that does not exist, is no folder, or leaves its allowed folder.
    InvalidMount = 302,
    /// The workflow grants what the plugin never asks for.
    UselessGrant = 303,

    // 04xx: sandbox
    /// Compiling the component took too much time or memory, or failed.
    CompileFailed = 401,
    /// The component imports something that is not linked.
    MissingImport = 402,
    /// The code cache cannot be used.
    CacheUnusable = 403,

    // 05xx: state
    /// The state folder cannot be used.
    StateUnusable = 501,
    /// No run has this id.
    UnknownRun = 502,
    /// The disk is full.
    DiskFull = 503,
    /// Another process drives the run.
    RunDriven = 504,
    /// Nothing in the run waits for this.
    NotWaiting = 505,
    /// The run cannot be repeated from there.
    CannotRerun = 506,
    /// A file that is to prove something of a run does not.
    NoEvidence = 507,
    /// A file cannot be written.
    Unwritable = 508,
    /// The store of secrets, its key or a value cannot be used.
    SecretsUnusable = 509,

    // 06xx: command line
    /// Arguments that do not fit.
    Usage = 601,
    /// A tool that is needed is missing.
    MissingTool = 602,
    /// Building a plugin failed.
    BuildFailed = 603,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OW{:04}", *self as u16)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::str::FromStr for Code {
    type Err = ();
    fn from_str(text: &str) -> Result<Code, ()> {
        Code::ALL.iter().copied().find(|code| code.to_string().eq_ignore_ascii_case(text)).ok_or(())
    }
}
