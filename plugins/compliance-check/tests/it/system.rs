//! Systems that tests write: files, links, and modes as `stat` would tell them.

use orch_plugin_compliance_check::{Input, Output, check};
use orch_sdk::{Finding, Printed, TaskError, TestHost};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A system, or a change of one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct System {
    pub files: BTreeMap<String, String>,
    pub links: BTreeMap<String, String>,
    /// `MODE UID GID`; what is not named is root's, 0644 or 0755.
    pub modes: BTreeMap<String, String>,
    pub remove: Vec<String>,
    /// Text in a file that becomes another.
    pub edit: BTreeMap<String, BTreeMap<String, String>>,
}

impl System {
    pub fn with(&self, change: &System) -> System {
        let mut system = self.clone();
        system.files.extend(change.files.clone());
        system.links.extend(change.links.clone());
        system.modes.extend(change.modes.clone());
        for path in &change.remove {
            let gone = system.files.remove(path).is_some() || system.links.remove(path).is_some();
            assert!(gone, "`{path}` is not there to be removed");
        }
        for (path, edits) in &change.edit {
            let text = system.files.get_mut(path).unwrap_or_else(|| panic!("`{path}` is not there to be edited"));
            for (old, new) in edits {
                assert_eq!(text.matches(old.as_str()).count(), 1, "`{old}` has to stand once in `{path}`");
                *text = text.replace(old.as_str(), new);
            }
        }
        system
    }

    pub fn write(&self, root: &Path) {
        for (path, text) in &self.files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        for (path, target) in &self.links {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, path).unwrap();
        }
    }

    /// Runs the task on it, with `stat`.
    pub fn check(&self, input: Input) -> (Result<Output, TaskError>, Vec<Finding>) {
        let root = tempfile::tempdir().unwrap();
        self.write(root.path());
        let host = TestHost::new().with_mount("root", root.path());
        let host = host.with_program("stat", stat(root.path(), self.modes.clone()));
        let output = check(input, &host).map(|outcome| outcome.succeeded().unwrap());
        (output, host.findings())
    }
}

fn stat(
    root: &Path,
    modes: BTreeMap<String, String>,
) -> impl Fn(&[(&str, &str)]) -> Result<Printed, TaskError> + 'static {
    let root = root.to_path_buf();
    move |slots| {
        let [("file", file)] = slots else { panic!("{slots:?}") };
        let path = Path::new(file).strip_prefix(&root).expect("below the root").to_str().unwrap();
        let is_folder = Path::new(file).is_dir();
        let usual = if is_folder { "0755 0 0" } else { "0644 0 0" };
        let words: Vec<&str> = modes.get(path).map_or(usual, String::as_str).split(' ').collect();
        let kind = if is_folder { 0o040_000 } else { 0o100_000 };
        let mode = kind | u32::from_str_radix(words[0], 8).unwrap();
        let what = if is_folder { "directory" } else { "regular file" };
        Ok(Printed::from(format!("{mode:x} {} {} {what}\n", words[1], words[2]).as_str()))
    }
}
