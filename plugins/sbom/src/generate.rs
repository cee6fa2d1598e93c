//! The task `generate`: walk, read, merge, write, report.

use crate::merge::{Bill, merge, without_dev};
use crate::{cyclonedx, spdx};
use orch_plugin_kit::digest::sha256;
use orch_plugin_kit::glob::Glob;
use orch_plugin_kit::{report, tree};
use orch_plugin_lockfiles::model::{Ecosystem, LockKind, Origin};
use orch_plugin_lockfiles::read::LockFile;
use orch_plugin_lockfiles::walk::{Installed, Tree, walk_with};
use orch_plugin_lockfiles::{manifests, read, review};
use orch_sdk::{Finding, Host, Outcome, TaskError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The mount that is read.
const MOUNT: &str = "source";

/// A format of bills of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// CycloneDX 1.6 as JSON, in `sbom.cdx.json`.
    Cyclonedx,
    /// SPDX 2.3 as JSON, in `sbom.spdx.json`.
    Spdx,
}

impl Format {
    /// The artifact's name and media type.
    fn artifact(self) -> (&'static str, &'static str) {
        match self {
            Format::Cyclonedx => ("sbom.cdx.json", cyclonedx::MEDIA_TYPE),
            Format::Spdx => ("sbom.spdx.json", spdx::MEDIA_TYPE),
        }
    }
}

/// What `generate` takes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// The name of what the bill is about. Without it, the name of the tree's own root package, or `source`.
    #[serde(default)]
    pub name: Option<String>,
    /// Its version. Without it, the version of the tree's own root package.
    #[serde(default)]
    pub version: Option<String>,
    /// Patterns of files and folders to leave out: `*` and `?` in a name, `**` for folders; without `/` at any depth.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// The ecosystems to read; all if left out.
    #[serde(default)]
    pub ecosystems: Option<BTreeSet<Ecosystem>>,
    /// Whether packages that are only for development are listed, with the scope `excluded`.
    #[serde(default = "yes")]
    pub include_dev: bool,
    /// The time to write into the bill, as RFC 3339. Without it there is none, and the same tree gives the same bytes.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// The formats to write.
    #[serde(default = "cyclonedx_only")]
    pub format: BTreeSet<Format>,
    /// Whether language packages that are installed in a system are read: those of Python, Node and Ruby.
    #[serde(default)]
    pub installed: bool,
}

fn cyclonedx_only() -> BTreeSet<Format> {
    BTreeSet::from([Format::Cyclonedx])
}

fn yes() -> bool {
    true
}

impl Default for Input {
    fn default() -> Input {
        Input {
            name: None,
            version: None,
            exclude: Vec::new(),
            ecosystems: None,
            include_dev: true,
            timestamp: None,
            format: cyclonedx_only(),
            installed: false,
        }
    }
}

/// What `generate` returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Output {
    /// How many components the bill has, without what it is about.
    pub components: usize,
    /// The same for each ecosystem.
    pub by_ecosystem: BTreeMap<Ecosystem, usize>,
    /// How many dependencies between components.
    pub edges: usize,
    /// Whether some lock file could not be read.
    pub incomplete: bool,
    /// The lock files that were read.
    pub lockfiles: Vec<LockFileSummary>,
    /// The bill itself; in the first of its formats.
    pub artifact: ArtifactSummary,
    /// The bill in each of its formats.
    pub artifacts: Vec<ArtifactSummary>,
}

/// A lock file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LockFileSummary {
    /// Relative to the tree.
    pub path: String,
    /// Its format.
    pub kind: LockKind,
    /// How many packages it gave.
    pub packages: usize,
}

/// The bill of materials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ArtifactSummary {
    /// The artifact's name.
    pub name: String,
    /// `sha256:` and the digest of the bill's bytes.
    pub digest: String,
    /// Whether the host stored it; `false` if artifacts are not granted.
    pub written: bool,
}

/// Makes the bill of materials of the mount `source`.
///
/// # Errors
/// When the input is wrong, the mount is not granted, or the host wants the task to stop. A lock file that cannot be read is a
/// finding, not an error.
pub fn generate(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    let request = Request::new(input)?;
    let root = report::granted_mount(MOUNT, host)?;
    let installed = if request.input.installed { Installed::Read } else { Installed::LeftOut };
    let tree = walk_with(&root, &request.exclude, &request.ecosystems, installed, &|| !host.is_cancelled());
    report::check_cancelled(host)?;
    for link in &tree.links {
        host.info(&format!("`{link}` is a symbolic link and is not read"));
    }
    let (files, mut findings) = read_all(&root, tree.clone(), &request, host)?;
    findings.extend(manifests::missing_locks(&tree, &files, &|path| tree::text(&root, path, read::MAX_TOML).ok()));
    findings.extend(missing_go_sums(&root, &files));
    findings.extend(manifests::unsupported_locks(&tree));
    findings.extend(manifests::incomplete_tree(&tree));
    let incomplete = findings.iter().any(|finding| finding.status == orch_sdk::Status::Error);

    let bill = merge(&files, request.input.name.as_deref(), request.input.version.as_deref());
    report::emit(findings, host)?;
    let mut artifacts = Vec::new();
    for format in &request.input.format {
        let timestamp = request.input.timestamp.as_deref();
        let bytes = match format {
            Format::Cyclonedx => cyclonedx::write(&bill, timestamp, incomplete),
            Format::Spdx => spdx::write(&bill, timestamp, incomplete),
        };
        let bytes = bytes.map_err(|error| TaskError::Failed(format!("the bill of materials is no JSON: {error}")))?;
        let (name, media_type) = format.artifact();
        let written = report::store(name, media_type, &bytes, host)?;
        artifacts.push(ArtifactSummary {
            name: name.to_owned(),
            digest: format!("sha256:{}", sha256(&bytes)),
            written,
        });
    }
    let [artifact, ..] = &artifacts[..] else {
        return Err(TaskError::Failed("no format was written".to_owned()));
    };
    let artifact = artifact.clone();
    if files.is_empty() {
        host.warn("no lock file was found; the bill of materials is empty");
    }
    let (components, by_ecosystem, edges) = counts(&bill);
    let lockfiles = files.iter().map(lock_file_summary).collect();
    Ok(Outcome::Succeeded(Output { components, by_ecosystem, edges, incomplete, lockfiles, artifact, artifacts }))
}

/// The input after all checks.
struct Request {
    input: Input,
    exclude: Vec<Glob>,
    ecosystems: BTreeSet<Ecosystem>,
}

impl Request {
    fn new(input: Input) -> Result<Request, TaskError> {
        let wrong = |field: &str, reason: String| TaskError::InvalidInput(format!("`{field}`: {reason}"));
        for (field, value) in [("name", &input.name), ("version", &input.version)] {
            if value.as_deref().is_some_and(|value| value.trim().is_empty() || value.chars().any(char::is_control)) {
                return Err(wrong(field, "is empty or has control characters".to_owned()));
            }
        }
        if input.timestamp.as_deref().is_some_and(|time| !orch_plugin_kit::timestamp::is_rfc3339(time)) {
            return Err(wrong("timestamp", "is no RFC 3339 time such as `2026-01-31T12:00:00Z`".to_owned()));
        }
        if input.format.is_empty() {
            return Err(wrong("format", "names no format; known are `cyclonedx` and `spdx`".to_owned()));
        }
        let globs = input.exclude.iter().map(|pattern| Glob::new(pattern));
        let exclude = globs.collect::<Result<_, _>>().map_err(|reason| wrong("exclude", reason))?;
        let ecosystems = input.ecosystems.clone().unwrap_or_else(|| Ecosystem::ALL.into());
        Ok(Request { input, exclude, ecosystems })
    }
}

fn read_all(
    root: &Path,
    tree: Tree,
    request: &Request,
    host: &dyn Host,
) -> Result<(Vec<LockFile>, Vec<Finding>), TaskError> {
    let (mut files, problems) = read::all(root, &tree.locks, &request.exclude, host)?;
    let mut findings: Vec<Finding> = problems.iter().map(|(path, error)| review::parse_error(path, error)).collect();
    for file in &mut files {
        if !request.input.include_dev {
            without_dev(&mut file.found);
        }
        findings.extend(review::review(file));
    }
    Ok((files, findings))
}

/// `go.mod` is its own lock; what may be missing is the file with its hashes.
fn missing_go_sums(root: &Path, files: &[LockFile]) -> Vec<Finding> {
    let lacks = |file: &&LockFile| {
        let sum = format!("{}go.sum", file.path.strip_suffix("go.mod").unwrap_or_default());
        let needs = file.found.packages.iter().any(|package| package.origin == Origin::Registry);
        file.kind == LockKind::GoMod && needs && !tree::is_plain_file(root, &sum)
    };
    let finding = |file: &LockFile| {
        report::Problem {
            rule: "lockfile-missing",
            severity: orch_sdk::Severity::Low,
            status: orch_sdk::Status::Open,
            title: format!("`{}` requires modules, but there is no go.sum with their hashes", file.path),
            path: &file.path,
            line: None,
            identity: &["go.sum"],
            remediation: "Run `go mod tidy` and commit `go.sum`.",
        }
        .finding()
    };
    files.iter().filter(lacks).map(finding).collect()
}

fn counts(bill: &Bill) -> (usize, BTreeMap<Ecosystem, usize>, usize) {
    let mut by_ecosystem = BTreeMap::new();
    for ecosystem in bill.components.iter().filter_map(|component| component.ecosystem) {
        *by_ecosystem.entry(ecosystem).or_insert(0) += 1;
    }
    (bill.components.len(), by_ecosystem, bill.edges.values().map(BTreeSet::len).sum())
}

fn lock_file_summary(file: &LockFile) -> LockFileSummary {
    LockFileSummary { path: file.path.clone(), kind: file.kind, packages: file.found.packages.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orch_sdk::{DESCRIBE_TASK, TestHost, dispatch};

    #[test]
    fn the_exported_task_speaks_json() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("requirements.txt"), "kit==1\n").unwrap();
        let host = TestHost::new().with_mount(MOUNT, folder.path());
        let call = |task: &str, input: &str| dispatch(&crate::tasks(), task, input, &host).map(Outcome::succeeded);
        let output = call("generate", r#"{ "include-dev": false, "ecosystems": ["pypi"] }"#).unwrap().unwrap();
        let output: serde_json::Value = serde_json::from_str(&output).unwrap();
        assert_eq!(output["by_ecosystem"], serde_json::json!({ "pypi": 1 }));
        assert_eq!(output["lockfiles"][0]["kind"], "requirements");
        assert!(matches!(call("generate", r#"{ "include_dev": false }"#), Err(TaskError::InvalidInput(_))));
        let described: serde_json::Value = serde_json::from_str(&call(DESCRIBE_TASK, "{}").unwrap().unwrap()).unwrap();
        let input = &described["generate"]["input"]["properties"];
        assert!(input["include-dev"]["default"] == true && input["timestamp"].is_object(), "{input}");
    }
}
