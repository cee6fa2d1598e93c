//! Finds the files of a tree, in the order of their paths, without following links and without what ignore files name.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Which files are wanted.
#[derive(Debug)]
pub struct Filter {
    include: Option<GlobSet>,
    exclude: GlobSet,
    gitignore: Gitignores,
}

/// Whether ignore files count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gitignores {
    /// They do.
    Respect,
    /// They are files like others.
    Disregard,
}

impl Filter {
    /// Compiles globs. One without `/` fits at any depth.
    ///
    /// # Errors
    /// Which glob is none, and why.
    pub fn new(include: &[String], exclude: &[String], gitignore: Gitignores) -> Result<Filter, String> {
        let include = if include.is_empty() { None } else { Some(glob_set("include", include)?) };
        Ok(Filter { include, exclude: glob_set("exclude", exclude)?, gitignore })
    }

    /// Whether a file of the history is wanted. Ignore files say nothing about it: it was committed.
    pub fn wants(&self, path: &str) -> bool {
        let mut folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        self.include.as_ref().is_none_or(|include| include.is_match(path))
            && !self.exclude.is_match(path)
            && (self.exclude.is_empty() || !folders.any(|folder| self.exclude.is_match(folder)))
    }
}

fn glob_set(name: &str, globs: &[String]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for text in globs {
        let anchored = text.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
        let glob =
            if text.trim_end_matches('/').contains('/') { anchored.to_owned() } else { format!("**/{anchored}") };
        let glob = GlobBuilder::new(&glob).literal_separator(true).build();
        set.add(glob.map_err(|error| format!("`{name}`: `{text}`: {}", error.kind()))?);
    }
    set.build().map_err(|error| format!("`{name}`: {}", error.kind()))
}

/// What is met on the way.
#[derive(Debug)]
pub enum Entry<'a> {
    /// A file to read.
    File {
        /// To open it.
        path: &'a Path,
        /// Below the root, with `/`.
        relative: &'a str,
    },
    /// A file, folder or link that is not wanted.
    Ignored,
    /// A folder that cannot be listed, with the reason.
    Unreadable {
        /// Below the root, with `/`.
        relative: &'a str,
        /// Why.
        error: io::Error,
    },
}

/// A folder on the way, with what is left to visit in it.
struct Folder {
    relative: String,
    path: PathBuf,
    left: std::vec::IntoIter<Child>,
    rules: Option<Gitignore>,
}

struct Child {
    order: String,
    name: OsString,
    kind: fs::FileType,
}

/// Visits all entries below `root`.
///
/// # Errors
/// The first error that `visit` returns. A root that cannot be listed is visited as unreadable.
pub fn walk<E>(root: &Path, filter: &Filter, visit: &mut dyn FnMut(Entry) -> Result<(), E>) -> Result<(), E> {
    // An explicit stack: a guest's own is small, and a tree may be as deep as it likes.
    let mut stack = Vec::new();
    match open(root.to_owned(), String::new(), filter) {
        Ok(folder) => stack.push(folder),
        Err(error) => visit(Entry::Unreadable { relative: ".", error })?,
    }
    while let Some(folder) = stack.last_mut() {
        let Some(child) = folder.left.next() else {
            stack.pop();
            continue;
        };
        let is_folder = child.kind.is_dir();
        let name = child.order.trim_end_matches('/');
        // The history is read as such, and a submodule's `.git` is a file.
        if name == ".git" {
            continue;
        }
        let relative = if folder.relative.is_empty() { name.to_owned() } else { format!("{}/{name}", folder.relative) };
        let wanted = (is_folder || child.kind.is_file())
            && !filter.exclude.is_match(&relative)
            && (is_folder || filter.include.as_ref().is_none_or(|include| include.is_match(&relative)));
        let path = folder.path.join(&child.name);
        if !wanted || is_ignored(&stack, &relative, is_folder) {
            visit(Entry::Ignored)?;
        } else if is_folder {
            match open(path, relative.clone(), filter) {
                Ok(folder) => stack.push(folder),
                Err(error) => visit(Entry::Unreadable { relative: &relative, error })?,
            }
        } else {
            visit(Entry::File { path: &path, relative: &relative })?;
        }
    }
    Ok(())
}

/// The nearest ignore file that says something decides.
fn is_ignored(stack: &[Folder], relative: &str, is_folder: bool) -> bool {
    for folder in stack.iter().rev() {
        let Some(rules) = &folder.rules else { continue };
        let below = if folder.relative.is_empty() { relative } else { &relative[folder.relative.len() + 1..] };
        match rules.matched(below, is_folder) {
            Match::None => {}
            Match::Ignore(_) => return true,
            Match::Whitelist(_) => return false,
        }
    }
    false
}

fn open(path: PathBuf, relative: String, filter: &Filter) -> io::Result<Folder> {
    let mut children = Vec::new();
    for entry in fs::read_dir(&path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let name = entry.file_name();
        let mut order = name.to_string_lossy().into_owned();
        // A folder sorts as its files' paths do: `a.txt` before `a/b`.
        if kind.is_dir() {
            order.push('/');
        }
        children.push(Child { order, name, kind });
    }
    children.sort_by(|a, b| a.order.cmp(&b.order).then_with(|| a.name.cmp(&b.name)));
    let has = |order: &str| children.binary_search_by(|child| child.order.as_str().cmp(order)).is_ok();
    let mut texts = Vec::new();
    if filter.gitignore == Gitignores::Respect {
        // Of equals the last line wins, so the weaker file comes first.
        if relative.is_empty() && has(".git/") {
            texts.extend(fs::read(path.join(".git/info/exclude")).ok());
        }
        if has(".gitignore") {
            texts.extend(fs::read(path.join(".gitignore")).ok());
        }
    }
    let rules = (!texts.is_empty()).then(|| gitignore(&texts)).flatten();
    Ok(Folder { relative, path, left: children.into_iter(), rules })
}

fn gitignore(texts: &[Vec<u8>]) -> Option<Gitignore> {
    let mut builder = GitignoreBuilder::new("");
    for text in texts {
        for line in String::from_utf8_lossy(text).trim_start_matches('\u{feff}').lines() {
            // Git passes over a line that it cannot read, and so do we.
            let _ = builder.add_line(None, line);
        }
    }
    builder.build().ok().filter(|rules| !rules.is_empty())
}
