//! Files below a mounted root file system: links are resolved below it, absolute ones too, and nothing outside is ever looked at.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::time::SystemTime;

/// Links on one way. The kernel's bound.
const MAX_LINKS: usize = 40;
/// Names of one folder.
pub const MAX_NAMES: usize = 50_000;

/// Why something below the root could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// There is no such file.
    Missing,
    /// There may be one, but it cannot be read; the reason, a lower-case fragment.
    Broken(String),
}

impl std::fmt::Display for Unseen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unseen::Missing => f.write_str("it is missing"),
            Unseen::Broken(reason) => f.write_str(reason),
        }
    }
}

/// What is at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A plain file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, if it was not to be followed.
    Link,
    /// A device, a socket or the like.
    Other,
}

/// The system to look at.
#[derive(Debug, Clone)]
pub struct Root {
    folder: PathBuf,
}

impl Root {
    /// A system below a folder.
    pub fn new(folder: PathBuf) -> Root {
        Root { folder }
    }

    /// Where a path leads, without any link on the way; absolute links begin at the root.
    ///
    /// # Errors
    /// When nothing is there, or it cannot be found out.
    pub fn resolve(&self, path: &str) -> Result<(String, Kind), Unseen> {
        self.follow(path, true)
    }

    /// The same, but a link at the end stays one.
    ///
    /// # Errors
    /// As [`Root::resolve`].
    pub fn resolve_link(&self, path: &str) -> Result<(String, Kind), Unseen> {
        self.follow(path, false)
    }

    /// The path of a place that [`Root::resolve`] gave, as programs and the standard library take it.
    pub fn path(&self, place: &str) -> PathBuf {
        let mut path = self.folder.clone();
        path.extend(parts(place));
        path
    }

    fn follow(&self, path: &str, last_too: bool) -> Result<(String, Kind), Unseen> {
        let mut rest: Vec<String> = parts(path).rev().map(str::to_owned).collect();
        let mut done: Vec<String> = Vec::new();
        let (mut links, mut kind) = (0, Kind::Folder);
        while let Some(part) = rest.pop() {
            if part == ".." {
                // Above the root is the root, as after a chroot.
                done.pop();
                kind = Kind::Folder;
                continue;
            }
            if kind != Kind::Folder {
                return Err(Unseen::Missing);
            }
            let here = self.path(&done.join("/")).join(&part);
            let data = std::fs::symlink_metadata(&here).map_err(|error| unseen(&error))?;
            if !data.is_symlink() || (rest.is_empty() && !last_too) {
                kind = match data.file_type() {
                    kind if kind.is_symlink() => Kind::Link,
                    kind if kind.is_dir() => Kind::Folder,
                    kind if kind.is_file() => Kind::File,
                    _ => Kind::Other,
                };
                done.push(part);
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(Unseen::Broken(format!("more than {MAX_LINKS} symbolic links, or links in a circle")));
            }
            // There is a link, so what it leads to is unknown and not missing. The sandbox tells no absolute targets.
            let target = std::fs::read_link(&here).map_err(|error| {
                Unseen::Broken(format!("a symbolic link whose target the sandbox does not tell ({})", error.kind()))
            })?;
            let Some(target) = target.to_str() else {
                return Err(Unseen::Broken("a symbolic link that is not UTF-8".to_owned()));
            };
            if target.starts_with('/') {
                done.clear();
            }
            rest.extend(parts(target).rev().map(str::to_owned));
        }
        Ok((done.join("/"), kind))
    }

    /// Whether something is at the end of a path.
    pub fn has(&self, path: &str) -> bool {
        self.resolve(path).is_ok()
    }

    /// Where a link leads as it is written; none if it is no link.
    ///
    /// # Errors
    /// When nothing is there, or the link cannot be read.
    pub fn link_target(&self, path: &str) -> Result<Option<String>, Unseen> {
        let (path, Kind::Link) = self.resolve_link(path)? else { return Ok(None) };
        let target = std::fs::read_link(self.path(&path)).map_err(|error| unseen(&error))?;
        Ok(target.to_str().map(str::to_owned))
    }

    /// A plain file, opened.
    ///
    /// # Errors
    /// When it is missing, something else, or cannot be opened.
    pub fn open(&self, path: &str) -> Result<File, Unseen> {
        let (place, kind) = self.resolve(path)?;
        if kind != Kind::File {
            return Err(Unseen::Broken("it is no plain file".to_owned()));
        }
        File::open(self.path(&place)).map_err(|error| unseen(&error))
    }

    /// The text of a file of at most `most` bytes. Bytes that are not UTF-8 become `U+FFFD`.
    ///
    /// # Errors
    /// When it is missing, longer, or cannot be read.
    pub fn text(&self, path: &str, most: u64) -> Result<String, Unseen> {
        let mut bytes = Vec::new();
        self.open(path)?.take(most + 1).read_to_end(&mut bytes).map_err(|error| unseen(&error))?;
        if bytes.len() as u64 > most {
            return Err(Unseen::Broken(format!("it is larger than {most} bytes")));
        }
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// The names in a folder, sorted; those that are no UTF-8 are left out.
    ///
    /// # Errors
    /// When it is missing or cannot be read, or has too many.
    pub fn names(&self, path: &str) -> Result<Vec<String>, Unseen> {
        let (place, kind) = self.resolve(path)?;
        if kind != Kind::Folder {
            return Err(Unseen::Missing);
        }
        let entries = std::fs::read_dir(self.path(&place)).map_err(|error| unseen(&error))?;
        let found = entries.flatten().take(MAX_NAMES + 1);
        let mut names: Vec<String> = found.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        if names.len() > MAX_NAMES {
            return Err(Unseen::Broken(format!("it has more than {MAX_NAMES} names")));
        }
        names.sort();
        Ok(names)
    }

    /// When what a path leads to was last changed, if that can be known.
    pub fn modified(&self, path: &str) -> Option<SystemTime> {
        let (place, _) = self.resolve(path).ok()?;
        std::fs::metadata(self.path(&place)).ok()?.modified().ok()
    }
}

/// The names of a path, without empty ones and `.`.
pub fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

fn unseen(error: &std::io::Error) -> Unseen {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Unseen::Missing,
        kind => Unseen::Broken(format!("it cannot be read ({kind})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_below_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        std::fs::create_dir_all(at("etc/a")).unwrap();
        std::fs::write(at("etc/file"), "inside").unwrap();
        for (link, target) in [
            ("etc/absolute", "/etc/file"),
            ("etc/a/up", "../../../../etc/file"),
            ("etc/circle", "circle"),
            ("etc/out", "/no/such/place"),
        ] {
            std::os::unix::fs::symlink(target, at(link)).unwrap();
        }
        let root = Root::new(folder.path().to_path_buf());
        assert_eq!(root.text("etc/absolute", 10).unwrap(), "inside");
        assert_eq!(root.text("/etc/a/up", 10).unwrap(), "inside");
        assert_eq!(root.resolve("etc/a/up").unwrap(), ("etc/file".to_owned(), Kind::File));
        assert!(matches!(root.text("etc/circle", 10), Err(Unseen::Broken(reason)) if reason.contains("circle")));
        assert_eq!(root.text("etc/out", 10), Err(Unseen::Missing));
        assert_eq!(root.text("etc/file/more", 10), Err(Unseen::Missing));
        assert!(matches!(root.text("etc/file", 3), Err(Unseen::Broken(_))));
        assert!(matches!(root.text("etc", 3), Err(Unseen::Broken(_))));
        assert_eq!(root.link_target("etc/out").unwrap().as_deref(), Some("/no/such/place"));
        assert_eq!((root.link_target("etc/file"), root.link_target("no")), (Ok(None), Err(Unseen::Missing)));
        assert_eq!(root.names("etc").unwrap(), ["a", "absolute", "circle", "file", "out"]);
    }
}
