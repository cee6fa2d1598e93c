//! Finds a repository below a folder, and the names from which its histories are reached.

use super::id::Id;
use super::object::printable;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Names beyond this are left out and told.
const MOST_REFS: usize = 100_000;
/// Bytes of `packed-refs`.
const MOST_PACKED: u64 = 32 << 20;
/// Folders below `refs`.
const DEEPEST: usize = 16;

/// Where a repository is.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Its folder.
    At {
        /// With `objects` and `refs`.
        folder: PathBuf,
        /// Whether it is the scanned folder itself, so that there is no working tree.
        bare: bool,
    },
    /// None, with the reason.
    Nothing(String),
}

/// Looks for a repository at `root`.
pub fn find(root: &Path) -> Found {
    let inner = root.join(".git");
    let is_repository = |folder: &Path| folder.join("objects").is_dir() && folder.join("HEAD").is_file();
    match fs::symlink_metadata(&inner) {
        Ok(kind) if kind.is_dir() && is_repository(&inner) => Found::At { folder: inner, bare: false },
        Ok(kind) if kind.is_dir() => Found::Nothing("the folder `.git` holds no repository".into()),
        Ok(_) => Found::Nothing(
            "`.git` is a file that points to another folder, as in a worktree or a submodule; mount the repository itself"
                .into(),
        ),
        Err(_) if is_repository(root) && root.join("refs").is_dir() => Found::At { folder: root.to_owned(), bare: true },
        Err(_) => Found::Nothing("the mount `source` has no folder `.git`; mount the root of the repository".into()),
    }
}

/// What a repository says of itself besides its objects.
#[derive(Debug, Default)]
pub struct Refs {
    /// What each name stands for, by full name: `refs/heads/main`, and `HEAD`.
    pub names: BTreeMap<String, Id>,
    /// Commits whose parents were not fetched.
    pub shallow: BTreeSet<Id>,
    /// Why names may be missing.
    pub problems: BTreeSet<String>,
}

impl Refs {
    /// Reads the names of the repository in `folder`.
    pub fn read(folder: &Path) -> Refs {
        let mut refs = Refs::default();
        if folder.join("reftable").is_dir() {
            refs.problems.insert("its names are kept as a reftable, which is not read".into());
        }
        if let Some(text) = read_text(&folder.join("packed-refs"), MOST_PACKED, &mut refs.problems) {
            for line in text.split(|byte| *byte == b'\n') {
                // `#` begins a comment, `^` what the tag above stands for.
                let Some(space) = line.iter().position(|byte| *byte == b' ') else { continue };
                if let Some(id) = Id::from_hex(&line[..space]) {
                    refs.add(printable(&line[space + 1..]), id);
                }
            }
        }
        // Later, because a file goes before the packed name.
        refs.read_folder(&folder.join("refs"));
        if let Some(head) = read_text(&folder.join("HEAD"), 4096, &mut refs.problems) {
            let head = head.trim_ascii();
            let id = match head.strip_prefix(b"ref:") {
                Some(name) => refs.names.get(&printable(name.trim_ascii())).copied(),
                None => Id::from_hex(head),
            };
            if let Some(id) = id {
                refs.add("HEAD".into(), id);
            }
        }
        if let Some(text) = read_text(&folder.join("shallow"), MOST_PACKED, &mut refs.problems) {
            refs.shallow =
                text.split(|byte| *byte == b'\n').filter_map(|line| Id::from_hex(line.trim_ascii())).collect();
        }
        refs
    }

    fn read_folder(&mut self, root: &Path) {
        let mut open = vec![(root.to_owned(), "refs".to_owned(), 0)];
        while let Some((folder, name, depth)) = open.pop() {
            let Ok(entries) = fs::read_dir(&folder) else {
                self.problems.insert(format!("the folder `{name}` cannot be read"));
                continue;
            };
            for entry in entries.flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                let name = format!("{name}/{}", printable(entry.file_name().to_string_lossy().as_bytes()));
                if kind.is_dir() {
                    if depth < DEEPEST {
                        open.push((entry.path(), name, depth + 1));
                    } else {
                        self.problems.insert(format!("folders below `refs` are more than {DEEPEST} deep"));
                    }
                } else if kind.is_file()
                    && let Some(text) = read_text(&entry.path(), 4096, &mut self.problems)
                    && let Some(id) = Id::from_hex(text.trim_ascii())
                {
                    self.add(name, id);
                }
            }
        }
    }

    fn add(&mut self, name: String, id: Id) {
        if self.names.len() < MOST_REFS {
            self.names.insert(name, id);
        } else {
            self.problems.insert(format!("more than {MOST_REFS} names"));
        }
    }

    /// Bytes of an object's name here, as the names say it; 20 if there are none.
    pub fn id_length(&self) -> usize {
        self.names.values().next().map_or(20, |id| id.as_bytes().len())
    }
}

/// The short name of a branch, here or as fetched: `main` of `refs/heads/main` and of `refs/remotes/origin/main`.
pub fn branch(name: &str) -> Option<&str> {
    name.strip_prefix("refs/heads/")
        .or_else(|| name.strip_prefix("refs/remotes/").and_then(|rest| rest.split_once('/')).map(|(_, branch)| branch))
        .filter(|branch| *branch != "HEAD")
}

fn read_text(path: &Path, limit: u64, problems: &mut BTreeSet<String>) -> Option<Vec<u8>> {
    let name = path.file_name().map_or_else(String::new, |name| printable(name.to_string_lossy().as_bytes()));
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 > limit => {
            problems.insert(format!("`{name}` is larger than {limit} bytes"));
            None
        }
        Ok(_) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            problems.insert(format!("`{name}` cannot be read ({})", error.kind()));
            None
        }
    }
}
