//! Reads a tree of files within bounds, without ever following a symbolic link.

use crate::glob::Glob;
use crate::parse::ParseError;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

/// A path below a folder, part by part, so that it is right on every platform.
pub fn join(root: &Path, relative: &str) -> std::path::PathBuf {
    let mut path = root.to_path_buf();
    path.extend(relative.split('/').filter(|part| !part.is_empty()));
    path
}

/// Reads a file as text.
///
/// # Errors
/// When it is too large, no UTF-8, or cannot be opened.
pub fn text(root: &Path, path: &str, limit: u64) -> Result<String, ParseError> {
    let unreadable = |error: std::io::Error| ParseError::whole(format!("cannot be opened ({})", error.kind()));
    let file = std::fs::File::open(join(root, path)).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(ParseError::whole(format!("larger than {} MiB", limit / 1024 / 1024)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        ParseError::at(u32::try_from(line).unwrap_or(u32::MAX), "not UTF-8")
    })
}

/// Opens a file to read parts of it, with its size in bytes.
///
/// # Errors
/// When it is larger than `limit` or cannot be opened.
pub fn open(root: &Path, path: &str, limit: u64) -> Result<(std::fs::File, u64), ParseError> {
    let unreadable = |error: std::io::Error| ParseError::whole(format!("cannot be opened ({})", error.kind()));
    let file = std::fs::File::open(join(root, path)).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    if size > limit {
        return Err(ParseError::whole(format!("larger than {} MiB", limit / 1024 / 1024)));
    }
    Ok((file, size))
}

/// Whether a path leads to a file without any symbolic link on the way.
pub fn is_plain_file(root: &Path, path: &str) -> bool {
    let mut place = root.to_path_buf();
    for part in path.split('/') {
        place.push(part);
        if std::fs::symlink_metadata(&place).map_or(true, |data| data.is_symlink()) {
            return false;
        }
    }
    place.is_file()
}

/// Folders below folders.
pub const MAX_DEPTH: usize = 64;

/// Entries of folders looked at. A root file system has some hundred thousand.
pub const MAX_ENTRIES: usize = 1_000_000;

/// What one folder holds, without what the patterns leave out.
#[derive(Debug)]
pub struct Folder<'a> {
    /// Relative to the tree, with `/`; empty for its root.
    pub path: &'a str,
    /// The names of its plain files, sorted.
    pub files: &'a BTreeSet<String>,
    /// The names of its symbolic links, which are never followed, sorted.
    pub links: &'a BTreeSet<String>,
    /// The names of its folders, sorted. Those that are taken out are not entered.
    pub folders: &'a mut BTreeSet<String>,
}

impl Folder<'_> {
    /// The path of a name in this folder.
    pub fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }
}

/// Visits the folders below `root`, each before those in it. Answers with the reasons why the tree was not read to its end.
///
/// # Errors
/// The first that `visit` returns.
pub fn walk<E>(
    root: &Path,
    exclude: &[Glob],
    visit: &mut dyn FnMut(&mut Folder) -> Result<(), E>,
) -> Result<BTreeSet<String>, E> {
    let mut incomplete = BTreeSet::new();
    let mut entries_read = 0;
    // A stack of our own: a guest's is small, and a tree may be as deep as it likes.
    let mut open = vec![(String::new(), 0)];
    while let Some((path, depth)) = open.pop() {
        let Ok(entries) = std::fs::read_dir(join(root, &path)) else {
            let shown = if path.is_empty() { "." } else { &path };
            incomplete.insert(format!("the folder `{shown}` cannot be read"));
            continue;
        };
        let (mut files, mut links, mut folders) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for entry in entries.flatten() {
            entries_read += 1;
            if entries_read > MAX_ENTRIES {
                incomplete.insert(format!("more than {MAX_ENTRIES} files"));
                open.clear();
                break;
            }
            // A name that is no Unicode cannot be written into a finding; none that a plugin looks for is one.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Ok(kind) = entry.file_type() else { continue };
            let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            if exclude.iter().any(|glob| glob.fits(&below)) {
                continue;
            }
            if kind.is_symlink() {
                links.insert(name);
            } else if kind.is_dir() {
                folders.insert(name);
            } else if kind.is_file() {
                files.insert(name);
            }
        }
        let mut folder = Folder { path: &path, files: &files, links: &links, folders: &mut folders };
        visit(&mut folder)?;
        for name in folders {
            let below = if path.is_empty() { name } else { format!("{path}/{name}") };
            if depth == MAX_DEPTH {
                incomplete.insert(format!("folders more than {MAX_DEPTH} deep, such as `{below}`"));
            } else if entries_read <= MAX_ENTRIES {
                open.push((below, depth + 1));
            }
        }
    }
    Ok(incomplete)
}
