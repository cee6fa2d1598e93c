//! A host for native tests: mounts are folders, and everything a task says is kept for the test to look at.

use crate::{Finding, Host, Level, TaskError};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

/// A stored artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// A [`Host`] that keeps everything in memory.
#[derive(Debug, Default)]
pub struct TestHost {
    mounts: BTreeMap<String, PathBuf>,
    env: BTreeMap<String, String>,
    denied_artifacts: bool,
    cancelled: Cell<bool>,
    logs: RefCell<Vec<(Level, String)>>,
    progress: RefCell<Vec<(u64, Option<u64>, String)>>,
    findings: RefCell<Vec<Finding>>,
    artifacts: RefCell<Vec<Artifact>>,
}

impl TestHost {
    /// A host that grants nothing but artifacts.
    pub fn new() -> TestHost {
        TestHost::default()
    }

    /// Grants a mount.
    #[must_use]
    pub fn with_mount(mut self, name: &str, folder: impl Into<PathBuf>) -> TestHost {
        self.mounts.insert(name.to_owned(), folder.into());
        self
    }

    /// Grants an environment variable.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> TestHost {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Refuses every artifact, as a workflow does that grants none.
    #[must_use]
    pub fn without_artifacts(mut self) -> TestHost {
        self.denied_artifacts = true;
        self
    }

    /// Asks the task to stop.
    pub fn cancel(&self) {
        self.cancelled.set(true);
    }

    /// What was logged.
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.logs.borrow().clone()
    }

    /// What progress was told: done, total, note.
    pub fn progress_told(&self) -> Vec<(u64, Option<u64>, String)> {
        self.progress.borrow().clone()
    }

    /// The findings, in the order of their emission.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.borrow().clone()
    }

    /// The stored artifacts.
    pub fn artifacts(&self) -> Vec<Artifact> {
        self.artifacts.borrow().clone()
    }
}

impl Host for TestHost {
    fn mount(&self, name: &str) -> PathBuf {
        // An ungranted mount is a folder that does not exist, as it is for a guest.
        self.mounts.get(name).cloned().unwrap_or_else(|| PathBuf::from(format!("/not-granted/{name}")))
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn has_capability(&self, name: &str) -> bool {
        match name.split_once(':') {
            Some(("fs", mount)) => self.mounts.contains_key(mount),
            Some(("env", variable)) => self.env.contains_key(variable),
            Some(("artifacts", _)) => !self.denied_artifacts,
            Some(_) => false,
            None => name == "artifacts" && !self.denied_artifacts || name == "fs" && !self.mounts.is_empty(),
        }
    }

    fn log(&self, level: Level, message: &str) {
        self.logs.borrow_mut().push((level, message.to_owned()));
    }

    fn progress(&self, done: u64, total: Option<u64>, note: &str) {
        self.progress.borrow_mut().push((done, total, note.to_owned()));
    }

    fn emit(&self, findings: &[Finding]) -> Result<(), TaskError> {
        self.findings.borrow_mut().extend_from_slice(findings);
        Ok(())
    }

    fn write_artifact(&self, name: &str, media_type: &str, content: &mut dyn Read) -> Result<String, TaskError> {
        if self.denied_artifacts {
            return Err(TaskError::Denied { capability: "artifacts".into(), target: name.into() });
        }
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(|error| TaskError::Failed(error.to_string()))?;
        // The real host answers with the content's digest; a test has the content itself.
        let answer = format!("test:{}", bytes.len());
        self.artifacts.borrow_mut().push(Artifact { name: name.into(), media_type: media_type.into(), content: bytes });
        Ok(answer)
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }
}
