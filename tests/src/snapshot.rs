//! A folder as it is: what an attack must not have changed.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Every file below a folder with content, mode, times and number of links.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    entries: BTreeMap<PathBuf, Entry>,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    mode: u32,
    links: u64,
    modified: (i64, i64),
    content: Vec<u8>,
}

impl Snapshot {
    /// Takes one. Links are not followed.
    pub fn of(folder: &Path) -> Snapshot {
        let mut entries = BTreeMap::new();
        add(folder, &mut entries);
        Snapshot { entries }
    }
}

fn add(path: &Path, entries: &mut BTreeMap<PathBuf, Entry>) {
    let found = std::fs::symlink_metadata(path).unwrap();
    let content = if found.is_file() {
        std::fs::read(path).unwrap()
    } else if found.is_symlink() {
        std::fs::read_link(path).unwrap().into_os_string().into_encoded_bytes()
    } else {
        Vec::new()
    };
    let modified = (found.mtime(), found.mtime_nsec());
    entries.insert(path.to_owned(), Entry { mode: found.mode(), links: found.nlink(), modified, content });
    if found.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            add(&entry.unwrap().path(), entries);
        }
    }
}
