//! The manifests around a lock file of npm's relatives, read from the tree within bounds.

use crate::parse::npm_manifest::{MAX_WORKSPACES, Manifest, Manifests};
use orch_plugin_kit::glob::Glob;
use orch_plugin_kit::tree::{is_plain_file, join, text};
use std::path::Path;

/// The largest manifest that is read, in bytes.
const MAX_MANIFEST: u64 = 1024 * 1024;

/// The manifests below the folder of a lock file.
pub struct OnDisk<'a> {
    /// The tree.
    pub root: &'a Path,
    /// The lock file's folder, relative to the tree, with a slash at its end unless it is the tree itself.
    pub folder: &'a str,
    /// Whether a path of the tree may be read at all.
    pub is_allowed: &'a dyn Fn(&str) -> bool,
}

impl Manifests for OnDisk<'_> {
    fn manifest(&self, folder: &str) -> Option<Manifest> {
        let inside = folder.is_empty() || is_inside(folder);
        let slash = if folder.is_empty() { "" } else { "/" };
        let path = format!("{}{folder}{slash}package.json", self.folder);
        let readable = inside && (self.is_allowed)(&path) && is_plain_file(self.root, &path);
        readable.then(|| text(self.root, &path, MAX_MANIFEST).ok()).flatten().and_then(|text| Manifest::parse(&text))
    }

    fn folders(&self, pattern: &str) -> Vec<String> {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        // A pattern that begins with `!` takes folders away; whoever is in the list too often has no effect on versions.
        if pattern.starts_with('!') || !is_inside(pattern) {
            return Vec::new();
        }
        let mut found = vec![String::new()];
        for part in pattern.split('/') {
            let mut below = Vec::new();
            for folder in &found {
                let child = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                if part.contains('*') {
                    // `**` is read as one level: workspaces lie there nearly always.
                    let Ok(glob) = Glob::new(if part == "**" { "*" } else { part }) else { continue };
                    let mut names = self.folders_in(folder);
                    names.retain(|name| name != "node_modules" && glob.fits(name));
                    below.extend(names.iter().map(|name| child(name)));
                } else {
                    below.push(child(part));
                }
                below.truncate(MAX_WORKSPACES);
            }
            found = below;
        }
        found.sort();
        found
    }
}

impl OnDisk<'_> {
    fn folders_in(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(join(self.root, &format!("{}{folder}", self.folder))) else {
            return Vec::new();
        };
        let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.take(MAX_WORKSPACES).filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

/// Whether a path of a lock file or manifest stays in its folder.
fn is_inside(path: &str) -> bool {
    !path.contains('\\') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stay_inside() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["web/packages/a", "web/packages/b", "web/tools/node_modules/x", "web/lib", "outside"] {
            std::fs::create_dir_all(join(root.path(), folder)).unwrap();
            std::fs::write(join(root.path(), folder).join("package.json"), r#"{"name":"x"}"#).unwrap();
        }
        let on_disk = OnDisk { root: root.path(), folder: "web/", is_allowed: &|path| !path.contains("/b/") };
        assert_eq!(on_disk.folders("packages/*"), ["packages/a", "packages/b"]);
        assert_eq!(on_disk.folders("./lib/"), ["lib"]);
        assert_eq!(on_disk.folders("p*/**"), ["packages/a", "packages/b"]);
        assert!(on_disk.folders("../*").is_empty() && on_disk.folders("!lib").is_empty());
        assert!(on_disk.folders("tools/*").is_empty());
        assert!(on_disk.manifest("packages/a").is_some() && on_disk.manifest("packages/b").is_none());
        assert!(on_disk.manifest("../outside").is_none() && on_disk.manifest("").is_none());
    }
}
