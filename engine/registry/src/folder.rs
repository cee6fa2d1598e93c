//! A registry is a folder: `index/<namespace>/<name>.jsonl`, `blobs/sha256/<2>/<digest>`, `keys/<signer id>.pub`. This file
//! opens it and lists what is there; `publish` writes, `find` and `report` read through `verify`.

use crate::error::shown;
use crate::index::{self, Index, LineKind};
use crate::keys::MOST_KEY_BYTES;
use crate::{Error, storage};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use orch_core::{Ask, Digest, Faults, NoFaults, PluginName, SignerId, Timestamp};
use semver::Version;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Plugins of one registry. A folder with more is read by nobody as a list.
const MOST_PLUGINS: usize = 100_000;

const FOLDERS: [&str; 3] = ["index", "blobs", "keys"];

/// A registry in a folder.
pub struct FolderRegistry {
    pub(crate) dir: Dir,
    /// As the user named it.
    pub(crate) place: String,
    pub(crate) faults: Arc<dyn Faults>,
}

/// A plugin of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedPlugin {
    /// `namespace/name`
    pub name: PluginName,
    /// The highest version that is not withdrawn; a pre-release only if there is nothing else.
    pub latest: Option<Version>,
    /// How many versions were published.
    pub versions: usize,
    /// How many of them were withdrawn.
    pub yanked: usize,
    /// Everybody who signed one.
    pub signers: BTreeSet<SignerId>,
    /// When the last version was published.
    pub published: Option<Timestamp>,
    /// What is wrong with its index; nothing of it is used then.
    pub damage: Option<String>,
    /// Whether the last append was cut off; the next one repairs it.
    pub torn: bool,
}

/// A version of a plugin, as the index has it. Nothing here is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedVersion {
    /// Its version.
    pub version: Version,
    /// The component.
    pub digest: Digest,
    /// Bytes of the component.
    pub size: u64,
    /// See `Manifest::capability_hash`.
    pub capability_hash: Digest,
    /// What it asks for.
    pub asks: Ask,
    /// Who signed it.
    pub signer: SignerId,
    /// When it was published.
    pub published: Timestamp,
    /// Why it was withdrawn, if it was.
    pub yanked: Option<String>,
}

impl FolderRegistry {
    /// Opens a registry that is there. It may be read-only.
    ///
    /// # Errors
    /// When the folder is missing, cannot be read, or is no registry.
    pub fn open(path: impl AsRef<Path>) -> Result<FolderRegistry, Error> {
        let registry = FolderRegistry::open_folder(path.as_ref())?;
        match registry.dir.symlink_metadata("index") {
            Ok(metadata) if metadata.is_dir() => Ok(registry),
            _ => Err(Error::NoRegistry { place: registry.place, reason: "it has no folder `index`".to_owned() }),
        }
    }

    /// Makes a registry, or opens the one that is there.
    ///
    /// # Errors
    /// When the folder cannot be made or has other things in it.
    pub fn create(path: impl AsRef<Path>) -> Result<FolderRegistry, Error> {
        let path = path.as_ref();
        std::fs::create_dir_all(path).map_err(Error::io("create", path.display().to_string()))?;
        let registry = FolderRegistry::open_folder(path)?;
        if registry.dir.symlink_metadata("index").is_err() {
            let mut entries = registry.dir.entries().map_err(Error::io("read", registry.place.as_str()))?;
            // One that was cut off while it was made has some of its own folders.
            let stranger = entries.find_map(|entry| match entry.map(|entry| entry.file_name()) {
                Ok(name) if FOLDERS.iter().any(|folder| name == *folder) => None,
                Ok(name) => Some(name.to_string_lossy().into_owned()),
                Err(error) => Some(error.to_string()),
            });
            if let Some(stranger) = stranger {
                let reason = format!("it has no folder `index`, but it has `{}`", shown(&stranger));
                return Err(Error::NoRegistry { place: registry.place, reason });
            }
        }
        for folder in FOLDERS {
            storage::make_folder(&registry.dir, folder)?;
        }
        Ok(registry)
    }

    fn open_folder(path: &Path) -> Result<FolderRegistry, Error> {
        let place = path.display().to_string();
        let dir =
            Dir::open_ambient_dir(path, ambient_authority()).map_err(Error::io("open the registry", place.as_str()))?;
        Ok(FolderRegistry { dir, place, faults: Arc::new(NoFaults) })
    }

    /// The same registry with named points of failure, for tests: `registry.file.write`, `registry.file.sync`,
    /// `registry.file.rename`, `registry.index.write`, `registry.index.sync`.
    #[must_use]
    pub fn with_faults(mut self, faults: Arc<dyn Faults>) -> FolderRegistry {
        self.faults = faults;
        self
    }

    /// The folder, as the user named it.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Every plugin, by name.
    ///
    /// # Errors
    /// When the folder cannot be read. A plugin with a damaged index is listed as such.
    pub fn list(&self) -> Result<Vec<ListedPlugin>, Error> {
        self.names()?.into_iter().map(|name| Ok(listed(&self.index(&name)?))).collect()
    }

    /// Every version of a plugin, the highest first, also those that were withdrawn.
    ///
    /// # Errors
    /// When there is no such plugin, or its index is damaged.
    pub fn versions(&self, name: &PluginName) -> Result<Vec<ListedVersion>, Error> {
        let index = self.known_index(name)?;
        index.intact()?;
        let mut versions: Vec<_> = index
            .of(LineKind::Publish)
            .map(|line| ListedVersion {
                version: line.version.clone(),
                digest: line.digest,
                size: line.size,
                capability_hash: line.capability_hash,
                asks: line.asks.clone(),
                signer: line.signer.clone(),
                published: line.time,
                yanked: index.yanked(&line.version).map(|yank| yank.reason.clone().unwrap_or_default()),
            })
            .collect();
        versions.sort_by(|a, b| b.version.cmp(&a.version));
        Ok(versions)
    }

    /// The names of all plugins, sorted. Files that are no index are passed over.
    pub(crate) fn names(&self) -> Result<Vec<PluginName>, Error> {
        let read = |path: &str| -> Result<Vec<String>, Error> {
            let entries = match self.dir.open_dir(path).and_then(|dir| dir.entries()) {
                Ok(entries) => entries,
                Err(error) => return Err(storage::read_error(path, error)),
            };
            let mut names = Vec::new();
            for entry in entries.take(MOST_PLUGINS) {
                let entry = entry.map_err(|error| storage::read_error(path, error))?;
                names.extend(entry.file_name().into_string().ok());
            }
            Ok(names)
        };
        let mut found = BTreeSet::new();
        for namespace in read("index")?.iter().filter(|name| !name.starts_with('.')) {
            let path = format!("index/{namespace}");
            if !self.dir.symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
                continue;
            }
            for file in read(&path)? {
                let name = file.strip_suffix(".jsonl").map(|name| PluginName::try_from(format!("{namespace}/{name}")));
                found.extend(name.and_then(Result::ok));
                if found.len() > MOST_PLUGINS {
                    return Err(Error::damaged("index", format!("it has more than {MOST_PLUGINS} plugins")));
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    /// The index of a plugin, empty when there is none.
    pub(crate) fn index(&self, name: &PluginName) -> Result<Index, Error> {
        let bytes = storage::read(&self.dir, &Index::path(name), index::MOST_BYTES)?;
        Ok(Index::parse(name, &bytes.unwrap_or_default()))
    }

    /// The index of a plugin that has at least one line, good or bad.
    pub(crate) fn known_index(&self, name: &PluginName) -> Result<Index, Error> {
        let index = self.index(name)?;
        if !index.lines.is_empty() || index.damage.is_some() {
            return Ok(index);
        }
        let known: Vec<_> =
            self.names()?.into_iter().filter(|known| known != name).map(|name| name.to_string()).collect();
        let meant = crate::similar::nearest(name.as_str(), known.iter().map(String::as_str));
        Err(Error::UnknownPlugin { name: name.clone(), registry: self.place.clone(), known, meant })
    }

    /// The text of a signer's key file.
    pub(crate) fn key_text(&self, signer: &SignerId) -> Result<Option<String>, Error> {
        let bytes = storage::read(&self.dir, &key_path(signer), MOST_KEY_BYTES)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

pub(crate) fn key_path(signer: &SignerId) -> String {
    format!("keys/{signer}.pub")
}

pub(crate) fn blob_path(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("blobs/sha256/{}/{hex}", &hex[..2])
}

fn listed(index: &Index) -> ListedPlugin {
    let left =
        || index.of(LineKind::Publish).map(|line| &line.version).filter(|version| index.yanked(version).is_none());
    ListedPlugin {
        name: index.name.clone(),
        latest: left().filter(|version| version.pre.is_empty()).max().or_else(|| left().max()).cloned(),
        versions: index.of(LineKind::Publish).count(),
        yanked: index.of(LineKind::Yank).count(),
        signers: index.of(LineKind::Publish).map(|line| line.signer.clone()).collect(),
        published: index.of(LineKind::Publish).map(|line| line.time).max(),
        damage: index.intact().err().map(|error| error.to_string()),
        torn: index.torn > 0,
    }
}

impl std::fmt::Debug for FolderRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FolderRegistry").field("place", &self.place).finish_non_exhaustive()
    }
}
