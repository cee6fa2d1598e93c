//! Reads objects by name, from packs and from files of their own, and keeps what is likely to be wanted again.

use super::GitError;
use super::delta;
use super::id::Id;
use super::object::Kind;
use super::pack::{EntryKind, Files, Index};
use flate2::read::ZlibDecoder;
use memchr::memchr;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// No object above this is read, neither as a base of others: trees and sources are far smaller.
pub const MOST_OBJECT: u64 = 32 << 20;
/// Indexes of packs are held in memory; this is about four million objects.
const MOST_INDEXES: u64 = 128 << 20;
/// Packs of one repository.
const MOST_PACKS: usize = 512;
/// Git itself makes chains of 50, and of 250 when asked to be thorough; 4095 is its own limit.
const LONGEST_CHAIN: usize = 4096;
/// Bytes of the deltas of one chain.
const MOST_DELTAS: usize = 64 << 20;
/// Bytes of objects that are kept.
const KEPT: usize = 64 << 20;

/// An object's kind and content.
pub type Object = (Kind, Rc<Vec<u8>>);

/// Where an object lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Packed(usize, u64),
    Loose(Id),
}

/// Objects by place, the last used ones: when the young are half of what may be kept, they become the old, and those go.
#[derive(Debug, Default)]
struct Kept {
    young: HashMap<Place, Object>,
    old: HashMap<Place, Object>,
    young_bytes: usize,
}

impl Kept {
    fn get(&mut self, place: Place) -> Option<Object> {
        if let Some(object) = self.young.get(&place) {
            return Some(object.clone());
        }
        let object = self.old.remove(&place)?;
        self.insert(place, object.clone());
        Some(object)
    }

    fn insert(&mut self, place: Place, object: Object) {
        self.young_bytes += object.1.len() + 128;
        self.young.insert(place, object);
        if self.young_bytes > KEPT / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

/// The objects of a repository.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    id_length: usize,
    files: Files,
    indexes: Vec<Index>,
    kept: Kept,
}

impl Store {
    /// Opens the folder `objects` of a repository whose names have `id_length` bytes. What cannot be used is told in the second
    /// part, by file.
    pub fn open(folder: &Path, id_length: usize) -> (Store, Vec<String>) {
        let mut store = Store {
            folder: folder.to_owned(),
            id_length,
            files: Files::default(),
            indexes: Vec::new(),
            kept: Kept::default(),
        };
        let mut problems = Vec::new();
        let packs = folder.join("pack");
        let mut names: Vec<String> = std::fs::read_dir(&packs)
            .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
            .unwrap_or_default();
        names.retain(|name| name.starts_with("pack-") && name.ends_with(".idx"));
        names.sort_unstable();
        if names.len() > MOST_PACKS {
            problems
                .push(format!("{} packs, of which the first {MOST_PACKS} are read; `git gc` joins them", names.len()));
            names.truncate(MOST_PACKS);
        }
        let mut bytes = 0;
        for name in names {
            if let Err(error) = store.open_pack(&packs.join(&name), &mut bytes) {
                problems.push(format!("the pack of `{name}` is not read: it {error}"));
            }
        }
        (store, problems)
    }

    fn open_pack(&mut self, path: &Path, all: &mut u64) -> Result<(), GitError> {
        let unreadable = |error: std::io::Error| GitError::broken(format!("cannot be read ({})", error.kind()));
        let file = File::open(path).map_err(unreadable)?;
        *all += file.metadata().map_err(unreadable)?.len();
        if *all > MOST_INDEXES {
            return Err(GitError::broken(format!("would need more than {} MiB of indexes", MOST_INDEXES >> 20)));
        }
        let mut bytes = Vec::new();
        file.take(MOST_INDEXES).read_to_end(&mut bytes).map_err(unreadable)?;
        let index = Index::new(bytes, self.id_length)?;
        self.files.open(&path.with_extension("pack"))?;
        self.indexes.push(index);
        Ok(())
    }

    /// Bytes of a name, 20 or 32.
    pub fn id_length(&self) -> usize {
        self.id_length
    }

    /// An object of at most `limit` bytes.
    ///
    /// # Errors
    /// [`GitError::Missing`], [`GitError::TooLarge`], or what is broken.
    pub fn read(&mut self, id: &Id, limit: u64) -> Result<Object, GitError> {
        match self.find(id) {
            Some((pack, offset)) => self.read_packed(pack, offset, limit),
            None => self.read_loose(id, limit),
        }
    }

    /// An object that has to be of a kind.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn read_kind(&mut self, id: &Id, kind: Kind) -> Result<Rc<Vec<u8>>, GitError> {
        let (found, bytes) = self.read(id, MOST_OBJECT)?;
        if found == kind { Ok(bytes) } else { Err(GitError::broken(format!("{id} is a {found:?}, not a {kind:?}"))) }
    }

    fn find(&self, id: &Id) -> Option<(usize, u64)> {
        self.indexes.iter().enumerate().find_map(|(pack, index)| Some((pack, index.find(id)?)))
    }

    fn read_packed(&mut self, pack: usize, offset: u64, limit: u64) -> Result<Object, GitError> {
        let mut chain: Vec<(Place, Vec<u8>)> = Vec::new();
        let mut deltas = 0;
        let mut at = (pack, offset);
        let mut object = loop {
            let place = Place::Packed(at.0, at.1);
            if let Some(object) = self.kept.get(place) {
                break object;
            }
            let head = self.files.head(at.0, at.1, self.id_length)?;
            // The first is what is wanted; the others are what it is made of.
            let most = if chain.is_empty() && matches!(head.kind, EntryKind::Whole(_)) { limit } else { MOST_OBJECT };
            if head.size > most {
                return Err(GitError::TooLarge(head.size));
            }
            if let EntryKind::Whole(kind) = head.kind {
                let object = (kind, Rc::new(self.files.inflate(at.0, head.data, head.size)?));
                self.kept.insert(place, object.clone());
                break object;
            }
            let delta = self.files.inflate(at.0, head.data, head.size)?;
            let result = delta::result_size(&delta)?;
            if result > if chain.is_empty() { limit } else { MOST_OBJECT } {
                return Err(GitError::TooLarge(result));
            }
            deltas += delta.len();
            if chain.len() == LONGEST_CHAIN || deltas > MOST_DELTAS {
                return Err(GitError::broken("a chain of deltas is too long"));
            }
            chain.push((place, delta));
            at = match head.kind {
                EntryKind::DeltaAt(base) => (at.0, base),
                EntryKind::DeltaOf(id) => self.find(&id).ok_or(GitError::Missing(id))?,
                EntryKind::Whole(_) => at,
            };
        };
        if object.1.len() as u64 > limit && chain.is_empty() {
            return Err(GitError::TooLarge(object.1.len() as u64));
        }
        while let Some((place, delta)) = chain.pop() {
            object = (object.0, Rc::new(delta::apply(&object.1, &delta)?));
            self.kept.insert(place, object.clone());
        }
        Ok(object)
    }

    fn read_loose(&mut self, id: &Id, limit: u64) -> Result<Object, GitError> {
        if let Some(object) = self.kept.get(Place::Loose(*id)) {
            let size = object.1.len() as u64;
            return if size > limit { Err(GitError::TooLarge(size)) } else { Ok(object) };
        }
        let digits = id.to_string();
        let file = match File::open(self.folder.join(&digits[..2]).join(&digits[2..])) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(GitError::Missing(*id)),
            Err(error) => return Err(GitError::broken(format!("the object {id} cannot be read ({})", error.kind()))),
        };
        let object = loose(file, limit).map_err(|error| match error {
            GitError::Broken(reason) => GitError::broken(format!("the object {id} {reason}")),
            other => other,
        })?;
        self.kept.insert(Place::Loose(*id), object.clone());
        Ok(object)
    }
}

/// `kind size NUL content`, deflated.
fn loose(file: impl Read, limit: u64) -> Result<Object, GitError> {
    let damaged = |_error: std::io::Error| GitError::broken("is damaged");
    let mut inflated = ZlibDecoder::new(file);
    let mut head = Vec::with_capacity(4096);
    inflated.by_ref().take(4096).read_to_end(&mut head).map_err(damaged)?;
    let end = memchr(0, &head[..head.len().min(32)]).ok_or_else(|| GitError::broken("has no header"))?;
    let words = memchr(b' ', &head[..end]).map(|space| (&head[..space], &head[space + 1..end]));
    let parsed = words.and_then(|(kind, size)| {
        let size = std::str::from_utf8(size).ok()?.parse::<u64>().ok()?;
        Some((Kind::from_word(kind)?, size))
    });
    let (kind, size) = parsed.ok_or_else(|| GitError::broken("has no header"))?;
    if size > limit {
        return Err(GitError::TooLarge(size));
    }
    let mut content = head.split_off(end + 1);
    inflated.take(size + 1 - (content.len() as u64).min(size + 1)).read_to_end(&mut content).map_err(damaged)?;
    if content.len() as u64 != size {
        return Err(GitError::broken("has another size than it says"));
    }
    Ok((kind, Rc::new(content)))
}
