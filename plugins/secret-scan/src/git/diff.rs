//! Which files a commit brought: those that are in its tree and not, with the same content, in a parent's.

use super::GitError;
use super::id::Id;
use super::object::{Entry, EntryKind, Kind, entries, printable};
use super::store::Store;
use std::collections::HashMap;

/// Folders below folders.
const DEEPEST: usize = 128;

/// A file that is new, or other than in every parent.
#[derive(Debug)]
pub struct Change {
    /// Below the root, with `/`.
    pub path: String,
    /// Its content.
    pub blob: Id,
    /// What the parents have at that path.
    pub before: Vec<Id>,
}

/// Something on the way.
#[derive(Debug)]
pub enum Step {
    /// A file.
    Changed(Change),
    /// A tree was read, of so many entries.
    Tree(u64),
    /// A folder that cannot be read, with its path and the reason.
    Problem(String, GitError),
}

struct Folder {
    path: String,
    tree: Id,
    before: Vec<Id>,
    depth: usize,
}

/// Visits what `tree` has that no tree of `before` has at the same place. A merge brings only what it has from no parent.
///
/// # Errors
/// The first that `visit` returns.
pub fn changes<E>(
    store: &mut Store,
    tree: Id,
    before: &[Id],
    visit: &mut dyn FnMut(&mut Store, Step) -> Result<(), E>,
) -> Result<(), E> {
    if before.contains(&tree) {
        return Ok(());
    }
    // A stack of our own: a guest's is small.
    let mut open = vec![Folder { path: String::new(), tree, before: before.to_vec(), depth: 0 }];
    while let Some(folder) = open.pop() {
        let problem =
            |error| Step::Problem(if folder.path.is_empty() { ".".into() } else { folder.path.clone() }, error);
        let new = match store.read_kind(&folder.tree, Kind::Tree) {
            Ok(bytes) => bytes,
            Err(error) => {
                visit(store, problem(error))?;
                continue;
            }
        };
        let mut old = Vec::with_capacity(folder.before.len());
        for tree in &folder.before {
            match store.read_kind(tree, Kind::Tree) {
                Ok(bytes) => old.push(bytes),
                Err(error) => visit(store, problem(error))?,
            }
        }
        let length = store.id_length();
        let parsed = entries(&new, length).and_then(|new| {
            let old: Result<Vec<_>, _> = old.iter().map(|bytes| entries(bytes, length)).collect();
            Ok((new, old?))
        });
        let (new, old) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                visit(store, problem(error))?;
                continue;
            }
        };
        visit(store, Step::Tree(new.len() as u64))?;
        let mut cursors: Vec<Cursor> = old.iter().map(|entries| Cursor::new(entries)).collect();
        let mut folders = Vec::new();
        'entries: for entry in new.iter().filter(|entry| entry.kind != EntryKind::Other) {
            let mut before = Vec::new();
            for cursor in &mut cursors {
                if let Some(old) = cursor.find(entry.name).filter(|old| old.kind == entry.kind) {
                    if old.id == entry.id {
                        continue 'entries;
                    }
                    before.push(old.id);
                }
            }
            let name = printable(entry.name);
            let path = if folder.path.is_empty() { name } else { format!("{}/{name}", folder.path) };
            if entry.kind == EntryKind::Blob {
                visit(store, Step::Changed(Change { path, blob: entry.id, before }))?;
            } else if folder.depth < DEEPEST {
                folders.push(Folder { path, tree: entry.id, before, depth: folder.depth + 1 });
            } else {
                visit(store, Step::Problem(path, GitError::broken(format!("folders are more than {DEEPEST} deep"))))?;
            }
        }
        open.extend(folders.into_iter().rev());
    }
    Ok(())
}

/// Finds entries by name; nearly always the next one is the one.
struct Cursor<'a> {
    entries: &'a [Entry<'a>],
    at: usize,
    by_name: Option<HashMap<&'a [u8], usize>>,
}

impl<'a> Cursor<'a> {
    fn new(entries: &'a [Entry<'a>]) -> Cursor<'a> {
        Cursor { entries, at: 0, by_name: None }
    }

    fn find(&mut self, name: &[u8]) -> Option<&'a Entry<'a>> {
        let near = (self.at..self.entries.len().min(self.at + 2)).find(|at| self.entries[*at].name == name);
        let at = near.or_else(|| {
            let entries = self.entries;
            let by_name = self
                .by_name
                .get_or_insert_with(|| entries.iter().enumerate().map(|(at, entry)| (entry.name, at)).collect());
            by_name.get(name).copied()
        })?;
        self.at = at + 1;
        Some(&self.entries[at])
    }
}

/// The file at a path of a tree, if there is one.
///
/// # Errors
/// As [`Store::read`].
pub fn file_at(store: &mut Store, mut tree: Id, path: &str) -> Result<Option<Id>, GitError> {
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        let bytes = store.read_kind(&tree, Kind::Tree)?;
        let entries = entries(&bytes, store.id_length())?;
        let wanted = if parts.peek().is_some() { EntryKind::Tree } else { EntryKind::Blob };
        // Paths in findings are printable, so names are compared as such.
        match entries.iter().find(|entry| entry.kind == wanted && printable(entry.name) == part) {
            Some(entry) if wanted == EntryKind::Blob => return Ok(Some(entry.id)),
            Some(entry) => tree = entry.id,
            None => return Ok(None),
        }
    }
    Ok(None)
}
