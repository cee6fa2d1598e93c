//! A host for native tests: mounts are folders, and everything a task says is kept for the test to look at.

use crate::{Finding, Host, HttpRequest, HttpResponse, Level, Printed, TaskError};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
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

type Server = dyn Fn(&HttpRequest) -> Result<HttpResponse, TaskError>;
type Program = dyn Fn(&[(&str, &str)]) -> Result<Printed, TaskError>;
/// Values and the times they were kept until or at, by key.
type Bucket = BTreeMap<String, (Vec<u8>, u64)>;

/// A [`Host`] that keeps everything in memory.
#[derive(Default)]
pub struct TestHost {
    mounts: BTreeMap<String, PathBuf>,
    env: BTreeMap<String, String>,
    denied_artifacts: bool,
    findings_granted: bool,
    dry_run: bool,
    server: Option<Box<Server>>,
    programs: BTreeMap<String, Box<Program>>,
    secrets: BTreeSet<String>,
    buckets: RefCell<BTreeMap<String, Bucket>>,
    requests: RefCell<Vec<HttpRequest>>,
    started: RefCell<Vec<String>>,
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

    /// Answers requests. Without it all are refused.
    #[must_use]
    pub fn with_http(mut self, server: impl Fn(&HttpRequest) -> Result<HttpResponse, TaskError> + 'static) -> TestHost {
        self.server = Some(Box::new(server));
        self
    }

    /// Grants a program, which is a function of its slots.
    #[must_use]
    pub fn with_program(
        mut self,
        alias: &str,
        program: impl Fn(&[(&str, &str)]) -> Result<Printed, TaskError> + 'static,
    ) -> TestHost {
        self.programs.insert(alias.to_owned(), Box::new(program));
        self
    }

    /// Grants a secret; its placeholder is `{{name}}`.
    #[must_use]
    pub fn with_secret(mut self, name: &str) -> TestHost {
        self.secrets.insert(name.to_owned());
        self
    }

    /// Grants the findings of the tasks before: `.findings.json` in each folder of the mount `artifacts`.
    #[must_use]
    pub fn with_findings(mut self) -> TestHost {
        self.findings_granted = true;
        self
    }

    /// Grants a bucket of kept values.
    #[must_use]
    pub fn with_bucket(self, name: &str) -> TestHost {
        self.buckets.borrow_mut().entry(name.to_owned()).or_default();
        self
    }

    /// Makes it a dry run.
    #[must_use]
    pub fn dry_run(mut self) -> TestHost {
        self.dry_run = true;
        self
    }

    /// The requests that were made, refused ones too.
    pub fn requests(&self) -> Vec<HttpRequest> {
        self.requests.borrow().clone()
    }

    /// The programs that were started, each as `alias slot=value …`.
    pub fn started(&self) -> Vec<String> {
        self.started.borrow().clone()
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
            Some(("exec", alias)) => self.programs.contains_key(alias),
            Some(("secrets", secret)) => self.secrets.contains(secret),
            Some(("kv", bucket)) => self.buckets.borrow().contains_key(bucket),
            Some(_) => false,
            None => match name {
                "artifacts" => !self.denied_artifacts,
                "fs" => !self.mounts.is_empty(),
                "net" => self.server.is_some(),
                "exec" => !self.programs.is_empty(),
                "secrets" => !self.secrets.is_empty(),
                "findings" => self.findings_granted,
                "kv" => !self.buckets.borrow().is_empty(),
                _ => false,
            },
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

    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, TaskError> {
        self.requests.borrow_mut().push(request.clone());
        match &self.server {
            Some(server) => server(request),
            None => Err(TaskError::Denied { capability: "net".into(), target: request.url.clone() }),
        }
    }

    fn secret(&self, name: &str) -> Result<String, TaskError> {
        if self.secrets.contains(name) {
            return Ok(format!("{{{{{name}}}}}"));
        }
        Err(TaskError::Denied { capability: "secrets".into(), target: name.into() })
    }

    fn stream(
        &self,
        alias: &str,
        slots: &[(&str, &str)],
        output: &mut dyn FnMut(&[u8]) -> Result<(), TaskError>,
    ) -> Result<Printed, TaskError> {
        let Some(program) = self.programs.get(alias) else {
            return Err(TaskError::Denied { capability: "exec".into(), target: alias.into() });
        };
        let line: String = slots.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        self.started.borrow_mut().push(format!("{alias}{line}"));
        let printed = program(slots)?;
        output(&printed.stdout)?;
        Ok(Printed { stdout: Vec::new(), ..printed })
    }

    fn kept(&self, bucket: &str, key: &str) -> Result<Option<(Vec<u8>, u64)>, TaskError> {
        let buckets = self.buckets.borrow();
        let Some(values) = buckets.get(bucket) else {
            return Err(TaskError::Denied { capability: "kv".into(), target: bucket.into() });
        };
        Ok(values.get(key).cloned())
    }

    fn keep(&self, bucket: &str, key: &str, value: &[u8], expect: u64) -> Result<u64, TaskError> {
        let mut buckets = self.buckets.borrow_mut();
        let Some(values) = buckets.get_mut(bucket) else {
            return Err(TaskError::Denied { capability: "kv".into(), target: bucket.into() });
        };
        let version = values.get(key).map_or(0, |(_, version)| *version);
        if self.dry_run || version != expect {
            return Err(TaskError::Failed(format!("`{key}` of `{bucket}` cannot be kept: it has version {version}")));
        }
        values.insert(key.to_owned(), (value.to_vec(), version + 1));
        Ok(version + 1)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }
}
