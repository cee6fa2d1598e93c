//! What the tasks before left: their artifacts, and their findings where the plugin asks for them.

use crate::tree::text;
use orch_sdk::{Finding, Host, TaskError};
use std::path::PathBuf;

/// A longer artifact is read by nobody here.
pub const MAX_ARTIFACT: u64 = 64 * 1024 * 1024;

/// The host's own limit is 128 MiB of findings for each task.
const MAX_FINDINGS: u64 = 160 * 1024 * 1024;

/// A task in `needs`.
#[derive(Debug, Clone)]
pub struct Before {
    /// Its name.
    pub task: String,
    /// Its artifacts, sorted: `<name>`, or `<item>/<name>` of a task with items.
    pub artifacts: Vec<String>,
    folder: PathBuf,
}

impl Before {
    /// What it found; nothing if the plugin may not see that.
    ///
    /// # Errors
    /// When the host's file cannot be read, which no workflow is to blame for.
    pub fn findings(&self) -> Result<Vec<Finding>, TaskError> {
        if !self.folder.join(".findings.json").is_file() {
            return Ok(Vec::new());
        }
        let broken = |error: String| TaskError::Failed(format!("the findings of `{}`: {error}", self.task));
        let text = text(&self.folder, ".findings.json", MAX_FINDINGS).map_err(|error| broken(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| broken(error.to_string()))
    }

    /// The text of an artifact.
    ///
    /// # Errors
    /// When it is too long or no text: the text says which one and why.
    pub fn artifact(&self, name: &str) -> Result<String, String> {
        text(&self.folder, name, MAX_ARTIFACT).map_err(|error| format!("`{name}` of `{}`: {error}", self.task))
    }
}

/// The tasks in `needs` that left something, by name.
pub fn tasks(host: &dyn Host) -> Vec<Before> {
    let root = host.mount("artifacts");
    let task = |task: String| {
        let folder = root.join(&task);
        let mut artifacts = Vec::new();
        for name in names(&folder) {
            let inner = folder.join(&name);
            match inner.is_dir() {
                true => artifacts.extend(names(&inner).into_iter().map(|file| format!("{name}/{file}"))),
                false => artifacts.push(name),
            }
        }
        Before { task, artifacts, folder }
    };
    names(&root).into_iter().map(task).collect()
}

/// What lies in a folder, sorted, without what begins with a dot.
fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_items_and_findings_are_found() {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in [
            ("scan/.findings.json", r#"[{"rule":"r","severity":"low","status":"open","title":"t","fingerprint":"f"}]"#),
            ("bill/sbom.cdx.json", "{}"),
            ("each/0/a.txt", "a"),
            ("each/1/a.txt", "b"),
        ] {
            let file = folder.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        let host = orch_sdk::TestHost::new().with_mount("artifacts", folder.path());
        let found: Vec<_> = tasks(&host).into_iter().map(|before| (before.task.clone(), before.artifacts)).collect();
        let expected = [("bill", vec!["sbom.cdx.json"]), ("each", vec!["0/a.txt", "1/a.txt"]), ("scan", vec![])];
        assert_eq!(
            found,
            expected.map(|(task, names)| (task.to_owned(), names.into_iter().map(str::to_owned).collect()))
        );
        let before = tasks(&host);
        assert_eq!(before[2].findings().unwrap()[0].rule, "r");
        assert!(before[0].findings().unwrap().is_empty());
        assert_eq!(before[1].artifact("1/a.txt").unwrap(), "b");
        assert!(before[1].artifact("2/a.txt").is_err());
    }
}
