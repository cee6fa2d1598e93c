//! The system to check: files below a mounted root, links resolved below it, what was read kept. Nothing outside is ever looked at.

use crate::verdict::shown;
use orch_plugin_kit::glob::fits_name;
use orch_plugin_kit::parse::ParseError;
pub use orch_plugin_kit::root::{Kind, Unseen};
use orch_plugin_kit::root::{Root as Files, parts};
use orch_plugin_lockfiles::parse::dpkg;
use orch_sdk::Host;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

/// A file of configuration; the largest that distributions ship has some hundred KiB.
const MAX_TEXT: u64 = 2 << 20;
/// The database of packages; one of a large desktop has 10 MiB.
const MAX_DATABASE: u64 = 32 << 20;
/// All that is kept in memory.
const MAX_KEPT: u64 = 64 << 20;
/// Names of one folder, and paths that one pattern fits.
const MAX_NAMES: usize = 20_000;
const MAX_MATCHES: usize = 2_000;
/// Programs started: one for each file whose mode is asked for.
const MAX_STATS: usize = 5_000;

/// What a workflow has to grant for modes and owners.
pub const STAT_GRANT: &str = "modes and owners need the program `stat`: grant it with `exec: [{ alias: stat, program: /usr/bin/stat, \
     args: [\"--format=%f %u %g %F\", \"{file}\"], slots: { file: path }, read-only: true }]`";

/// Modes and owner of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The permission bits.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

type Kept<T> = RefCell<BTreeMap<String, Result<T, Unseen>>>;

/// The system to check.
pub struct Root<'a> {
    files: Files,
    host: &'a dyn Host,
    texts: Kept<Rc<str>>,
    stats: Kept<Stat>,
    kept: Cell<u64>,
    packages: RefCell<Option<Result<Rc<BTreeSet<String>>, String>>>,
}

impl<'a> Root<'a> {
    /// A system below a folder.
    pub fn new(folder: PathBuf, host: &'a dyn Host) -> Root<'a> {
        Root {
            files: Files::new(folder),
            host,
            texts: Kept::default(),
            stats: Kept::default(),
            kept: Cell::new(0),
            packages: RefCell::new(None),
        }
    }

    /// Where a path leads, without any link on the way; absolute links begin at the root.
    ///
    /// # Errors
    /// When nothing is there, or it cannot be found out.
    pub fn resolve(&self, path: &str) -> Result<(String, Kind), Unseen> {
        self.files.resolve(path)
    }

    /// The same, but a link at the end stays one.
    ///
    /// # Errors
    /// As [`Root::resolve`].
    pub fn resolve_link(&self, path: &str) -> Result<(String, Kind), Unseen> {
        self.files.resolve_link(path)
    }

    /// Where a link leads as it is written; none if it is no link.
    pub fn link_target(&self, path: &str) -> Option<String> {
        self.files.link_target(path).ok()?
    }

    /// A file of configuration. Bytes that are not UTF-8 become `U+FFFD`.
    ///
    /// # Errors
    /// When it is missing, too large, or cannot be read.
    pub fn text(&self, path: &str) -> Result<Rc<str>, Unseen> {
        self.text_up_to(path, MAX_TEXT)
    }

    fn text_up_to(&self, path: &str, most: u64) -> Result<Rc<str>, Unseen> {
        if let Some(known) = self.texts.borrow().get(path) {
            return known.clone();
        }
        let read = self.read(path, most);
        if let Ok(text) = &read {
            self.kept.set(self.kept.get() + text.len() as u64);
        }
        self.texts.borrow_mut().insert(path.to_owned(), read.clone());
        read
    }

    fn read(&self, path: &str, most: u64) -> Result<Rc<str>, Unseen> {
        let most = most.min(MAX_KEPT.saturating_sub(self.kept.get()));
        self.files.text(path, most).map(Rc::from)
    }

    /// The names in a folder, sorted; those that are no UTF-8 are left out.
    ///
    /// # Errors
    /// When it is missing or cannot be read.
    pub fn names(&self, path: &str) -> Result<BTreeSet<String>, Unseen> {
        let names = self.files.names(path)?;
        if names.len() > MAX_NAMES {
            return Err(Unseen::Broken(format!("the folder `{}` has more than {MAX_NAMES} names", shown(path, 200))));
        }
        Ok(names.into_iter().collect())
    }

    /// The paths that a pattern fits, sorted; a path without `*` and `?` is itself, whether it is there or not.
    ///
    /// # Errors
    /// When a folder on the way cannot be read.
    pub fn glob(&self, pattern: &str) -> Result<Vec<String>, String> {
        let mut found = vec![String::new()];
        for part in parts(pattern) {
            let mut next = Vec::new();
            for folder in found {
                let join = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                if !is_pattern(part) {
                    next.push(join(part));
                    continue;
                }
                let names = match self.names(&folder) {
                    Ok(names) => names,
                    Err(Unseen::Missing) => continue,
                    Err(Unseen::Broken(reason)) => return Err(reason),
                };
                // As a shell does: a star stands for no dot at the beginning.
                let visible = names.iter().filter(|name| !name.starts_with('.') || part.starts_with('.'));
                next.extend(visible.filter(|name| fits_name(part, name)).map(|name| join(name)));
            }
            if next.len() > MAX_MATCHES {
                return Err(format!("`{}` fits more than {MAX_MATCHES} paths", shown(pattern, 200)));
            }
            found = next;
        }
        if is_pattern(pattern) {
            found.retain(|path| self.resolve_link(path) != Err(Unseen::Missing));
        }
        Ok(found)
    }

    /// The mode and owner of what a path leads to.
    ///
    /// # Errors
    /// With the line that grants `stat` if it is not granted, or what `stat` said.
    pub fn stat(&self, path: &str) -> Result<Stat, Unseen> {
        let (place, kind) = self.resolve(path)?;
        if let Some(known) = self.stats.borrow().get(&place) {
            return known.clone();
        }
        if !self.host.has_capability("exec:stat") {
            return Err(Unseen::Broken(STAT_GRANT.to_owned()));
        }
        if self.stats.borrow().len() == MAX_STATS {
            return Err(Unseen::Broken(format!("the modes of more than {MAX_STATS} files were asked for")));
        }
        let stat = self.run_stat(&place, kind).map_err(Unseen::Broken);
        self.stats.borrow_mut().insert(place, stat.clone());
        stat
    }

    fn run_stat(&self, place: &str, kind: Kind) -> Result<Stat, String> {
        let full = self.files.path(place);
        let full = full.to_str().ok_or("a path that is not UTF-8")?;
        let printed = self.host.run_program("stat", &[("file", full)]).map_err(|error| format!("`stat`: {error}"))?;
        let answer = String::from_utf8_lossy(&printed.stdout);
        if !printed.exit.is_success() {
            return Err(format!("`stat` failed: {}", shown(&String::from_utf8_lossy(&printed.stderr), 300)));
        }
        let wrong =
            || format!("`stat` printed `{}`; its arguments have to be `--format=%f %u %g %F`", shown(&answer, 100));
        let mut words = answer.trim().splitn(4, ' ');
        let (Some(mode), Some(uid), Some(gid), Some(what)) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(wrong());
        };
        // The path has no links, so this is only so if somebody changes the system meanwhile.
        if what == "symbolic link" || (what == "directory") != (kind == Kind::Folder) {
            return Err(format!("`stat` saw another file at `{}`", shown(place, 200)));
        }
        match (u32::from_str_radix(mode, 16), uid.parse(), gid.parse()) {
            (Ok(mode), Ok(uid), Ok(gid)) => Ok(Stat { mode: mode & 0o7777, uid, gid }),
            _ => Err(wrong()),
        }
    }

    /// The names of the installed packages.
    ///
    /// # Errors
    /// When there is no database of dpkg, or it cannot be read.
    pub fn packages(&self) -> Result<Rc<BTreeSet<String>>, String> {
        let known = self.packages.borrow().clone();
        known.unwrap_or_else(|| {
            let read = self.read_packages().map(Rc::new);
            *self.packages.borrow_mut() = Some(read.clone());
            read
        })
    }

    fn read_packages(&self) -> Result<BTreeSet<String>, String> {
        let mut files: Vec<String> = Vec::new();
        if self.resolve("var/lib/dpkg/status").is_ok() {
            files.push("var/lib/dpkg/status".to_owned());
        }
        // Images without a package manager have a file for each package.
        let single = self.glob("var/lib/dpkg/status.d/*")?;
        files.extend(single.into_iter().filter(|path| !path.ends_with(".md5sums")));
        if files.is_empty() {
            return Err("there is no database of dpkg (var/lib/dpkg/status)".to_owned());
        }
        let mut names = BTreeSet::new();
        for path in files {
            let wrong = |reason: &str| format!("`{path}`: {reason}");
            let text = self.text_up_to(&path, MAX_DATABASE).map_err(|error| wrong(&error.to_string()))?;
            let found = dpkg::parse(&text, &path).map_err(|error: ParseError| wrong(&error.to_string()))?;
            names.extend(found.packages.into_iter().map(|package| package.name));
        }
        Ok(names)
    }

    /// The host, for a look whether to stop.
    pub fn host(&self) -> &dyn Host {
        self.host
    }
}

/// Whether a path has `*` or `?`.
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?'])
}
