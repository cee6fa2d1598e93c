//! Files: what a task touches is noted as it was when it was touched first, and on replay laid out again in a folder that goes away.
//! Paths are noted without links, so that each name stands for one thing.

use super::player::Player;
use super::recorder::Recorder;
use super::recording::{Entry, RecordedMount};
use crate::mounts::OpenMount;
use cap_std::fs::Dir;
use orch_core::{MaskStream, Masker};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Links that are followed in one path, as many as Linux follows.
const MOST_LINKS: usize = 40;

/// Something on replay that the recording knows nothing of. It is noted; what the guest is told is the caller's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unrecorded;

/// Whether a link at the end of a path counts, or what it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// What it leads to.
    Followed,
    /// The link.
    Kept,
}

/// What a call wants of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Whether it is there, and what.
    Look(Links),
    /// Its content.
    Open(Links),
    /// To empty it: what was there does not count.
    Replace(Links),
    /// To have it under another name.
    Move,
    /// Its names.
    List,
}

impl Touch {
    fn links(self) -> Links {
        match self {
            Touch::Look(links) | Touch::Open(links) | Touch::Replace(links) => links,
            Touch::Move => Links::Kept,
            Touch::List => Links::Followed,
        }
    }
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Absent,
    Folder,
    File(u64),
    Link(String),
    Special,
}

impl From<Found> for Entry {
    fn from(found: Found) -> Entry {
        match found {
            Found::Absent => Entry::Absent {},
            Found::Folder => Entry::Folder { listed: false },
            Found::File(bytes) => Entry::File { bytes, opened: false },
            Found::Link(target) => Entry::Link { target },
            Found::Special => Entry::Special {},
        }
    }
}

fn look(root: &Dir, path: &str) -> Result<Found, String> {
    let found = match root.symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Absent),
        Err(error) => return Err(format!("`{path}`: {error}")),
    };
    let kind = found.file_type();
    Ok(if kind.is_dir() {
        Found::Folder
    } else if kind.is_file() {
        Found::File(found.len())
    } else if kind.is_symlink() {
        let target = root.read_link_contents(path).map_err(|error| format!("`{path}`: {error}"))?;
        Found::Link(target.into_os_string().into_string().map_err(|_| format!("`{path}` leads to no text"))?)
    } else {
        Found::Special
    })
}

/// Where an open folder lies below its mount, without links.
fn below(mount: &OpenMount, folder: &File) -> Result<PathBuf, String> {
    let path = |file: &File| std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let both = path(&mount.folder).and_then(|root| Ok((root, path(folder)?)));
    let (root, here) = both.map_err(|error| format!("the mount `{}` has no path: {error}", mount.name))?;
    here.strip_prefix(&root).map(Path::to_owned).map_err(|_| format!("a folder left the mount `{}`", mount.name))
}

/// Follows a path part by part, as the system does, and shows each place on the way; gives the last. `None` where it leaves the mount:
/// the call itself is refused then.
fn walk(
    root: &Dir,
    from: &Path,
    path: &Path,
    links: Links,
    mut visit: impl FnMut(&str, &Found) -> Result<(), String>,
) -> Result<Option<(String, Found)>, String> {
    let text = |part: &std::ffi::OsStr| part.to_str().map(str::to_owned).ok_or("a name is no text");
    let mut real: Vec<String> = from.iter().map(text).collect::<Result<_, _>>()?;
    let mut rest: Vec<PathBuf> = path.components().rev().map(|part| PathBuf::from(part.as_os_str())).collect();
    let mut followed = 0;
    while let Some(part) = rest.pop() {
        match part.components().next() {
            Some(Component::Normal(name)) => real.push(text(name)?),
            Some(Component::ParentDir) => {
                if real.pop().is_none() {
                    return Ok(None);
                }
                continue;
            }
            Some(Component::CurDir) | None => continue,
            Some(Component::RootDir | Component::Prefix(_)) => return Ok(None),
        }
        let here = real.join("/");
        let found = look(root, &here)?;
        visit(&here, &found)?;
        match found {
            Found::Folder => {}
            Found::Link(target) if !rest.is_empty() || links == Links::Followed => {
                followed += 1;
                if followed > MOST_LINKS {
                    return Ok(None);
                }
                real.pop();
                rest.extend(Path::new(&target).components().rev().map(|part| PathBuf::from(part.as_os_str())));
            }
            other => return Ok(Some((here, other))),
        }
    }
    Ok(Some((real.join("/"), Found::Folder)))
}

fn folder_of(mount: &OpenMount) -> Result<Dir, String> {
    let folder = mount.folder.try_clone();
    folder.map(Dir::from_std_file).map_err(|error| format!("the mount `{}`: {error}", mount.name))
}

fn above(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(above, _)| above)
}

impl Recorder {
    pub(super) fn touch(&self, mount: &OpenMount, folder: &File, path: &Path, touch: Touch) {
        if self.is_spoiled() {
            return;
        }
        if let Err(reason) = self.note(mount, folder, path, touch) {
            self.spoil(&reason);
        }
    }

    fn note(&self, mount: &OpenMount, folder: &File, path: &Path, touch: Touch) -> Result<(), String> {
        let (root, from) = (folder_of(mount)?, below(mount, folder)?);
        let masker = self.masker();
        let mut state = self.state();
        let mut names = state.names;
        let key = |path: &str| (mount.name.clone(), path.to_owned());
        let recorded = state.mounts.get_mut(&mount.name).ok_or("a mount appeared")?;
        let first_seen = |recorded: &mut RecordedMount, names: &mut usize, path: &str, found: &Found| {
            if recorded.entries.contains_key(path) {
                return Ok(());
            }
            let target = if let Found::Link(target) = found { target.as_str() } else { "" };
            if masker.contains(path.as_bytes()) || masker.contains(target.as_bytes()) {
                return Err("the name of a file holds a secret".to_owned());
            }
            *names += 1;
            super::recorder::fits(0, *names)?;
            recorded.entries.insert(path.to_owned(), found.clone().into());
            Ok(())
        };
        let last =
            walk(&root, &from, path, touch.links(), |path, found| first_seen(recorded, &mut names, path, found))?;
        let mut listed = None;
        if let (Touch::List, Some((path, Found::Folder))) = (touch, &last)
            && let Some(Entry::Folder { listed: false }) = recorded.entries.get(path.as_str())
        {
            let name = if path.is_empty() { "." } else { path };
            let entries = root.read_dir(name).map_err(|error| format!("`{path}`: {error}"))?;
            for entry in entries {
                let entry = entry.map_err(|error| format!("`{path}`: {error}"))?;
                let name = entry.file_name().into_string().map_err(|_| format!("a name in `{path}` is no text"))?;
                let child = if path.is_empty() { name } else { format!("{path}/{name}") };
                first_seen(recorded, &mut names, &child, &look(&root, &child)?)?;
            }
            listed = Some(path.clone());
        }
        if let Some(path) = listed {
            recorded.entries.insert(path, Entry::Folder { listed: true });
        }
        state.names = names;
        if let (Touch::Move, Some((path, Found::Folder))) = (touch, &last)
            && let Some(Entry::Folder { .. }) = state.mounts.get(&mount.name).and_then(|one| one.entries.get(path))
        {
            // What was read in it by its new name would have to be laid out by its old one.
            return Err(format!("the folder `{path}` was renamed, which cannot be recorded"));
        }
        let Some((path, Found::File(_))) = &last else { return Ok(()) };
        match touch {
            Touch::Replace(_) => {
                state.changed.insert(key(path));
            }
            Touch::Open(_) | Touch::Move if !state.changed.contains(&key(path)) => {
                let known = state.mounts.get(&mount.name).and_then(|mount| mount.entries.get(path));
                if let Some(Entry::File { opened: false, .. }) = known {
                    let bytes = self.copy(&root, &mount.name, path, &masker)?;
                    state.bytes += bytes;
                    super::recorder::fits(state.bytes, 0)?;
                    if let Some(mount) = state.mounts.get_mut(&mount.name) {
                        mount.entries.insert(path.clone(), Entry::File { bytes, opened: true });
                    }
                }
                // What it writes now is not what was there.
                state.changed.insert(key(path));
            }
            Touch::Open(_) | Touch::Move | Touch::Look(_) | Touch::List => {}
        }
        Ok(())
    }

    /// Copies a file without its secrets; gives its length.
    fn copy(&self, root: &Dir, mount: &str, path: &str, masker: &Arc<Masker>) -> Result<u64, String> {
        let failed = |error: std::io::Error| format!("`{mount}/{path}` cannot be copied: {error}");
        let from = root.open(path).map_err(failed)?;
        let to = format!("{mount}/{path}");
        self.files().create_dir_all(above(&to)).map_err(failed)?;
        let mut to = self.files().create(&to).map_err(failed)?;
        let mut from = from.take(super::recording::MOST_BYTES + 1);
        let (mut mask, mut chunk, mut bytes) = (MaskStream::new(Arc::clone(masker)), vec![0; 64 << 10], 0);
        loop {
            let count = from.read(&mut chunk).map_err(failed)?;
            let rest;
            let part = match count {
                0 => {
                    rest = mask.finish();
                    std::borrow::Cow::Borrowed(rest.as_slice())
                }
                count => mask.push(&chunk[..count]),
            };
            to.write_all(&part).map_err(failed)?;
            bytes += part.len() as u64;
            if count == 0 {
                return Ok(bytes);
            }
        }
    }
}

impl Player {
    pub(super) fn touch(&self, mount: &OpenMount, folder: &File, path: &Path, touch: Touch) -> Result<(), Unrecorded> {
        let Some(recorded) = self.recording.mounts.get(&mount.name) else { return Err(Unrecorded) };
        match self.known(recorded, mount, folder, path, touch) {
            Ok(None) => Ok(()),
            Ok(Some(missing)) => Err(self.unrecorded(format!("fs {}: {missing}", mount.name))),
            Err(reason) => Err(self.unrecorded(format!("fs {}: {reason}", mount.name))),
        }
    }

    /// What the recording does not know of a path, in words.
    fn known(
        &self,
        recorded: &RecordedMount,
        mount: &OpenMount,
        folder: &File,
        path: &Path,
        touch: Touch,
    ) -> Result<Option<String>, String> {
        let (root, from) = (folder_of(mount)?, below(mount, folder)?);
        let entries = &recorded.entries;
        let mut missing = None;
        let last = walk(&root, &from, path, touch.links(), |path, found| {
            // What is there and was not recorded, the task has made; so also a folder that has no entry.
            let known = entries.contains_key(path)
                || *found != Found::Absent
                || !matches!(entries.get(above(path)), Some(Entry::Folder { listed: false }));
            if !known && missing.is_none() {
                missing = Some(format!("look at `{path}`"));
            }
            Ok(())
        })?;
        if missing.is_some() {
            return Ok(missing);
        }
        let Some((path, _)) = last else { return Ok(None) };
        let mut state = self.state();
        let key = (mount.name.clone(), path.clone());
        Ok(match (touch, entries.get(&path)) {
            (Touch::Open(_) | Touch::Move, Some(Entry::File { opened: false, .. }))
                if !state.changed.contains(&key) =>
            {
                Some(format!("read `{path}`"))
            }
            (Touch::List, Some(Entry::Folder { listed: false })) => {
                Some(format!("list `{}`", if path.is_empty() { "." } else { &path }))
            }
            (Touch::Open(_) | Touch::Move, _) => {
                state.opened.insert(key);
                None
            }
            (Touch::Replace(_), _) => {
                state.changed.insert(key);
                None
            }
            (Touch::Look(_) | Touch::List, _) => None,
        })
    }

    /// Files whose content was recorded and nobody opened.
    pub(super) fn unopened(&self) -> Vec<String> {
        let state = self.state();
        let all = self.recording.mounts.iter().flat_map(|(name, mount)| {
            let opened = mount.entries.iter().filter(|(_, entry)| matches!(entry, Entry::File { opened: true, .. }));
            opened.map(|(path, _)| (name.clone(), path.clone()))
        });
        all.filter(|key| !state.opened.contains(key) && !state.changed.contains(key))
            .map(|(mount, path)| format!("fs {mount}: read `{path}`"))
            .collect()
    }
}

/// Lays a mount out as it was.
pub(super) fn lay_out(to: &Dir, from: Option<&Dir>, entries: &BTreeMap<String, Entry>) -> Result<(), String> {
    for (path, entry) in entries.iter().filter(|(path, _)| !path.is_empty()) {
        // What was touched in a folder that the task made itself, it will make again.
        let mut parents = Path::new(path).ancestors().skip(1).filter_map(Path::to_str);
        if parents.any(|above| matches!(entries.get(above), Some(Entry::Absent {}))) {
            continue;
        }
        let failed = |error: std::io::Error| format!("`{path}` of the recording: {error}");
        if !matches!(entry, Entry::Absent {} | Entry::Special {}) {
            to.create_dir_all(above(path)).map_err(failed)?;
        }
        match entry {
            Entry::Absent {} | Entry::Special {} => {}
            Entry::Folder { .. } => to.create_dir_all(path).map_err(failed)?,
            Entry::Link { target } => to.symlink_contents(target, path).map_err(failed)?,
            Entry::File { bytes, opened: false } => {
                to.create(path).and_then(|file| file.set_len(*bytes)).map_err(failed)?;
            }
            Entry::File { opened: true, .. } => {
                let from = from.ok_or_else(|| format!("the content of `{path}` is not in the recording"))?;
                let mut content = from.open(path).map_err(failed)?;
                let mut file = to.create(path).map_err(failed)?;
                std::io::copy(&mut content, &mut file).map_err(failed)?;
            }
        }
    }
    Ok(())
}
