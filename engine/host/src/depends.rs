//! What the result of an attempt may depend on, as one digest: the component, the task, its input, its limits, the variables that
//! it sees, the artifacts before it, and every name and byte below its mounts. The key of results that are used again.

use crate::mounts::OpenMount;
use cap_std::fs::{Dir, MetadataExt};
use orch_core::{Attempt, Digest, Finding, TaskId, canonical_json};
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};

/// A bigger tree is not worth hashing for each run.
const MOST_ENTRIES: usize = 1_000_000;

/// Folders inside of folders. Each level has an open folder.
const DEEPEST: usize = 200;

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// All that a result may depend on and that is no file.
pub(crate) struct Facts(Vec<String>);

impl Facts {
    /// Those of an attempt. `env` gives the values of variables.
    pub(crate) fn of(attempt: &Attempt, env: &dyn Fn(&str) -> Option<String>) -> Facts {
        let mut facts = vec![
            "orch-wasm result 1".to_owned(),
            attempt.plugin.digest.to_string(),
            attempt.plugin.task.to_string(),
            attempt.input.clone(),
            canonical_json(&*attempt.limits),
            attempt.timeout.as_millis().to_string(),
        ];
        let variable = |name: &orch_core::EnvName| format!("env {name} {:?}", env(name.as_str()));
        facts.extend(attempt.grants.env.iter().map(variable));
        facts.extend(attempt.grants.artifacts.iter().map(|name| format!("artifact {name}")));
        let upstream = |one: &orch_core::UpstreamArtifact| format!("upstream {} {} {}", one.task, one.name, one.digest);
        facts.extend(attempt.upstream.iter().map(upstream));
        let found = |(task, found): &(TaskId, Vec<Finding>)| format!("findings {task} {}", canonical_json(found));
        facts.extend(attempt.findings.iter().map(found));
        Facts(facts)
    }
}

/// The digest of everything that an attempt may read.
///
/// # Errors
/// When something below a mount cannot be read, is neither file, folder nor link, or there is too much of it.
pub(crate) fn digest(facts: &Facts, mounts: &[OpenMount]) -> io::Result<Digest> {
    let mut hash = Hash(Sha256::new());
    facts.0.iter().for_each(|fact| hash.part(fact));
    let mut left = MOST_ENTRIES;
    for mount in mounts {
        hash.part(&format!("mount {} {:?}", mount.name, mount.access));
        let folder = Dir::from_std_file(mount.folder.try_clone()?);
        tree(&mut hash, &folder, DEEPEST, &mut left)?;
    }
    Ok(Digest::from_bytes(hash.0.finalize().into()))
}

/// Each part with its length before it, so that no two lists of parts give the same bytes.
struct Hash(Sha256);

impl Hash {
    fn part(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }
}

fn tree(hash: &mut Hash, folder: &Dir, depth: usize, left: &mut usize) -> io::Result<()> {
    let mut entries = folder.entries()?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(cap_std::fs::DirEntry::file_name);
    *left = left.checked_sub(entries.len()).ok_or_else(|| io::Error::other("the folder holds too many entries"))?;
    hash.part(&format!("folder {}", entries.len()));
    for entry in entries {
        let name = entry.file_name();
        let kind = entry.file_type()?;
        hash.part(name.to_str().ok_or_else(|| io::Error::other("a name that is no UTF-8"))?);
        if kind.is_dir() {
            let depth = depth.checked_sub(1).ok_or_else(|| io::Error::other("the folder is too deep"))?;
            tree(hash, &entry.open_dir()?, depth, left)?;
        } else if kind.is_file() {
            file(hash, &entry)?;
        } else if kind.is_symlink() {
            // A link that leads out of the mount cannot be followed by a guest; one that stays leads to what is hashed itself.
            hash.part(&format!("link {:?}", folder.read_link_contents(&name)?));
        } else {
            return Err(io::Error::other("it is neither file, folder nor link"));
        }
    }
    Ok(())
}

fn file(hash: &mut Hash, entry: &cap_std::fs::DirEntry) -> io::Result<()> {
    let mut content = entry.open()?;
    let found = content.metadata()?;
    // A guest sees the time of the last change and the number of links too, but what it makes of a scan hangs on content. The
    // length comes first, so that the bytes of one file never run into the next.
    hash.part(&format!("file {} {}", found.len(), found.mode() & 0o111 != 0));
    let mut buffer = vec![0; CHUNK];
    let mut read = 0;
    loop {
        let count = content.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        read += count as u64;
        hash.0.update(&buffer[..count]);
    }
    // Somebody writes to it while we look: nothing can be said of what the guest will read.
    if read == found.len() { Ok(()) } else { Err(io::Error::other("a file changes while it is read")) }
}
